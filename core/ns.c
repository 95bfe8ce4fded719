/* Namespaces in general, and the kinds that need little code: namespaces(7), kernel/nsproxy.c of Linux. */
#include "ns.h"
#include "errno.h"
#include "ipc/ipc.h"
#include "kernel.h"
#include "keys/keys.h"
#include "task.h"
#include <linux/capability.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif
#define NS_DYNAMIC_FIRST 0xf0000000u /* PROC_DYNAMIC_FIRST; the initial ones have fixed numbers below it */

static const struct {
  const char *name;
  int flag;
  uint32_t init_ino; /* PROC_*_INIT_INO */
} kinds[NS_KINDS] = {
    [NS_CGROUP] = {"cgroup", CLONE_NEWCGROUP, 0xeffffffb}, [NS_IPC] = {"ipc", CLONE_NEWIPC, 0xefffffff},
    [NS_MNT] = {"mnt", CLONE_NEWNS, 0xeffffff8},           [NS_NET] = {"net", CLONE_NEWNET, 0xeffffff9},
    [NS_PID] = {"pid", CLONE_NEWPID, 0xeffffffc},          [NS_TIME] = {"time", CLONE_NEWTIME, 0xeffffffa},
    [NS_USER] = {"user", CLONE_NEWUSER, 0xeffffffd},       [NS_UTS] = {"uts", CLONE_NEWUTS, 0xeffffffe},
};

const char *ns_name(enum ns_kind kind) {
  return kinds[kind].name;
}
int ns_clone_flag(enum ns_kind kind) {
  return kinds[kind].flag;
}

int ns_init(struct ns_common *ns, struct kernel *k, enum ns_kind kind, struct user_namespace *owner) {
  for (struct user_namespace *u = owner; u; u = u->parent)
    if (u->count[kind] >= u->max[kind])
      return -ENOSPC;
  for (struct user_namespace *u = owner; u; u = u->parent)
    u->count[kind]++;
  ref_init(&ns->ref);
  ns->kind = kind;
  ns->k = k;
  ns->owner = user_ns_get(owner);
  bool initial = !k->ns_booted;
  ns->ino = initial ? kinds[kind].init_ino : NS_DYNAMIC_FIRST + k->next_ns_ino++;
  return 0;
}

void ns_fini(struct ns_common *ns) {
  for (struct user_namespace *u = ns->owner; u; u = u->parent)
    u->count[ns->kind]--;
  user_ns_put(ns->owner);
}

struct ns_common *ns_get(struct ns_common *ns) {
  ref_get(&ns->ref);
  return ns;
}

static void release(struct ns_common *ns) {
  switch (ns->kind) {
  case NS_USER: {
    struct user_namespace *u = (struct user_namespace *)ns;
    user_ns_keys_free(u->keys);
    free(u->uid.e);
    free(u->gid.e);
    free(u->projid.e);
    break;
  }
  case NS_PID:
    pid_ns_put(((struct pid_namespace *)ns)->parent);
    break;
  case NS_IPC:
    ipc_ns_clear((struct ipc_namespace *)ns);
    break;
  case NS_NET:
    if (ns->k->hooks.net_ns_fini)
      ns->k->hooks.net_ns_fini((struct net_namespace *)ns);
    break;
  case NS_CGROUP:
    free(((struct cgroup_namespace *)ns)->root);
    break;
  default:
    break;
  }
  ns_fini(ns);
  free(ns);
}

void ns_put(struct ns_common *ns) {
  if (!ns || !ref_put(&ns->ref))
    return;
  if (ns->kind == NS_MNT)
    ns->k->hooks.mnt_ns_free(ns); /* calls ns_fini() */
  else
    release(ns);
}

/* ---- making ---- */

static void *alloc(struct user_namespace *owner, enum ns_kind kind, size_t size, int *err) {
  struct ns_common *ns = calloc(1, size);
  *err = ns ? ns_init(ns, owner->ns.k, kind, owner) : -ENOMEM;
  if (!*err)
    return ns;
  free(ns);
  return NULL;
}

static struct uts_namespace *uts_new(struct user_namespace *owner, const struct uts_namespace *old, int *err) {
  struct uts_namespace *n = alloc(owner, NS_UTS, sizeof *n, err);
  if (n && old) {
    memcpy(n->nodename, old->nodename, sizeof n->nodename);
    memcpy(n->domainname, old->domainname, sizeof n->domainname);
  }
  return n;
}

static struct time_namespace *time_new(struct user_namespace *owner, const struct time_namespace *old, int *err) {
  struct time_namespace *n = alloc(owner, NS_TIME, sizeof *n, err);
  if (n && old) {
    n->monotonic = old->monotonic;
    n->boottime = old->boottime;
  }
  return n;
}

static struct cgroup_namespace *cgroup_new(struct user_namespace *owner, const struct cgroup_namespace *old, int *err) {
  struct cgroup_namespace *n = alloc(owner, NS_CGROUP, sizeof *n, err);
  if (n && old && old->root)
    n->root = strdup(old->root);
  return n;
}

static struct net_namespace *net_new(struct user_namespace *owner, int *err) {
  struct net_namespace *n = alloc(owner, NS_NET, sizeof *n, err);
  const struct kernel_hooks *h = &owner->ns.k->hooks;
  if (n)
    n->unix_dgram_qlen = 10;
  if (n && h->net_ns_init && (*err = h->net_ns_init(n))) {
    ns_put(&n->ns);
    return NULL;
  }
  return n;
}

struct nsproxy *nsproxy_get(struct nsproxy *p) {
  ref_get(&p->ref);
  return p;
}

