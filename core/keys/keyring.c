/* Keyrings: links, search, names. security/keys/keyring.c of Linux. */
#include "../errno.h"
#include "../kernel.h"
#include "../user.h"
#include "keys.h"
#include <stdlib.h>
#include <string.h>

#define LINK_QUOTA 4                                                               /* bytes of quota for each link */
#define LINK_SIZE (sizeof(struct keyring_link) + 32)                               /* what one costs the Sentry … */
#define FIRST_LINK_SIZE (32 * sizeof(UT_hash_bucket) + sizeof(UT_hash_table) + 32) /* … and the first of a keyring */

/* ---- names ---- */

struct user_ns_keys *user_ns_keys(struct user_namespace *u) {
  if (!u->keys && (u->keys = calloc(1, sizeof *u->keys)))
    TAILQ_INIT(&u->keys->names);
  return u->keys;
}

void user_ns_keys_free(struct user_ns_keys *u) {
  struct key *key;
  if (!u)
    return;
  while ((key = TAILQ_FIRST(&u->names)))
    keyring_unpublish(key);
  key_put(u->user_register);
  key_put(u->persistent_register);
  free(u);
}

void keyring_unpublish(struct key *ring) {
  if (!ring->name_ns)
    return;
  TAILQ_REMOVE(&ring->name_ns->names, ring, name_link);
  ring->name_ns = NULL;
}

int keyring_find_name(const struct cred *c, const char *name, struct key **out) {
  struct user_namespace *u = c->user_ns ? c->user_ns : kernel_current()->init_user_ns;
  struct key *key;
  if (!u->keys)
    return -ENOKEY;
  TAILQ_FOREACH(key, &u->keys->names, name_link) {
    if (strcmp(key->desc, name) || key->uid_keyring || from_kuid(u, key->user->uid) == INVALID_ID || key->revoked ||
        key_permission(c, key, false, KEY_SEARCH))
      continue;
    *out = key_get(key);
    return 0;
  }
  return -ENOKEY;
}

/* ---- links ---- */

static struct keyring_link *find_link(struct key *ring, const char *index, size_t index_len) {
  struct keyring_link *l;
  HASH_FIND(hh, ring->links, index, index_len, l);
  return l;
}

struct key *keyring_lookup_borrow(struct key *ring, const char *index, size_t index_len) {
  struct keyring_link *l = find_link(ring, index, index_len);
  return l ? l->key : NULL;
}

static void drop_link(struct key *ring, struct keyring_link *l) {
  HASH_DEL(ring->links, l);
  ring->nlinks--;
  ring->nrings -= l->key->type->keyring;
  key_memory_back(ring->k, LINK_SIZE + (ring->links ? 0 : FIRST_LINK_SIZE));
  key_put(l->key);
  free(l);
}

void keyring_drop_links(struct key *ring, bool all) {
  struct keyring_link *l, *next;
  for (l = ring->links; l; l = next) {
    next = l->hh.next;
    if (!all && !l->key->collect)
      continue;
    drop_link(ring, l);
    if (ring->datalen >= LINK_QUOTA)
      key_charge(ring, ring->datalen - LINK_QUOTA);
  }
}

static int add_link(struct key *ring, struct key *key) {
  size_t size = LINK_SIZE + (ring->links ? 0 : FIRST_LINK_SIZE);
  struct keyring_link *l = key_memory(ring->k, size) ? malloc(sizeof *l) : NULL;
  if (!l)
    return -ENOMEM; /* (if only malloc failed, the Sentry has other worries than the account) */
  l->key = key_get(key);
  HASH_ADD_KEYPTR(hh, ring->links, key->index, key->index_len, l);
  ring->nlinks++;
  ring->nrings += key->type->keyring;
  return 0;
}

/* Would ring be reached from key? */
static int detect_cycle(struct key *ring, struct key *key) {
  struct key_search s = {.cred = NULL,
                         .index = ring->index,
                         .index_len = ring->index_len,
                         .key = ring,
                         .no_state = true,
                         .no_permission = true,
                         .too_deep_fails = true};
  if (ring == key)
    return -EDEADLK;
  AUTO_KEY_REF found = {0};
  int err = keyring_search(key, true, &s, &found);
  return err == -EAGAIN ? 0 : err ? err : -EDEADLK;
}

