#include "coredump.h"
#include "core_elf.h"
#include "errno.h"
#include "fiber.h"
#include "kernel.h"
#include "ns.h"
#include "task.h"
#include <elf.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MIN_COREDUMP 4096 /* a limit below leaves none at all */
#define CHUNK 65536
#define NAME_MAX_CORE 4096
#define MAX_FILE_NOTES 65536 /* areas with a name in NT_FILE */

struct thread_note {
  SLIST_ENTRY(thread_note) link;
  struct core_prstatus status;
  struct regset_fp fp;
  uint8_t *xstate;
  size_t xstate_len;
  bool has_fp;
};

struct coredump {
  struct task *t; /* the one that dumps */
  int sig;
  int pending; /* threads whose registers are still to come */
  SLIST_HEAD(, thread_note) threads;
};

/* ---- what a thread is noted as ---- */

static void set_time(struct core_prstatus *s, const struct rusage_acc *self, const struct rusage_acc *kids) {
  s->utime.sec = (int64_t)(self->utime / 1000000000u), s->utime.usec = (int64_t)(self->utime % 1000000000u / 1000);
  s->stime.sec = (int64_t)(self->stime / 1000000000u), s->stime.usec = (int64_t)(self->stime % 1000000000u / 1000);
  s->cutime.sec = (int64_t)(kids->utime / 1000000000u), s->cutime.usec = (int64_t)(kids->utime % 1000000000u / 1000);
  s->cstime.sec = (int64_t)(kids->stime / 1000000000u), s->cstime.usec = (int64_t)(kids->stime % 1000000000u / 1000);
}

static struct thread_note *note_thread(struct task *t, int sig) {
  struct thread_note *n = calloc(1, sizeof *n);
  if (!n)
    return NULL;
  const struct process *p = t->proc;
  struct core_prstatus *s = &n->status;
  struct rusage_acc ru;
  s->signo = s->cursig = (int16_t)sig;
  s->sigpend = t->pending.set;
  s->sighold = t->blocked;
  s->pid = pid_vnr(t->tid);
  s->ppid = p->parent ? pid_vnr(p->parent->pid) : 0;
  s->pgrp = p->pgrp ? pid_vnr(p->pgrp) : 0;
  s->sid = p->session ? pid_vnr(p->session) : 0;
  task_rusage(t, &ru);
  set_time(s, &ru, &p->children_acc);
  if (!t->ctx || regset_get_gp(t, &s->reg) < 0)
    return n;
  n->has_fp = regset_get_fp(t, &n->fp) == 0;
  s->fpvalid = n->has_fp;
  n->xstate = malloc(REGSET_XSTATE_MAX);
  ssize_t len = n->xstate ? regset_get_xstate(t, n->xstate, REGSET_XSTATE_MAX) : -1;
  n->xstate_len = len > 0 ? (size_t)len : 0;
  return n;
}

static void free_thread(struct thread_note *n) {
  if (n)
    free(n->xstate);
  free(n);
}

void coredump_join(struct task *t) {
  struct coredump *d = t->proc->coredump;
  if (!d || d->t == t)
    return;
  struct thread_note *n = note_thread(t, d->sig);
  d = t->proc->coredump; /* that parked */
  if (!d) {
    free_thread(n);
    return;
  }
  if (n)
    SLIST_INSERT_HEAD(&d->threads, n, link);
  d->pending--;
  if (d->t->fiber)
    fiber_wake(d->t->fiber);
}

/* The other threads end, leaving their registers behind. */
static void collect_threads(struct coredump *d) {
  struct task *t = d->t, *o;
  LIST_FOREACH(o, &t->proc->threads, thread_link) {
    if (o == t || o->exiting)
      continue;
    d->pending++;
    o->killed = true;
    o->stop_wanted = false;
    task_notify_signal(o);
  }
  t->killable = true;
  while (d->pending > 0 && !t->killed && !t->proc->group_exit)
    fiber_park();
  t->killable = false;
}

/* ---- notes ---- */

static void note_regs(struct core_buf *b, const struct thread_note *n) {
  if (n->has_fp)
    core_note(b, NT_FPREGSET, &n->fp, sizeof n->fp);
  if (n->xstate_len)
    core_note(b, NT_X86_XSTATE, n->xstate, n->xstate_len);
}

