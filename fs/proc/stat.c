/* /proc/PID/stat and relatives: the numbers of proc_pid_stat(5), in its order. */
#include "proc.h"
#include "../../core/errno.h"
#include "../../core/timers.h"
#include "../tty_core.h"

static uint64_t ticks(uint64_t ns) {
  return ns / (1000000000ull / USER_HZ);
}

char proc_state_char(const struct task *t, bool whole) {
  const struct process *p = t->proc;
  if (whole && p->zombie)
    return 'Z';
  switch (t->state) {
  case TASK_ZOMBIE:
    return 'Z';
  case TASK_DEAD:
    return 'X';
  case TASK_STOPPED:
    return 'T';
  case TASK_TRACED:
    return 't';
  case TASK_SLEEPING:
    return 'S';
  default:
    return 'R';
  }
}

/* new_encode_dev() of the controlling terminal */
static int tty_number(const struct process *p) {
  if (!p->ctty)
    return 0;
  unsigned maj = PTS_MAJOR + (unsigned)p->ctty->index / 256, min = (unsigned)p->ctty->index % 256;
  return (int)((min & 0xff) | maj << 8 | (min & ~0xffu) << 12);
}

/* Faults and CPU times, of the thread or the process, and of waited-for children. */
struct usage {
  struct cpu_times cpu;
  uint64_t min_flt, maj_flt;
};

static struct usage usage_of(struct task *t, bool whole) {
  struct usage u = {0};
  if (!whole) {
    u.cpu = task_cpu_times(t);
    u.min_flt = t->min_flt;
    u.maj_flt = t->maj_flt;
    return u;
  }
  struct rusage_acc acc;
  process_rusage(t->proc, &acc);
  u.cpu = process_cpu_times(t->proc);
  u.min_flt = acc.min_flt;
  u.maj_flt = acc.maj_flt;
  return u;
}

static void signal_sets(const struct task *t, sigset64_t *ignored, sigset64_t *caught) {
  *ignored = *caught = 0;
  for (int s = 1; t->sighand && s <= NSIG_GUEST; s++) {
    uint64_t h = t->sighand->action[s - 1].handler;
    if (h == 1)
      *ignored |= sigbit(s);
    else if (h)
      *caught |= sigbit(s);
  }
}

static int priority_of(const struct task *t) {
  if (t->sched_policy == 1 || t->sched_policy == 2) /* SCHED_FIFO, SCHED_RR */
    return -1 - t->sched_priority;
  return 20 + t->nice;
}

static void show_memory_layout(struct sbuf *b, const struct mm *m, bool look) {
  if (m && look)
    sb_printf(b, " %llu %llu %llu", (unsigned long long)m->code_start, (unsigned long long)m->code_end,
              (unsigned long long)m->stack_end);
  else
    sb_puts(b, m ? " 1 1 0" : " 0 0 0");
}

static void show_argument_layout(struct sbuf *b, const struct mm *m, bool look) {
  if (!m || !look) {
    sb_puts(b, " 0 0 0 0 0 0 0");
    return;
  }
  const uint64_t v[] = {m->data_start, m->data_end, m->brk_start, m->arg_start, m->arg_end, m->env_start, m->env_end};
  for (size_t i = 0; i < sizeof v / sizeof *v; i++)
    sb_printf(b, " %llu", (unsigned long long)v[i]);
}

/* The figures of i's process; parks, so that no task may be borrowed yet. */
static void figures_of(struct inode *i, struct proc_mem *out) {
  struct mm *m = proc_mm_of(i);
  *out = (struct proc_mem){0};
  if (m)
    proc_mem_figures(m, out);
  mm_put(m);
}

