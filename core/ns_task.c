/* Tasks and their namespaces: what clone(2), unshare(2) and setns(2) do to them. kernel/nsproxy.c of Linux. */
#include "errno.h"
#include "ipc/ipc.h"
#include "kernel.h"
#include "ns.h"
#include "task.h"
#include <linux/capability.h>
#include <linux/securebits.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif
#define IN_NSPROXY (CLONE_NEWUTS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWCGROUP | (uint64_t)CLONE_NEWTIME)

static struct user_namespace *user_ns_of(const struct task *t) {
  return t->cred->user_ns ? t->cred->user_ns : t->k->init_user_ns;
}

/* Who enters a user namespace has every capability in it and none elsewhere (set_cred_user_ns()). */
static void enter_user_ns(struct cred *c, struct user_namespace *u) {
  struct user_namespace *old = c->user_ns;
  c->user_ns = user_ns_get(u);
  user_ns_put(old);
  c->securebits = SECUREBITS_DEFAULT;
  c->cap_inh = c->cap_amb = 0;
  c->cap_prm = c->cap_eff = c->cap_bnd = (2ull << CAP_LAST) - 1;
}

static struct cred *cred_in_user_ns(const struct cred *old, struct user_namespace *u) {
  struct cred *c = cred_dup(old);
  if (c)
    enter_user_ns(c, u);
  return c;
}

/* The credentials of t (or of a child of t) in a new user namespace. */
static int cred_new_user_ns(struct task *t, struct cred **out) {
  struct user_namespace *u;
  int err = user_ns_new(t, t->cred, &u);
  if (err)
    return err;
  *out = cred_in_user_ns(t->cred, u);
  user_ns_put(u);
  return *out ? 0 : -ENOMEM;
}

int task_clone_ns(struct task *t, struct task *c, uint64_t flags) {
  if (flags & CLONE_NEWUSER) {
    struct cred *own;
    int err = cred_new_user_ns(t, &own);
    if (err)
      return err;
    cred_put(c->cred);
    c->cred = own;
  }
  if (!(flags & (IN_NSPROXY | CLONE_NEWNS | CLONE_NEWIPC))) {
    c->nsproxy = nsproxy_get(t->nsproxy);
    return 0;
  }
  if (!ns_capable(c->cred, c->cred->user_ns, CAP_SYS_ADMIN))
    return -EPERM;
  if ((flags & (CLONE_NEWIPC | CLONE_SYSVSEM)) == (CLONE_NEWIPC | CLONE_SYSVSEM))
    return -EINVAL;
  if (flags & CLONE_NEWIPC) {
    struct ipc_namespace *own = ipc_ns_new(user_ns_of(c));
    if (!own)
      return -ENOSPC;
    ipc_ns_put(c->ipc);
    c->ipc = own;
  }
  return nsproxy_unshare(t, flags, user_ns_of(c), &c->nsproxy);
}

static bool time_pending(const struct nsproxy *p) {
  return p && p->time != p->time_for_children;
}

void task_enter_time_ns(struct task *t) {
  if (!time_pending(t->nsproxy))
    return;
  struct nsproxy *p = nsproxy_dup(t->nsproxy);
  if (!p)
    return;
  struct time_namespace *old = p->time;
  p->time = (struct time_namespace *)ns_get(&p->time_for_children->ns);
  p->time->frozen = true;
  ns_put(&old->ns);
  task_switch_namespaces(t, p);
  nsproxy_put(p);
}

static void swap_ipc(struct task *t, struct ipc_namespace **ipc) {
  struct ipc_namespace *old = t->ipc;
  t->ipc = *ipc;
  *ipc = old;
}

/* ---- unshare ---- */

static int unshare_fs_ns(struct task *t, uint64_t flags, struct user_namespace *owner, struct fs_ctx **out) {
  if (!(flags & (CLONE_FS | CLONE_NEWNS)) || !t->fs)
    return 0;
  if (!(flags & CLONE_NEWNS) && !t->k->hooks.fs_is_shared(t->fs))
    return 0;
  *out = t->k->hooks.fs_ctx_dup(t->fs);
  if (!*out)
    return -ENOMEM;
  return flags & CLONE_NEWNS ? t->k->hooks.mnt_ns_dup(*out, owner) : 0;
}

int task_unshare_ns(struct task *t, uint64_t flags) {
  struct cred *cred = NULL;
  struct nsproxy *p = NULL;
  struct ipc_namespace *ipc = NULL;
  struct fs_ctx *fs = NULL;
  int err = flags & CLONE_NEWUSER ? cred_new_user_ns(t, &cred) : 0;
  const struct cred *as = cred ? cred : t->cred;
  struct user_namespace *owner = as->user_ns ? as->user_ns : t->k->init_user_ns;
  if (!err && (flags & (IN_NSPROXY | CLONE_NEWNS | CLONE_NEWIPC)) && !ns_capable(as, owner, CAP_SYS_ADMIN))
    err = -EPERM;
  if (!err)
    err = unshare_fs_ns(t, flags, owner, &fs);
  if (!err && (flags & CLONE_NEWIPC) && !(ipc = ipc_ns_new(owner)))
    err = -ENOSPC;
  if (!err && (flags & IN_NSPROXY))
    err = nsproxy_unshare(t, flags, owner, &p);
  if (!err) {
    if (flags & (CLONE_SYSVSEM | CLONE_NEWIPC))
      sem_undo_exit(t);
    if (p)
      task_switch_namespaces(t, p);
    if (ipc)
      swap_ipc(t, &ipc);
    if (fs) {
      struct fs_ctx *old = t->fs;
      t->fs = fs;
      fs = old;
    }
    if (cred)
      task_set_cred(t, cred);
  }
  if (fs)
    t->k->hooks.fs_ctx_put(fs);
  nsproxy_put(p);
  ipc_ns_put(ipc);
  cred_put(cred);
  return err;
}

