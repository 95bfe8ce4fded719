/* add_key(2), request_key(2), keyctl(2): what they do once the arguments are here. security/keys/keyctl.c of Linux. */
#include "../errno.h"
#include "../kernel.h"
#include "keys.h"
#include <linux/capability.h>
#include <linux/keyctl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int64_t serial_or(int err, const struct key *key) {
  return err ? err : key->serial;
}

/* ---- add_key, KEYCTL_UPDATE ---- */

/* May fail half-way only before anything has changed. */
static int update(struct task *t, const struct key_ref *r, struct key_payload *p) {
  int err = key_permission(t->cred, r->key, r->possessed, KEY_WRITE);
  if (!err && !r->key->type->updatable)
    err = -EOPNOTSUPP;
  if (!err)
    err = key_check_payload(r->key->type, p->len);
  if (!err)
    err = key_set_payload(r->key, p->data, p->len);
  if (err)
    return err;
  p->data = NULL;
  r->key->expiry = 0;
  return 0;
}

static int make_in(struct task *t, const struct key_type *type, const char *desc, struct key_payload *p,
                   struct key *ring, struct key **out) {
  uint32_t pos = KEY_VIEW | KEY_SEARCH | KEY_LINK | KEY_SETATTR;
  if (type->readable)
    pos |= KEY_READ;
  if (type->keyring || type->updatable)
    pos |= KEY_WRITE;
  struct key_spec s = {
      .type = type, .desc = desc, .uid = t->cred->fsuid, .gid = t->cred->fsgid, .perm = KEY_PERM(pos, KEY_VIEW)};
  int err = key_new(t->k, &s, out);
  if (err)
    return err;
  if (!type->keyring) {
    err = key_set_payload(*out, p->data, p->len);
    if (!err)
      p->data = NULL;
  }
  if (!err)
    err = keyring_link(ring, *out);
  if (err)
    key_put(*out);
  return err;
}

static int64_t add_in(struct task *t, const struct key_type *type, const char *desc, struct key_payload *p,
                      const struct key_ref *ring) {
  size_t n;
  char *index = key_index(type, desc, &n);
  if (!index)
    return -ENOMEM;
  struct key *old = type->updatable ? keyring_lookup_borrow(ring->key, index, n) : NULL;
  free(index);
  if (old && !old->revoked && !old->invalidated) {
    struct key_ref r = {old, ring->possessed};
    int err = key_validate(old);
    if (!err)
      err = update(t, &r, p);
    return serial_or(err, old);
  }
  struct key *key;
  int err = make_in(t, type, desc, p, ring->key, &key);
  if (err)
    return err;
  int32_t serial = key->serial;
  key_put(key);
  return serial;
}

int64_t key_add(struct task *t, const char *type_name, const char *desc, struct key_payload *p, int32_t ring) {
  AUTO_KEY_REF r = {0};
  int err = key_lookup_user(t, ring, KEY_LOOKUP_CREATE, KEY_WRITE, &r);
  if (err)
    return err;
  const struct key_type *type = key_type_find(type_name);
  if (!type)
    return -ENODEV;
  if (!desc)
    return -EINVAL;
  if (!r.key->type->keyring)
    return -ENOTDIR;
  err = key_check_payload(type, p->len);
  if (!err && r.key->locked)
    err = -EPERM;
  return err ? err : add_in(t, type, desc, p, &r);
}

int64_t keyctl_update(struct task *t, int32_t id, struct key_payload *p) {
  AUTO_KEY_REF r = {0};
  int err = key_lookup_user(t, id, 0, KEY_WRITE, &r);
  return err ? err : update(t, &r, p);
}

/* ---- request_key, KEYCTL_SEARCH ---- */

static int link_found(struct task *t, const struct key_ref *r, struct key *dest) {
  if (!dest)
    return 0;
  int err = key_permission(t->cred, r->key, r->possessed, KEY_LINK);
  return err ? err : keyring_link(dest, r->key);
}

