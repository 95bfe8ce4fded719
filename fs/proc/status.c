/* /proc/PID/status: proc_pid_status(5). */
#include "proc.h"
#include "../../core/errno.h"
#include "../../core/seccomp.h"
#include "../../core/user.h"

/* The numbers of one pid, from ns downwards. */
static void line_nspid(struct sbuf *b, const char *name, const struct pid *p, const struct pid_namespace *ns) {
  sb_puts(b, name);
  for (unsigned i = ns->level; p && i <= p->level; i++)
    sb_printf(b, "\t%d", i > ns->level || p->numbers[i].ns == ns ? p->numbers[i].nr : 0);
  sb_puts(b, "\n");
}

static void show_ids(struct sbuf *b, const struct task *t, const struct pid_namespace *ns) {
  const struct cred *c = t->cred;
  const struct process *p = t->proc;
  sb_printf(b, "Uid:\t%u\t%u\t%u\t%u\nGid:\t%u\t%u\t%u\t%u\n", kuid_here(c->uid), kuid_here(c->euid),
            kuid_here(c->suid), kuid_here(c->fsuid), kgid_here(c->gid), kgid_here(c->egid), kgid_here(c->sgid),
            kgid_here(c->fsgid));
  sb_printf(b, "FDSize:\t%d\nGroups:\t", t->files ? t->files->cap : 0);
  for (int i = 0; i < c->ngroups; i++)
    sb_printf(b, "%s%u", i ? " " : "", kgid_here(c->groups[i]));
  sb_puts(b, " \n");
  line_nspid(b, "NStgid:", p->pid, ns);
  line_nspid(b, "NSpid:", t->tid, ns);
  line_nspid(b, "NSpgid:", p->pgrp, ns);
  line_nspid(b, "NSsid:", p->session, ns);
  sb_puts(b, "Kthread:\t0\n");
}

static void line_kb(struct sbuf *b, const char *name, uint64_t bytes) {
  sb_printf(b, "%s:\t%8llu kB\n", name, (unsigned long long)(bytes / 1024));
}

static void show_memory(struct sbuf *b, struct mm *m) {
  struct proc_mem e;
  proc_mem_figures(m, &e);
  line_kb(b, "VmPeak", e.peak);
  line_kb(b, "VmSize", e.size);
  line_kb(b, "VmLck", m->locked_vm * PAGE_SIZE);
  line_kb(b, "VmPin", 0);
  line_kb(b, "VmHWM", e.in.hwm > e.rss ? e.in.hwm : e.rss);
  line_kb(b, "VmRSS", e.rss);
  line_kb(b, "RssAnon", e.in.anon);
  line_kb(b, "RssFile", e.in.file);
  line_kb(b, "RssShmem", e.in.shmem);
  line_kb(b, "VmData", e.data);
  line_kb(b, "VmStk", e.stack);
  line_kb(b, "VmExe", m->code_end - m->code_start);
  line_kb(b, "VmLib", e.text > m->code_end - m->code_start ? e.text - (m->code_end - m->code_start) : 0);
  line_kb(b, "VmPTE", e.rss / 512);
  line_kb(b, "VmSwap", e.in.swap);
  line_kb(b, "HugetlbPages", 0);
  sb_puts(b, "CoreDumping:\t0\nTHP_enabled:\t1\n");
}

static void line_set(struct sbuf *b, const char *name, uint64_t v) {
  sb_printf(b, "%s:\t%016llx\n", name, (unsigned long long)v);
}

static void show_signals(struct sbuf *b, const struct task *t) {
  const struct process *p = t->proc;
  sigset64_t ignored = 0, caught = 0;
  for (int s = 1; t->sighand && s <= NSIG_GUEST; s++) {
    uint64_t h = t->sighand->action[s - 1].handler;
    ignored |= h == 1 ? sigbit(s) : 0;
    caught |= h > 1 ? sigbit(s) : 0;
  }
  const struct user *u = user_find_borrow(t->k, t->cred->uid);
  sb_printf(b, "SigQ:\t%d/%llu\n", u ? u->nsigqueued : 0, (unsigned long long)p->rlim[RLIMIT_SIGPENDING].rlim_cur);
  line_set(b, "SigPnd", t->pending.set);
  line_set(b, "ShdPnd", p->pending.set);
  line_set(b, "SigBlk", t->blocked);
  line_set(b, "SigIgn", ignored);
  line_set(b, "SigCgt", caught);
}

