/* /proc/PID and /proc/PID/task/TID: what is in them, and the small files. */
#include "proc.h"
#include "../net_files.h"
#include "../../core/coredump.h"
#include "../../core/errno.h"
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct task *proc_task_of_pid_borrow(const struct pid *p) {
  if (p->task)
    return p->task;
  return p->process ? p->process->leader : NULL;
}

struct task *proc_task_borrow(const struct inode *i) {
  const struct pid *p = synth_ctx(i);
  return p ? proc_task_of_pid_borrow(p) : NULL;
}

bool proc_may_look(struct task *t) {
  struct task *me = task_current();
  return !me || me->proc == t->proc || task_may_access(me, t);
}

int proc_allow(struct inode *i) {
  struct task *t = proc_task_borrow(i);
  if (!t)
    return -ESRCH;
  return proc_may_look(t) ? 0 : -EACCES;
}

/* ---- comm ---- */
static int comm_show(struct inode *i, struct sbuf *b) {
  struct task *t = proc_task_borrow(i);
  if (!t)
    return -ESRCH;
  sb_printf(b, "%.15s\n", t->comm);
  return 0;
}

static ssize_t comm_store(struct inode *i, char *buf, size_t n) {
  struct task *t = proc_task_borrow(i), *me = task_current();
  if (!t)
    return -ESRCH;
  if (!me || me->proc != t->proc)
    return -EINVAL;
  snprintf(t->comm, sizeof t->comm, "%s", buf);
  return (ssize_t)n;
}

/* ---- oom: the host's business, the numbers are kept for those who set and read them ---- */
static int oom_score_show(struct inode *i, struct sbuf *b) {
  struct mm *mm = proc_mm_of(i);
  struct proc_mem m = {0};
  if (mm)
    proc_mem_figures(mm, &m);
  mm_put(mm);
  struct task *t = proc_task_borrow(i);
  if (!t)
    return -ESRCH;
  int64_t points = (int64_t)(m.rss / PAGE_SIZE) * 1000 / (int64_t)(t->k->mem_limit / PAGE_SIZE + 1);
  points += t->proc->oom_score_adj;
  points = t->proc->oom_score_adj == -1000 ? 0 : (1000 + points) * 2 / 3;
  sb_printf(b, "%lld\n", (long long)(points < 0 ? 0 : points));
  return 0;
}

static int oom_score_adj_show(struct inode *i, struct sbuf *b) {
  struct task *t = proc_task_borrow(i);
  if (!t)
    return -ESRCH;
  sb_printf(b, "%d\n", t->proc->oom_score_adj);
  return 0;
}

static int oom_adj_show(struct inode *i, struct sbuf *b) {
  struct task *t = proc_task_borrow(i);
  if (!t)
    return -ESRCH;
  int adj = t->proc->oom_score_adj;
  sb_printf(b, "%d\n", adj == 1000 ? 15 : adj * 17 / 1000);
  return 0;
}

static ssize_t set_oom(struct inode *i, long v, size_t n) {
  struct task *t = proc_task_borrow(i), *me = task_current();
  if (!t)
    return -ESRCH;
  if (v < t->proc->oom_score_adj && !(me && cred_has_cap(me->cred, CAP_SYS_RESOURCE)))
    return -EACCES;
  t->proc->oom_score_adj = (int)v;
  return (ssize_t)n;
}

static bool parse_long(const char *s, long *v) {
  char *end;
  errno = 0;
  *v = strtol(s, &end, 10);
  while (*end == '\n' || *end == ' ')
    end++;
  return end != s && !*end && !errno;
}

static ssize_t oom_score_adj_store(struct inode *i, char *buf, size_t n) {
  long v;
  return parse_long(buf, &v) && v >= -1000 && v <= 1000 ? set_oom(i, v, n) : -EINVAL;
}

static ssize_t oom_adj_store(struct inode *i, char *buf, size_t n) {
  long v;
  if (!parse_long(buf, &v) || v < -17 || v > 15)
    return -EINVAL;
  return set_oom(i, v == 15 ? 1000 : v * 1000 / 17, n);
}

