/*
 * /proc/PID/smaps, smaps_rollup and numa_maps: the host's figures of its own mappings, brought onto the areas of the
 * guest. The host joins what the Sentry tells apart, and has the stub besides.
 */
#include "proc.h"
#include "../../core/area.h"
#include "../../core/errno.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const names[] = {
    "Rss",       "Pss", "Pss_Dirty", "Shared_Clean",  "Shared_Dirty",   "Private_Clean", "Private_Dirty", "Referenced",
    "Anonymous", "KSM", "LazyFree",  "AnonHugePages", "ShmemPmdMapped", "FilePmdMapped", "Swap",          "SwapPss",
};
#define NFIGURES (sizeof names / sizeof *names)
enum { F_RSS, F_PSS, F_PSS_DIRTY, F_SH_CLEAN, F_SH_DIRTY, F_PR_CLEAN, F_PR_DIRTY, F_REFERENCED, F_ANON };

struct host_vma {
  uint64_t start, end, v[NFIGURES]; /* bytes */
};
struct host_maps {
  struct host_vma *vma;
  size_t n, cap;
  int pagemap; /* borrowed; -1: none */
};

static struct host_vma *add_vma(struct host_maps *h) {
  if (h->n == h->cap) {
    size_t cap = h->cap ? h->cap * 2 : 64;
    struct host_vma *v = realloc(h->vma, cap * sizeof *v);
    if (!v)
      return NULL;
    h->vma = v;
    h->cap = cap;
  }
  h->vma[h->n] = (struct host_vma){0};
  return &h->vma[h->n++];
}

static int parse_line(struct host_maps *h, const char *line) {
  char *end;
  const char *colon = strchr(line, ':'), *dash = strchr(line, '-');
  if (dash && (!colon || dash < colon) && !(line[0] >= 'A' && line[0] <= 'Z')) {
    struct host_vma *v = add_vma(h);
    if (!v)
      return -ENOMEM;
    v->start = strtoull(line, &end, 16);
    v->end = *end == '-' ? strtoull(end + 1, NULL, 16) : v->start;
    return 0;
  }
  if (!colon || !h->n)
    return 0;
  for (size_t f = 0; f < NFIGURES; f++)
    if (strlen(names[f]) == (size_t)(colon - line) && !memcmp(names[f], line, (size_t)(colon - line))) {
      h->vma[h->n - 1].v[f] = strtoull(colon + 1, NULL, 10) * 1024;
      break;
    }
  return 0;
}

/* Reads and parses the whole file; the host gives about a page at a time. */
static int parse_file(struct host_maps *h, int fd) {
  char buf[8192];
  size_t have = 0;
  off_t at = 0;
  for (;;) {
    ssize_t n = pread(fd, buf + have, sizeof buf - 1 - have, at);
    if (n <= 0)
      return n ? -errno : 0;
    at += n;
    have += (size_t)n;
    buf[have] = 0;
    char *line = buf, *nl;
    for (; (nl = strchr(line, '\n')); line = nl + 1) {
      *nl = 0;
      if (parse_line(h, line))
        return -ENOMEM;
    }
    have -= (size_t)(line - buf);
    memmove(buf, line, have);
    if (have == sizeof buf - 1)
      have = 0; /* no line of this file is that long */
  }
}

static int host_maps_read(struct mm *m, struct host_maps *h) {
  *h = (struct host_maps){.pagemap = mm_look(m, PLAT_LOOK_PAGEMAP)};
  int fd = mm_look(m, PLAT_LOOK_SMAPS);
  int r = fd < 0 ? fd : parse_file(h, fd);
  if (r < 0) {
    free(h->vma);
    *h = (struct host_maps){.pagemap = -1};
  }
  return r;
}

#define COUNT_MAX (1ul << 18) /* pages looked at one by one to divide a mapping of the host's: 1 GiB */