static void note_psinfo(struct core_buf *b, struct task *t) {
  const struct process *p = t->proc;
  struct core_prpsinfo i = {.sname = 'R',
                            .nice = (int8_t)t->nice,
                            .uid = t->cred->uid,
                            .gid = t->cred->gid,
                            .pid = pid_vnr(p->pid),
                            .ppid = p->parent ? pid_vnr(p->parent->pid) : 0,
                            .pgrp = p->pgrp ? pid_vnr(p->pgrp) : 0,
                            .sid = p->session ? pid_vnr(p->session) : 0};
  memcpy(i.fname, t->comm, sizeof i.fname);
  uint64_t len = t->mm->arg_end - t->mm->arg_start;
  if (len > sizeof i.psargs - 1)
    len = sizeof i.psargs - 1;
  ssize_t n = mm_read(t->mm, i.psargs, t->mm->arg_start, len);
  for (ssize_t k = 0; k < n; k++)
    if (!i.psargs[k])
      i.psargs[k] = ' ';
  core_note(b, NT_PRPSINFO, &i, sizeof i);
}

/* NT_FILE: count, page size, (start, end, page offset) each, then the names. */
static void note_files(struct core_buf *b, struct task *t) {
  struct core_buf head = {0}, names = {0};
  uint64_t count = 0, page = PAGE_SIZE;
  char *name = malloc(PATH_MAX);
  struct area *a;
  core_buf_put(&head, &count, sizeof count);
  core_buf_put(&head, &page, sizeof page);
  RB_FOREACH(a, area_tree, &t->mm->areas) {
    if (!a->file || !name || count >= MAX_FILE_NOTES || !t->k->hooks.file_name ||
        t->k->hooks.file_name(t, a->file, name, PATH_MAX) < 0)
      continue;
    uint64_t v[3] = {a->start, a->end, (uint64_t)a->off / PAGE_SIZE};
    core_buf_put(&head, v, sizeof v);
    core_buf_put(&names, name, strlen(name) + 1);
    count++;
  }
  free(name);
  if (count && !head.failed && !names.failed) {
    memcpy(head.p, &count, sizeof count);
    core_buf_put(&head, names.p, names.len);
    if (!head.failed)
      core_note(b, NT_FILE, head.p, head.len);
  }
  core_buf_free(&head);
  core_buf_free(&names);
}

static void make_notes(struct core_buf *b, struct coredump *d, struct thread_note *own, const siginfo_t *info) {
  struct task *t = d->t;
  core_note(b, NT_PRSTATUS, &own->status, sizeof own->status);
  note_psinfo(b, t);
  core_note(b, NT_SIGINFO, info, sizeof *info);
  core_note(b, NT_AUXV, t->mm->auxv, (size_t)t->mm->nauxv * sizeof t->mm->auxv[0]);
  note_files(b, t);
  note_regs(b, own);
  const struct thread_note *n;
  SLIST_FOREACH(n, &d->threads, link) {
    core_note(b, NT_PRSTATUS, &n->status, sizeof n->status);
    note_regs(b, n);
  }
}

/* ---- areas ---- */

enum { ANON_PRIVATE = 1, ANON_SHARED = 2, FILE_PRIVATE = 4, FILE_SHARED = 8, ELF_HEADERS = 16 };

/* How much of an area is written: vma_dump_size(). */
static uint64_t dump_size(struct mm *m, const struct area *a, unsigned filter) {
  uint64_t all = a->end - a->start;
  if (a->kind == AREA_VDSO)
    return all;
  if (a->kind == AREA_VVAR || (a->advice & AREA_DONTDUMP))
    return 0;
  bool named = a->file && a->file->dentry && a->kind == AREA_FILE;
  if (a->flags & MAP_SHARED)
    return filter & (named ? FILE_SHARED : ANON_SHARED) ? all : 0;
  /* As if all of a private mapping that could ever be written had been. (A debugger finds the libraries in theirs.) */
  if (!a->file || (a->advice & AREA_OWN_PAGES))
    return a->prot && (filter & ANON_PRIVATE) ? all : 0;
  if (filter & FILE_PRIVATE)
    return all;
  char magic[SELFMAG];
  if ((filter & ELF_HEADERS) && a->off == 0 && (a->prot & PROT_READ) &&
      mm_read(m, magic, a->start, sizeof magic) == (ssize_t)sizeof magic && !memcmp(magic, ELFMAG, SELFMAG))
    return PAGE_SIZE;
  return 0;
}