/* ---- coredump_filter ---- */
static int coredump_filter_show(struct inode *i, struct sbuf *b) {
  struct task *t = proc_task_borrow(i);
  if (!t)
    return -ESRCH;
  if (t->mm)
    sb_printf(b, "%08x\n", t->proc->coredump_filter);
  return 0;
}
static ssize_t coredump_filter_store(struct inode *i, char *buf, size_t n) {
  struct task *t = proc_task_borrow(i);
  char *end;
  unsigned long v = strtoul(buf, &end, 0);
  if (end == buf)
    return -EINVAL;
  if (!t)
    return -ESRCH;
  t->proc->coredump_filter = (unsigned)v & COREDUMP_FILTER_ALL;
  return (ssize_t)n;
}

/* ---- others ---- */
static int personality_show(struct inode *i, struct sbuf *b) {
  struct task *t = proc_task_borrow(i);
  if (!t)
    return -ESRCH;
  sb_printf(b, "%08x\n", t->personality);
  return 0;
}

static int timerslack_show(struct inode *i, struct sbuf *b) {
  struct task *t = proc_task_borrow(i);
  if (!t)
    return -ESRCH;
  sb_printf(b, "%u\n", t->timer_slack_ns);
  return 0;
}

static ssize_t timerslack_store(struct inode *i, char *buf, size_t n) {
  struct task *t = proc_task_borrow(i), *me = task_current();
  long v;
  if (!t)
    return -ESRCH;
  if (t != me && !(me && cred_has_cap(me->cred, CAP_SYS_NICE)))
    return -EPERM;
  if (!parse_long(buf, &v) || v < 0 || v > UINT32_MAX)
    return -EINVAL;
  t->timer_slack_ns = v ? (uint32_t)v : 50000;
  return (ssize_t)n;
}

static int syscall_show(struct inode *i, struct sbuf *b) {
  struct task *t = proc_task_borrow(i);
  if (!t)
    return -ESRCH;
  if (t->in_guest || t->ev.type != PLAT_SYSCALL || t->state == TASK_ZOMBIE) {
    sb_puts(b, "running\n");
    return 0;
  }
  const struct plat_call *c = &t->ev.call;
  sb_printf(b, "%lld", (long long)c->nr);
  for (int a = 0; a < 6; a++)
    sb_printf(b, " 0x%llx", (unsigned long long)c->arg[a]);
  sb_printf(b, " 0x0 0x%llx\n", (unsigned long long)c->ip);
  return 0;
}

/* Kernel stacks are shown to nobody: they are the Sentry's. */
static int stack_show(struct inode *i, struct sbuf *b) {
  return -EPERM;
}

static int children_show(struct inode *i, struct sbuf *b) {
  struct task *t = proc_task_borrow(i);
  struct process *c;
  if (!t)
    return -ESRCH;
  if (t != t->proc->leader)
    return 0;
  LIST_FOREACH(c, &t->proc->children, sibling) {
    if (c->pid)
      sb_printf(b, "%d ", pid_nr_ns(c->pid, proc_ns_borrow(i)));
  }
  return 0;
}

/* ---- task/ ---- */
static const struct synth_ent tid_ent = {.mode = S_IFDIR | 0555, .children = proc_tid_entries, .arg = PROC_THREAD};

static struct process *process_of(struct inode *dir) {
  struct task *t = proc_task_borrow(dir);
  return t ? t->proc : NULL;
}

static int task_lookup(struct inode *dir, const char *name, struct synth_child *c) {
  struct process *p = process_of(dir);
  char *end;
  long nr = *name >= '1' && *name <= '9' && strlen(name) <= 9 ? strtol(name, &end, 10) : 0;
  struct pid *tid = p && nr && !*end ? pid_find_ns_borrow(proc_ns_borrow(dir), (int)nr) : NULL;
  if (!tid || !tid->task || tid->task->proc != p)
    return -ENOENT;
  c->ent = &tid_ent;
  c->ctx = pid_get(tid);
  return 0;
}