/* Present and swapped pages of a range. */
static uint64_t count_pages(int pagemap, uint64_t start, uint64_t end) {
  uint64_t buf[512], n = 0;
  while (start < end) {
    size_t want = (end - start) / PAGE_SIZE < 512 ? (end - start) / PAGE_SIZE : 512;
    ssize_t r = pread(pagemap, buf, want * 8, (off_t)(start / PAGE_SIZE * 8));
    if (r <= 0)
      break;
    for (ssize_t i = 0; i < r / 8; i++)
      n += buf[i] >> 62 != 0;
    start += (uint64_t)r / 8 * PAGE_SIZE;
  }
  return n;
}

static void add_part(const struct host_maps *h, const struct host_vma *v, uint64_t start, uint64_t end, uint64_t *sum) {
  uint64_t whole = (v->end - v->start) / PAGE_SIZE, part = (end - start) / PAGE_SIZE;
  if (part < whole && h->pagemap >= 0 && whole <= COUNT_MAX && v->v[F_RSS]) {
    whole = count_pages(h->pagemap, v->start, v->end);
    part = count_pages(h->pagemap, start, end);
  }
  for (size_t f = 0; f < NFIGURES && whole; f++)
    sum[f] += part >= whole ? v->v[f] : v->v[f] / 1024 * part / whole * 1024;
}

struct figures {
  uint64_t v[NFIGURES], locked;
};

static void figures_of(const struct host_maps *h, const struct area *a, struct figures *out) {
  *out = (struct figures){0};
  size_t lo = 0, hi = h->n;
  while (lo < hi) {
    size_t mid = (lo + hi) / 2;
    if (h->vma[mid].end <= a->start)
      lo = mid + 1;
    else
      hi = mid;
  }
  for (; lo < h->n && h->vma[lo].start < a->end; lo++) {
    const struct host_vma *v = &h->vma[lo];
    add_part(h, v, v->start > a->start ? v->start : a->start, v->end < a->end ? v->end : a->end, out->v);
  }
  out->locked = a->flags & MAP_LOCKED ? out->v[F_PSS] : 0;
}

static void line_kb(struct sbuf *b, const char *name, uint64_t bytes) {
  int n = (int)strlen(name);
  sb_printf(b, "%s:%*llu kB\n", name, 23 - n, (unsigned long long)(bytes / 1024));
}

static void show_figures(struct sbuf *b, const struct figures *s) {
  for (size_t f = 0; f < NFIGURES; f++) {
    line_kb(b, names[f], s->v[f]);
    if (!strcmp(names[f], "FilePmdMapped")) {
      line_kb(b, "Shared_Hugetlb", 0);
      line_kb(b, "Private_Hugetlb", 0);
    }
  }
  line_kb(b, "Locked", s->locked);
}

static void show_flags(struct sbuf *b, const struct area *a) {
  bool shared = a->flags & MAP_SHARED;
  sb_printf(b, "VmFlags:%s%s%s%s mr%s me%s%s%s%s%s%s%s%s%s \n", a->prot & PROT_READ ? " rd" : "",
            a->prot & PROT_WRITE ? " wr" : "", a->prot & PROT_EXEC ? " ex" : "", shared ? " sh" : "",
            a->max_prot & PROT_WRITE ? " mw" : "", shared ? " ms" : "", area_is_stack(a) ? " gd" : "",
            a->flags & MAP_LOCKED ? " lo" : "", a->advice & AREA_DONTFORK ? " dc" : "",
            a->flags & MAP_NORESERVE ? " nr" : "", a->advice & AREA_WIPEONFORK ? " wf" : "",
            a->advice & AREA_DONTDUMP ? " dd" : "", a->advice & AREA_HUGEPAGE ? " hg" : "",
            a->advice & AREA_NOHUGEPAGE ? " nh" : "");
}

int proc_smaps_show(struct inode *i, struct sbuf *b) {
  struct mm *m = proc_mm_of(i);
  struct area *a;
  struct host_maps h;
  if (!m)
    return proc_task_borrow(i) ? 0 : -ESRCH;
  host_maps_read(m, &h);
  RB_FOREACH(a, area_tree, &m->areas) {
    struct figures s;
    figures_of(&h, a, &s);
    proc_show_area(b, a, m);
    line_kb(b, "Size", a->end - a->start);
    line_kb(b, "KernelPageSize", PAGE_SIZE);
    line_kb(b, "MMUPageSize", PAGE_SIZE);
    show_figures(b, &s);
    sb_printf(b, "THPeligible:           %d\n", (a->advice & AREA_HUGEPAGE) != 0);
    show_flags(b, a);
  }
  free(h.vma);
  mm_put(m);
  return 0;
}

