#include "landlock.h"
#include "../core/ipc/ipc.h"
#include "anon.h"
#include "fsnotify.h"
#include "mount.h"
#include <stdlib.h>

#define LRU_MAX 20000 /* unused dentries kept: about 6 MB */

/* ---- inodes ---- */

struct inode *inode_new(struct super *sb, const struct inode_ops *ops, uint32_t mode) {
  struct inode *i = calloc(1, sizeof *i);
  if (!i)
    return NULL;
  ref_init(&i->ref);
  i->sb = sb;
  i->ops = ops;
  i->mode = mode;
  i->nlink = 1;
  fmutex_init(&i->dir_lock);
  fmutex_init(&i->io_lock);
  i->atime = i->mtime = i->ctime = i->btime = vfs_now();
  return i;
}

void inode_put(struct inode *i) {
  if (!i || !ref_put(&i->ref))
    return;
  if (i->ops->evict)
    i->ops->evict(i);
  if (i->locks)
    locks_free_inode(i);
  if (i->leases)
    leases_free_inode(i);
  free(i->link);
  free(i->acl);
  free(i->default_acl);
  free(i);
}

struct timespec vfs_now(void) {
  struct timespec ts;
  clock_gettime(CLOCK_REALTIME_COARSE, &ts);
  return ts;
}

/* ---- supers ---- */

struct super *super_new(struct kernel *k, const char *fstype, const struct super_ops *ops, unsigned long magic) {
  struct super *sb = calloc(1, sizeof *sb);
  if (!sb)
    return NULL;
  ref_init(&sb->ref);
  sb->ops = ops;
  sb->fstype = fstype;
  sb->magic = magic;
  sb->vfs = k->vfs;
  sb->volatile_links = magic == 0x9fa0; /* PROC_SUPER_MAGIC */
  sb->options = strdup("");
  sb->dev = makedev(0, ++k->vfs->next_dev_minor);
  LIST_INSERT_HEAD(&k->vfs->supers, sb, all);
  return sb;
}

/* The references are those of mounts and of the maker; the root dentry belongs to the super. */
void super_put(struct super *sb) {
  if (!sb || !ref_put(&sb->ref))
    return;
  LIST_REMOVE(sb, all);
  if (sb->root) {
    dentry_invalidate_children(sb->root);
    dcache_forget_super(sb);
    sb->root->unhashed = true;
    dentry_put(sb->root);
  }
  if (sb->ops && sb->ops->kill)
    sb->ops->kill(sb);
  free(sb->options);
  user_ns_put(sb->user_ns);
  free(sb);
}

/* ---- buffers ---- */

void *vfs_scratch_get(struct vfs *v) {
  void *p = v->scratch;
  v->scratch = NULL;
  return p ? p : malloc(VFS_SCRATCH);
}

void vfs_scratch_put(struct vfs *v, void *p) {
  if (v->scratch)
    free(p);
  else
    v->scratch = p;
}

/* ---- boot and hooks ---- */

static void release_file(struct file *f) {
  if (f->inode && f->dentry) {
    if (f->ops && !(f->flags & O_PATH)) { /* it was opened in full */
      locks_release(f);
      fsnotify_file(f, file_can_write(f) ? IN_CLOSE_WRITE : IN_CLOSE_NOWRITE);
    }
    if (f->inode->leases)
      lease_release(f);
    if (f->fmode & FMODE_READER)
      f->inode->read_count--;
    if (f->fmode & FMODE_WRITER) {
      f->inode->write_count--;
      f->inode->sb->writers--;
      f->mnt->writers--;
    }
    if (f->fmode & FMODE_EXEC)
      f->inode->write_count++;
  }
  if ((f->fmode & FMODE_OPENED) && !--f->inode->opens && f->inode->fsnotify)
    fsnotify_closed(f->inode);
  if (f->fmode & FMODE_UNMOUNT)
    mount_dissolve(f->mnt);
  if (f->dentry)
    dentry_put(f->dentry);
  if (f->mnt)
    mount_put(f->mnt);
}

static void descriptor_closed(struct file *f, struct fdtable *t) {
  if (f->inode->fsnotify)
    dnotify_close(f, t);
  if (!f->inode->locks)
    return;
  locks_close(f, t);
  /* A file without a dentry drops its inode by itself, before release_file() could take its locks back. */
  if (!f->dentry && f->ref.n == 1)
    locks_release(f);
}

static void io_done(struct file *f, bool wrote) {
  if (f->dentry)
    fsnotify_file(f, wrote ? IN_MODIFY : IN_ACCESS);
}

