/* /proc/sys/vm: what core/mm*.c obeys can be changed, the rest tells what is so. */
#include "proc.h"
#include "../../core/errno.h"
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

struct rule {
  size_t offset;
  int min, max;
};
#define FIELD(f) offsetof(struct kernel_sysctl, f)
enum { V_MEMORY, V_RATIO, V_KBYTES, V_MAP_COUNT };
static const struct rule rules[] = {
    [V_MEMORY] = {FIELD(overcommit_memory), 0, 2},
    [V_RATIO] = {FIELD(overcommit_ratio), 0, INT32_MAX},
    [V_KBYTES] = {FIELD(overcommit_kbytes), 0, INT32_MAX},
    [V_MAP_COUNT] = {FIELD(max_map_count), 0, INT32_MAX},
};

static int *value(struct inode *i) {
  return (int *)((char *)&synth_kernel(i)->sysctl + rules[synth_ent_of(i)->arg].offset);
}

static int show(struct inode *i, struct sbuf *b) {
  sb_printf(b, "%d\n", *value(i));
  return 0;
}

static ssize_t store(struct inode *i, char *buf, size_t n) {
  const struct rule *r = &rules[synth_ent_of(i)->arg];
  struct kernel_sysctl *s = &synth_kernel(i)->sysctl;
  char *end;
  long v = strtol(buf, &end, 10);
  if (end == buf || end[strspn(end, " \t\n")] || v < r->min || v > r->max)
    return -EINVAL;
  *value(i) = (int)v;
  if (synth_ent_of(i)->arg == V_RATIO) /* either of the two counts, the one set last */
    s->overcommit_kbytes = 0;
  if (synth_ent_of(i)->arg == V_KBYTES)
    s->overcommit_ratio = 0;
  return (ssize_t)n;
}

#define TEXT(n, t)                                                                                                     \
  { .name = n, .mode = S_IFREG | 0444, .text = t "\n" }
#define INT(n, v)                                                                                                      \
  { .name = n, .mode = S_IFREG | 0644, .show = show, .store = store, .arg = v }

const struct synth_ent proc_vm_entries[] = {
    TEXT("dirty_background_ratio", "10"),
    TEXT("dirty_ratio", "20"),
    INT("max_map_count", V_MAP_COUNT),
    TEXT("min_free_kbytes", "67584"),
    TEXT("mmap_min_addr", "65536"),
    TEXT("nr_hugepages", "0"),
    INT("overcommit_kbytes", V_KBYTES),
    INT("overcommit_memory", V_MEMORY),
    INT("overcommit_ratio", V_RATIO),
    TEXT("page-cluster", "3"),
    TEXT("swappiness", "60"),
    TEXT("unprivileged_userfaultfd", "0"),
    TEXT("vfs_cache_pressure", "100"),
    TEXT("zone_reclaim_mode", "0"),
    {0},
};
