/*
 * Landlock: landlock(7), security/landlock of Linux, at ABI 3 (Linux 6.2). A ruleset is an open file; restrict_self
 * makes a domain of it, a chain of layers that belongs to the credentials. What a layer handles is denied unless a rule
 * of that layer allows it for the file or a directory above it.
 */
#pragma once
#include "../core/landlock.h"
#include "vfs.h"
#include <linux/landlock.h>

#define LANDLOCK_ABI 3
#define LANDLOCK_ACCESS_FS_TRUNCATE_K (1ull << 14)
#define LANDLOCK_ACCESS_ALL ((LANDLOCK_ACCESS_FS_TRUNCATE_K << 1) - 1)
/* What can be allowed for a file that is no directory. */
#define LANDLOCK_ACCESS_FILE                                                                                           \
  (LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_READ_FILE |                         \
   LANDLOCK_ACCESS_FS_TRUNCATE_K)

/* ---- landlock.c: rulesets and domains ---- */
void landlock_install_hooks(struct kernel *k);
struct landlock_ruleset;
/* handled: LANDLOCK_ACCESS_FS_* only, and some. */
int landlock_ruleset_file_new(struct kernel *k, uint64_t handled, struct file **out);
/* Borrowed from f; NULL: not such a file. */
struct landlock_ruleset *landlock_ruleset_borrow(const struct file *f);
/* allowed: within what the ruleset handles. -EINVAL, -EBADFD (internal files), -E2BIG, -ENOMEM */
int landlock_add_path(struct landlock_ruleset *r, const struct file *f, uint64_t allowed);
uint64_t landlock_handled(const struct landlock_ruleset *r);
/* t's credentials get one more layer. -E2BIG: there are LANDLOCK_LAYERS_MAX. */
int landlock_restrict(struct task *t, const struct landlock_ruleset *r);

/* ---- landlock_check.c: the questions of the VFS; c may be NULL ---- */
static inline bool landlocked(const struct cred *c) {
  return c && c->landlock;
}
/* May c do all of access at p? 0 or -EACCES. */
int landlock_path_slow(const struct cred *c, const struct path *p, uint64_t access);
static inline int landlock_path(const struct cred *c, const struct path *p, uint64_t access) {
  return landlocked(c) ? landlock_path_slow(c, p, access) : 0;
}
/* Making an entry of this mode in dir. */
int landlock_make_slow(const struct cred *c, const struct path *dir, uint32_t mode);
static inline int landlock_make(const struct cred *c, const struct path *dir, uint32_t mode) {
  return landlocked(c) ? landlock_make_slow(c, dir, mode) : 0;
}
/* f was opened with these flags: may it be? Sets FMODE_NOTRUNCATE if ftruncate(2) may not be done through it. */
int landlock_open_slow(const struct cred *c, struct file *f, bool exec);
static inline int landlock_open(const struct cred *c, struct file *f, bool exec) {
  return landlocked(c) ? landlock_open_slow(c, f, exec) : 0;
}
/* link(2) and rename(2) of old to the entry dst of new_dir, both on mnt. 0, -EACCES, -EXDEV. */
struct landlock_refer {
  const struct cred *c;
  struct mount *mnt;
  struct dentry *old, *new_dir, *dst;
  bool removable, exchange;
};
int landlock_refer_slow(const struct landlock_refer *r);
