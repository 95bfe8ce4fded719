/*
 * Keys and keyrings: keyrings(7), keyctl(2), add_key(2); security/keys of Linux. A task's keyrings are in its
 * credentials (struct cred), those of a user and the persistent ones in registers of his user namespace.
 *
 * Nothing here parks. What guests make grow is bounded by the quotas of the users, and for all together by
 * KEYS_MEMORY_MAX. What has expired is collected when somebody next looks.
 */
#pragma once
#include "../ref.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <uthash.h>

struct cred;
struct kernel;
struct key;
struct keyring_link;
struct task;
struct user;
struct user_namespace;

#define KEY_TYPE_MAX 32   /* of a type's name, with the NUL */
#define KEY_DESC_MAX 4096 /* of a description, with the NUL */
#define KEY_PAYLOAD_MAX (1024 * 1024 - 1)
#define KEY_SEARCH_DEPTH 6 /* keyrings within keyrings */
#define KEYS_MEMORY_MAX (64u << 20)

struct key_type {
  const char *name;
  bool keyring, readable, updatable;
  bool qualified;  /* descriptions are "service:name" */
  size_t max;      /* bytes of payload */
  int quota_fixed; /* bytes that the quota is charged with; 0: the payload's */
};
extern const struct key_type key_type_keyring;
const struct key_type *key_type_find(const char *name); /* NULL: unknown */

/* Permissions, as they lie in each of the four bytes of key.perm: possessor, user, group, other. */
#define KEY_VIEW 0x01u
#define KEY_READ 0x02u
#define KEY_WRITE 0x04u
#define KEY_SEARCH 0x08u
#define KEY_LINK 0x10u
#define KEY_SETATTR 0x20u
#define KEY_ALL 0x3fu
#define KEY_PERM(pos, usr) ((uint32_t)(pos) << 24 | (uint32_t)(usr) << 16)

struct key {
  ref_t ref;
  struct kernel *k;
  const struct key_type *type;
  int32_t serial;
  uint32_t uid, gid, perm; /* kuid; gid INVALID_ID: nobody's */
  struct user *user;       /* counted: whose quota it is in */
  bool in_quota, revoked, invalidated;
  bool uid_keyring;           /* a _uid or _uid_ses keyring */
  bool locked;                /* takes no links (KEYCTL_RESTRICT_KEYRING) */
  int64_t expiry, revoked_at; /* seconds of CLOCK_REALTIME; expiry 0: never */
  size_t quota;               /* bytes charged */
  size_t datalen;             /* of those, for the payload */
  bool collect;               /* keys_collect(): links to it go */
  unsigned mark;              /* of the search that saw it last … */
  int mark_depth;             /* … and how deep */
  char *index;                /* type name, NUL, description, NUL: what links are found by */
  size_t index_len;
  const char *desc; /* in index */
  char *payload;
  size_t len;
  struct keyring_link *links;   /* of a keyring: hash by index, in the order they were made */
  size_t nlinks, nrings;        /* of those, to keyrings */
  struct user_ns_keys *name_ns; /* where its name can be found; NULL: nowhere. Borrowed: the namespace clears it */
  TAILQ_ENTRY(key) name_link;
  TAILQ_ENTRY(key) dead;
  UT_hash_handle hh; /* key_table.by_serial */
};
struct keyring_link {
  struct key *key; /* counted */
  UT_hash_handle hh;
};
TAILQ_HEAD(key_list, key);

struct key_table { /* kernel->keys */
  struct key *by_serial;
  struct key_list dead; /* to be freed: a chain of keyrings may be longer than a stack is deep */
  bool draining;
  unsigned mark;
  size_t memory;
  int64_t gc_at; /* when something is due to be collected; INT64_MAX: never */
  int max_keys, max_bytes, root_max_keys, root_max_bytes, gc_delay, persistent_expiry; /* /proc/sys/kernel/keys */
};
int keys_boot(struct kernel *k);
void keys_shutdown(struct kernel *k);

struct user_ns_keys { /* user_namespace.keys */
  struct key_list names;
  struct key *user_register, *persistent_register; /* counted or NULL */
};
/* The namespace's, made now if it has none yet: NULL without memory. */
struct user_ns_keys *user_ns_keys(struct user_namespace *u);
void user_ns_keys_free(struct user_ns_keys *u); /* NULL is fine */

/* A key, and whether the caller possesses it. */
struct key_ref {
  struct key *key; /* counted */
  bool possessed;
};
void key_ref_put(struct key_ref *r);
#define AUTO_KEY_REF __attribute__((cleanup(key_ref_put))) struct key_ref