int keyring_link(struct key *ring, struct key *key) {
  if (!ring->type->keyring)
    return -ENOTDIR;
  struct keyring_link *old = find_link(ring, key->index, key->index_len);
  int err = old ? 0 : key_charge(ring, ring->datalen + LINK_QUOTA);
  if (err)
    return err;
  if (ring->locked)
    err = -EPERM;
  if (!err && key->type->keyring)
    err = detect_cycle(ring, key);
  if (!err && !old)
    err = add_link(ring, key);
  if (err) {
    if (!old)
      key_charge(ring, ring->datalen - LINK_QUOTA);
    return err;
  }
  if (old && old->key != key) {
    struct key *displaced = old->key;
    old->key = key_get(key);
    old->hh.key = key->index; /* the same bytes */
    key_put(displaced);
  }
  return 0;
}

int keyring_unlink(struct key *ring, struct key *key) {
  if (!ring->type->keyring)
    return -ENOTDIR;
  struct keyring_link *l = find_link(ring, key->index, key->index_len);
  if (!l)
    return -ENOENT;
  drop_link(ring, l);
  return key_charge(ring, ring->datalen >= LINK_QUOTA ? ring->datalen - LINK_QUOTA : 0);
}

int keyring_move(struct key *key, struct key *from, struct key *to, bool excl) {
  if (from == to)
    return 0;
  if (!from->type->keyring || !to->type->keyring)
    return -ENOTDIR;
  if (!find_link(from, key->index, key->index_len))
    return -ENOENT;
  if (excl && find_link(to, key->index, key->index_len))
    return -EEXIST;
  int err = keyring_link(to, key);
  return err ? err : keyring_unlink(from, key);
}

int keyring_clear(struct key *ring) {
  if (!ring->type->keyring)
    return -ENOTDIR;
  keyring_drop_links(ring, true);
  return 0;
}

/* ---- search ---- */

struct search {
  const struct key_search *s;
  bool possessed;
  unsigned mark;
  struct key *found;
  int err; /* of the last key that matched and was not good enough; -EAGAIN: none has */
};

/* A key that matches: is it the one? */
static bool take(struct search *w, struct key *key) {
  const struct key_search *s = w->s;
  if (!s->no_state && (key->invalidated || key->revoked)) {
    w->err = -EKEYREVOKED;
    return false;
  }
  if (!s->no_state && key_validate(key)) {
    if (!s->skip_expired)
      w->err = -EKEYEXPIRED;
    return false;
  }
  if (!s->no_permission && key_permission(s->cred, key, w->possessed, KEY_SEARCH)) {
    w->err = -EACCES;
    return false;
  }
  w->found = key;
  return true;
}

static bool matches(const struct key_search *s, const struct key *key) {
  return s->key ? key == s->key : key->index_len == s->index_len && !memcmp(key->index, s->index, s->index_len);
}

/* True when the search is over: something was found, or -ELOOP. */
static bool descend(struct search *w, struct key *ring, int depth) {
  const struct key_search *s = w->s;
  if (ring->revoked || ring->invalidated)
    return false;
  struct key *key = keyring_lookup_borrow(ring, s->index, s->index_len);
  if (key && matches(s, key) && take(w, key))
    return true;
  if (s->direct || !ring->nrings)
    return false;
  for (struct keyring_link *l = ring->links; l; l = l->hh.next) {
    key = l->key;
    if (!key->type->keyring)
      continue;
    if (depth >= KEY_SEARCH_DEPTH) {
      if (s->too_deep_fails)
        w->err = -ELOOP;
      return s->too_deep_fails;
    }
    if (key->mark == w->mark && key->mark_depth <= depth + 1)
      continue; /* been there, with as many levels left or more */
    key->mark = w->mark;
    key->mark_depth = depth + 1;
    if (!s->no_permission && key_permission(s->cred, key, w->possessed, KEY_SEARCH))
      continue;
    if (descend(w, key, depth + 1))
      return true;
  }
  return false;
}

int keyring_search(struct key *ring, bool possessed, const struct key_search *s, struct key_ref *out) {
  if (!ring->type->keyring)
    return -ENOTDIR;
  if (!s->no_permission && key_permission(s->cred, ring, possessed, KEY_SEARCH))
    return -EACCES;
  struct search w = {.s = s, .possessed = possessed, .mark = ++ring->k->keys->mark, .err = -EAGAIN};
  if (!matches(s, ring) || (!take(&w, ring) && w.err == -EAGAIN))
    descend(&w, ring, 0);
  if (!w.found)
    return w.err;
  *out = (struct key_ref){key_get(w.found), possessed};
  return 0;
}
