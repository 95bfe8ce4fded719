/* /proc/PID/{fd,fdinfo,exe,cwd,root,ns}: links to what only the kernel can name. */
#include "proc.h"
#include "../../core/errno.h"
#include "../../core/uaccess.h"
#include "../anon.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>

/* ---- from a path to text or to a place to go on from ---- */
static ssize_t path_text(const struct path *p, char *buf, size_t cap) {
  if (!task_current())
    return -ENOENT;
  char *tmp = malloc(PATH_MAX);
  if (!tmp)
    return -ENOMEM;
  const char *s = vfs_path_string(task_current(), p, tmp, PATH_MAX);
  ssize_t n = s ? (ssize_t)strlen(s) : -ENAMETOOLONG;
  if (n >= (ssize_t)cap)
    n = -ENAMETOOLONG;
  if (n >= 0)
    memcpy(buf, s, (size_t)n + 1);
  free(tmp);
  return n;
}

ssize_t proc_file_text(struct file *f, char *buf, size_t cap) {
  if (f->anon_name &&
      (!f->dentry || f->dentry->parent == f->dentry)) { /* opened again through a link: still anonymous */
    int n = snprintf(buf, cap, "%s", f->anon_name);
    return n < (int)cap ? n : -ENAMETOOLONG;
  }
  if (!f->dentry || !f->mnt)
    return -ENOENT;
  struct path p = {f->mnt, f->dentry};
  return path_text(&p, buf, cap);
}

static int file_follow(struct file *f, struct mount **m, struct dentry **d) {
  struct path p;
  int r = vfs_file_path(f, &p);
  if (r)
    return r;
  *m = p.mnt;
  *d = p.dentry;
  return 0;
}

/* ---- fd ---- */
static struct file *fd_of(const struct inode *i) {
  struct task *t = proc_task_borrow(i);
  uint64_t n = synth_num(i);
  return t && t->files && n <= INT32_MAX ? fd_file_raw(t->files, (int)n) : NULL;
}

/* A link to an open file shows what it is open for. */
static int fd_alive(struct inode *i) {
  AUTO_FILE f = fd_of(i);
  if (!f)
    return 0;
  uint32_t bits = 0;
  if (f->flags & O_PATH || file_can_read(f))
    bits |= 0500;
  if (f->flags & O_PATH || file_can_write(f))
    bits |= 0300;
  i->mode = S_IFLNK | bits;
  return 1;
}

static ssize_t fd_link(struct inode *i, char *buf, size_t cap) {
  AUTO_FILE f = fd_of(i);
  return f ? proc_file_text(f, buf, cap) : -ENOENT;
}

static int fd_follow(struct inode *i, struct mount **m, struct dentry **d) {
  AUTO_FILE f = fd_of(i);
  return f ? file_follow(f, m, d) : -ENOENT;
}

static int fdinfo_alive(struct inode *i) {
  AUTO_FILE f = fd_of(i);
  return f != NULL;
}

static int fdinfo_show(struct inode *i, struct sbuf *b) {
  struct task *t = proc_task_borrow(i);
  AUTO_FILE f = fd_of(i);
  if (!f || !t)
    return -ENOENT;
  bool cloexec = fd_get_cloexec(t->files, (int)synth_num(i));
  sb_printf(b, "pos:\t%lld\nflags:\t0%o\nmnt_id:\t%d\nino:\t%llu\n", (long long)f->pos,
            (unsigned)f->flags | (cloexec ? (unsigned)O_CLOEXEC : 0), f->mnt ? f->mnt->id : 0,
            (unsigned long long)(f->inode ? f->inode->ino : f->anon_ino));
  if (f->ops && f->ops->fdinfo)
    f->ops->fdinfo(f, b);
  struct pid *p = pidfd_pid_borrow(f);
  if (p) {
    pidfd_show(p, proc_ns_borrow(i), b);
  }
  return 0;
}

static const struct synth_ent fd_ent = {
    .mode = S_IFLNK | 0700, .link = fd_link, .follow = fd_follow, .alive = fd_alive, .allow = proc_allow};
static const struct synth_ent fdinfo_ent = {
    .mode = S_IFREG | 0444, .show = fdinfo_show, .alive = fdinfo_alive, .allow = proc_allow};

static int fd_lookup(struct inode *dir, const char *name, struct synth_child *c, const struct synth_ent *ent) {
  struct task *t = proc_task_borrow(dir);
  if (*name < '0' || *name > '9' || (*name == '0' && name[1]) || strlen(name) > 9)
    return -ENOENT;
  char *end;
  long n = strtol(name, &end, 10);
  AUTO_FILE f = !*end && t && t->files ? fd_file_raw(t->files, (int)n) : NULL;
  if (!f)
    return -ENOENT;
  c->ent = ent;
  c->n = (uint64_t)n;
  return 0;
}

