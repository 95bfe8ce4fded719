/* What execve(2) makes of credentials: capabilities(7), "Transformation of capabilities during execve()"; execve(2) on
 * set-id bits; security/commoncap.c of Linux. */
#include "errno.h"
#include "kernel.h"
#include "keys/keys.h"
#include "task.h"
#include <endian.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <string.h>

#define CAP_ALL ((2ull << CAP_LAST) - 1)

struct file_caps {
  uint64_t permitted, inheritable;
  bool effective, any;
};

/* The attribute as stored. -ENODATA: it says nothing to a process of user namespace u. */
static int file_caps_decode(const struct exec_file *f, const struct user_namespace *u, struct file_caps *out) {
  struct vfs_ns_cap_data d = {0};
  if (f->ncaps < (ssize_t)sizeof d.magic_etc || f->ncaps > (ssize_t)sizeof d)
    return -EINVAL;
  memcpy(&d, f->caps, (size_t)f->ncaps);
  uint32_t magic = le32toh(d.magic_etc), rev = magic & VFS_CAP_REVISION_MASK, root = 0;
  ssize_t size = rev == VFS_CAP_REVISION_1   ? (ssize_t)XATTR_CAPS_SZ_1
                 : rev == VFS_CAP_REVISION_2 ? (ssize_t)XATTR_CAPS_SZ_2
                 : rev == VFS_CAP_REVISION_3 ? (ssize_t)XATTR_CAPS_SZ_3
                                             : 0;
  if (!size || f->ncaps != size)
    return -EINVAL;
  if (rev == VFS_CAP_REVISION_3)
    root = le32toh(d.rootid);
  uint32_t kroot = make_kuid(f->ns, root);
  if (kroot == INVALID_ID || !user_ns_root_is(u, kroot))
    return -ENODATA;
  int words = rev == VFS_CAP_REVISION_1 ? 1 : 2;
  *out = (struct file_caps){.effective = magic & VFS_CAP_FLAGS_EFFECTIVE, .any = true};
  for (int i = 0; i < words; i++) {
    out->permitted |= (uint64_t)le32toh(d.data[i].permitted) << (32 * i);
    out->inheritable |= (uint64_t)le32toh(d.data[i].inheritable) << (32 * i);
  }
  out->permitted &= CAP_ALL;
  out->inheritable &= CAP_ALL;
  return 0;
}

/* P'(permitted), but for root and the ambient set. */
static int from_file_caps(struct cred *c, const struct exec_file *f, struct file_caps *fc) {
  *fc = (struct file_caps){0};
  c->cap_prm = 0;
  if (!f->may_suid || f->ncaps == -ENODATA)
    return 0;
  int r = file_caps_decode(f, c->user_ns, fc);
  if (r)
    return r == -ENODATA ? 0 : r;
  c->cap_prm = (c->cap_bnd & fc->permitted) | (c->cap_inh & fc->inheritable);
  /* A program that relies on them (the effective bit) is not run with less. */
  return fc->effective && (fc->permitted & ~c->cap_prm) ? -EPERM : 0;
}

/* A program run by uid 0 is treated as if all file capabilities were set; one that only its set-user-ID bit makes
 * root's and that has file capabilities is not. */
static void from_root(struct cred *c, uint32_t root, const struct file_caps *fc, bool *effective) {
  if (c->securebits & SECBIT_NOROOT)
    return;
  if (fc->any && c->uid != root && c->euid == root)
    return;
  if (c->euid == root || c->uid == root)
    c->cap_prm = c->cap_bnd | c->cap_inh;
  if (c->euid == root)
    *effective = true;
}

static void set_ids(struct cred *c, const struct exec_file *f) {
  const struct stat *st = &f->st;
  if (!f->may_suid || c->no_new_privs)
    return;
  if (from_kuid(c->user_ns, st->st_uid) == INVALID_ID || from_kgid(c->user_ns, st->st_gid) == INVALID_ID)
    return;
  if (st->st_mode & S_ISUID)
    c->euid = st->st_uid;
  if ((st->st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP))
    c->egid = st->st_gid;
}

static bool in_egroup(const struct cred *c, uint32_t gid) {
  bool in = c->egid == gid;
  for (int i = 0; !in && i < c->ngroups; i++)
    in = c->groups[i] == gid;
  return in;
}

/* A program starts with no keyrings but the session's. */
static void drop_own_keyrings(struct cred *c) {
  key_put(c->thread_keyring);
  key_put(c->process_keyring);
  c->thread_keyring = c->process_keyring = NULL;
}

int cred_exec(const struct cred *old, const struct exec_file *f, unsigned unsafe, struct exec_cred *out) {
  struct cred *c = cred_dup(old);
  struct file_caps fc;
  if (!c)
    return -ENOMEM;
  drop_own_keyrings(c);
  set_ids(c, f);
  bool set = c->euid != old->euid || c->egid != old->egid;
  int r = from_file_caps(c, f, &fc);
  if (r) {
    cred_put(c);
    return r;
  }
  uint32_t root = make_kuid(c->user_ns, 0);
  bool effective = fc.effective;
  from_root(c, root, &fc, &effective);
  bool gained = c->cap_prm & ~old->cap_prm;
  bool changed = c->euid != old->euid || !in_egroup(old, c->egid);
  out->gained = set || gained;
  if ((changed || gained) && (unsafe || old->no_new_privs)) {
    if (!cred_own_cap(old, CAP_SETUID) || old->no_new_privs) {
      c->euid = c->uid;
      c->egid = c->gid;
    }
    c->cap_prm &= old->cap_prm;
  }
  c->suid = c->fsuid = c->euid;
  c->sgid = c->fsgid = c->egid;
  if (fc.any || changed)
    c->cap_amb = 0;
  c->cap_prm |= c->cap_amb;
  c->cap_eff = effective ? c->cap_prm : c->cap_amb;
  c->securebits &= ~(uint32_t)SECBIT_KEEP_CAPS;
  out->cred = c;
  out->secure = changed || c->euid != old->uid || c->egid != old->gid ||
                (c->uid != root && (effective || (c->cap_prm & ~c->cap_amb)));
  return 0;
}