int proc_stat_show(struct inode *i, struct sbuf *b) {
  struct proc_mem mem;
  figures_of(i, &mem);
  struct task *t = proc_task_borrow(i);
  if (!t)
    return -ESRCH;
  bool whole = !proc_is_thread(i), look = proc_may_look(t);
  const struct process *p = t->proc;
  if (t->proc == task_current()->proc) { /* /proc/self: its own faults are exact */
    whole ? process_usage_ask(task_current()) : t == task_current() ? task_usage_ask(t) : (void)0;
    t = proc_task_borrow(i);
    if (!t)
      return -ESRCH;
  }
  struct usage u = usage_of(t, whole);
  sigset64_t ignored, caught;
  signal_sets(t, &ignored, &caught);
  const struct pid_namespace *ns = proc_ns_borrow(i);
  sb_printf(b, "%d (%.15s) %c %d %d %d %d %d 0", pid_nr_ns(whole ? p->pid : t->tid, ns), t->comm,
            proc_state_char(t, whole), p->parent ? pid_nr_ns(p->parent->pid, ns) : 0, pid_nr_ns(p->pgrp, ns),
            pid_nr_ns(p->session, ns), tty_number(p), p->ctty && p->ctty->pgrp ? pid_nr_ns(p->ctty->pgrp, ns) : -1);
  sb_printf(b, " %llu %llu %llu %llu", (unsigned long long)u.min_flt, (unsigned long long)p->children_acc.min_flt,
            (unsigned long long)u.maj_flt, (unsigned long long)p->children_acc.maj_flt);
  sb_printf(b, " %llu %llu %llu %llu", (unsigned long long)ticks(u.cpu.utime), (unsigned long long)ticks(u.cpu.stime),
            (unsigned long long)ticks(p->children_acc.utime), (unsigned long long)ticks(p->children_acc.stime));
  sb_printf(b, " %d %d %d 0 %llu", priority_of(t), t->nice, p->nthreads ? p->nthreads : 1,
            (unsigned long long)ticks((uint64_t)(t->start_time > 0 ? t->start_time : 0)));
  sb_printf(b, " %llu %llu %llu", (unsigned long long)mem.size, (unsigned long long)(mem.rss / PAGE_SIZE),
            (unsigned long long)p->rlim[RLIMIT_RSS].rlim_cur);
  show_memory_layout(b, t->mm, look);
  sb_printf(b, " 0 0 %llu %llu %llu %llu", (unsigned long long)(t->pending.set & 0x7fffffff),
            (unsigned long long)(t->blocked & 0x7fffffff), (unsigned long long)(ignored & 0x7fffffff),
            (unsigned long long)(caught & 0x7fffffff));
  sb_printf(b, " 0 0 0 %d 0 %d %d 0 0 0", whole ? p->exit_signal : -1, t->sched_priority, t->sched_policy);
  show_argument_layout(b, t->mm, look);
  sb_printf(b, " %d\n", look ? (p->zombie ? p->exit_code : t->exit_code) : 0);
  return 0;
}

int proc_statm_show(struct inode *i, struct sbuf *b) {
  struct proc_mem m;
  if (!proc_task_borrow(i))
    return -ESRCH;
  figures_of(i, &m);
  sb_printf(b, "%llu %llu %llu %llu 0 %llu 0\n", (unsigned long long)(m.size / PAGE_SIZE),
            (unsigned long long)(m.rss / PAGE_SIZE), (unsigned long long)(m.shared / PAGE_SIZE),
            (unsigned long long)(m.text / PAGE_SIZE), (unsigned long long)((m.data + m.stack) / PAGE_SIZE));
  return 0;
}

int proc_schedstat_show(struct inode *i, struct sbuf *b) {
  struct task *t = proc_task_borrow(i);
  if (!t)
    return -ESRCH;
  uint64_t ns = proc_is_thread(i) ? task_cpu_ns(t) : process_cpu_ns(t->proc);
  sb_printf(b, "%llu 0 %llu\n", (unsigned long long)ns, (unsigned long long)(t->nvcsw + t->nivcsw));
  return 0;
}

