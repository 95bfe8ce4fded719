/* Credentials and capabilities: credentials(7), capabilities(7), security/commoncap.c of Linux. */
#include "errno.h"
#include "kernel.h"
#include "keys/keys.h"
#include "landlock.h"
#include "task.h"
#include <linux/capability.h>
#include <linux/securebits.h>
#include <stdlib.h>
#include <string.h>

#define CAP_BIT(c) (1ull << (c))
/* What setfsuid(2) takes away from and gives to fsuid 0. */
#define CAP_FS_SET                                                                                                     \
  (CAP_BIT(CAP_CHOWN) | CAP_BIT(CAP_MKNOD) | CAP_BIT(CAP_DAC_OVERRIDE) | CAP_BIT(CAP_DAC_READ_SEARCH) |                \
   CAP_BIT(CAP_FOWNER) | CAP_BIT(CAP_FSETID) | CAP_BIT(CAP_LINUX_IMMUTABLE) | CAP_BIT(CAP_MAC_OVERRIDE))

struct cred *cred_new(void) {
  struct cred *c = calloc(1, sizeof *c);
  if (c)
    ref_init(&c->ref);
  return c;
}

struct cred *cred_dup(const struct cred *c) {
  struct cred *n = malloc(sizeof *n);
  if (!n)
    return NULL;
  *n = *c;
  ref_init(&n->ref);
  user_ns_get(n->user_ns);
  landlock_domain_get(n->landlock);
  key_get(n->thread_keyring);
  key_get(n->process_keyring);
  key_get(n->session_keyring);
  n->groups = NULL;
  if (c->ngroups > 0) {
    n->groups = malloc((size_t)c->ngroups * sizeof *n->groups);
    if (!n->groups) {
      cred_put(n);
      return NULL;
    }
    memcpy(n->groups, c->groups, (size_t)c->ngroups * sizeof *n->groups);
  }
  return n;
}

struct cred *cred_get(struct cred *c) {
  ref_get(&c->ref);
  return c;
}

void cred_put(struct cred *c) {
  if (!c || !ref_put(&c->ref))
    return;
  free(c->groups);
  key_put(c->thread_keyring);
  key_put(c->process_keyring);
  key_put(c->session_keyring);
  user_ns_put(c->user_ns);
  landlock_domain_put(c->landlock);
  free(c);
}

void landlock_domain_put(struct landlock_domain *d) {
  while (d && ref_put(&d->ref)) {
    struct landlock_domain *below = d->parent;
    kernel_current()->hooks.landlock_free(d);
    d = below;
  }
}

bool cred_has_cap(const struct cred *c, int cap) {
  return user_ns_is_init(c->user_ns) && cred_own_cap(c, cap);
}

bool cred_in_group(const struct cred *c, uint32_t gid) {
  if (c->fsgid == gid)
    return true;
  for (int i = 0; i < c->ngroups; i++)
    if (c->groups[i] == gid)
      return true;
  return false;
}

void cred_fixup_setuid(struct cred *c, const struct cred *old) {
  if (c->securebits & SECBIT_NO_SETUID_FIXUP)
    return;
  uint32_t root = make_kuid(old->user_ns, 0);
  bool had_root = old->uid == root || old->euid == root || old->suid == root;
  bool has_root = c->uid == root || c->euid == root || c->suid == root;
  if (had_root && !has_root) {
    if (!(c->securebits & SECBIT_KEEP_CAPS))
      c->cap_prm = c->cap_eff = 0;
    c->cap_amb = 0; /* kept permitted capabilities are not passed on */
  }
  if (old->euid == root && c->euid != root)
    c->cap_eff = 0;
  if (old->euid != root && c->euid == root)
    c->cap_eff = c->cap_prm;
}

void cred_fixup_setfsuid(struct cred *c, const struct cred *old) {
  if (c->securebits & SECBIT_NO_SETUID_FIXUP)
    return;
  uint32_t root = make_kuid(old->user_ns, 0);
  if (old->fsuid == root && c->fsuid != root)
    c->cap_eff &= ~CAP_FS_SET;
  if (old->fsuid != root && c->fsuid == root)
    c->cap_eff |= c->cap_prm & CAP_FS_SET;
}

/* Has c nothing that old lacks? A user namespace that old made gives it nothing new. (cred_cap_issubset()) */
static bool cap_subset(const struct cred *old, const struct cred *c) {
  if (old->user_ns == c->user_ns)
    return !(c->cap_prm & ~old->cap_prm);
  for (const struct user_namespace *u = c->user_ns; u && u->parent; u = u->parent) {
    bool child = u->parent == old->user_ns || (user_ns_is_init(u->parent) && user_ns_is_init(old->user_ns));
    if (child && u->owner_uid == old->euid)
      return true;
  }
  return user_ns_is_init(old->user_ns) && user_ns_is_init(c->user_ns) && !(c->cap_prm & ~old->cap_prm);
}

void task_set_cred(struct task *t, struct cred *c) {
  struct cred *old = t->cred;
  t->cred = cred_get(c);
  if (!old)
    return;
  /* commit_creds(): whoever gains anything must not be traced or dumped by those who could before. */
  if (old->euid != c->euid || old->egid != c->egid || old->fsuid != c->fsuid || old->fsgid != c->fsgid ||
      !cap_subset(old, c)) {
    struct task *o;
    LIST_FOREACH(o, &t->proc->threads, thread_link) o->dumpable_off = true;
    t->pdeath_signal = 0;
  }
  if (c->thread_keyring && old->fsuid != c->fsuid)
    c->thread_keyring->uid = c->fsuid;
  if (c->thread_keyring && old->fsgid != c->fsgid)
    c->thread_keyring->gid = c->fsgid;
  cred_put(old);
}

bool cred_may_signal(const struct cred *c, const struct cred *target) {
  return c->euid == target->suid || c->euid == target->uid || c->uid == target->suid || c->uid == target->uid ||
         ns_capable(c, target->user_ns, CAP_KILL);
}

bool task_may_access(struct task *t, struct task *target) {
  if (t->proc == target->proc)
    return true;
  const struct cred *c = t->cred, *o = target->cred;
  if (!landlock_within(c->landlock, o->landlock))
    return false;
  if (ns_capable(c, o->user_ns, CAP_SYS_PTRACE))
    return true;
  if (c->uid != o->euid || c->uid != o->suid || c->uid != o->uid || c->gid != o->egid || c->gid != o->sgid ||
      c->gid != o->gid)
    return false;
  return !target->dumpable_off && c->user_ns == o->user_ns && !(o->cap_prm & ~c->cap_prm);
}
