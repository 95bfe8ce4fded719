/* /proc/keys, /proc/key-users and /proc/sys/kernel/keys: security/keys/proc.c of Linux. */
#include "proc.h"
#include "../../core/errno.h"
#include "../../core/keys/keys.h"
#include "../../core/user.h"
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int by_serial(const void *a, const void *b) {
  const struct key *x = *(struct key *const *)a, *y = *(struct key *const *)b;
  return x->serial < y->serial ? -1 : x->serial > y->serial;
}

/* May t see it here: a key of a user that his namespace knows, with the right to view it? */
static bool visible(struct task *t, struct key *key) {
  if (!key->ref.n || from_kuid(t->cred->user_ns, key->user->uid) == INVALID_ID)
    return false;
  bool possessed = false;
  if (key->perm & KEY_PERM(KEY_VIEW, 0)) {
    struct key_search s = {
        .cred = t->cred, .index = key->index, .index_len = key->index_len, .key = key, .no_state = true};
    struct key_ref r = {0};
    possessed = !key_search_process(t->cred, &s, &r);
    key_ref_put(&r);
  }
  return !key_permission(t->cred, key, possessed, KEY_VIEW);
}

static void show_timeout(const struct key *key, char *buf, size_t cap) {
  static const struct {
    int64_t below, unit;
    char name;
  } steps[] = {{60, 1, 's'}, {3600, 60, 'm'}, {86400, 3600, 'h'}, {604800, 86400, 'd'}, {INT64_MAX, 604800, 'w'}};
  int64_t left = key->expiry - key_now();
  if (!key->expiry || left <= 0) {
    snprintf(buf, cap, "%s", key->expiry ? "expd" : "perm");
    return;
  }
  size_t i = 0;
  while (left >= steps[i].below)
    i++;
  snprintf(buf, cap, "%lld%c", (long long)(left / steps[i].unit), steps[i].name);
}

static void show_key(struct sbuf *b, const struct key *key) {
  char timeout[24];
  show_timeout(key, timeout, sizeof timeout);
  sb_printf(b, "%08x I%c-%c--%c %5d %4s %08x %5d %5d %-9.9s %s", (unsigned)key->serial, key->revoked ? 'R' : '-',
            key->in_quota ? 'Q' : '-', key->invalidated ? 'i' : '-', (int)key->ref.n, timeout, key->perm,
            (int)kuid_here(key->uid), (int)kgid_here(key->gid), key->type->name, key->desc);
  if (key->type->keyring && !key->nlinks)
    sb_puts(b, ": empty\n");
  else
    sb_printf(b, ": %zu%s\n", key->type->keyring ? key->nlinks : key->len, key->type->quota_fixed ? " [buff]" : "");
}

int proc_keys_show(struct inode *i, struct sbuf *b) {
  struct kernel *k = synth_kernel(i);
  struct task *t = task_current();
  keys_collect(k);
  size_t n = HASH_COUNT(k->keys->by_serial), j = 0;
  if (!t || !n)
    return 0;
  struct key **list = calloc(n, sizeof *list);
  if (!list)
    return -ENOMEM;
  for (struct key *key = k->keys->by_serial; key; key = key->hh.next)
    if (visible(t, key))
      list[j++] = key;
  qsort(list, j, sizeof *list, by_serial);
  for (size_t l = 0; l < j; l++)
    show_key(b, list[l]);
  free(list);
  return 0;
}

static int by_uid(const void *a, const void *b) {
  const struct user *x = *(struct user *const *)a, *y = *(struct user *const *)b;
  return x->uid < y->uid ? -1 : x->uid > y->uid;
}

static void show_user(struct sbuf *b, const struct key_table *tab, const struct user *u) {
  bool root = u->uid == 0;
  sb_printf(b, "%5u: %5d %d/%d %d/%d %zu/%d\n", kuid_here(u->uid), u->nkeys_all + root, u->nkeys_all, u->nkeys_all,
            u->nkeys, root ? tab->root_max_keys : tab->max_keys, u->key_bytes,
            root ? tab->root_max_bytes : tab->max_bytes);
}

int proc_key_users_show(struct inode *i, struct sbuf *b) {
  struct kernel *k = synth_kernel(i);
  const struct user_namespace *here = current_user_ns_borrow();
  keys_collect(k);
  size_t n = HASH_COUNT(k->users), j = 0;
  struct user **list = calloc(n + 1, sizeof *list);
  if (!list)
    return -ENOMEM;
  for (struct user *u = k->users; u; u = u->hh.next)
    if (u->nkeys_all && from_kuid(here, u->uid) != INVALID_ID)
      list[j++] = u;
  qsort(list, j, sizeof *list, by_uid);
  for (size_t l = 0; l < j; l++)
    show_user(b, k->keys, list[l]);
  free(list);
  return 0;
}

/* ---- /proc/sys/kernel/keys ---- */

static int *limit_of(struct inode *i) {
  return (int *)((char *)synth_kernel(i)->keys + synth_ent_of(i)->arg);
}

static int limit_show(struct inode *i, struct sbuf *b) {
  sb_printf(b, "%d\n", *limit_of(i));
  return 0;
}

static ssize_t limit_store(struct inode *i, char *buf, size_t n) {
  char *end;
  long v = strtol(buf, &end, 10);
  if (end == buf || end[strspn(end, " \t\n")] || v < 0 || v > INT32_MAX)
    return -EINVAL;
  *limit_of(i) = (int)v;
  synth_kernel(i)->keys->gc_at = 0; /* the delay may be shorter now */
  return (ssize_t)n;
}

#define LIMIT(n, field)                                                                                                \
  {                                                                                                                    \
    .name = n, .mode = S_IFREG | 0644, .show = limit_show, .store = limit_store,                                       \
    .arg = offsetof(struct key_table, field)                                                                           \
  }
const struct synth_ent proc_sys_keys_entries[] = {
    LIMIT("gc_delay", gc_delay),
    LIMIT("maxbytes", max_bytes),
    LIMIT("maxkeys", max_keys),
    LIMIT("persistent_keyring_expiry", persistent_expiry),
    LIMIT("root_maxbytes", root_max_bytes),
    LIMIT("root_maxkeys", root_max_keys),
    {0},
};