/* Nobody is called to make a key that is not there: there is no /sbin/request-key outside of the sandbox. */
int64_t key_request(struct task *t, const char *type_name, const char *desc, bool callout, int32_t dest) {
  AUTO_KEY_REF to = {0}, found = {0};
  int err = dest ? key_lookup_user(t, dest, KEY_LOOKUP_CREATE, KEY_WRITE, &to) : 0;
  if (err)
    return err;
  keys_collect(t->k);
  const struct key_type *type = key_type_find(type_name);
  struct key_search s = {.cred = t->cred, .skip_expired = true};
  char *index = type ? key_index(type, desc, &s.index_len) : NULL;
  if (!index)
    return type ? -ENOMEM : -ENOKEY;
  s.index = index;
  err = key_search_process(t->cred, &s, &found);
  free(index);
  if (err == -EAGAIN)
    return callout && type->keyring ? -EPERM : -ENOKEY;
  if (!err)
    err = link_found(t, &found, to.key);
  if (!err)
    err = key_validate(found.key);
  return serial_or(err, found.key);
}

int64_t keyctl_search(struct task *t, int32_t ring, const char *type_name, const char *desc, int32_t dest) {
  AUTO_KEY_REF from = {0}, to = {0}, found = {0};
  int err = key_lookup_user(t, ring, 0, KEY_SEARCH, &from);
  if (!err && dest)
    err = key_lookup_user(t, dest, KEY_LOOKUP_CREATE, KEY_WRITE, &to);
  if (err)
    return err;
  const struct key_type *type = key_type_find(type_name);
  struct key_search s = {.cred = t->cred};
  char *index = type ? key_index(type, desc, &s.index_len) : NULL;
  if (!index)
    return type ? -ENOMEM : -ENOKEY;
  s.index = index;
  err = keyring_search(from.key, from.possessed, &s, &found);
  free(index);
  if (err == -EAGAIN)
    return -ENOKEY;
  if (!err)
    err = link_found(t, &found, to.key);
  return serial_or(err, found.key);
}

/* ---- keyrings ---- */

int64_t keyctl_get_keyring_id(struct task *t, int32_t id, bool create) {
  AUTO_KEY_REF r = {0};
  int err = key_lookup_user(t, id, create ? KEY_LOOKUP_CREATE : 0, KEY_SEARCH, &r);
  return serial_or(err, r.key);
}

int64_t keyctl_clear(struct task *t, int32_t ring) {
  AUTO_KEY_REF r = {0};
  int err = key_lookup_user(t, ring, KEY_LOOKUP_CREATE, KEY_WRITE, &r);
  return err ? err : keyring_clear(r.key);
}

int64_t keyctl_link(struct task *t, int32_t id, int32_t ring) {
  AUTO_KEY_REF to = {0}, r = {0};
  int err = key_lookup_user(t, ring, KEY_LOOKUP_CREATE, KEY_WRITE, &to);
  if (!err)
    err = key_lookup_user(t, id, KEY_LOOKUP_CREATE, KEY_LINK, &r);
  return err ? err : keyring_link(to.key, r.key);
}

int64_t keyctl_unlink(struct task *t, int32_t id, int32_t ring) {
  AUTO_KEY_REF from = {0}, r = {0};
  int err = key_lookup_user(t, ring, 0, KEY_WRITE, &from);
  if (!err)
    err = key_lookup_user(t, id, KEY_LOOKUP_PARTIAL, KEY_NEED_NOTHING, &r);
  return err ? err : keyring_unlink(from.key, r.key);
}

int64_t keyctl_move(struct task *t, int32_t id, int32_t from, int32_t to, unsigned flags) {
  if (flags & ~KEYCTL_MOVE_EXCL)
    return -EINVAL;
  AUTO_KEY_REF r = {0}, f = {0}, g = {0};
  int err = key_lookup_user(t, id, KEY_LOOKUP_CREATE, KEY_LINK, &r);
  if (!err)
    err = key_lookup_user(t, from, 0, KEY_WRITE, &f);
  if (!err)
    err = key_lookup_user(t, to, KEY_LOOKUP_CREATE, KEY_WRITE, &g);
  return err ? err : keyring_move(r.key, f.key, g.key, flags & KEYCTL_MOVE_EXCL);
}

