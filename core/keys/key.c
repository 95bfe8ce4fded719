/* Keys: life, quota, permissions, expiry. security/keys/key.c, permission.c and gc.c of Linux. */
#include "../errno.h"
#include "../kernel.h"
#include "../user.h"
#include "keys.h"
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

const struct key_type key_type_keyring = {.name = "keyring", .keyring = true, .readable = true};
static const struct key_type types[] = {
    {.name = "user", .readable = true, .updatable = true, .max = 32767},
    {.name = "logon", .updatable = true, .qualified = true, .max = 32767},
    {.name = "big_key", .readable = true, .updatable = true, .max = KEY_PAYLOAD_MAX, .quota_fixed = 16},
};

const struct key_type *key_type_find(const char *name) {
  if (!strcmp(name, key_type_keyring.name))
    return &key_type_keyring;
  for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
    if (!strcmp(name, types[i].name))
      return &types[i];
  return NULL;
}

int64_t key_now(void) {
  struct timespec ts;
  clock_gettime(CLOCK_REALTIME, &ts);
  return ts.tv_sec;
}

/* ---- memory and quota ---- */

bool key_memory(struct kernel *k, size_t n) {
  if (n > KEYS_MEMORY_MAX - k->keys->memory)
    return false;
  k->keys->memory += n;
  return true;
}

void key_memory_back(struct kernel *k, size_t n) {
  k->keys->memory -= n;
}

static bool quota_has_room(struct kernel *k, const struct user *u, int keys, size_t bytes) {
  const struct key_table *tab = k->keys;
  int max_keys = u->uid == 0 ? tab->root_max_keys : tab->max_keys;
  int max_bytes = u->uid == 0 ? tab->root_max_bytes : tab->max_bytes;
  return u->nkeys + keys <= max_keys && u->key_bytes + bytes <= (size_t)max_bytes;
}

int key_charge(struct key *key, size_t datalen) {
  if (key->in_quota) {
    if (datalen > key->datalen && !quota_has_room(key->k, key->user, 0, datalen - key->datalen))
      return -EDQUOT;
    key->user->key_bytes = key->user->key_bytes - key->datalen + datalen;
    key->quota = key->quota - key->datalen + datalen;
  }
  key->datalen = datalen;
  return 0;
}

int key_check_payload(const struct key_type *type, size_t n) {
  if (type->keyring)
    return n ? -EINVAL : 0;
  return n > 0 && n <= type->max ? 0 : -EINVAL;
}

static void drop_payload(struct key *key) {
  if (!key->payload)
    return;
  explicit_bzero(key->payload, key->len);
  key_memory_back(key->k, key->len);
  free(key->payload);
  key->payload = NULL;
  key->len = 0;
}

int key_set_payload(struct key *key, char *payload, size_t n) {
  if (!key_memory(key->k, n))
    return -ENOMEM;
  int err = key_charge(key, key->type->quota_fixed ? (size_t)key->type->quota_fixed : n);
  if (err) {
    key_memory_back(key->k, n);
    return err;
  }
  drop_payload(key);
  key->payload = payload;
  key->len = n;
  return 0;
}

/* ---- life ---- */

char *key_index(const struct key_type *type, const char *desc, size_t *len) {
  size_t n = strlen(type->name) + 1, m = strlen(desc) + 1;
  char *s = malloc(n + m);
  if (!s)
    return NULL;
  memcpy(s, type->name, n);
  memcpy(s + n, desc, m);
  *len = n + m;
  return s;
}

static size_t key_size(const struct key *key) {
  return sizeof *key + key->index_len + 32;
}

static int32_t new_serial(struct key_table *tab) {
  for (;;) {
    uint32_t r;
    struct key *other;
    if (getrandom(&r, sizeof r, GRND_NONBLOCK) != sizeof r)
      return 0;
    int32_t serial = (int32_t)(r >> 1);
    if (serial < 3)
      continue;
    HASH_FIND(hh, tab->by_serial, &serial, sizeof serial, other);
    if (!other)
      return serial;
  }
}

static void publish_name(struct key *key) {
  struct user_namespace *u = current_user_ns_borrow();
  if (!key->type->keyring || key->desc[0] == '.')
    return;
  key->name_ns = user_ns_keys(u ? u : key->k->init_user_ns);
  if (key->name_ns)
    TAILQ_INSERT_TAIL(&key->name_ns->names, key, name_link);
}

static int take_quota(struct key *key, const struct key_spec *s) {
  size_t n = strlen(s->desc) + 1;
  key->user = user_get(key->k, s->uid);
  if (!key->user)
    return -ENOMEM;
  if (!s->unchecked) {
    if (!s->overrun && !quota_has_room(key->k, key->user, 1, n))
      return -EDQUOT;
    key->user->nkeys++;
    key->user->key_bytes += n;
    key->quota = n;
    key->in_quota = true;
  }
  key->user->nkeys_all++;
  return 0;
}

int key_new(struct kernel *k, const struct key_spec *s, struct key **out) {
  const char *colon = strchr(s->desc, ':');
  if (!*s->desc || (s->type->qualified && (!colon || colon == s->desc)))
    return -EINVAL;
  struct key *key = calloc(1, sizeof *key);
  if (!key)
    return -ENOMEM;
  ref_init(&key->ref);
  key->k = k;
  key->type = s->type;
  key->uid = s->uid;
  key->gid = s->gid;
  key->perm = s->perm;
  key->index = key_index(s->type, s->desc, &key->index_len);
  int err = key->index && (key->serial = new_serial(k->keys)) ? 0 : -ENOMEM;
  if (!err && !key_memory(k, key_size(key)))
    err = -ENOMEM;
  else if (!err && (err = take_quota(key, s)))
    key_memory_back(k, key_size(key));
  if (err) {
    user_put(key->user);
    free(key->index);
    free(key);
    return err;
  }
  key->desc = key->index + strlen(s->type->name) + 1;
  HASH_ADD(hh, k->keys->by_serial, serial, sizeof key->serial, key);
  publish_name(key);
  *out = key;
  return 0;
}

