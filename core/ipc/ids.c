/* Tables of ids, keys and permissions: what ipc/util.c is in Linux. sysvipc(7), "Permissions" and "Keys". */
#include "../errno.h"
#include "../kernel.h"
#include "ipc.h"
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>

#define MIN_CYCLE 64 /* indexes are given out in turn over at least so many, so that a stale id is seen as such */

time_t ipc_now(void) {
  return time(NULL);
}

struct ipc_object *ipc_at_borrow(struct ipc_namespace *ns, enum ipc_kind kind, int index) {
  struct ipc_ids *ids = &ns->ids[kind];
  return index >= 0 && index < ids->cap ? ids->slot[index] : NULL;
}

struct ipc_object *ipc_find_borrow(struct ipc_namespace *ns, enum ipc_kind kind, int id, int *err) {
  struct ipc_object *o = id < 0 ? NULL : ipc_at_borrow(ns, kind, id & (IPC_MNI - 1));
  *err = 0;
  if (!o)
    *err = -EINVAL;
  else if (o->id != id)
    *err = -EIDRM;
  return *err ? NULL : o;
}

int ipc_permission(struct task *t, const struct ipc_object *o, unsigned flags) {
  const struct cred *c = t->cred;
  unsigned want = (flags >> 6) | (flags >> 3) | flags, granted = o->mode;
  if (c->euid == o->cuid || c->euid == o->uid)
    granted >>= 6;
  else if (cred_in_group(c, o->cgid) || cred_in_group(c, o->gid))
    granted >>= 3;
  return (want & ~granted & 7) && !ns_capable(c, t->ipc->ns.owner, CAP_IPC_OWNER) ? -EACCES : 0;
}

int ipc_may_control(struct task *t, const struct ipc_object *o) {
  const struct cred *c = t->cred;
  return c->euid == o->cuid || c->euid == o->uid || ns_capable(c, t->ipc->ns.owner, CAP_SYS_ADMIN) ? 0 : -EPERM;
}

void ipc_perm_out(const struct ipc_object *o, struct ipc_perm *p) {
  *p = (struct ipc_perm){.uid = kuid_here(o->uid), .gid = kgid_here(o->gid), .cuid = kuid_here(o->cuid), .cgid = kgid_here(o->cgid)};
  p->__key = o->key;
  p->mode = o->mode;
  p->__seq = (unsigned short)o->seq;
}

int ipc_perm_set(struct ipc_object *o, const struct ipc_perm *p) {
  uint32_t uid = make_kuid(current_user_ns_borrow(), p->uid), gid = make_kgid(current_user_ns_borrow(), p->gid);
  if (uid == INVALID_ID || gid == INVALID_ID)
    return -EINVAL;
  o->uid = uid;
  o->gid = gid;
  o->mode = (o->mode & ~0777u) | (p->mode & 0777u);
  return 0;
}

static int grow(struct ipc_ids *ids, int want) {
  int cap = ids->cap ? ids->cap : 16;
  while (cap < want)
    cap *= 2;
  struct ipc_object **s = realloc(ids->slot, (size_t)cap * sizeof *s);
  if (!s)
    return -ENOMEM;
  memset(s + ids->cap, 0, (size_t)(cap - ids->cap) * sizeof *s);
  ids->slot = s;
  ids->cap = cap;
  return 0;
}

/* The next free index after the last one given out, round a ring that is half as large again as what is in use. */
static int next_index(struct ipc_ids *ids) {
  int ring = ids->in_use + ids->in_use / 2;
  ring = ring < MIN_CYCLE ? MIN_CYCLE : ring;
  ring = ring > IPC_MNI ? IPC_MNI : ring;
  for (int i = 1; i <= ring; i++) {
    int at = (ids->last_idx + i) % ring;
    if (at >= ids->cap || !ids->slot[at])
      return at;
  }
  return -ENOSPC;
}

static int add(struct task *t, const struct ipc_get_args *a, struct ipc_object *o) {
  struct ipc_ids *ids = &t->ipc->ids[a->kind];
  if (ids->in_use >= (a->limit < IPC_MNI ? a->limit : IPC_MNI))
    return -ENOSPC;
  int at = next_index(ids);
  if (at < 0)
    return at;
  if (at >= ids->cap && grow(ids, at + 1))
    return -ENOMEM;
  if (at <= ids->last_idx)
    ids->seq = ids->seq + 1 >= IPC_SEQ_MAX ? 0 : ids->seq + 1;
  ids->last_idx = at;
  ids->slot[at] = o;
  ids->in_use++;
  if (at > ids->max_idx)
    ids->max_idx = at;
  o->kind = a->kind;
  o->key = a->key;
  o->seq = ids->seq;
  o->id = (int)(o->seq << IPC_INDEX_BITS) + at;
  o->uid = o->cuid = t->cred->euid;
  o->gid = o->cgid = t->cred->egid;
  o->mode = (o->mode & ~0777u) | ((unsigned)a->flags & 0777u);
  return o->id;
}

static int make_new(struct task *t, const struct ipc_get_args *a) {
  struct ipc_object *o;
  int r = a->make(t->ipc, a, &o);
  if (r)
    return r;
  ref_init(&o->ref);
  r = add(t, a, o);
  if (r < 0) {
    o->kind = a->kind;
    ipc_object_put(o);
  }
  return r;
}

int ipc_get_id(struct task *t, const struct ipc_get_args *a) {
  struct ipc_ids *ids = &t->ipc->ids[a->kind];
  struct ipc_object *o = NULL;
  if (a->key == IPC_PRIVATE)
    return make_new(t, a);
  for (int i = 0; i <= ids->max_idx; i++) {
    o = ids->slot[i];
    if (o && o->key == a->key)
      break;
    o = NULL;
  }
  if (!o)
    return a->flags & IPC_CREAT ? make_new(t, a) : -ENOENT;
  if ((a->flags & (IPC_CREAT | IPC_EXCL)) == (IPC_CREAT | IPC_EXCL))
    return -EEXIST;
  if (a->size_of && a->size > a->size_of(o))
    return -EINVAL;
  int r = ipc_permission(t, o, (unsigned)a->flags);
  return r ? r : o->id;
}

void ipc_remove(struct ipc_namespace *ns, struct ipc_object *o) {
  struct ipc_ids *ids = &ns->ids[o->kind];
  int at = o->id & (IPC_MNI - 1);
  ids->slot[at] = NULL;
  ids->in_use--;
  while (ids->max_idx >= 0 && !ids->slot[ids->max_idx])
    ids->max_idx--;
  o->deleted = true;
  ipc_object_put(o);
}

void ipc_all_remove(struct ipc_namespace *ns, enum ipc_kind kind,
                    void (*rm)(struct ipc_namespace *, struct ipc_object *)) {
  struct ipc_ids *ids = &ns->ids[kind];
  for (int i = 0; i < ids->cap; i++)
    if (ids->slot[i])
      rm(ns, ids->slot[i]);
  free(ids->slot);
  ids->slot = NULL;
  ids->cap = 0;
}