/* No type here knows how to restrict a keyring to keys that something vouches for. */
int64_t keyctl_restrict(struct task *t, int32_t id, const char *type, bool restriction) {
  AUTO_KEY_REF r = {0};
  int err = key_lookup_user(t, id, 0, KEY_SETATTR, &r);
  if (err)
    return err;
  if (!type && restriction)
    return -EINVAL;
  if (!r.key->type->keyring)
    return -ENOTDIR;
  if (type)
    return key_type_find(type) ? -ENOENT : -ENOKEY;
  if (r.key->locked)
    return -EEXIST;
  r.key->locked = true;
  return 0;
}

/* ---- the end of keys ---- */

int64_t keyctl_revoke(struct task *t, int32_t id) {
  AUTO_KEY_REF r = {0};
  int err = key_lookup_user(t, id, 0, KEY_WRITE, &r);
  if (err == -EACCES) {
    key_ref_put(&r);
    r = (struct key_ref){0};
    err = key_lookup_user(t, id, 0, KEY_SETATTR, &r);
  }
  if (!err)
    key_revoke(r.key);
  return err;
}

int64_t keyctl_invalidate(struct task *t, int32_t id) {
  AUTO_KEY_REF r = {0};
  int err = key_lookup_user(t, id, 0, KEY_SEARCH, &r);
  if (!err)
    key_invalidate(r.key);
  return err;
}

int64_t keyctl_set_timeout(struct task *t, int32_t id, uint32_t seconds) {
  AUTO_KEY_REF r = {0};
  int err = key_lookup_user(t, id, KEY_LOOKUP_CREATE | KEY_LOOKUP_PARTIAL, KEY_SETATTR, &r);
  if (!err)
    key_set_timeout(r.key, seconds);
  return err;
}

/* ---- attributes ---- */

int64_t keyctl_chown(struct task *t, int32_t id, uint32_t uid, uint32_t gid) {
  const struct cred *c = t->cred;
  uint32_t kuid = make_kuid(c->user_ns, uid), kgid = make_kgid(c->user_ns, gid);
  if ((uid != INVALID_ID && kuid == INVALID_ID) || (gid != INVALID_ID && kgid == INVALID_ID))
    return -EINVAL;
  if (uid == INVALID_ID && gid == INVALID_ID)
    return 0;
  AUTO_KEY_REF r = {0};
  int err = key_lookup_user(t, id, KEY_LOOKUP_CREATE | KEY_LOOKUP_PARTIAL, KEY_SETATTR, &r);
  if (err)
    return err;
  c = t->cred; /* the lookup may have made a keyring, and with it new credentials */
  bool other_user = uid != INVALID_ID && kuid != r.key->uid;
  bool other_group = gid != INVALID_ID && kgid != r.key->gid;
  if ((other_user || (other_group && !cred_in_group(c, kgid))) && !cred_has_cap(c, CAP_SYS_ADMIN))
    return -EACCES;
  if (other_user && (err = key_chown(r.key, kuid)))
    return err;
  if (gid != INVALID_ID)
    r.key->gid = kgid;
  return 0;
}

int64_t keyctl_setperm(struct task *t, int32_t id, uint32_t perm) {
  if (perm & ~(KEY_ALL * 0x01010101u))
    return -EINVAL;
  AUTO_KEY_REF r = {0};
  int err = key_lookup_user(t, id, KEY_LOOKUP_CREATE | KEY_LOOKUP_PARTIAL, KEY_SETATTR, &r);
  if (err)
    return err;
  if (r.key->uid != t->cred->fsuid && !cred_has_cap(t->cred, CAP_SYS_ADMIN))
    return -EACCES;
  r.key->perm = perm;
  return 0;
}