static void show_caps(struct sbuf *b, const struct task *t) {
  const struct cred *c = t->cred;
  line_set(b, "CapInh", c->cap_inh);
  line_set(b, "CapPrm", c->cap_prm);
  line_set(b, "CapEff", c->cap_eff);
  line_set(b, "CapBnd", c->cap_bnd);
  line_set(b, "CapAmb", c->cap_amb);
  sb_printf(b, "NoNewPrivs:\t%d\nSeccomp:\t%d\nSeccomp_filters:\t%u\n", c->no_new_privs, t->seccomp_mode,
            t->seccomp ? t->seccomp->depth : 0);
  sb_puts(b, "Speculation_Store_Bypass:\tthread vulnerable\nSpeculationIndirectBranch:\tconditional enabled\n");
}

/* Masks are groups of 32 bits, the highest first; lists are ranges. */
static void show_cpus(struct sbuf *b, const struct task *t) {
  int n = t->k->ncpus < 128 ? t->k->ncpus : 128;
  bool allowed[128], any = false;
  for (int c = 0; c < n; c++)
    any |= allowed[c] = t->cpu_affinity[c / 64] >> (c % 64) & 1;
  sb_puts(b, "Cpus_allowed:\t");
  for (int w = (n - 1) / 32; w >= 0; w--) {
    uint32_t v = 0;
    for (int c = w * 32; c < n && c < w * 32 + 32; c++)
      v |= (uint32_t)(!any || allowed[c]) << (c % 32);
    sb_printf(b, "%0*x", w == (n - 1) / 32 ? 1 : 8, v);
    sb_puts(b, w ? "," : "\nCpus_allowed_list:\t");
  }
  const char *sep = "";
  for (int c = 0; c < n; c++) {
    int from = c;
    if (any && !allowed[c])
      continue;
    while (c + 1 < n && (!any || allowed[c + 1]))
      c++;
    sb_printf(b, "%s%d", sep, from);
    if (c > from)
      sb_printf(b, "-%d", c);
    sep = ",";
  }
  sb_puts(b, "\nMems_allowed:\t1\nMems_allowed_list:\t0\n");
}

static const char *state_name(char c) {
  switch (c) {
  case 'Z':
    return "zombie";
  case 'X':
    return "dead";
  case 'T':
    return "stopped";
  case 't':
    return "tracing stop";
  case 'S':
    return "sleeping";
  default:
    return "running";
  }
}

int proc_status_show(struct inode *i, struct sbuf *b) {
  struct task *t = proc_task_borrow(i);
  if (!t)
    return -ESRCH;
  const struct process *p = t->proc;
  const struct pid_namespace *ns = proc_ns_borrow(i);
  char state = proc_state_char(t, !proc_is_thread(i));
  sb_puts(b, "Name:\t");
  sb_mangle(b, t->comm, "\n\\");
  if (t->fs)
    sb_printf(b, "\nUmask:\t%04o", t->fs->umask);
  sb_printf(b, "\nState:\t%c (%s)\nTgid:\t%d\nNgid:\t0\nPid:\t%d\nPPid:\t%d\nTracerPid:\t%d\n", state,
            state_name(state), pid_nr_ns(p->pid, ns), pid_nr_ns(t->tid, ns),
            p->parent ? pid_nr_ns(p->parent->pid, ns) : 0, t->ptracer ? pid_nr_ns(t->ptracer->tid, ns) : 0);
  show_ids(b, t, ns);
  struct mm *m = t->mm ? mm_get(t->mm) : NULL;
  if (m)
    show_memory(b, m); /* parks: the task may be gone */
  mm_put(m);
  if (!(t = proc_task_borrow(i)))
    return -ESRCH;
  p = t->proc;
  sb_printf(b, "Threads:\t%d\n", p->nthreads ? p->nthreads : 1);
  show_signals(b, t);
  show_caps(b, t);
  show_cpus(b, t);
  sb_printf(b, "voluntary_ctxt_switches:\t%llu\nnonvoluntary_ctxt_switches:\t%llu\n", (unsigned long long)t->nvcsw,
            (unsigned long long)t->nivcsw);
  return 0;
}