int proc_smaps_rollup_show(struct inode *i, struct sbuf *b) {
  struct mm *m = proc_mm_of(i);
  struct area *a;
  struct figures sum = {0};
  struct host_maps h;
  if (!m)
    return -ESRCH;
  host_maps_read(m, &h);
  uint64_t start = 0, end = 0;
  RB_FOREACH(a, area_tree, &m->areas) {
    struct figures s;
    figures_of(&h, a, &s);
    for (size_t f = 0; f < NFIGURES; f++)
      sum.v[f] += s.v[f];
    sum.locked += s.locked;
    start = end ? start : a->start;
    end = a->end;
  }
  size_t line = b->len;
  sb_printf(b, "%08llx-%08llx ---p 00000000 00:00 0 ", (unsigned long long)start, (unsigned long long)end);
  while (!b->failed && b->len - line < 73)
    sb_put(b, " ", 1);
  sb_puts(b, "[rollup]\n");
  show_figures(b, &sum);
  free(h.vma);
  mm_put(m);
  return 0;
}

/* mpol_to_str() */
static void numa_policy(struct sbuf *b, const struct mempolicy *p) {
  static const char *const modes[MPOL_MAX_K] = {"default", "prefer", "bind", "interleave", "local", "prefer (many)"};
  sb_puts(b, modes[p->mode]);
  if (p->flags & MPOL_F_STATIC_NODES_K)
    sb_puts(b, "=static");
  else if (p->flags & MPOL_F_RELATIVE_NODES_K)
    sb_puts(b, "=relative");
  if (p->nodes)
    sb_puts(b, ":0");
}

static void numa_name(struct sbuf *b, const struct area *a) {
  if (a->kind == AREA_HEAP)
    sb_puts(b, " heap");
  else if (a->kind == AREA_STACK)
    sb_puts(b, " stack");
  else if (a->file && a->file->dentry && task_current()) {
    char *buf = malloc(PATH_MAX);
    struct path p = {a->file->mnt, a->file->dentry};
    const char *name = buf ? vfs_path_string(task_current(), &p, buf, PATH_MAX) : NULL;
    if (name) {
      sb_puts(b, " file=");
      sb_mangle(b, name, "\n\t= ");
    }
    free(buf);
  } else if (a->file) {
    sb_puts(b, " file=");
    sb_mangle(b, a->file->anon_name ? a->file->anon_name : "/dev/zero", "\n\t= ");
  }
}

/* proc(5): a line per area; there is one node. */
int proc_numa_maps_show(struct inode *i, struct sbuf *b) {
  struct mm *m = proc_mm_of(i);
  struct area *a;
  struct host_maps h;
  if (!m)
    return proc_task_borrow(i) ? 0 : -ESRCH;
  host_maps_read(m, &h);
  RB_FOREACH(a, area_tree, &m->areas) {
    struct figures s;
    figures_of(&h, a, &s);
    sb_printf(b, "%08llx ", (unsigned long long)a->start);
    numa_policy(b, &a->policy);
    numa_name(b, a);
    unsigned long long pages = s.v[F_RSS] / PAGE_SIZE, anon = s.v[F_ANON] / PAGE_SIZE;
    unsigned long long dirty = (s.v[F_SH_DIRTY] + s.v[F_PR_DIRTY]) / PAGE_SIZE;
    if (anon)
      sb_printf(b, " anon=%llu", anon);
    if (dirty)
      sb_printf(b, " dirty=%llu", dirty);
    if (pages && pages != anon && pages != dirty)
      sb_printf(b, " mapped=%llu", pages);
    if (pages)
      sb_printf(b, " N0=%llu kernelpagesize_kB=4", pages);
    sb_puts(b, "\n");
  }
  free(h.vma);
  mm_put(m);
  return 0;
}