static int task_next(struct inode *dir, uint64_t key, struct synth_child *c) {
  struct process *p = process_of(dir);
  struct task *t;
  int best = 0;
  if (!p)
    return -ENOENT;
  LIST_FOREACH(t, &p->threads, thread_link) {
    int nr = pid_nr_ns(t->tid, proc_ns_borrow(dir));
    if (nr && (uint64_t)nr >= key && (!best || nr < best))
      best = nr;
  }
  if (!best)
    return 0;
  snprintf(c->name, sizeof c->name, "%d", best);
  c->ent = &tid_ent;
  c->key = (uint64_t)best;
  return 1;
}

/* ---- the mount table tells of its changes ---- */
static uint64_t mounts_seq(struct inode *i) {
  return synth_kernel(i)->vfs->mounts_seq;
}
static struct waitq *mounts_wq(struct inode *i) {
  return &synth_kernel(i)->vfs->mounts_wq;
}

/* Directories guarded by `allow` have mode 0555, since a process may always look into its own even if its owner is
 * root. */
#define COMMON_ENTRIES(thread)                                                                                         \
  {.name = "auxv", .mode = S_IFREG | 0400, .show = proc_auxv_show, .allow = proc_allow},                               \
      {.name = "cgroup", .mode = S_IFREG | 0444, .text = "0::/\n"},                                                    \
      {.name = "clear_refs", .mode = S_IFREG | 0200, .store = proc_clear_refs_store, .allow = proc_allow},             \
      {.name = "cmdline", .mode = S_IFREG | 0444, .show = proc_cmdline_show},                                          \
      {.name = "comm", .mode = S_IFREG | 0644, .show = comm_show, .store = comm_store},                                \
      {.name = "cpuset", .mode = S_IFREG | 0444, .text = "/\n"},                                                       \
      {.name = "cwd", .mode = S_IFLNK | 0777, .link = proc_cwd_link, .follow = proc_cwd_follow, .allow = proc_allow},  \
      {.name = "environ", .mode = S_IFREG | 0400, .show = proc_environ_show, .allow = proc_allow},                     \
      {.name = "exe", .mode = S_IFLNK | 0777, .link = proc_exe_link, .follow = proc_exe_follow, .allow = proc_allow},  \
      {.name = "fd", .mode = S_IFDIR | 0555, .lookup = proc_fd_lookup, .next = proc_fd_next, .allow = proc_allow},     \
      {.name = "fdinfo",                                                                                               \
       .mode = S_IFDIR | 0555,                                                                                         \
       .lookup = proc_fdinfo_lookup,                                                                                   \
       .next = proc_fdinfo_next,                                                                                       \
       .allow = proc_allow},                                                                                           \
      {.name = "gid_map", .mode = S_IFREG | 0644, .show = proc_id_map_show, .store_as = proc_id_map_store, .arg = 1},  \
      {.name = "io", .mode = S_IFREG | 0400, .show = proc_io_show, .allow = proc_allow, .arg = thread},                \
      {.name = "limits", .mode = S_IFREG | 0444, .show = proc_limits_show},                                            \
      {.name = "maps", .mode = S_IFREG | 0444, .show = proc_maps_show, .allow = proc_allow},                           \
      {.name = "map_files",                                                                                            \
       .mode = S_IFDIR | 0555,                                                                                         \
       .lookup = proc_map_files_lookup,                                                                                \
       .next = proc_map_files_next,                                                                                    \
       .allow = proc_allow},                                                                                           \
      {.name = "mem", .mode = S_IFREG | 0600, .open = proc_mem_open, .allow = proc_allow},                             \
      {.name = "mountinfo", .mode = S_IFREG | 0444, .show = proc_mountinfo_show, .seq = mounts_seq, .wq = mounts_wq},  \
      {.name = "mounts", .mode = S_IFREG | 0444, .show = proc_mounts_show, .seq = mounts_seq, .wq = mounts_wq},        \
      {.name = "net", .mode = S_IFDIR | 0555, NET_FILES_ROOT(NET_TREE_PROC)},                                           \
      {.name = "ns", .mode = S_IFDIR | 0511, .children = proc_ns_entries},                                             \
      {.name = "numa_maps", .mode = S_IFREG | 0444, .show = proc_numa_maps_show, .allow = proc_allow},                 \
      {.name = "oom_adj", .mode = S_IFREG | 0644, .show = oom_adj_show, .store = oom_adj_store},                       \
      {.name = "oom_score", .mode = S_IFREG | 0444, .show = oom_score_show},                                           \
      {.name = "coredump_filter",                                                                                      \
       .mode = S_IFREG | 0644,                                                                                         \
       .show = coredump_filter_show,                                                                                   \
       .store = coredump_filter_store},                                                                                \
      {.name = "oom_score_adj", .mode = S_IFREG | 0644, .show = oom_score_adj_show, .store = oom_score_adj_store},     \
      {.name = "pagemap", .mode = S_IFREG | 0400, .open = proc_pagemap_open, .allow = proc_allow},                     \
      {.name = "personality", .mode = S_IFREG | 0400, .show = personality_show, .allow = proc_allow},                  \
      {.name = "projid_map",                                                                                           \
       .mode = S_IFREG | 0644,                                                                                         \
       .show = proc_id_map_show,                                                                                       \
       .store_as = proc_id_map_store,                                                                                  \
       .arg = 2},                                                                                                      \
      {.name = "root",                                                                                                 \
       .mode = S_IFLNK | 0777,                                                                                         \
       .link = proc_root_link,                                                                                         \
       .follow = proc_root_follow,                                                                                     \
       .allow = proc_allow},                                                                                           \
      {.name = "sched", .mode = S_IFREG | 0444, .show = proc_sched_show, .arg = thread},                               \
      {.name = "schedstat", .mode = S_IFREG | 0444, .show = proc_schedstat_show, .arg = thread},                       \
      {.name = "setgroups", .mode = S_IFREG | 0644, .show = proc_setgroups_show, .store_as = proc_setgroups_store},    \
      {.name = "smaps", .mode = S_IFREG | 0444, .show = proc_smaps_show, .allow = proc_allow},                         \
      {.name = "smaps_rollup", .mode = S_IFREG | 0444, .show = proc_smaps_rollup_show, .allow = proc_allow},           \
      {.name = "stack", .mode = S_IFREG | 0400, .show = stack_show, .allow = proc_allow},                              \
      {.name = "stat", .mode = S_IFREG | 0444, .show = proc_stat_show, .arg = thread},                                 \
      {.name = "statm", .mode = S_IFREG | 0444, .show = proc_statm_show},                                              \
      {.name = "status", .mode = S_IFREG | 0444, .show = proc_status_show, .arg = thread},                             \
      {.name = "syscall", .mode = S_IFREG | 0400, .show = syscall_show, .allow = proc_allow},                          \
      {.name = "uid_map", .mode = S_IFREG | 0644, .show = proc_id_map_show, .store_as = proc_id_map_store, .arg = 0},  \
  {                                                                                                                    \
    .name = "wchan", .mode = S_IFREG | 0444, .text = "0"                                                               \
  }

const struct synth_ent proc_pid_entries[] = {
    COMMON_ENTRIES(PROC_WHOLE),
    {.name = "mountstats", .mode = S_IFREG | 0400, .show = proc_mountstats_show},
    {.name = "task", .mode = S_IFDIR | 0555, .lookup = task_lookup, .next = task_next},
    {.name = "timens_offsets", .mode = S_IFREG | 0644, .show = proc_timens_show, .store_as = proc_timens_store},
    {.name = "timerslack_ns", .mode = S_IFREG | 0666, .show = timerslack_show, .store = timerslack_store},
    {0},
};

const struct synth_ent proc_tid_entries[] = {
    COMMON_ENTRIES(PROC_THREAD),
    {.name = "children", .mode = S_IFREG | 0444, .show = children_show},
    {0},
};