/* ---- key.c ---- */
struct key_spec {
  const struct key_type *type;
  const char *desc;
  uint32_t uid, gid, perm;
  bool overrun;   /* charge the quota without asking it */
  bool unchecked; /* do not charge it */
};
/* -EINVAL, -EDQUOT, -ENOMEM. A keyring's name is published in the caller's user namespace. */
int key_new(struct kernel *k, const struct key_spec *s, struct key **out);
struct key *key_get(struct key *key);
void key_put(struct key *key);
struct key *key_find(struct kernel *k, int32_t serial); /* counted or NULL */
int key_charge(struct key *key, size_t datalen);        /* the payload's part of the quota becomes this. -EDQUOT */
bool key_memory(struct kernel *k, size_t n);            /* take n bytes of KEYS_MEMORY_MAX */
void key_memory_back(struct kernel *k, size_t n);
int key_set_payload(struct key *key, char *payload, size_t n); /* takes the payload over when it returns 0 */
int key_check_payload(const struct key_type *type, size_t n);
int key_permission(const struct cred *c, struct key *key, bool possessed, uint32_t need); /* 0 or -EACCES */
int key_validate(const struct key *key); /* -ENOKEY, -EKEYREVOKED, -EKEYEXPIRED */
void key_revoke(struct key *key);
void key_invalidate(struct key *key);
void key_set_timeout(struct key *key, uint32_t seconds);
int key_chown(struct key *key, uint32_t uid); /* -EDQUOT */
int64_t key_now(void);
void keys_collect(struct kernel *k); /* drop links to what ended more than gc_delay ago */
void key_due(struct kernel *k, int64_t at);

/* ---- keyring.c ---- */
struct key *keyring_lookup_borrow(struct key *ring, const char *index, size_t index_len);
int keyring_link(struct key *ring, struct key *key);   /* displaces what has the same type and description */
int keyring_unlink(struct key *ring, struct key *key); /* -ENOENT */
int keyring_move(struct key *key, struct key *from, struct key *to, bool excl);
int keyring_clear(struct key *ring);
void keyring_drop_links(struct key *ring, bool all); /* not all: only the dead ones */
void keyring_unpublish(struct key *ring);
/* A keyring of that name which the caller may search. -ENOKEY */
int keyring_find_name(const struct cred *c, const char *name, struct key **out);
struct key_search {
  const struct cred *cred;
  const char *index; /* type and description as in struct key */
  size_t index_len;
  const struct key *key; /* or that one key */
  bool no_state, no_permission, too_deep_fails, direct;
  bool skip_expired; /* they are not even an error */
};
/* From `ring` downwards: 0, -EAGAIN (not there), or the worst that was met on the way. */
int keyring_search(struct key *ring, bool possessed, const struct key_search *s, struct key_ref *out);
/* "type\0desc", malloc'ed */
char *key_index(const struct key_type *type, const char *desc, size_t *len);

/* ---- process_keys.c ---- */
#define KEY_LOOKUP_CREATE 1
#define KEY_LOOKUP_PARTIAL 2
#define KEY_NEED_NOTHING 0x100u /* unlink: the key itself is not used */
#define KEY_NEED_LATER 0x200u   /* the caller checks permissions, and validity */
int key_lookup_user(struct task *t, int32_t id, int flags, uint32_t need, struct key_ref *out);
/* Through the keyrings of c: 0, -EAGAIN, … as keyring_search() */
int key_search_process(const struct cred *c, const struct key_search *s, struct key_ref *out);
int key_install(struct task *t, int32_t which);             /* KEY_SPEC_*: make sure that t has it. 0 or -errno */
int64_t key_join_session(struct task *t, const char *name); /* name NULL: an anonymous one */
int64_t key_session_to_parent(struct task *t);
int64_t key_get_persistent(struct task *t, uint32_t kuid, struct key *dest);
/* What the credentials of a new thread or process, or of a new program, keep (copy_creds()): 0, or -ENOMEM. */
int cred_fork_keys(struct cred **c, bool thread);

/* ---- keyctl.c: add_key(2), request_key(2) and what keyctl(2) does. Serials or -errno ---- */
struct key_payload { /* malloc'ed; who takes it sets data to NULL */
  char *data;
  size_t len;
};
int64_t key_add(struct task *t, const char *type, const char *desc, struct key_payload *p, int32_t ring);
int64_t key_request(struct task *t, const char *type, const char *desc, bool callout, int32_t dest);
int64_t keyctl_get_keyring_id(struct task *t, int32_t id, bool create);
int64_t keyctl_update(struct task *t, int32_t id, struct key_payload *p);
int64_t keyctl_revoke(struct task *t, int32_t id);
int64_t keyctl_invalidate(struct task *t, int32_t id);
int64_t keyctl_clear(struct task *t, int32_t ring);
int64_t keyctl_link(struct task *t, int32_t id, int32_t ring);
int64_t keyctl_unlink(struct task *t, int32_t id, int32_t ring);
int64_t keyctl_move(struct task *t, int32_t id, int32_t from, int32_t to, unsigned flags);
int64_t keyctl_search(struct task *t, int32_t ring, const char *type, const char *desc, int32_t dest);
int64_t keyctl_chown(struct task *t, int32_t id, uint32_t uid, uint32_t gid); /* the caller's numbers */
int64_t keyctl_setperm(struct task *t, int32_t id, uint32_t perm);
int64_t keyctl_set_timeout(struct task *t, int32_t id, uint32_t seconds);
int64_t keyctl_restrict(struct task *t, int32_t id, const char *type, bool restriction);
int64_t keyctl_set_reqkey(struct task *t, int which);
int64_t keyctl_persistent(struct task *t, uint32_t uid, int32_t dest);
int64_t keyctl_describe(struct task *t, int32_t id, char **out); /* the length with the NUL; *out malloc'ed */
int64_t keyctl_security(struct task *t, int32_t id);
/* The length of what the key holds; *out is malloc'ed with it, or NULL if it is longer than cap. */
int64_t keyctl_read(struct task *t, int32_t id, size_t cap, char **out);