int64_t keyctl_set_reqkey(struct task *t, int which) {
  int old = t->cred->reqkey, err = 0;
  switch (which) {
  case KEY_REQKEY_DEFL_NO_CHANGE:
    return old;
  case KEY_REQKEY_DEFL_THREAD_KEYRING:
    err = key_install(t, KEY_SPEC_THREAD_KEYRING);
    break;
  case KEY_REQKEY_DEFL_PROCESS_KEYRING:
    err = key_install(t, KEY_SPEC_PROCESS_KEYRING);
    break;
  case KEY_REQKEY_DEFL_DEFAULT:
  case KEY_REQKEY_DEFL_SESSION_KEYRING:
  case KEY_REQKEY_DEFL_USER_KEYRING:
  case KEY_REQKEY_DEFL_USER_SESSION_KEYRING:
  case KEY_REQKEY_DEFL_REQUESTOR_KEYRING:
    break;
  default:
    return -EINVAL;
  }
  struct cred *c = err ? NULL : cred_dup(t->cred);
  if (!c)
    return err ? err : -ENOMEM;
  c->reqkey = which;
  task_set_cred(t, c);
  cred_put(c);
  return old;
}

int64_t keyctl_persistent(struct task *t, uint32_t uid, int32_t dest) {
  const struct cred *c = t->cred;
  uint32_t kuid = uid == INVALID_ID ? c->uid : make_kuid(c->user_ns, uid);
  if (kuid == INVALID_ID)
    return -EINVAL;
  if (kuid != c->uid && kuid != c->euid && !ns_capable(c, c->user_ns, CAP_SETUID))
    return -EPERM;
  AUTO_KEY_REF r = {0};
  int err = key_lookup_user(t, dest, KEY_LOOKUP_CREATE, KEY_WRITE, &r);
  if (!err && !r.key->type->keyring)
    err = -ENOTDIR;
  return err ? err : key_get_persistent(t, kuid, r.key);
}

/* ---- reading ---- */

int64_t keyctl_describe(struct task *t, int32_t id, char **out) {
  AUTO_KEY_REF r = {0};
  int err = key_lookup_user(t, id, KEY_LOOKUP_PARTIAL, KEY_VIEW, &r);
  if (err)
    return err;
  int n = asprintf(out, "%s;%d;%d;%08x;%s", r.key->type->name, (int)kuid_here(r.key->uid), (int)kgid_here(r.key->gid),
                   r.key->perm, r.key->desc);
  return n < 0 ? -ENOMEM : n + 1;
}

int64_t keyctl_security(struct task *t, int32_t id) {
  AUTO_KEY_REF r = {0};
  return key_lookup_user(t, id, KEY_LOOKUP_PARTIAL, KEY_VIEW, &r);
}

static int64_t read_ring(const struct key *ring, size_t cap, char **out) {
  size_t n = ring->nlinks * sizeof(int32_t), i = 0;
  if (cap % sizeof(int32_t) && cap <= PAGE_SIZE)
    return -EINVAL;
  if (!n || n > cap)
    return (int64_t)n;
  int32_t *ids = malloc(n);
  if (!ids)
    return -ENOMEM;
  for (const struct keyring_link *l = ring->links; l; l = l->hh.next)
    ids[i++] = l->key->serial;
  *out = (char *)ids;
  return (int64_t)n;
}

int64_t keyctl_read(struct task *t, int32_t id, size_t cap, char **out) {
  AUTO_KEY_REF r = {0};
  *out = NULL;
  if (key_lookup_user(t, id, 0, KEY_NEED_LATER, &r))
    return -ENOKEY;
  /* What one possesses can be read, too. */
  if (key_permission(t->cred, r.key, r.possessed, KEY_READ) && !r.possessed)
    return -EACCES;
  if (!r.key->type->readable)
    return -EOPNOTSUPP;
  int err = key_validate(r.key);
  if (err)
    return err;
  if (r.key->type->keyring)
    return read_ring(r.key, cap, out);
  if (r.key->len && r.key->len <= cap) {
    *out = malloc(r.key->len);
    if (!*out)
      return -ENOMEM;
    memcpy(*out, r.key->payload, r.key->len);
  }
  return (int64_t)r.key->len;
}