void nsproxy_put(struct nsproxy *p) {
  if (!p || !ref_put(&p->ref))
    return;
  ns_put(p->uts ? &p->uts->ns : NULL);
  ns_put(p->net ? &p->net->ns : NULL);
  pid_ns_put(p->pid_for_children);
  ns_put(p->time ? &p->time->ns : NULL);
  ns_put(p->time_for_children ? &p->time_for_children->ns : NULL);
  ns_put(p->cgroup ? &p->cgroup->ns : NULL);
  free(p);
}

struct nsproxy *nsproxy_dup(const struct nsproxy *old) {
  struct nsproxy *p = malloc(sizeof *p);
  if (!p)
    return NULL;
  *p = *old;
  ref_init(&p->ref);
  ns_get(&p->uts->ns);
  ns_get(&p->net->ns);
  pid_ns_get(p->pid_for_children);
  ns_get(&p->time->ns);
  ns_get(&p->time_for_children->ns);
  ns_get(&p->cgroup->ns);
  return p;
}

#define REPLACE(slot, new)                                                                                             \
  do {                                                                                                                 \
    void *n_ = (new);                                                                                                  \
    if (n_) {                                                                                                          \
      ns_put(&(slot)->ns);                                                                                             \
      (slot) = n_;                                                                                                     \
    }                                                                                                                  \
  } while (0)

static int replace_pid_ns(struct task *t, struct user_namespace *owner, struct nsproxy *p) {
  struct pid_namespace *n;
  if (p->pid_for_children != task_pid_ns_borrow(t))
    return -EINVAL; /* one was made already, and has no process yet */
  int err = pid_ns_new(owner, p->pid_for_children, &n);
  if (!err)
    REPLACE(p->pid_for_children, n);
  return err;
}

int nsproxy_unshare(struct task *t, uint64_t flags, struct user_namespace *owner, struct nsproxy **out) {
  struct nsproxy *p = nsproxy_dup(t->nsproxy);
  int err = p ? 0 : -ENOMEM;
  if (!owner)
    owner = t->k->init_user_ns;
  if (!err && (flags & CLONE_NEWUTS))
    REPLACE(p->uts, uts_new(owner, p->uts, &err));
  if (!err && (flags & CLONE_NEWPID))
    err = replace_pid_ns(t, owner, p);
  if (!err && (flags & CLONE_NEWCGROUP))
    REPLACE(p->cgroup, cgroup_new(owner, p->cgroup, &err));
  if (!err && (flags & CLONE_NEWNET))
    REPLACE(p->net, net_new(owner, &err));
  if (!err && (flags & CLONE_NEWTIME))
    REPLACE(p->time_for_children, time_new(owner, p->time, &err));
  if (err) {
    nsproxy_put(p);
    return err;
  }
  *out = p;
  return 0;
}

void task_switch_namespaces(struct task *t, struct nsproxy *p) {
  struct nsproxy *old = t->nsproxy;
  t->nsproxy = p ? nsproxy_get(p) : NULL;
  nsproxy_put(old);
}

struct ns_common *task_ns(struct task *t, enum ns_kind kind, bool children) {
  struct nsproxy *p = t->nsproxy;
  struct ns_common *ns = NULL;
  if (kind == NS_USER)
    ns = &(t->cred->user_ns ? t->cred->user_ns : t->k->init_user_ns)->ns;
  else if (kind == NS_MNT)
    ns = t->fs && t->k->hooks.mnt_ns_borrow ? t->k->hooks.mnt_ns_borrow(t->fs) : NULL;
  else if (kind == NS_PID && !children)
    ns = t->tid && p ? &task_pid_ns_borrow(t)->ns : NULL;
  else if (!p)
    return NULL;
  else if (kind == NS_PID) /* none to show before its init is there */
    ns = p->pid_for_children->reaper || p->pid_for_children->dying ? &p->pid_for_children->ns : NULL;
  else if (kind == NS_UTS)
    ns = &p->uts->ns;
  else if (kind == NS_IPC)
    ns = &t->ipc->ns;
  else if (kind == NS_NET)
    ns = &p->net->ns;
  else if (kind == NS_CGROUP)
    ns = &p->cgroup->ns;
  else if (kind == NS_TIME)
    ns = children ? &p->time_for_children->ns : &p->time->ns;
  return ns ? ns_get(ns) : NULL;
}

/* ---- boot ---- */

#define NS_MAX_INITIAL 31000 /* of each kind: Linux gives half of threads-max */

int ns_boot(struct kernel *k) {
  struct user_namespace *u = calloc(1, sizeof *u);
  struct nsproxy *p = calloc(1, sizeof *p);
  int err = u && p ? 0 : -ENOMEM;
  if (err) {
    free(u);
    free(p);
    return err;
  }
  ref_init(&p->ref);
  ns_init(&u->ns, k, NS_USER, NULL);
  for (int i = 0; i < NS_KINDS; i++)
    u->max[i] = NS_MAX_INITIAL;
  u->parent_could_setfcap = true;
  k->init_user_ns = u;
  k->init_nsproxy = p;
  p->uts = uts_new(u, NULL, &err);
  p->net = err ? NULL : net_new(u, &err);
  p->time = err ? NULL : time_new(u, NULL, &err);
  p->cgroup = err ? NULL : cgroup_new(u, NULL, &err);
  if (!err)
    err = pid_ns_new(u, NULL, &p->pid_for_children);
  if (err)
    return err;
  p->time_for_children = (struct time_namespace *)ns_get(&p->time->ns);
  k->init_pid_ns = pid_ns_get(p->pid_for_children);
  return 0;
}

void ns_shutdown(struct kernel *k) {
  nsproxy_put(k->init_nsproxy);
  pid_ns_put(k->init_pid_ns);
  user_ns_put(k->init_user_ns);
}
