#include "../../core/errno.h"
#include "../namei.h"
#include "tmpfs.h"
#include <stdlib.h>

#define TMPFS_SUPER_MAGIC 0x01021994
#define INODES_DEFAULT_MAX (1 << 20)
#define MFD_NOEXEC_SEAL_BIT 8u /* of memfd_create(2); newer than this libc */
#define SEAL_EXEC_BIT 0x20u

/* ---- options: tmpfs(5) ---- */

/* "10m", "50%": bytes. */
static int parse_size(const char *s, uint64_t ram, uint64_t *out) {
  char *end;
  errno = 0;
  uint64_t n = strtoull(s, &end, 0);
  if (end == s || errno)
    return -EINVAL;
  unsigned shift = 0;
  switch (*end) {
  case 'g':
  case 'G':
    shift += 10; /* fallthrough */
  case 'm':
  case 'M':
    shift += 10; /* fallthrough */
  case 'k':
  case 'K':
    shift += 10;
    end++;
    break;
  case '%':
    n = ram / 100 * n;
    end++;
    break;
  }
  if (*end || n > (UINT64_MAX >> 1) >> shift)
    return -EINVAL;
  *out = n << shift;
  return 0;
}

static int parse_number(const char *s, int base, uint32_t *out) {
  char *end;
  unsigned long n = strtoul(s, &end, base);
  if (end == s || *end || n > UINT32_MAX)
    return -EINVAL;
  *out = (uint32_t)n;
  return 0;
}

/* An id of the mounter's user namespace. */
static int parse_id(const char *val, uint32_t *out, uint32_t (*map)(const struct user_namespace *, uint32_t)) {
  uint32_t id;
  int r = parse_number(val, 10, &id);
  if (r)
    return r;
  *out = map(current_user_ns_borrow(), id);
  return *out == INVALID_ID ? -EINVAL : 0;
}

static int parse_option(struct tmpfs_sb *ts, const char *key, const char *val, uint64_t ram) {
  static const char *const ignored[] = {"huge", "mpol", "inode32", "inode64", "noswap", "rw", "ro", "seclabel", NULL};
  for (int i = 0; ignored[i]; i++)
    if (!strcmp(key, ignored[i]))
      return 0;
  if (!val)
    return *key ? -EINVAL : 0;
  if (!strcmp(key, "size"))
    return parse_size(val, ram, &ts->max_bytes);
  if (!strcmp(key, "nr_blocks")) {
    int r = parse_size(val, 0, &ts->max_bytes);
    ts->max_bytes *= TMPFS_BLOCK;
    return r;
  }
  if (!strcmp(key, "nr_inodes"))
    return parse_size(val, 0, &ts->max_inodes);
  if (!strcmp(key, "mode"))
    return parse_number(val, 8, &ts->mode);
  if (!strcmp(key, "uid"))
    return parse_id(val, &ts->uid, make_kuid);
  if (!strcmp(key, "gid"))
    return parse_id(val, &ts->gid, make_kgid);
  return -EINVAL;
}

static int parse_options(struct tmpfs_sb *ts, const char *options, uint64_t ram) {
  char *copy = strdup(options ? options : ""), *at = copy, *opt;
  int r = copy ? 0 : -ENOMEM;
  while (!r && (opt = strsep(&at, ","))) {
    char *val = strchr(opt, '=');
    if (val)
      *val++ = 0;
    r = parse_option(ts, opt, val, ram);
  }
  free(copy);
  if (!r && ts->max_bytes)
    ts->max_bytes = blocks_of((off_t)ts->max_bytes);
  return r;
}

int tmpfs_check(struct kernel *k, const char *option) {
  struct tmpfs_sb ts = {0};
  return parse_options(&ts, option, k->mem_total);
}

