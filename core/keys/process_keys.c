/* The keyrings of threads, processes, sessions and users: security/keys/process_keys.c and persistent.c of Linux. */
#include "../errno.h"
#include "../kernel.h"
#include "keys.h"
#include <linux/keyctl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct user_namespace *ns_of(const struct cred *c) {
  return c->user_ns ? c->user_ns : kernel_current()->init_user_ns;
}

static int ring_new(const struct cred *c, const char *name, uint32_t perm, bool overrun, struct key **out) {
  struct key_spec s = {
      .type = &key_type_keyring, .desc = name, .uid = c->uid, .gid = c->gid, .perm = perm, .overrun = overrun};
  return key_new(kernel_current(), &s, out);
}

/* ---- credentials ---- */

int cred_fork_keys(struct cred **c, bool thread) {
  struct cred *old = *c;
  if (!old->thread_keyring && (thread || !old->process_keyring))
    return 0;
  struct cred *n = cred_dup(old);
  if (!n)
    return -ENOMEM;
  key_put(n->thread_keyring);
  n->thread_keyring = NULL;
  if (!thread) {
    key_put(n->process_keyring);
    n->process_keyring = NULL;
  }
  *c = n;
  cred_put(old);
  return 0;
}

/* Takes ring over, and makes it one of t's. */
static int set_ring(struct task *t, int32_t which, struct key *ring) {
  struct cred *c = cred_dup(t->cred);
  if (!c) {
    key_put(ring);
    return -ENOMEM;
  }
  struct key **slot = which == KEY_SPEC_THREAD_KEYRING    ? &c->thread_keyring
                      : which == KEY_SPEC_PROCESS_KEYRING ? &c->process_keyring
                                                          : &c->session_keyring;
  key_put(*slot);
  *slot = ring;
  task_set_cred(t, c);
  cred_put(c);
  return 0;
}

int key_install(struct task *t, int32_t which) {
  const struct cred *c = t->cred;
  bool thread = which == KEY_SPEC_THREAD_KEYRING;
  struct key *ring;
  if (thread ? c->thread_keyring : c->process_keyring)
    return 0;
  int err = ring_new(c, thread ? "_tid" : "_pid", KEY_PERM(KEY_ALL, KEY_VIEW), true, &ring);
  return err ? err : set_ring(t, which, ring);
}

int64_t key_join_session(struct task *t, const char *name) {
  const struct cred *c = t->cred;
  struct key *ring;
  int err;
  if (!name) {
    err = ring_new(c, "_ses", KEY_PERM(KEY_ALL, KEY_VIEW | KEY_READ), !c->session_keyring, &ring);
  } else {
    err = keyring_find_name(c, name, &ring);
    if (err == -ENOKEY)
      err = ring_new(c, name, KEY_PERM(KEY_ALL, KEY_VIEW | KEY_READ | KEY_LINK), false, &ring);
    else if (!err && ring == c->session_keyring) {
      key_put(ring);
      return 0;
    }
  }
  if (err)
    return err;
  int32_t serial = ring->serial;
  err = set_ring(t, KEY_SPEC_SESSION_KEYRING, ring);
  return err ? err : serial;
}

int64_t key_session_to_parent(struct task *t) {
  AUTO_KEY_REF r = {0};
  int err = key_lookup_user(t, KEY_SPEC_SESSION_KEYRING, 0, KEY_LINK, &r);
  if (err)
    return err;
  struct process *parent = t->proc->parent;
  if (!parent || parent->zombie || parent->pid->nr <= 1 || !parent->leader->mm || parent->nthreads != 1)
    return -EPERM;
  struct task *p = parent->leader;
  const struct cred *pc = p->cred, *c = t->cred;
  if (pc == c || pc->session_keyring == c->session_keyring)
    return 0;
  if (pc->uid != c->euid || pc->euid != c->euid || pc->suid != c->euid || pc->gid != c->egid || pc->egid != c->egid ||
      pc->sgid != c->egid)
    return -EPERM;
  if ((pc->session_keyring && pc->session_keyring->uid != c->euid) || c->session_keyring->uid != c->euid)
    return -EPERM;
  return set_ring(p, KEY_SPEC_SESSION_KEYRING, key_get(c->session_keyring));
}