static int write_prepare(struct file *f, struct uio *u, off_t pos) {
  if (f->flags & O_APPEND)
    pos = f->inode->size;
  uint64_t limit = RLIM_INFINITY;
  struct task *t = task_current();
  if (t)
    limit = task_rlimit(t, RLIMIT_FSIZE);
  if (limit != RLIM_INFINITY) {
    if ((uint64_t)pos >= limit) {
      send_signal_task(t, SIGXFSZ, NULL);
      return -EFBIG;
    }
    /* A write that reaches over the limit is cut, see write(2). */
    if (u->resid > limit - (uint64_t)pos) {
      size_t left = limit - (uint64_t)pos;
      u->resid = left;
      for (int i = 0; i < u->n; i++) {
        if (u->iov[i].iov_len > left)
          u->iov[i].iov_len = left;
        left -= u->iov[i].iov_len;
      }
    }
  }
  if ((f->inode->mode & (S_ISUID | S_ISGID)) || file_caps_maybe(f->inode))
    return vfs_remove_privs(f);
  return 0;
}

static int open_exec(struct task *t, const char *path, struct file **out) {
  struct open_how_k how = {.flags = O_RDONLY, .exec = true};
  return vfs_open(t, AT_FDCWD, path, &how, out);
}

static int shm_file(size_t len, const char *name, struct file **out) {
  return tmpfs_anon_file(kernel_current(), len, name, 0, out);
}

static unsigned file_mount_flags(const struct file *f) {
  if (!f->mnt)
    return 0;
  return f->mnt->flags;
}
static int file_stat(struct file *f, struct stat *st) {
  return vfs_fgetattr(f, st, NULL);
}

/* Asked of the inode alone: would_dump() of Linux does not mind a mount. */
static bool file_unreadable(struct task *t, struct file *f) {
  return f->inode && inode_permission(t->cred, NULL, f->inode, MAY_READ) != 0;
}

static int exec_file(struct task *t, struct file *f, struct exec_file *out) {
  int r = vfs_fgetattr(f, &out->st, NULL);
  if (r)
    return r;
  struct user_namespace *owner = f->mnt ? f->mnt->sb->user_ns : NULL;
  /* Set-id bits count only on mounts of the caller's own namespace: others may have been made by anyone. */
  bool own = f->mnt && (!task_current() || mount_in_callers_ns(f->mnt));
  out->may_suid = own && !(f->mnt->flags & MS_NOSUID) && user_ns_contains(owner, t->cred->user_ns);
  out->unreadable = file_unreadable(t, f);
  out->ncaps = -ENODATA;
  if (!out->may_suid || !f->dentry)
    return 0;
  out->ns = owner;
  out->ncaps = file_caps_read(f->inode, f->dentry, out->caps, sizeof out->caps);
  return out->ncaps < 0 && out->ncaps != -ENODATA ? (int)out->ncaps : 0;
}

static struct fs_ctx *fs_ctx_get_hook(struct fs_ctx *f) {
  ref_get(&f->ref);
  return f;
}

static void fs_ctx_put_hook(struct fs_ctx *f) {
  if (!f || !ref_put(&f->ref))
    return;
  path_put(&f->root);
  path_put(&f->pwd);
  mount_ns_put(f->ns);
  free(f);
}

static struct fs_ctx *fs_ctx_dup_hook(struct fs_ctx *f) {
  struct fs_ctx *n = malloc(sizeof *n);
  if (!n)
    return NULL;
  *n = *f;
  ref_init(&n->ref);
  path_get(&n->root);
  path_get(&n->pwd);
  if (n->ns)
    ns_get(&n->ns->ns);
  return n;
}

struct fs_ctx *fs_ctx_new(const struct path *root) {
  struct fs_ctx *n = calloc(1, sizeof *n);
  if (!n)
    return NULL;
  ref_init(&n->ref);
  n->root = n->pwd = *root;
  path_get(&n->root);
  path_get(&n->pwd);
  n->umask = 022;
  n->ns = root->mnt->ns;
  if (n->ns)
    ns_get(&n->ns->ns);
  return n;
}

static void set_path(struct path *at, const struct path *p) {
  struct path old = *at;
  *at = *p;
  path_get(at);
  path_put(&old);
}
void fs_ctx_set_root(struct fs_ctx *f, const struct path *p) {
  set_path(&f->root, p);
}
void fs_ctx_set_pwd(struct fs_ctx *f, const struct path *p) {
  set_path(&f->pwd, p);
}

/* ---- mount namespaces, as core/ns.h asks for them ---- */
static int mnt_ns_dup(struct fs_ctx *f, struct user_namespace *owner) {
  return vfs_unshare_ns(kernel_current()->vfs, f, owner);
}

/* Where a task that enters ns stands: its root, with whatever is mounted over it. */
static int mnt_ns_install(struct fs_ctx *f, struct ns_common *head) {
  struct mount_ns *ns = (struct mount_ns *)head, *old = f->ns;
  if (!ns->root)
    return -EINVAL;
  struct path p = {ns->root, ns->root->root};
  path_get(&p);
  mount_topmost(&p);
  ns_get(&ns->ns);
  fs_ctx_set_root(f, &p);
  fs_ctx_set_pwd(f, &p);
  path_put(&p);
  f->ns = ns;
  mount_ns_put(old);
  return 0;
}