static struct core_load *list_areas(struct task *t, size_t *n) {
  struct mm *m = t->mm;
  struct core_load *l = calloc((size_t)m->nareas + 1, sizeof *l);
  struct area *a;
  *n = 0;
  if (!l)
    return NULL;
  fmutex_lock(&m->lock); /* mm_read() may park */
  RB_FOREACH(a, area_tree, &m->areas) {
    if (*n >= (size_t)m->nareas)
      break;
    l[(*n)++] = (struct core_load){a->start, a->end, dump_size(m, a, t->proc->coredump_filter), a->prot};
  }
  fmutex_unlock(&m->lock);
  return l;
}

/* ---- writing ---- */

struct out {
  struct file *f;
  off_t pos;
  uint64_t written, limit;
};

static bool put(struct out *o, const void *p, size_t n) {
  while (n) {
    if (o->written + n > o->limit)
      return false;
    struct iovec iov;
    struct uio u;
    uio_kernel(&u, &iov, (void *)p, n);
    ssize_t r = file_write(o->f, &u, &o->pos);
    if (r <= 0)
      return false;
    p = (const char *)p + r;
    n -= (size_t)r;
    o->written += (uint64_t)r;
  }
  return true;
}

static bool is_zero(const char *p, size_t n) {
  return !p[0] && !memcmp(p, p + 1, n - 1);
}

/* Zero pages, and what cannot be read, stay holes. */
static bool put_area(struct out *o, struct task *t, const struct core_load *l, char *buf) {
  for (uint64_t at = 0; at < l->filesz; at += CHUNK) {
    size_t n = l->filesz - at < CHUNK ? l->filesz - at : CHUNK;
    ssize_t got = mm_read(t->mm, buf, l->start + at, n);
    if (got < 0)
      got = 0;
    memset(buf + got, 0, n - (size_t)got);
    if (is_zero(buf, n))
      o->pos += (off_t)n;
    else if (!put(o, buf, n))
      return false;
    if (t->killed || t->proc->group_exit)
      return false;
    if (at % (CHUNK * 64) == CHUNK * 63)
      task_wait_uninterruptible(NULL, 0, loop_now_exact()); /* let others run */
  }
  return true;
}

static bool write_core(struct out *o, struct coredump *d, struct thread_note *own, const siginfo_t *info) {
  struct core_buf notes = {0}, head = {0};
  size_t n;
  uint64_t data;
  struct core_load *l = list_areas(d->t, &n);
  char *buf = malloc(CHUNK);
  make_notes(&notes, d, own, info);
  bool ok = l && buf && !notes.failed;
  if (ok) {
    core_headers(&head, l, n, notes.len, &data);
    ok = !head.failed && put(o, head.p, head.len) && put(o, notes.p, notes.len);
  }
  if (ok)
    o->pos = (off_t)data;
  for (size_t i = 0; ok && i < n; i++)
    ok = put_area(o, d->t, &l[i], buf);
  if (ok && o->pos && n) { /* a file that ends in a hole has its length all the same */
    char zero = 0;
    o->pos--;
    struct iovec iov;
    struct uio u;
    if (mm_read(d->t->mm, &zero, l[n - 1].start + l[n - 1].filesz - 1, 1) != 1 || !l[n - 1].filesz)
      zero = 0;
    if (!l[n - 1].filesz || is_zero(&zero, 1)) {
      uio_kernel(&u, &iov, &zero, 1);
      file_write(o->f, &u, &o->pos);
    }
  }
  free(buf);
  free(l);
  core_buf_free(&notes);
  core_buf_free(&head);
  return ok;
}

/* ---- the name ---- */

struct name {
  char buf[NAME_MAX_CORE];
  size_t len;
};

