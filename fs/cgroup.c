/*
 * /sys/fs/cgroup: the sandbox as one control group of version 2, to read only (cgroups(7)). It is what language
 * runtimes size their heaps and thread pools by. The limits themselves are enforced on the host.
 */
#include "../core/errno.h"
#include "../core/timers.h"
#include "proc/proc.h"
#include "synth.h"

#define CGROUP2_SUPER_MAGIC 0x63677270
#define TEXT(n, t)                                                                                                     \
  { .name = n, .mode = S_IFREG | 0444, .text = t "\n" }
#define SHOW(n, f)                                                                                                     \
  { .name = n, .mode = S_IFREG | 0444, .show = f }

static int procs_show(struct inode *i, struct sbuf *b) {
  struct kernel *k = synth_kernel(i);
  bool threads = synth_ent_of(i)->arg;
  struct process *p;
  struct task *t;
  LIST_FOREACH(p, &k->processes, all) {
    if (!threads && pid_vnr(p->pid)) {
      sb_printf(b, "%d\n", pid_vnr(p->pid));
      continue;
    }
    LIST_FOREACH(t, &p->threads, thread_link) {
      if (pid_vnr(t->tid))
        sb_printf(b, "%d\n", pid_vnr(t->tid));
    }
  }
  return 0;
}

static int cpus_show(struct inode *i, struct sbuf *b) {
  int n = synth_kernel(i)->ncpus;
  sb_printf(b, "%s%d\n", n > 1 ? "0-" : "", n - 1);
  return 0;
}

static int cpu_stat_show(struct inode *i, struct sbuf *b) {
  struct process *p;
  uint64_t user = 0, sys = 0;
  LIST_FOREACH(p, &synth_kernel(i)->processes, all) {
    struct cpu_times c = process_cpu_times(p);
    user += c.utime + p->children_acc.utime;
    sys += c.stime + p->children_acc.stime;
  }
  sb_printf(b, "usage_usec %llu\nuser_usec %llu\nsystem_usec %llu\nnr_periods 0\nnr_throttled 0\nthrottled_usec 0\n",
            (unsigned long long)(user + sys) / 1000, (unsigned long long)user / 1000, (unsigned long long)sys / 1000);
  return 0;
}

static int memory_max_show(struct inode *i, struct sbuf *b) {
  const struct kernel *k = synth_kernel(i);
  if (k->mem_limit && k->mem_limit < k->mem_total)
    sb_printf(b, "%llu\n", (unsigned long long)k->mem_limit);
  else
    sb_puts(b, "max\n");
  return 0;
}

static uint64_t memory_used(struct kernel *k) {
  uint64_t used = proc_mem_used(k), limit = k->mem_limit ? k->mem_limit : k->mem_total;
  return used < limit ? used : limit;
}

static int memory_current_show(struct inode *i, struct sbuf *b) {
  sb_printf(b, "%llu\n", (unsigned long long)memory_used(synth_kernel(i)));
  return 0;
}

static int memory_stat_show(struct inode *i, struct sbuf *b) {
  sb_printf(b,
            "anon %llu\nfile 0\nkernel 0\nkernel_stack 0\npagetables 0\nshmem 0\nfile_mapped 0\nfile_dirty 0\n"
            "inactive_anon 0\nactive_anon %llu\ninactive_file 0\nactive_file 0\nunevictable 0\nslab 0\n",
            (unsigned long long)memory_used(synth_kernel(i)), (unsigned long long)memory_used(synth_kernel(i)));
  return 0;
}

static int pids_current_show(struct inode *i, struct sbuf *b) {
  sb_printf(b, "%d\n", synth_kernel(i)->ntasks);
  return 0;
}

static const struct synth_ent entries[] = {
    TEXT("cgroup.controllers", "cpuset cpu memory pids"),
    TEXT("cgroup.events", "populated 1\nfrozen 0"),
    TEXT("cgroup.freeze", "0"),
    TEXT("cgroup.max.depth", "max"),
    TEXT("cgroup.max.descendants", "max"),
    SHOW("cgroup.procs", procs_show),
    TEXT("cgroup.stat", "nr_descendants 0\nnr_dying_descendants 0"),
    {.name = "cgroup.subtree_control", .mode = S_IFREG | 0444, .text = ""},
    {.name = "cgroup.threads", .mode = S_IFREG | 0444, .show = procs_show, .arg = 1},
    TEXT("cgroup.type", "domain"),
    TEXT("cpu.max", "max 100000"),
    SHOW("cpu.stat", cpu_stat_show),
    TEXT("cpu.weight", "100"),
    SHOW("cpuset.cpus", cpus_show),
    SHOW("cpuset.cpus.effective", cpus_show),
    TEXT("cpuset.mems", "0"),
    TEXT("cpuset.mems.effective", "0"),
    SHOW("memory.current", memory_current_show),
    TEXT("memory.events", "low 0\nhigh 0\nmax 0\noom 0\noom_kill 0"),
    TEXT("memory.high", "max"),
    TEXT("memory.low", "0"),
    SHOW("memory.max", memory_max_show),
    TEXT("memory.min", "0"),
    SHOW("memory.peak", memory_current_show),
    SHOW("memory.stat", memory_stat_show),
    TEXT("memory.swap.current", "0"),
    TEXT("memory.swap.max", "0"),
    SHOW("pids.current", pids_current_show),
    TEXT("pids.max", "max"),
    {0},
};
static const struct synth_ent root = {.mode = S_IFDIR | 0555, .children = entries};

int cgroup_mount(struct kernel *k, struct super **out) {
  static const struct synth_super tmpl = {0};
  int r = synth_mount(k, "cgroup2", CGROUP2_SUPER_MAGIC, &root, &tmpl, out);
  if (!r)
    (*out)->readonly = true;
  return r;
}
