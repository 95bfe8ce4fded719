#include "user.h"
#include "kernel.h"
#include <stdlib.h>

struct user *user_find_borrow(struct kernel *k, uint32_t uid) {
  struct user *u;
  HASH_FIND(hh, k->users, &uid, sizeof uid, u);
  return u;
}

struct user *user_get(struct kernel *k, uint32_t uid) {
  struct user *u = user_find_borrow(k, uid);
  if (u) {
    ref_get(&u->ref);
    return u;
  }
  u = calloc(1, sizeof *u);
  if (!u)
    return NULL;
  ref_init(&u->ref);
  u->k = k;
  u->uid = uid;
  HASH_ADD(hh, k->users, uid, sizeof u->uid, u);
  return u;
}

void user_put(struct user *u) {
  if (!u || !ref_put(&u->ref))
    return;
  HASH_DEL(u->k->users, u);
  free(u);
}