static void add(struct name *n, const char *s, bool slashes) {
  for (; *s && n->len < sizeof n->buf - 1; s++)
    n->buf[n->len++] = *s == '/' && !slashes ? '!' : *s;
  n->buf[n->len] = 0;
}

static void add_number(struct name *n, long long v) {
  char s[24];
  snprintf(s, sizeof s, "%lld", v);
  add(n, s, false);
}

static void add_exe(struct name *n, struct task *t, bool whole) {
  char *path = malloc(PATH_MAX);
  if (path && t->mm->exe && t->k->hooks.file_name && t->k->hooks.file_name(t, t->mm->exe, path, PATH_MAX) >= 0) {
    char *slash = strrchr(path, '/');
    add(n, whole || !slash ? path : slash + 1, false);
  } else {
    add(n, t->comm, false);
  }
  free(path);
}

static void add_spec(struct name *n, struct task *t, int sig, char c, bool *has_pid) {
  switch (c) {
  case '%':
    add(n, "%", true);
    break;
  case 'p':
  case 'P':
    *has_pid = true;
    add_number(n, pid_vnr(t->proc->pid));
    break;
  case 'i':
  case 'I':
    add_number(n, pid_vnr(t->tid));
    break;
  case 'u':
    add_number(n, t->cred->uid);
    break;
  case 'g':
    add_number(n, t->cred->gid);
    break;
  case 'd':
    add_number(n, !t->dumpable_off);
    break;
  case 's':
    add_number(n, sig);
    break;
  case 't':
    add_number(n, time(NULL));
    break;
  case 'h':
    add(n, t->nsproxy->uts->nodename, false);
    break;
  case 'e':
    add(n, t->comm, false);
    break;
  case 'f':
    add_exe(n, t, false);
    break;
  case 'E':
    add_exe(n, t, true);
    break;
  case 'c':
    add_number(n, (long long)task_rlimit(t, RLIMIT_CORE));
    break;
  }
}

static void make_name(struct name *n, struct task *t, int sig) {
  const char *p = t->k->core_pattern;
  bool has_pid = false;
  n->len = 0;
  n->buf[0] = 0;
  for (; *p; p++) {
    char c[2] = {*p, 0};
    if (*p != '%')
      add(n, c, true);
    else if (!*++p)
      break;
    else
      add_spec(n, t, sig, *p, &has_pid);
  }
  if (!has_pid && t->k->core_uses_pid) {
    add(n, ".", true);
    add_number(n, pid_vnr(t->proc->pid));
  }
}

/* ---- all together ---- */

static bool dump_to_file(struct coredump *d, struct thread_note *own, int sig, const siginfo_t *info) {
  struct task *t = d->t;
  struct name *name = malloc(sizeof *name);
  struct out o = {.limit = task_rlimit(t, RLIMIT_CORE)};
  if (!name)
    return false;
  make_name(name, t, sig);
  int err = name->len ? t->k->hooks.core_open(t, name->buf, &o.f) : -ENOENT;
  free(name);
  if (err)
    return false;
  write_core(&o, d, own, info);
  file_put(o.f);
  return true;
}

bool coredump(struct task *t, int sig, const siginfo_t *info) {
  struct process *p = t->proc;
  struct coredump d = {.t = t, .sig = sig};
  if (p->coredump || p->group_exit || t->dumpable_off || !t->mm || !t->ctx || !t->k->hooks.core_open ||
      task_rlimit(t, RLIMIT_CORE) < MIN_COREDUMP || t->k->core_pattern[0] == '|')
    return false;
  SLIST_INIT(&d.threads);
  p->coredump = &d;
  collect_threads(&d);
  struct thread_note *own = note_thread(t, sig);
  bool dumped = false;
  if (own && !t->killed && !p->group_exit) {
    own->status.code = info->si_code;
    own->status.err = info->si_errno;
    dumped = dump_to_file(&d, own, sig, info);
  }
  p->coredump = NULL;
  free_thread(own);
  struct thread_note *n;
  while ((n = SLIST_FIRST(&d.threads))) {
    SLIST_REMOVE_HEAD(&d.threads, link);
    free_thread(n);
  }
  return dumped && !t->killed;
}