/* ---- keyrings of users ---- */

static int find_in(const struct cred *c, struct key *reg, const char *name, struct key **out) {
  struct key_ref r = {0};
  struct key_search s = {.cred = c, .direct = true};
  char *index = key_index(&key_type_keyring, name, &s.index_len);
  if (!index)
    return -ENOMEM;
  s.index = index;
  int err = keyring_search(reg, true, &s, &r);
  free(index);
  *out = r.key;
  return err;
}

static int user_register(const struct cred *c, struct key **reg) {
  struct user_namespace *u = ns_of(c);
  struct user_ns_keys *keys = user_ns_keys(u);
  if (!keys)
    return -ENOMEM;
  struct key_spec s = {.type = &key_type_keyring,
                       .desc = ".user_reg",
                       .uid = u->owner_uid,
                       .gid = INVALID_ID,
                       .perm = KEY_PERM(KEY_WRITE | KEY_SEARCH, KEY_VIEW | KEY_READ)};
  int err = keys->user_register ? 0 : key_new(u->ns.k, &s, &keys->user_register);
  *reg = keys->user_register;
  return err;
}

/* One of them, found or made and registered; `inside` is linked into a new one. */
static int user_ring(const struct cred *c, struct key *reg, const char *fmt, struct key *inside, struct key **out) {
  char name[32];
  snprintf(name, sizeof name, fmt, from_kuid(ns_of(c), c->uid));
  int err = find_in(c, reg, name, out);
  if (err != -EAGAIN)
    return err;
  struct key_spec s = {.type = &key_type_keyring,
                       .desc = name,
                       .uid = c->uid,
                       .gid = INVALID_ID,
                       .perm = KEY_PERM(KEY_ALL & ~KEY_SETATTR, KEY_ALL)};
  struct key *ring;
  err = key_new(kernel_current(), &s, &ring);
  if (err)
    return err;
  ring->uid_keyring = true;
  if (inside)
    err = keyring_link(ring, inside);
  if (!err)
    err = keyring_link(reg, ring);
  if (err)
    key_put(ring);
  else
    *out = ring;
  return err;
}

static int user_rings(const struct cred *c, struct key **user, struct key **session) {
  struct key *reg, *uid_ring, *ses_ring;
  int err = user_register(c, &reg);
  if (!err)
    err = user_ring(c, reg, "_uid.%u", NULL, &uid_ring);
  if (err)
    return err;
  err = user_ring(c, reg, "_uid_ses.%u", uid_ring, &ses_ring);
  if (err) {
    key_put(uid_ring);
    return err;
  }
  if (user)
    *user = uid_ring;
  else
    key_put(uid_ring);
  if (session)
    *session = ses_ring;
  else
    key_put(ses_ring);
  return 0;
}

/* The user-session keyring if there is one: no error. Counted. */
static struct key *existing_user_session(const struct cred *c) {
  struct user_namespace *u = ns_of(c);
  struct key *ring = NULL;
  char name[32];
  if (!u->keys || !u->keys->user_register)
    return NULL;
  snprintf(name, sizeof name, "_uid_ses.%u", from_kuid(u, c->uid));
  return find_in(c, u->keys->user_register, name, &ring) ? NULL : ring;
}

static int persistent_ring(const struct cred *c, uint32_t uid, struct key **out) {
  struct user_namespace *u = ns_of(c);
  struct user_ns_keys *keys = user_ns_keys(u);
  if (!keys)
    return -ENOMEM;
  struct key_spec s = {.type = &key_type_keyring,
                       .desc = ".persistent_register",
                       .perm = KEY_PERM(KEY_ALL & ~KEY_SETATTR, KEY_VIEW | KEY_READ),
                       .unchecked = true};
  int err = keys->persistent_register ? 0 : key_new(u->ns.k, &s, &keys->persistent_register);
  if (err)
    return err;
  char name[32];
  snprintf(name, sizeof name, "_persistent.%u", from_kuid(u, uid));
  err = find_in(c, keys->persistent_register, name, out);
  if (err != -EAGAIN)
    return err;
  s.desc = name;
  s.uid = uid;
  s.gid = INVALID_ID;
  err = key_new(u->ns.k, &s, out);
  if (!err && (err = keyring_link(keys->persistent_register, *out)))
    key_put(*out);
  return err;
}