/* ---- setns ---- */

struct nsset { /* what the task will have, if all goes well */
  struct task *t;
  struct cred *cred;         /* counted */
  struct nsproxy *p;         /* counted, its own */
  struct fs_ctx *fs;         /* counted, its own; NULL: as it was */
  struct ipc_namespace *ipc; /* counted; NULL: as it was */
  bool new_cred;
};

static struct user_namespace *owner_of(const struct ns_common *ns) {
  return ns->owner ? ns->owner : ns->k->init_user_ns;
}

static int set_user(struct nsset *s, struct user_namespace *u) {
  struct task *t = s->t;
  struct user_namespace *mine = t->cred->user_ns ? t->cred->user_ns : t->k->init_user_ns;
  if (u == mine || t->proc->nthreads > 1 || (t->fs && t->k->hooks.fs_is_shared(t->fs)))
    return -EINVAL;
  if (!ns_capable(t->cred, u, CAP_SYS_ADMIN))
    return -EPERM;
  struct cred *c = cred_in_user_ns(s->cred, u);
  if (!c)
    return -ENOMEM;
  cred_put(s->cred);
  s->cred = c;
  s->new_cred = true;
  return 0;
}

static int set_mnt(struct nsset *s, struct ns_common *ns) {
  struct task *t = s->t;
  if (!cred_own_cap(s->cred, CAP_SYS_CHROOT))
    return -EPERM;
  if (!t->fs || t->k->hooks.fs_is_shared(t->fs))
    return -EINVAL;
  s->fs = t->k->hooks.fs_ctx_dup(t->fs);
  return s->fs ? t->k->hooks.mnt_ns_install(s->fs, ns) : -ENOMEM;
}

#define SET(slot, type)                                                                                                \
  do {                                                                                                                 \
    ns_get(ns);                                                                                                        \
    ns_put(&(slot)->ns);                                                                                               \
    (slot) = (type *)ns;                                                                                               \
  } while (0)

static int set_one(struct nsset *s, struct ns_common *ns) {
  if (ns->kind == NS_USER)
    return set_user(s, (struct user_namespace *)ns);
  if (ns->kind == NS_TIME && s->t->proc->nthreads > 1)
    return -EUSERS;
  if (!ns_capable(s->cred, owner_of(ns), CAP_SYS_ADMIN) || !cred_own_cap(s->cred, CAP_SYS_ADMIN))
    return -EPERM;
  switch (ns->kind) {
  case NS_MNT:
    return set_mnt(s, ns);
  case NS_PID: /* only downwards: nobody's parent may be below him */
    if (!pid_ns_contains(task_pid_ns_borrow(s->t), (struct pid_namespace *)ns))
      return -EINVAL;
    SET(s->p->pid_for_children, struct pid_namespace);
    return 0;
  case NS_UTS:
    SET(s->p->uts, struct uts_namespace);
    return 0;
  case NS_IPC:
    s->ipc = (struct ipc_namespace *)ns_get(ns);
    return 0;
  case NS_NET:
    SET(s->p->net, struct net_namespace);
    return 0;
  case NS_CGROUP:
    SET(s->p->cgroup, struct cgroup_namespace);
    return 0;
  case NS_TIME: {
    SET(s->p->time, struct time_namespace);
    SET(s->p->time_for_children, struct time_namespace);
    s->p->time->frozen = true;
    return 0;
  }
  default:
    return -EINVAL;
  }
}

static int nsset_begin(struct nsset *s, struct task *t) {
  *s = (struct nsset){.t = t, .cred = cred_get(t->cred), .p = nsproxy_dup(t->nsproxy)};
  return s->p ? 0 : -ENOMEM;
}

static int nsset_end(struct nsset *s, int err) {
  struct task *t = s->t;
  if (!err) {
    task_switch_namespaces(t, s->p);
    if (s->ipc) {
      sem_undo_exit(t);
      swap_ipc(t, &s->ipc);
    }
    if (s->fs) {
      struct fs_ctx *old = t->fs;
      t->fs = s->fs;
      s->fs = old;
    }
    if (s->new_cred)
      task_set_cred(t, s->cred);
  }
  if (s->fs)
    t->k->hooks.fs_ctx_put(s->fs);
  ipc_ns_put(s->ipc);
  nsproxy_put(s->p);
  cred_put(s->cred);
  return err;
}

int task_setns(struct task *t, struct ns_common *ns) {
  struct nsset s;
  int err = nsset_begin(&s, t);
  if (!err)
    err = set_one(&s, ns);
  return nsset_end(&s, err);
}

int task_setns_pid(struct task *t, struct pid *target, uint64_t flags) {
  /* The user namespace first: it gives the rights for the others. */
  static const enum ns_kind order[] = {NS_USER, NS_MNT, NS_UTS, NS_IPC, NS_PID, NS_CGROUP, NS_NET, NS_TIME};
  struct process *p = target->process;
  struct task *o = p && !p->zombie ? p->leader : NULL;
  if (!o || !o->nsproxy)
    return -ESRCH;
  if (!task_may_access(t, o))
    return -EPERM;
  struct nsset s;
  int err = nsset_begin(&s, t);
  for (size_t i = 0; !err && i < sizeof order / sizeof *order; i++) {
    if (!(flags & (unsigned)ns_clone_flag(order[i])))
      continue;
    struct ns_common *ns = task_ns(o, order[i], false);
    err = ns ? set_one(&s, ns) : -ESRCH;
    ns_put(ns);
  }
  return nsset_end(&s, err);
}