static struct ns_common *mnt_ns_borrow(struct fs_ctx *f) {
  return f->ns ? &f->ns->ns : NULL;
}

static bool fs_is_chrooted(const struct fs_ctx *f) {
  const struct mount *m = f->root.mnt;
  if (f->root.dentry != m->root)
    return true;
  while (m->parent && m->parent->root == m->mountpoint) /* mounted over the root of its parent */
    m = m->parent;
  return m->parent != NULL;
}

static bool fs_is_shared(const struct fs_ctx *f) {
  return f->ref.n > 1;
}

/* do_coredump(): a regular file of the task's own with one name. */
static int core_open(struct task *t, const char *name, struct file **out) {
  struct open_how_k how = {.flags = O_CREAT | O_RDWR | O_NOFOLLOW | O_NONBLOCK, .mode = 0600};
  struct stat st;
  struct file *f;
  int err = vfs_open(t, AT_FDCWD, name, &how, &f);
  if (err)
    return err;
  struct path p = {f->mnt, f->dentry};
  err = vfs_fgetattr(f, &st, NULL);
  if (!err && (!S_ISREG(st.st_mode) || st.st_nlink != 1 || st.st_uid != t->cred->fsuid))
    err = -EPERM;
  if (!err)
    err = vfs_truncate(t, &p, 0);
  if (err)
    file_put(f);
  else
    *out = f;
  return err;
}

static ssize_t file_name(struct task *t, struct file *f, char *buf, size_t cap) {
  if (!f->dentry || !f->mnt || f->anon_name)
    return -ENOENT;
  struct path p = {f->mnt, f->dentry};
  char *tmp = malloc(PATH_MAX);
  const char *s = tmp ? vfs_path_string(t, &p, tmp, PATH_MAX) : NULL;
  ssize_t n = s && strlen(s) < cap ? (ssize_t)strlen(s) : -ENAMETOOLONG;
  if (n >= 0)
    memcpy(buf, s, (size_t)n + 1);
  free(tmp);
  return n;
}

void vfs_install_hooks(struct kernel *k) {
  k->hooks.core_open = core_open;
  k->hooks.file_name = file_name;
  k->hooks.open_exec = open_exec;
  k->hooks.shm_file = shm_file;
  k->hooks.file_mount_flags = file_mount_flags;
  k->hooks.file_stat = file_stat;
  k->hooks.exec_file = exec_file;
  landlock_install_hooks(k);
  k->hooks.file_unreadable = file_unreadable;
  k->hooks.fs_ctx_get = fs_ctx_get_hook;
  k->hooks.fs_ctx_put = fs_ctx_put_hook;
  k->hooks.fs_ctx_dup = fs_ctx_dup_hook;
  k->hooks.mnt_ns_dup = mnt_ns_dup;
  k->hooks.mnt_ns_install = mnt_ns_install;
  k->hooks.mnt_ns_borrow = mnt_ns_borrow;
  k->hooks.mnt_ns_free = mount_ns_free;
  k->hooks.fs_is_chrooted = fs_is_chrooted;
  k->hooks.fs_is_shared = fs_is_shared;
  file_vfs_release = release_file;
  file_vfs_close = descriptor_closed;
  file_vfs_write_prepare = write_prepare;
  file_vfs_done = io_done;
  file_epoll_release = epoll_file_release;
}

int vfs_init(struct kernel *k) {
  struct vfs *v = calloc(1, sizeof *v);
  if (!v)
    return -ENOMEM;
  v->k = k;
  TAILQ_INIT(&v->lru);
  v->lru_max = LRU_MAX;
  waitq_init(&v->mounts_wq);
  fmutex_init(&v->rename_lock);
  LIST_INIT(&v->mount_namespaces);
  STAILQ_INIT(&v->dead_mount_ns);
  LIST_INIT(&v->supers);
  v->init_ns = mount_ns_new(v, false, k->init_user_ns);
  if (!v->init_ns) {
    free(v);
    return -ENOMEM;
  }
  k->ns_booted = true; /* the initial namespaces are complete: numbers from now on are the others' */
  k->vfs = v;
  vfs_install_hooks(k);
  return devices_register(k);
}

void vfs_free(struct kernel *k) {
  struct vfs *v = k->vfs;
  if (!v)
    return;
  mount_ns_put(v->init_ns);
  if (k->ipc && k->ipc->mq) {
    k->ipc->mq_free(k->ipc->mq);
    k->ipc->mq = NULL;
  }
  mount_put(v->shm_mnt);
  mount_put(v->anon_mnt);
  mount_put(v->nsfs_mnt);
  chrdev_free_all(v);
  while (v->nnames)
    free(v->names[--v->nnames]);
  free(v->scratch);
  free(v);
  k->vfs = NULL;
}
