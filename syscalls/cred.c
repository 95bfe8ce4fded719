/* User and group ids, supplementary groups, capabilities: setuid(2) and family, capget(2). kernel/sys.c of Linux. */
#include "../core/errno.h"
#include "../core/kernel.h"
#include "../core/uaccess.h"
#include "table.h"
#include <linux/capability.h>
#include <stdlib.h>

#define NO_ID ((uint32_t)-1)

/* An id as the caller's user namespace numbers it; NO_ID if that has none such. */
static uint32_t kuid_arg(const struct cred *c, uint64_t id) {
  return (uint32_t)id == NO_ID ? NO_ID : make_kuid(c->user_ns, (uint32_t)id);
}
static uint32_t kgid_arg(const struct cred *c, uint64_t id) {
  return (uint32_t)id == NO_ID ? NO_ID : make_kgid(c->user_ns, (uint32_t)id);
}
/* Where -1 leaves an id as it is, one that cannot be mapped is an error. */
static bool unmapped(uint64_t arg, uint32_t kid) {
  return (uint32_t)arg != NO_ID && kid == NO_ID;
}

SYSCALL_HANDLER(getuid) {
  return kuid_here(t->cred->uid);
}
SYSCALL_HANDLER(geteuid) {
  return kuid_here(t->cred->euid);
}
SYSCALL_HANDLER(getgid) {
  return kgid_here(t->cred->gid);
}
SYSCALL_HANDLER(getegid) {
  return kgid_here(t->cred->egid);
}

static int64_t put3(const uint64_t *a, uint32_t x, uint32_t y, uint32_t z) {
  if (put_user(a[0], &x) || put_user(a[1], &y) || put_user(a[2], &z))
    return -EFAULT;
  return 0;
}
SYSCALL_HANDLER(getresuid) {
  return put3(a, kuid_here(t->cred->uid), kuid_here(t->cred->euid), kuid_here(t->cred->suid));
}
SYSCALL_HANDLER(getresgid) {
  return put3(a, kgid_here(t->cred->gid), kgid_here(t->cred->egid), kgid_here(t->cred->sgid));
}

/* Ends an edit: installs c, or drops it on err. */
static int64_t commit(struct task *t, struct cred *c, int err) {
  if (!err)
    task_set_cred(t, c);
  cred_put(c);
  return err;
}

static int64_t commit_uids(struct task *t, struct cred *c, int err) {
  if (!err)
    cred_fixup_setuid(c, t->cred);
  return commit(t, c, err);
}

SYSCALL_HANDLER(setuid) {
  const struct cred *old = t->cred;
  uint32_t uid = kuid_arg(old, a[0]);
  if (uid == NO_ID)
    return -EINVAL;
  struct cred *c = cred_dup(old);
  if (!c)
    return -ENOMEM;
  int err = 0;
  if (cred_own_cap(old, CAP_SETUID))
    c->uid = c->suid = uid;
  else if (uid != old->uid && uid != old->suid)
    err = -EPERM;
  c->euid = c->fsuid = uid;
  return commit_uids(t, c, err);
}

SYSCALL_HANDLER(setgid) {
  const struct cred *old = t->cred;
  uint32_t gid = kgid_arg(old, a[0]);
  if (gid == NO_ID)
    return -EINVAL;
  struct cred *c = cred_dup(old);
  if (!c)
    return -ENOMEM;
  int err = 0;
  if (cred_own_cap(old, CAP_SETGID))
    c->gid = c->sgid = gid;
  else if (gid != old->gid && gid != old->sgid)
    err = -EPERM;
  c->egid = c->fsgid = gid;
  return commit(t, c, err);
}

SYSCALL_HANDLER(setreuid) {
  const struct cred *old = t->cred;
  uint32_t r = kuid_arg(old, a[0]), e = kuid_arg(old, a[1]);
  if (unmapped(a[0], r) || unmapped(a[1], e))
    return -EINVAL;
  bool cap = cred_own_cap(old, CAP_SETUID);
  struct cred *c = cred_dup(old);
  if (!c)
    return -ENOMEM;
  int err = 0;
  if (r != NO_ID) {
    c->uid = r;
    if (r != old->uid && r != old->euid && !cap)
      err = -EPERM;
  }
  if (e != NO_ID) {
    c->euid = e;
    if (e != old->uid && e != old->euid && e != old->suid && !cap)
      err = -EPERM;
  }
  if (r != NO_ID || (e != NO_ID && e != old->uid))
    c->suid = c->euid;
  c->fsuid = c->euid;
  return commit_uids(t, c, err);
}