static void show_options(struct tmpfs_sb *ts, bool sized) {
  char b[160];
  int n = 0;
  b[0] = 0;
  if (sized)
    n += snprintf(b + n, sizeof b - (size_t)n, ",size=%lluk", (unsigned long long)ts->max_bytes / 1024);
  if (ts->max_inodes && ts->max_inodes != INODES_DEFAULT_MAX)
    n += snprintf(b + n, sizeof b - (size_t)n, ",nr_inodes=%llu", (unsigned long long)ts->max_inodes);
  if (ts->mode != 01777)
    n += snprintf(b + n, sizeof b - (size_t)n, ",mode=%o", ts->mode);
  if (ts->uid)
    n += snprintf(b + n, sizeof b - (size_t)n, ",uid=%u", kuid_here(ts->uid));
  if (ts->gid)
    snprintf(b + n, sizeof b - (size_t)n, ",gid=%u", kgid_here(ts->gid));
  free(ts->sb->options);
  ts->sb->options = strdup(b[0] ? b + 1 : "");
}

/* ---- the super ---- */

static int tmpfs_statfs(struct super *sb, struct statfs *st) {
  struct tmpfs_sb *ts = sb->priv;
  st->f_type = (__fsword_t)sb->magic;
  st->f_bsize = st->f_frsize = TMPFS_BLOCK;
  st->f_namelen = NAME_MAX;
  if (ts->max_bytes) {
    st->f_blocks = ts->max_bytes / TMPFS_BLOCK;
    st->f_bfree = ts->used_bytes < ts->max_bytes ? (ts->max_bytes - ts->used_bytes) / TMPFS_BLOCK : 0;
    st->f_bavail = st->f_bfree;
  }
  if (ts->max_inodes) {
    st->f_files = ts->max_inodes;
    st->f_ffree = ts->used_inodes < ts->max_inodes ? ts->max_inodes - ts->used_inodes : 0;
  }
  return 0;
}

static int tmpfs_remount(struct super *sb, const char *options) {
  struct tmpfs_sb *ts = sb->priv, want = *ts;
  int r = parse_options(&want, options, sb->vfs->k->mem_total);
  if (r)
    return r;
  if ((want.max_bytes && want.max_bytes < ts->used_bytes) || (want.max_inodes && want.max_inodes < ts->used_inodes))
    return -EINVAL;
  bool sized = want.max_bytes != ts->max_bytes || strstr(sb->options, "size=");
  ts->max_bytes = want.max_bytes;
  ts->max_inodes = want.max_inodes;
  show_options(ts, sized);
  return 0;
}

static void tmpfs_kill(struct super *sb) {
  free(sb->priv);
}

static const struct super_ops tmpfs_super_ops = {
    .statfs = tmpfs_statfs,
    .remount = tmpfs_remount,
    .encode_fh = tmpfs_encode_fh,
    .decode_fh = tmpfs_decode_fh,
    .kill = tmpfs_kill,
};

int tmpfs_mount(struct kernel *k, const char *options, struct super **out) {
  struct super *sb = super_new(k, "tmpfs", &tmpfs_super_ops, TMPFS_SUPER_MAGIC);
  struct tmpfs_sb *ts = sb ? calloc(1, sizeof *ts) : NULL;
  struct inode *root = NULL;
  int r = ts ? 0 : -ENOMEM;
  if (!r) {
    sb->priv = ts;
    *ts = (struct tmpfs_sb){
        .sb = sb, .mode = 01777, .max_bytes = blocks_of((off_t)(k->mem_total / 2)), .max_inodes = INODES_DEFAULT_MAX};
    sb->acls = sb->iflags = sb->file_caps = true;
    struct task *t = task_current();
    ts->uid = t ? t->cred->fsuid : 0;
    ts->gid = t ? t->cred->fsgid : 0;
    r = parse_options(ts, options, k->mem_total);
  }
  if (!r) {
    show_options(ts, options && (strstr(options, "size=") || strstr(options, "nr_blocks=")));
    struct iattr a = {
        .valid = ATTR_MODE | ATTR_UID | ATTR_GID, .mode = S_IFDIR | (ts->mode & 07777), .uid = ts->uid, .gid = ts->gid};
    r = tmpfs_new_inode(ts, &a, 0, &root);
  }
  if (!r && !(sb->root = dentry_new_root(sb, root)))
    r = -ENOMEM;
  inode_put(root);
  if (r) {
    super_put(sb);
    return r;
  }
  *out = sb;
  return 0;
}