int64_t key_get_persistent(struct task *t, uint32_t kuid, struct key *dest) {
  struct key *ring;
  int64_t err = persistent_ring(t->cred, kuid, &ring);
  if (err)
    return err;
  err = key_permission(t->cred, ring, true, KEY_LINK);
  if (!err)
    err = keyring_link(dest, ring);
  if (!err) {
    key_set_timeout(ring, (uint32_t)t->k->keys->persistent_expiry);
    err = ring->serial;
  }
  key_put(ring);
  return err;
}

/* ---- search and lookup ---- */

int key_search_process(const struct cred *c, const struct key_search *s, struct key_ref *out) {
  struct key *session = c->session_keyring ? key_get(c->session_keyring) : existing_user_session(c);
  struct key *rings[] = {c->thread_keyring, c->process_keyring, session};
  int soft = 0, hard = -EAGAIN, err = -EAGAIN;
  for (int i = 0; i < 3; i++) {
    if (!rings[i])
      continue;
    err = keyring_search(rings[i], true, s, out);
    if (!err)
      break;
    if (err != -EAGAIN && err != -ENOKEY)
      hard = err;
    else if (err == -ENOKEY || !soft)
      soft = err;
  }
  key_put(session);
  return !err && out->key ? 0 : soft ? soft : hard;
}

static int lookup_session(struct task *t, int flags, struct key_ref *out) {
  struct key *user_session = NULL;
  int64_t err = 0;
  if (!t->cred->session_keyring) {
    err = user_rings(t->cred, NULL, &user_session);
    if (!err && (flags & KEY_LOOKUP_CREATE)) {
      key_put(user_session);
      err = key_join_session(t, NULL);
    } else if (!err) {
      err = set_ring(t, KEY_SPEC_SESSION_KEYRING, user_session);
    }
  } else if (t->cred->session_keyring->uid_keyring && (flags & KEY_LOOKUP_CREATE)) {
    err = key_join_session(t, NULL);
  }
  if (err < 0)
    return (int)err;
  *out = (struct key_ref){key_get(t->cred->session_keyring), true};
  return 0;
}

static int lookup_special(struct task *t, int32_t id, int flags, struct key_ref *out) {
  int err = 0;
  out->possessed = true;
  switch (id) {
  case KEY_SPEC_THREAD_KEYRING:
  case KEY_SPEC_PROCESS_KEYRING:
    if (flags & KEY_LOOKUP_CREATE)
      err = key_install(t, id);
    if (err)
      return err;
    out->key = key_get(id == KEY_SPEC_THREAD_KEYRING ? t->cred->thread_keyring : t->cred->process_keyring);
    return out->key ? 0 : -ENOKEY;
  case KEY_SPEC_SESSION_KEYRING:
    return lookup_session(t, flags, out);
  case KEY_SPEC_USER_KEYRING:
    return user_rings(t->cred, &out->key, NULL);
  case KEY_SPEC_USER_SESSION_KEYRING:
    return user_rings(t->cred, NULL, &out->key);
  case KEY_SPEC_REQKEY_AUTH_KEY: /* nobody instantiates keys for another */
  case KEY_SPEC_REQUESTOR_KEYRING:
    return -ENOKEY;
  default:
    return -EINVAL;
  }
}

static int lookup_serial(struct task *t, int32_t id, struct key_ref *out) {
  struct key *key = key_find(t->k, id);
  if (!key)
    return -ENOKEY;
  struct key_search s = {
      .cred = t->cred, .index = key->index, .index_len = key->index_len, .key = key, .no_state = true};
  struct key_ref found = {0};
  *out = (struct key_ref){key, !key_search_process(t->cred, &s, &found)};
  key_put(found.key);
  return 0;
}

int key_lookup_user(struct task *t, int32_t id, int flags, uint32_t need, struct key_ref *out) {
  keys_collect(t->k);
  int err = id > 0 ? lookup_serial(t, id, out) : lookup_special(t, id, flags, out);
  if (err || need == KEY_NEED_LATER || need == KEY_NEED_NOTHING)
    return err;
  err = key_validate(out->key);
  return err ? err : key_permission(t->cred, out->key, out->possessed, need);
}