SYSCALL_HANDLER(setregid) {
  const struct cred *old = t->cred;
  uint32_t r = kgid_arg(old, a[0]), e = kgid_arg(old, a[1]);
  if (unmapped(a[0], r) || unmapped(a[1], e))
    return -EINVAL;
  bool cap = cred_own_cap(old, CAP_SETGID);
  struct cred *c = cred_dup(old);
  if (!c)
    return -ENOMEM;
  int err = 0;
  if (r != NO_ID) {
    c->gid = r;
    if (r != old->gid && r != old->egid && !cap)
      err = -EPERM;
  }
  if (e != NO_ID) {
    c->egid = e;
    if (e != old->gid && e != old->egid && e != old->sgid && !cap)
      err = -EPERM;
  }
  if (r != NO_ID || (e != NO_ID && e != old->gid))
    c->sgid = c->egid;
  c->fsgid = c->egid;
  return commit(t, c, err);
}

static bool one_of(uint32_t id, uint32_t x, uint32_t y, uint32_t z) {
  return id == NO_ID || id == x || id == y || id == z;
}

SYSCALL_HANDLER(setresuid) {
  const struct cred *old = t->cred;
  uint32_t r = kuid_arg(old, a[0]), e = kuid_arg(old, a[1]), s = kuid_arg(old, a[2]);
  if (unmapped(a[0], r) || unmapped(a[1], e) || unmapped(a[2], s))
    return -EINVAL;
  bool allowed = cred_own_cap(old, CAP_SETUID) ||
                 (one_of(r, old->uid, old->euid, old->suid) && one_of(e, old->uid, old->euid, old->suid) &&
                  one_of(s, old->uid, old->euid, old->suid));
  struct cred *c = cred_dup(old);
  if (!c)
    return -ENOMEM;
  if (r != NO_ID)
    c->uid = r;
  if (e != NO_ID)
    c->euid = e;
  if (s != NO_ID)
    c->suid = s;
  c->fsuid = c->euid;
  return commit_uids(t, c, allowed ? 0 : -EPERM);
}

SYSCALL_HANDLER(setresgid) {
  const struct cred *old = t->cred;
  uint32_t r = kgid_arg(old, a[0]), e = kgid_arg(old, a[1]), s = kgid_arg(old, a[2]);
  if (unmapped(a[0], r) || unmapped(a[1], e) || unmapped(a[2], s))
    return -EINVAL;
  bool allowed = cred_own_cap(old, CAP_SETGID) ||
                 (one_of(r, old->gid, old->egid, old->sgid) && one_of(e, old->gid, old->egid, old->sgid) &&
                  one_of(s, old->gid, old->egid, old->sgid));
  struct cred *c = cred_dup(old);
  if (!c)
    return -ENOMEM;
  if (r != NO_ID)
    c->gid = r;
  if (e != NO_ID)
    c->egid = e;
  if (s != NO_ID)
    c->sgid = s;
  c->fsgid = c->egid;
  return commit(t, c, allowed ? 0 : -EPERM);
}

/* Both return the old id, whether they changed it or not. */
SYSCALL_HANDLER(setfsuid) {
  const struct cred *old = t->cred;
  uint32_t id = kuid_arg(old, a[0]), was = kuid_here(old->fsuid);
  if (id == NO_ID ||
      (!cred_own_cap(old, CAP_SETUID) && !(id == old->fsuid || one_of(id, old->uid, old->euid, old->suid))))
    return was;
  struct cred *c = cred_dup(old);
  if (!c)
    return was;
  c->fsuid = id;
  cred_fixup_setfsuid(c, old);
  commit(t, c, 0);
  return was;
}

SYSCALL_HANDLER(setfsgid) {
  const struct cred *old = t->cred;
  uint32_t id = kgid_arg(old, a[0]), was = kgid_here(old->fsgid);
  if (id == NO_ID ||
      (!cred_own_cap(old, CAP_SETGID) && !(id == old->fsgid || one_of(id, old->gid, old->egid, old->sgid))))
    return was;
  struct cred *c = cred_dup(old);
  if (!c)
    return was;
  c->fsgid = id;
  commit(t, c, 0);
  return was;
}

SYSCALL_HANDLER(getgroups) {
  int size = (int)a[0];
  const struct cred *c = t->cred;
  if (size < 0)
    return -EINVAL;
  if (size == 0)
    return c->ngroups;
  if (c->ngroups > size)
    return -EINVAL;
  int n = c->ngroups;
  uint32_t *g = n ? malloc((size_t)n * sizeof *g) : NULL;
  if (n && !g)
    return -ENOMEM;
  for (int i = 0; i < n; i++)
    g[i] = kgid_here(c->groups[i]);
  int r = n && copy_to_user(a[1], g, (size_t)n * sizeof *g) ? -EFAULT : n;
  free(g);
  return r;
}