int proc_sched_show(struct inode *i, struct sbuf *b) {
  struct task *t = proc_task_borrow(i);
  if (!t)
    return -ESRCH;
  uint64_t ns = proc_is_thread(i) ? task_cpu_ns(t) : process_cpu_ns(t->proc);
  sb_printf(b, "%.15s (%d, #threads: %d)\n", t->comm, pid_nr_ns(t->tid, proc_ns_borrow(i)), t->proc->nthreads);
  sb_puts(b, "-------------------------------------------------------------------\n");
  sb_printf(b, "se.sum_exec_runtime                          :%21llu.%06llu\n", (unsigned long long)(ns / 1000000),
            (unsigned long long)(ns % 1000000));
  sb_printf(b, "nr_switches                                  :%21llu\n", (unsigned long long)(t->nvcsw + t->nivcsw));
  sb_printf(b, "nr_voluntary_switches                        :%21llu\n", (unsigned long long)t->nvcsw);
  sb_printf(b, "nr_involuntary_switches                      :%21llu\n", (unsigned long long)t->nivcsw);
  sb_printf(b, "policy                                       :%21d\n", t->sched_policy);
  sb_printf(b, "prio                                         :%21d\n", 100 + priority_of(t));
  return 0;
}

/* What goes to a disk happens outside: only the bytes that calls moved are known. */
int proc_io_show(struct inode *i, struct sbuf *b) {
  struct task *t = proc_task_borrow(i);
  if (!t)
    return -ESRCH;
  struct io_acc io = t->io;
  if (!proc_is_thread(i))
    process_io(t->proc, &io);
  sb_printf(b,
            "rchar: %llu\nwchar: %llu\nsyscr: %llu\nsyscw: %llu\nread_bytes: 0\nwrite_bytes: 0\n"
            "cancelled_write_bytes: 0\n",
            (unsigned long long)io.rchar, (unsigned long long)io.wchar, (unsigned long long)io.syscr,
            (unsigned long long)io.syscw);
  return 0;
}

int proc_limits_show(struct inode *i, struct sbuf *b) {
  static const struct {
    const char *name, *unit;
  } names[RLIM_NLIMITS] = {
      [RLIMIT_CPU] = {"Max cpu time", "seconds"},         [RLIMIT_FSIZE] = {"Max file size", "bytes"},
      [RLIMIT_DATA] = {"Max data size", "bytes"},         [RLIMIT_STACK] = {"Max stack size", "bytes"},
      [RLIMIT_CORE] = {"Max core file size", "bytes"},    [RLIMIT_RSS] = {"Max resident set", "bytes"},
      [RLIMIT_NPROC] = {"Max processes", "processes"},    [RLIMIT_NOFILE] = {"Max open files", "files"},
      [RLIMIT_MEMLOCK] = {"Max locked memory", "bytes"},  [RLIMIT_AS] = {"Max address space", "bytes"},
      [RLIMIT_LOCKS] = {"Max file locks", "locks"},       [RLIMIT_SIGPENDING] = {"Max pending signals", "signals"},
      [RLIMIT_MSGQUEUE] = {"Max msgqueue size", "bytes"}, [RLIMIT_NICE] = {"Max nice priority", ""},
      [RLIMIT_RTPRIO] = {"Max realtime priority", ""},    [RLIMIT_RTTIME] = {"Max realtime timeout", "us"},
  };
  struct task *t = proc_task_borrow(i);
  if (!t)
    return -ESRCH;
  sb_printf(b, "%-25s %-20s %-20s %-10s\n", "Limit", "Soft Limit", "Hard Limit", "Units");
  for (int r = 0; r < RLIM_NLIMITS; r++) {
    const struct rlimit *l = &t->proc->rlim[r];
    const rlim_t v[2] = {l->rlim_cur, l->rlim_max};
    sb_printf(b, "%-25s ", names[r].name);
    for (int j = 0; j < 2; j++) {
      if (v[j] == RLIM_INFINITY)
        sb_printf(b, "%-20s ", "unlimited");
      else
        sb_printf(b, "%-20llu ", (unsigned long long)v[j]);
    }
    sb_printf(b, "%-*s\n", *names[r].unit ? 10 : 0, names[r].unit);
  }
  return 0;
}