#define RAMFS_MAGIC_K 0x858458f6
int ramfs_mount(struct kernel *k, const char *options, struct super **out) {
  /* Linux ignores what it does not know of them. */
  char *all = NULL;
  const char *mode = options ? strstr(options, "mode=") : NULL;
  if (asprintf(&all, "size=0,nr_inodes=0,mode=%.6s", mode ? mode + 5 : "0755") < 0)
    return -ENOMEM;
  if (mode && strchr(all + sizeof "size=0,nr_inodes=0,mode=" - 1, ','))
    *strchr(all + sizeof "size=0,nr_inodes=0,mode=" - 1, ',') = 0;
  int r = tmpfs_mount(k, all, out);
  free(all);
  if (r)
    return r;
  (*out)->acls = (*out)->iflags = false;
  (*out)->fstype = "ramfs";
  (*out)->magic = RAMFS_MAGIC_K;
  free((*out)->options);
  (*out)->options = strdup("");
  return 0;
}

/* ---- files without a name ---- */

static struct mount *shm_mount_borrow(struct kernel *k) {
  struct vfs *v = k->vfs;
  struct super *sb;
  if (v->shm_mnt)
    return v->shm_mnt;
  if (tmpfs_mount(k, "size=0,nr_inodes=0", &sb))
    return NULL;
  struct mount *m = calloc(1, sizeof *m);
  if (!m) {
    super_put(sb);
    return NULL;
  }
  ref_init(&m->ref);
  TAILQ_INIT(&m->children);
  m->sb = sb;
  m->root = dentry_get(sb->root);
  m->flags = MS_NOSUID | MS_NODEV;
  v->shm_mnt = m;
  return m;
}

int tmpfs_anon_file(struct kernel *k, size_t len, const char *name, unsigned seals_allowed, struct file **out) {
  struct mount *m = shm_mount_borrow(k);
  if (!m)
    return -ENOMEM;
  if (len > INT64_MAX)
    return -EINVAL;
  struct task *t = task_current();
  struct iattr a = {.valid = ATTR_MODE | ATTR_UID | ATTR_GID,
                    .mode = S_IFREG | 0777,
                    .uid = t ? t->cred->fsuid : 0,
                    .gid = t ? t->cred->fsgid : 0};
  struct inode *i;
  int r = tmpfs_new_inode(m->sb->priv, &a, 0, &i);
  if (r)
    return r;
  i->nlink = 0;
  tmpfs_node(i)->file.seals = seals_allowed ? 0 : F_SEAL_SEAL;
  if (seals_allowed & MFD_NOEXEC_SEAL_BIT) {
    tmpfs_node(i)->file.seals = SEAL_EXEC_BIT;
    i->mode &= ~0111u;
  }
  struct path p = {m, dentry_new_root(m->sb, i)};
  if (!p.dentry || dcache_set_name(p.dentry, name, (unsigned)strlen(name)))
    r = -ENOMEM;
  if (p.dentry)
    p.dentry->unhashed = true;
  if (!r && len)
    r = tmpfs_truncate(i, (off_t)len);
  if (!r)
    r = vfs_open_kernel(&p, O_RDWR, out);
  if (!r && ((*out)->fmode & FMODE_WRITER)) { /* the descriptor that makes it does not count: it can be run (ETXTBSY) */
    (*out)->fmode &= ~FMODE_WRITER;
    i->write_count--;
  }
  inode_put(i);
  if (p.dentry)
    dentry_put(p.dentry);
  return r;
}