struct key *key_get(struct key *key) {
  if (key)
    ref_get(&key->ref);
  return key;
}

static void key_free(struct key *key) {
  if (key->in_quota) {
    key->user->nkeys--;
    key->user->key_bytes -= key->quota;
    key->in_quota = false;
  }
  key->user->nkeys_all--;
  keyring_unpublish(key);
  keyring_drop_links(key, true);
  drop_payload(key);
  HASH_DEL(key->k->keys->by_serial, key);
  key_memory_back(key->k, key_size(key));
  user_put(key->user);
  free(key->index);
  free(key);
}

static void drain(struct key_table *tab) {
  struct key *key;
  if (tab->draining)
    return;
  tab->draining = true;
  while ((key = TAILQ_FIRST(&tab->dead))) {
    TAILQ_REMOVE(&tab->dead, key, dead);
    key_free(key);
  }
  tab->draining = false;
}

void key_put(struct key *key) {
  if (!key || !ref_put(&key->ref))
    return;
  struct key_table *tab = key->k->keys;
  TAILQ_INSERT_TAIL(&tab->dead, key, dead);
  drain(tab);
}

void key_ref_put(struct key_ref *r) {
  key_put(r->key);
}

struct key *key_find(struct kernel *k, int32_t serial) {
  struct key *key;
  HASH_FIND(hh, k->keys->by_serial, &serial, sizeof serial, key);
  return key && key->ref.n ? key_get(key) : NULL;
}

int key_chown(struct key *key, uint32_t uid) {
  struct user *to = user_get(key->k, uid), *from = key->user;
  if (!to)
    return -ENOMEM;
  if (key->in_quota) {
    if (!quota_has_room(key->k, to, 1, key->quota)) {
      user_put(to);
      return -EDQUOT;
    }
    from->nkeys--;
    from->key_bytes -= key->quota;
    to->nkeys++;
    to->key_bytes += key->quota;
  }
  from->nkeys_all--;
  to->nkeys_all++;
  key->user = to;
  key->uid = uid;
  user_put(from);
  return 0;
}

/* ---- permissions and validity ---- */

int key_permission(const struct cred *c, struct key *key, bool possessed, uint32_t need) {
  uint32_t perm;
  if (key->uid == c->fsuid)
    perm = key->perm >> 16;
  else if (key->gid != INVALID_ID && ((key->perm >> 8) & KEY_ALL) && cred_in_group(c, key->gid))
    perm = key->perm >> 8;
  else
    perm = key->perm;
  if (possessed)
    perm |= key->perm >> 24;
  return (perm & need) == need ? 0 : -EACCES;
}

int key_validate(const struct key *key) {
  if (key->invalidated)
    return -ENOKEY;
  if (key->revoked)
    return -EKEYREVOKED;
  return key->expiry && key_now() >= key->expiry ? -EKEYEXPIRED : 0;
}

void key_revoke(struct key *key) {
  if (key->revoked)
    return;
  key->revoked = true;
  key->revoked_at = key_now();
  if (key->type->keyring) {
    keyring_unpublish(key);
    keyring_drop_links(key, true);
  } else {
    drop_payload(key);
  }
  key_charge(key, 0);
  key_due(key->k, key->revoked_at + key->k->keys->gc_delay);
}

void key_invalidate(struct key *key) {
  key->invalidated = true;
  key->k->keys->gc_at = 0;
  keys_collect(key->k);
}

void key_set_timeout(struct key *key, uint32_t seconds) {
  key->expiry = seconds ? key_now() + seconds : 0;
  if (seconds)
    key_due(key->k, key->expiry + key->k->keys->gc_delay);
}

/* ---- collection ---- */

void key_due(struct kernel *k, int64_t at) {
  if (at < k->keys->gc_at)
    k->keys->gc_at = at;
}

static int64_t key_end(const struct key *key) {
  int64_t delay = key->k->keys->gc_delay;
  if (key->invalidated)
    return 0;
  if (key->revoked)
    return key->revoked_at + delay;
  return key->expiry ? key->expiry + delay : INT64_MAX;
}

void keys_collect(struct kernel *k) {
  struct key_table *tab = k->keys;
  int64_t now = key_now();
  if (now < tab->gc_at)
    return;
  tab->gc_at = INT64_MAX;
  bool due = false;
  for (struct key *key = tab->by_serial; key; key = key->hh.next) {
    int64_t end = key_end(key);
    key->collect = end <= now;
    due |= key->collect;
    if (!key->collect)
      key_due(k, end);
  }
  if (!due)
    return;
  /* With the freeing put off, the walk is safe. */
  tab->draining = true;
  for (struct key *key = tab->by_serial; key; key = key->hh.next)
    if (key->type->keyring && key->ref.n)
      keyring_drop_links(key, key->collect);
  tab->draining = false;
  drain(tab);
}

int keys_boot(struct kernel *k) {
  k->keys = calloc(1, sizeof *k->keys);
  if (!k->keys)
    return -ENOMEM;
  *k->keys = (struct key_table){.gc_at = INT64_MAX,
                                .max_keys = 200,
                                .max_bytes = 20000,
                                .root_max_keys = 1000000,
                                .root_max_bytes = 25000000,
                                .gc_delay = 300,
                                .persistent_expiry = 3 * 24 * 3600};
  TAILQ_INIT(&k->keys->dead);
  return 0;
}

void keys_shutdown(struct kernel *k) {
  free(k->keys);
  k->keys = NULL;
}