static int fd_next(struct inode *dir, uint64_t key, struct synth_child *c, const struct synth_ent *ent) {
  struct task *t = proc_task_borrow(dir);
  if (!t)
    return -ENOENT;
  for (; t->files && key < (uint64_t)t->files->cap; key++) {
    if (!t->files->ent[key].file)
      continue;
    snprintf(c->name, sizeof c->name, "%u", (unsigned)key);
    c->ent = ent;
    c->key = key;
    return 1;
  }
  return 0;
}

int proc_fd_lookup(struct inode *dir, const char *name, struct synth_child *c) {
  return fd_lookup(dir, name, c, &fd_ent);
}
int proc_fd_next(struct inode *dir, uint64_t key, struct synth_child *c) {
  return fd_next(dir, key, c, &fd_ent);
}
int proc_fdinfo_lookup(struct inode *dir, const char *name, struct synth_child *c) {
  return fd_lookup(dir, name, c, &fdinfo_ent);
}
int proc_fdinfo_next(struct inode *dir, uint64_t key, struct synth_child *c) {
  return fd_next(dir, key, c, &fdinfo_ent);
}

/* ---- exe, cwd, root ---- */
static struct file *exe_of(const struct inode *i) {
  struct task *t = proc_task_borrow(i);
  return t && t->mm && t->mm->exe ? file_get(t->mm->exe) : NULL;
}

ssize_t proc_exe_link(struct inode *i, char *buf, size_t cap) {
  AUTO_FILE f = exe_of(i);
  return f ? proc_file_text(f, buf, cap) : -ENOENT;
}

int proc_exe_follow(struct inode *i, struct mount **m, struct dentry **d) {
  AUTO_FILE f = exe_of(i);
  return f ? file_follow(f, m, d) : -ENOENT;
}

static int fs_path(const struct inode *i, bool root, struct path *out) {
  struct task *t = proc_task_borrow(i);
  if (!t || !t->fs)
    return -ENOENT;
  *out = root ? t->fs->root : t->fs->pwd;
  path_get(out);
  return 0;
}

static ssize_t fs_link(const struct inode *i, bool root, char *buf, size_t cap) {
  struct path p;
  ssize_t r = fs_path(i, root, &p);
  if (r)
    return r;
  r = path_text(&p, buf, cap);
  path_put(&p);
  return r;
}

static int fs_follow(const struct inode *i, bool root, struct mount **m, struct dentry **d) {
  struct path p;
  int r = fs_path(i, root, &p);
  if (r)
    return r;
  *m = p.mnt;
  *d = p.dentry;
  return 0;
}

ssize_t proc_cwd_link(struct inode *i, char *buf, size_t cap) {
  return fs_link(i, false, buf, cap);
}
int proc_cwd_follow(struct inode *i, struct mount **m, struct dentry **d) {
  return fs_follow(i, false, m, d);
}
ssize_t proc_root_link(struct inode *i, char *buf, size_t cap) {
  return fs_link(i, true, buf, cap);
}
int proc_root_follow(struct inode *i, struct mount **m, struct dentry **d) {
  return fs_follow(i, true, m, d);
}

/* ---- ns ---- */
#define NS_CHILDREN 0x100 /* synth_ent.arg: the one its children will have */

static struct ns_common *ns_of(const struct inode *i) {
  uint64_t arg = synth_ent_of(i)->arg;
  struct task *t = proc_task_borrow(i);
  return t ? task_ns(t, (enum ns_kind)(arg & 0xff), arg & NS_CHILDREN) : NULL;
}

static ssize_t ns_link(struct inode *i, char *buf, size_t cap) {
  struct ns_common *ns = ns_of(i);
  ssize_t n = ns ? nsfs_name(ns, buf, cap) : -ENOENT;
  ns_put(ns);
  return n;
}

static int ns_follow(struct inode *i, struct mount **m, struct dentry **d) {
  struct ns_common *ns = ns_of(i);
  AUTO_FILE f = NULL;
  int r = ns ? nsfs_open(ns, O_RDONLY, &f) : -ENOENT;
  ns_put(ns);
  return r ? r : file_follow(f, m, d);
}

#define NS(label, kind)                                                                                                \
  { .name = label, .mode = S_IFLNK | 0777, .link = ns_link, .follow = ns_follow, .allow = proc_allow, .arg = kind }
const struct synth_ent proc_ns_entries[] = {
    NS("cgroup", NS_CGROUP),
    NS("ipc", NS_IPC),
    NS("mnt", NS_MNT),
    NS("net", NS_NET),
    NS("pid", NS_PID),
    NS("pid_for_children", NS_PID | NS_CHILDREN),
    NS("time", NS_TIME),
    NS("time_for_children", NS_TIME | NS_CHILDREN),
    NS("user", NS_USER),
    NS("uts", NS_UTS),
    {0},
};