static int group_cmp(const void *x, const void *y) {
  uint32_t a = *(const uint32_t *)x, b = *(const uint32_t *)y;
  return a < b ? -1 : a > b;
}

SYSCALL_HANDLER(setgroups) {
  unsigned n = (unsigned)a[0];
  if (!cred_own_cap(t->cred, CAP_SETGID) || !user_ns_may_setgroups(t->cred->user_ns))
    return -EPERM;
  if (n > NGROUPS_MAX_GUEST)
    return -EINVAL;
  uint32_t *g = n ? malloc(n * sizeof *g) : NULL;
  if (n && !g)
    return -ENOMEM;
  if (n && copy_from_user(g, a[1], n * sizeof *g)) {
    free(g);
    return -EFAULT;
  }
  for (unsigned i = 0; i < n; i++) {
    g[i] = kgid_arg(t->cred, g[i]);
    if (g[i] == NO_ID) {
      free(g);
      return -EINVAL;
    }
  }
  if (n)
    qsort(g, n, sizeof *g, group_cmp); /* as getgroups(2) of Linux shows them */
  struct cred *c = cred_dup(t->cred);
  if (!c) {
    free(g);
    return -ENOMEM;
  }
  free(c->groups);
  c->groups = g;
  c->ngroups = (int)n;
  return commit(t, c, 0);
}

/* ---- capabilities ---- */

/* How many 32-bit words a version has. The header gets the version we prefer if it names none that we know. */
static int cap_words(uint64_t uhdr, struct __user_cap_header_struct *h, bool *probe) {
  *probe = false;
  if (get_user(h, uhdr))
    return -EFAULT;
  switch (h->version) {
  case _LINUX_CAPABILITY_VERSION_1:
    return 1;
  case _LINUX_CAPABILITY_VERSION_2:
  case _LINUX_CAPABILITY_VERSION_3:
    return 2;
  default:
    h->version = _LINUX_CAPABILITY_VERSION_3;
    *probe = true;
    return copy_to_user(uhdr, &h->version, sizeof h->version) ? -EFAULT : -EINVAL;
  }
}

SYSCALL_HANDLER(capget) {
  struct __user_cap_header_struct h;
  bool probe;
  int words = cap_words(a[0], &h, &probe);
  if (words < 0)
    return probe && words == -EINVAL && !a[1] ? 0 : words;
  if (!a[1])
    return 0;
  if (h.pid < 0)
    return -EINVAL;
  struct task *o = h.pid ? task_find_borrow(t->k, h.pid) : t;
  if (!o)
    return -ESRCH;
  const struct cred *c = o->cred;
  struct __user_cap_data_struct d[2];
  for (int i = 0; i < 2; i++)
    d[i] = (struct __user_cap_data_struct){.effective = (uint32_t)(c->cap_eff >> (32 * i)),
                                           .permitted = (uint32_t)(c->cap_prm >> (32 * i)),
                                           .inheritable = (uint32_t)(c->cap_inh >> (32 * i))};
  return copy_to_user(a[1], d, (size_t)words * sizeof *d) ? -EFAULT : 0;
}

/* cap_capset() of Linux. */
static int check_capset(const struct cred *old, uint64_t eff, uint64_t prm, uint64_t inh) {
  if (!cred_own_cap(old, CAP_SETPCAP) && (inh & ~(old->cap_inh | old->cap_prm)))
    return -EPERM;
  if (inh & ~(old->cap_inh | old->cap_bnd))
    return -EPERM;
  if (prm & ~old->cap_prm)
    return -EPERM;
  return eff & ~prm ? -EPERM : 0;
}

SYSCALL_HANDLER(capset) {
  struct __user_cap_header_struct h;
  struct __user_cap_data_struct d[2] = {0};
  const uint64_t all = (2ull << CAP_LAST) - 1;
  bool probe;
  int words = cap_words(a[0], &h, &probe);
  if (words < 0)
    return words;
  if (h.pid != 0 && h.pid != pid_vnr(t->tid))
    return -EPERM;
  if (copy_from_user(d, a[1], (size_t)words * sizeof *d))
    return -EFAULT;
  uint64_t eff = (d[0].effective | (uint64_t)d[1].effective << 32) & all;
  uint64_t prm = (d[0].permitted | (uint64_t)d[1].permitted << 32) & all;
  uint64_t inh = (d[0].inheritable | (uint64_t)d[1].inheritable << 32) & all;
  struct cred *c = cred_dup(t->cred);
  if (!c)
    return -ENOMEM;
  c->cap_eff = eff;
  c->cap_prm = prm;
  c->cap_inh = inh;
  c->cap_amb &= prm & inh; /* what is lost here cannot stay ambient */
  return commit(t, c, check_capset(t->cred, eff, prm, inh));
}
