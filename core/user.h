/* What is counted per real user id, over all its processes: struct ucounts of Linux. */
#pragma once
#include "ref.h"
#include <stddef.h>
#include <stdint.h>
#include <uthash.h>

struct kernel;

struct user {
  ref_t ref; /* of what it counts */
  struct kernel *k;
  uint32_t uid;
  int nsigqueued;   /* queued signals and POSIX timers, against RLIMIT_SIGPENDING */
  int nkeys_all;    /* keys */
  int nkeys;        /* of those, the ones against the key quotas */
  size_t key_bytes; /* likewise */
  UT_hash_handle hh;
};
/* The counts of uid: counted, or NULL without memory. */
struct user *user_get(struct kernel *k, uint32_t uid);
/* The same if somebody counts there; borrowed, or NULL. */
struct user *user_find_borrow(struct kernel *k, uint32_t uid);
void user_put(struct user *u);
