/*
 * The VFS over tmpfs against the host's: the same random calls in a directory of the host's tmpfs and in ours must give
 * the same results, errors included, as root and as a user without capabilities.
 */
#include "vfs_util.h"
#include <dirent.h>
#include <grp.h>
#include <stdarg.h>
#include <sys/fsuid.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#define STEPS 30000
#define USER 1000

static struct vt v;
static unsigned seed;
static char host_base[64];
static char trail[4096]; /* what was done last, for messages */

static unsigned rnd(unsigned n) {
  seed = seed * 1103515245 + 12345;
  return (seed >> 8) % n;
}

static const char *const parts[] = {"a", "b", "c", "d", "l", "s"};
static void random_name(char *out) {
  *out = 0;
  unsigned depth = 1 + rnd(3);
  for (unsigned i = 0; i < depth; i++) {
    if (i)
      strcat(out, rnd(12) ? "/" : "//");
    unsigned k = rnd(40);
    strcat(out, k == 0 ? "." : k == 1 && i ? ".." : parts[rnd(sizeof parts / sizeof *parts)]);
  }
  if (!rnd(12))
    strcat(out, "/");
}

static int err(long r) {
  return r < 0 ? -errno : (int)r;
}

static void note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void note(const char *fmt, ...) {
  va_list ap;
  size_t n = strlen(trail);
  if (n > 3500) {
    memmove(trail, trail + 2000, n - 2000 + 1);
    n -= 2000;
  }
  va_start(ap, fmt);
  vsnprintf(trail + n, sizeof trail - n, fmt, ap);
  va_end(ap);
}

static void same(int host, int ours) {
  note(" = %d\n", host);
  ck_assert_msg(host == ours, "host %d, ours %d; seed run, at the end of:\n%s", host, ours, trail);
}

/* ---- the calls ---- */

static void do_open(const char *p) {
  static const int extra[] = {O_CREAT, O_EXCL, O_TRUNC, O_NOFOLLOW, O_DIRECTORY, O_APPEND, O_PATH, O_NOATIME};
  int flags = (int)rnd(3) | O_NONBLOCK | O_CLOEXEC | (rnd(2) ? O_CREAT : 0);
  for (int i = 0; i < 2; i++)
    if (rnd(2))
      flags |= extra[rnd(sizeof extra / sizeof *extra)];
  unsigned mode = rnd(512);
  /* What newer kernels than some refuse. */
  if ((flags & (O_CREAT | O_DIRECTORY)) == (O_CREAT | O_DIRECTORY))
    flags &= ~O_DIRECTORY;
  note("open %s %o %o", p, (unsigned)flags, mode);
  struct file *f = NULL;
  int fd = open(p, flags, mode), e = err(fd), r = vt_open(&v, p, flags, mode, &f);
  same(e < 0 ? e : 0, r);
  if (fd < 0)
    return;
  char data[300], mine[300];
  size_t n = rnd(sizeof data);
  memset(data, 'x', sizeof data);
  note(" write %zu", n);
  long w = err(write(fd, data, n));
  same((int)w, file_can_write(f) || !file_can_read(f) ? (int)vt_rw(f, data, n, true, NULL) : -EBADF);
  off_t at = rnd(200), at2 = at;
  note(" pread %d", (int)at);
  long h = pread(fd, data, sizeof data, at);
  long o = S_ISFIFO(f->inode->mode) ? h < 0 ? -errno : 0 : vt_rw(f, mine, sizeof mine, false, &at2);
  same(err(h), (int)o);
  if (h > 0)
    ck_assert_msg(!memcmp(data, mine, (size_t)h), "contents differ:\n%s", trail);
  close(fd);
  file_put(f);
}

static void do_stat(const char *p, int follow) {
  struct stat h, o;
  struct path q;
  note("stat %s %d", p, follow);
  int e = err(fstatat(AT_FDCWD, p, &h, follow ? 0 : AT_SYMLINK_NOFOLLOW));
  int r = vfs_lookup(&v.task, AT_FDCWD, p, follow ? LOOKUP_FOLLOW : 0, &q);
  same(e, r);
  if (r)
    return;
  vfs_getattr(&q, &o, NULL);
  path_put(&q);
  ck_assert_msg(h.st_mode == o.st_mode && h.st_nlink == o.st_nlink && h.st_uid == o.st_uid && h.st_gid == o.st_gid,
                "mode %o %o nlink %d %d uid %d %d gid %d %d\n%s", h.st_mode, o.st_mode, (int)h.st_nlink,
                (int)o.st_nlink, h.st_uid, o.st_uid, h.st_gid, o.st_gid, trail);
  if (!S_ISFIFO(h.st_mode))
    ck_assert_msg(h.st_size == o.st_size, "size %ld %ld\n%s", (long)h.st_size, (long)o.st_size, trail);
}

static void do_setattr(const char *p, unsigned which) {
  struct path q;
  struct iattr a = {0};
  int host;
  unsigned now = 0;
  if (which == 0) {
    a = (struct iattr){.valid = ATTR_MODE, .mode = rnd(4096) | (rnd(3) ? 0700 : 0)};
    note("chmod %s %o", p, a.mode);
    host = err(chmod(p, a.mode));
  } else if (which == 1) {
    uid_t u = rnd(2) ? USER : (uid_t)-1;
    gid_t g = rnd(2) ? USER + rnd(3) : (gid_t)-1;
    a = (struct iattr){.valid = (u == (uid_t)-1 ? 0 : ATTR_UID) | (g == (gid_t)-1 ? 0 : ATTR_GID), .uid = u, .gid = g};
    note("chown %s %d %d", p, (int)u, (int)g);
    host = err(chown(p, u, g));
  } else if (which == 2) {
    off_t len = rnd(3) ? rnd(500) : rnd(200000);
    note("truncate %s %ld", p, (long)len);
    host = err(truncate(p, len));
    int r = vfs_lookup(&v.task, AT_FDCWD, p, LOOKUP_FOLLOW, &q);
    if (!r && S_ISDIR(q.dentry->inode->mode))
      r = -EISDIR;
    if (!r && !S_ISREG(q.dentry->inode->mode))
      r = -EINVAL;
    if (!r)
      r = vfs_permission(&v.task, q.mnt, q.dentry->inode, W_OK);
    same(host, r ? r : vfs_truncate(&v.task, &q, len));
    path_put(&q);
    return;
  } else {
    struct timespec ts[2] = {{1, rnd(3) ? 5 : UTIME_NOW}, {2, rnd(3) ? 7 : UTIME_NOW}};
    if (ts[0].tv_nsec == UTIME_NOW)
      now |= ATTR_ATIME;
    else
      a.valid |= ATTR_ATIME;
    if (ts[1].tv_nsec == UTIME_NOW)
      now |= ATTR_MTIME;
    else
      a.valid |= ATTR_MTIME;
    note("utimens %s", p);
    host = err(utimensat(AT_FDCWD, p, ts, 0));
  }
  int r = vfs_lookup(&v.task, AT_FDCWD, p, LOOKUP_FOLLOW, &q);
  if (!r)
    r = vfs_setattr(&v.task, &q, &a, now);
  same(host, r);
  path_put(&q);
}

static void do_rename(const char *p, const char *q) {
  static const unsigned flags[] = {0, 0, 0, RENAME_NOREPLACE, RENAME_EXCHANGE};
  unsigned f = flags[rnd(5)];
  note("rename %s %s %u", p, q, f);
  same(err(renameat2(AT_FDCWD, p, AT_FDCWD, q, f)), vfs_rename(&v.task, AT_FDCWD, p, AT_FDCWD, q, f));
}

static void do_readlink(const char *p) {
  char h[300], o[300];
  note("readlink %s", p);
  long n = readlink(p, h, sizeof h);
  long r = vfs_readlink(&v.task, AT_FDCWD, p, o, sizeof o);
  same(err(n), (int)r);
  if (n > 0)
    ck_assert(!memcmp(h, o, (size_t)n));
}

/* The host may have fs.protected_hardlinks on, which answers EPERM early; ours is off. */
static void do_link(const char *p, const char *q, int flags) {
  int h = err(linkat(AT_FDCWD, p, AT_FDCWD, q, flags)), o = vfs_link(&v.task, AT_FDCWD, p, AT_FDCWD, q, flags);
  if (h == -EPERM && v.task.cred->fsuid == USER) {
    if (!o)
      vfs_unlink(&v.task, AT_FDCWD, q);
    o = h;
  }
  same(h, o);
}

static void step(void) {
  char p[100], q[100];
  random_name(p);
  random_name(q);
  unsigned m = rnd(512);
  switch (rnd(16)) {
  case 0:
  case 1:
    note("mkdir %s %o", p, m | 0300);
    same(err(mkdir(p, m | 0300)), vfs_mkdir(&v.task, AT_FDCWD, p, m | 0300));
    break;
  case 2:
    note("rmdir %s", p);
    same(err(rmdir(p)), vfs_rmdir(&v.task, AT_FDCWD, p));
    break;
  case 3:
  case 4:
    note("unlink %s", p);
    same(err(unlink(p)), vfs_unlink(&v.task, AT_FDCWD, p));
    break;
  case 5:
  case 6:
    do_rename(p, q);
    break;
  case 7:
    m = rnd(3) ? 0 : AT_SYMLINK_FOLLOW;
    note("link %s %s %u", p, q, m);
    do_link(p, q, (int)m);
    break;
  case 8:
    note("symlink %s %s", p, q);
    same(err(symlink(p, q)), vfs_symlink(&v.task, p, AT_FDCWD, q));
    break;
  case 9:
    do_setattr(p, rnd(4));
    break;
  case 10:
    note("mkfifo %s", p);
    same(err(mknod(p, S_IFIFO | m, 0)), vfs_mknod(&v.task, AT_FDCWD, p, S_IFIFO | m, 0));
    break;
  case 11:
    m &= 7;
    note("access %s %o", p, m);
    same(err(syscall(SYS_faccessat2, AT_FDCWD, p, m, 0)), vfs_access_at(&v.task, AT_FDCWD, p, (int)m, 0));
    break;
  case 12:
    do_readlink(p);
    break;
  case 13:
    do_stat(p, (int)rnd(2));
    break;
  default:
    do_open(p);
  }
}

/* ---- the directories ---- */

struct names {
  struct dir_ctx ctx;
  char name[200][32];
  int n;
};
static bool collect(struct dir_ctx *d, const char *name, size_t len, int64_t next, uint64_t ino, unsigned char type) {
  struct names *l = (struct names *)d;
  snprintf(l->name[l->n++], 32, "%.*s %u", (int)len, name, type);
  return true;
}
static int cmp(const void *a, const void *b) {
  return strcmp(a, b);
}

static void same_listing(const char *dir) {
  struct names h = {.n = 0}, o = {.ctx.emit = collect};
  DIR *d = opendir(dir);
  struct file *f = NULL;
  int e = d ? 0 : -errno;
  ck_assert_int_eq(e, vt_open(&v, dir, O_RDONLY | O_DIRECTORY, 0, &f));
  if (!d)
    return;
  for (struct dirent *x; (x = readdir(d));)
    snprintf(h.name[h.n++], 32, "%.25s %u", x->d_name, x->d_type);
  ck_assert_int_eq(vfs_iterate(f, &o.ctx), 0);
  closedir(d);
  file_put(f);
  qsort(h.name, (size_t)h.n, 32, cmp);
  qsort(o.name, (size_t)o.n, 32, cmp);
  ck_assert_int_eq(h.n, o.n);
  for (int i = 0; i < h.n; i++)
    ck_assert_str_eq(h.name[i], o.name[i]);
}

static void enter(void) {
  struct statfs s;
  strcpy(host_base, !statfs("/dev/shm", &s) && s.f_type == 0x01021994 ? "/dev/shm/namei.XXXXXX" : "/tmp/namei.XXXXXX");
  ck_assert_ptr_nonnull(mkdtemp(host_base));
  ck_assert_int_eq(chdir(host_base), 0);
  umask(022);
  ck_assert_int_eq(err(system("mkdir -p p/q/base && chmod -R 777 .")), 0);
  ck_assert_int_eq(chdir("p/q/base"), 0);
  vt_setup(&v, "mode=755");
  struct path root = {v.mnt, v.mnt->root}, base;
  v.task.fs->umask = 0;
  ck_assert_int_eq(vfs_mkdir_p(v.k->vfs, &root, "p/q/base", 0777, &base), 0);
  fs_ctx_set_pwd(v.task.fs, &base);
  path_put(&base);
  v.task.fs->umask = 022;
}

static void leave(void) {
  char cmd[200];
  snprintf(cmd, sizeof cmd, "chmod -R 700 %s 2>/dev/null; rm -rf %s", host_base, host_base);
  ck_assert(system(cmd) >= 0);
}

static void differential_body(void *arg) {
  bool user = arg;
  fiber_set_local(&v.task); /* rules of writing ask who the current task is */
  enter();
  /* Half of the tree belongs to root, before the user comes. */
  for (int i = 0; i < 60; i++)
    step();
  if (user) {
    gid_t groups[] = {USER, USER + 1};
    ck_assert_int_eq(setgroups(2, groups), 0);
    ck_assert_int_eq(setresgid(USER, USER, USER), 0);
    ck_assert_int_eq(setresuid(USER, USER, USER), 0);
    vt_user(&v, USER, USER);
    v.task.cred->ngroups = 2;
    v.task.cred->groups = malloc(sizeof groups);
    memcpy(v.task.cred->groups, groups, sizeof groups);
  }
  for (int i = 0; i < STEPS; i++) {
    step();
    if (i % 100 == 0)
      same_listing(".");
  }
  leave();
  vt_teardown(&v);
}

static void differential(unsigned s, bool user) {
  seed = s;
  ck_assert_int_eq(fiber_spawn(differential_body, user ? &v : NULL), 0);
}

START_TEST(as_root) {
  differential(7 + (unsigned)_i * 101, false);
}
END_TEST

START_TEST(as_user) {
  if (getuid())
    return;
  differential(11 + (unsigned)_i * 103, true);
}
END_TEST

/* ---- particular rules ---- */

START_TEST(walk_limits) {
  vt_setup(&v, "");
  struct path p;
  char name[5000];
  for (int i = 0; i < 42; i++) { /* l0 is a file, l(i) leads to l(i-1) */
    char a[8], b[8];
    snprintf(a, sizeof a, "l%d", i);
    snprintf(b, sizeof b, "l%d", i - 1);
    if (i)
      ck_assert_int_eq(vfs_symlink(&v.task, b, AT_FDCWD, a), 0);
    else
      ck_assert_int_eq(vfs_mknod(&v.task, AT_FDCWD, a, S_IFREG | 0644, 0), 0);
  }
  ck_assert_int_eq(vfs_lookup(&v.task, AT_FDCWD, "l40", LOOKUP_FOLLOW, &p), 0);
  path_put(&p);
  ck_assert_int_eq(vfs_lookup(&v.task, AT_FDCWD, "l41", LOOKUP_FOLLOW, &p), -ELOOP);
  memset(name, 'n', 256);
  name[256] = 0;
  ck_assert_int_eq(vfs_lookup(&v.task, AT_FDCWD, name, 0, &p), -ENAMETOOLONG);
  name[255] = 0;
  ck_assert_int_eq(vfs_lookup(&v.task, AT_FDCWD, name, 0, &p), -ENOENT);
  ck_assert_int_eq(vfs_lookup(&v.task, AT_FDCWD, "", 0, &p), -ENOENT);
  ck_assert_int_eq(vfs_lookup(&v.task, AT_FDCWD, "l0/x", 0, &p), -ENOTDIR);
  ck_assert_int_eq(vfs_lookup(&v.task, AT_FDCWD, "l0/", 0, &p), -ENOTDIR);
  ck_assert_int_eq(vfs_lookup(&v.task, AT_FDCWD, "/../../l0", 0, &p), 0);
  path_put(&p);
  vt_teardown(&v);
}
END_TEST

START_TEST(resolve_flags) {
  vt_setup(&v, "");
  struct path p;
  struct task *t = &v.task;
  ck_assert_int_eq(vfs_mkdir(t, AT_FDCWD, "d", 0755), 0);
  ck_assert_int_eq(vfs_mkdir(t, AT_FDCWD, "d/e", 0755), 0);
  ck_assert_int_eq(vfs_symlink(t, "/d/e", AT_FDCWD, "d/abs"), 0);
  ck_assert_int_eq(vfs_symlink(t, "../x", AT_FDCWD, "d/up"), 0);
  struct file *f;
  ck_assert_int_eq(vt_open(&v, "d", O_PATH | O_DIRECTORY, 0, &f), 0);
  int fd = fd_install(t->files, f, 0, false);
  file_put(f);
  ck_assert_int_eq(vfs_lookup(t, fd, "e", LOOKUP_BENEATH, &p), 0);
  path_put(&p);
  ck_assert_int_eq(vfs_lookup(t, fd, "e/../..", LOOKUP_BENEATH, &p), -EXDEV);
  ck_assert_int_eq(vfs_lookup(t, fd, "abs", LOOKUP_BENEATH | LOOKUP_FOLLOW, &p), -EXDEV);
  ck_assert_int_eq(vfs_lookup(t, fd, "/e", LOOKUP_BENEATH, &p), -EXDEV);
  ck_assert_int_eq(vfs_lookup(t, fd, "up", LOOKUP_BENEATH | LOOKUP_FOLLOW, &p), -EXDEV);
  ck_assert_int_eq(vfs_lookup(t, fd, "/../../e", LOOKUP_IN_ROOT, &p), 0);
  path_put(&p);
  ck_assert_int_eq(vfs_lookup(t, fd, "abs", LOOKUP_NO_SYMLINKS | LOOKUP_FOLLOW, &p), -ELOOP);
  ck_assert_int_eq(vfs_lookup(t, fd, "abs", LOOKUP_NO_SYMLINKS, &p), 0);
  path_put(&p);
  vt_teardown(&v);
}
END_TEST

START_TEST(mounts) {
  vt_setup(&v, "");
  struct task *t = &v.task;
  struct vfs *vfs = v.k->vfs;
  struct path at, p;
  struct super *sb;
  struct mount *m;
  char buf[200];
  ck_assert_int_eq(vfs_mkdir(t, AT_FDCWD, "m", 0755), 0);
  ck_assert_int_eq(vfs_mkdir(t, AT_FDCWD, "b", 0755), 0);
  ck_assert_int_eq(vfs_lookup(t, AT_FDCWD, "m", 0, &at), 0);
  ck_assert_int_eq(tmpfs_mount(v.k, "size=1m", &sb), 0);
  ck_assert_int_eq(vfs_mount(vfs, vfs->init_ns, sb, &at, MS_RDONLY, "x", &m), 0);
  super_put(sb);
  path_put(&at);
  ck_assert_int_eq(vfs_mkdir(t, AT_FDCWD, "m/d", 0755), -EROFS);
  m->flags = 0;
  ck_assert_int_eq(vfs_mkdir(t, AT_FDCWD, "m/d", 0755), 0);
  ck_assert_int_eq(vfs_rename(t, AT_FDCWD, "m/d", AT_FDCWD, "d", 0), -EXDEV);
  ck_assert_int_eq(vfs_rmdir(t, AT_FDCWD, "m"), -EBUSY);
  ck_assert_int_eq(vfs_lookup(t, AT_FDCWD, "m/d/../../b", LOOKUP_NO_XDEV, &p), -EXDEV);
  ck_assert_int_eq(vfs_lookup(t, AT_FDCWD, "m/d/../../b", 0, &at), 0);
  ck_assert_int_eq(vfs_lookup(t, AT_FDCWD, "/", 0, &p), 0);
  ck_assert_int_eq(vfs_bind(vfs, vfs->init_ns, &p, &at, 0, true), 0);
  path_put(&at);
  path_put(&p);
  ck_assert_int_eq(vfs_lookup(t, AT_FDCWD, "b/m/d", 0, &p), 0);
  ck_assert_str_eq(vfs_path_string(t, &p, buf, sizeof buf), "/b/m/d");
  ck_assert_int_eq(vfs_umount(vfs, vfs->init_ns, m, 0), 0);
  path_put(&p);
  int n = vfs->init_ns->nmounts;
  ck_assert_int_eq(vfs_unshare_ns(vfs, t->fs, v.k->init_user_ns), 0);
  ck_assert_int_eq(t->fs->ns->nmounts, n);
  ck_assert_int_eq(vfs_lookup(t, AT_FDCWD, "/b/m/d", 0, &p), 0);
  ck_assert(p.mnt->ns == t->fs->ns);
  path_put(&p);
  mount_put(m);
  vt_teardown(&v);
}
END_TEST

START_TEST(tmpfile_and_exec) {
  vt_setup(&v, "");
  struct file *f, *g;
  struct path p;
  char buf[64];
  struct task *t = &v.task;
  ck_assert_int_eq(vt_open(&v, ".", O_TMPFILE | O_RDONLY, 0600, &f), -EINVAL);
  ck_assert_int_eq(vt_open(&v, ".", O_TMPFILE | O_RDWR, 0700, &f), 0);
  ck_assert_int_eq(f->inode->nlink, 0);
  p = (struct path){f->mnt, f->dentry};
  ck_assert_ptr_nonnull(strstr(vfs_path_string(t, &p, buf, sizeof buf), " (deleted)"));
  int fd = fd_install(t->files, f, 0, false);
  ck_assert_int_eq(vfs_link(t, fd, "", AT_FDCWD, "made", AT_EMPTY_PATH), 0);
  ck_assert_int_eq(f->inode->nlink, 1);
  struct open_how_k how = {.exec = true};
  ck_assert_int_eq(vfs_open(t, AT_FDCWD, "made", &how, &g), -ETXTBSY);
  fd_close(t->files, fd);
  file_put(f);
  ck_assert_int_eq(vfs_open(t, AT_FDCWD, "made", &how, &g), 0);
  ck_assert_int_eq(vt_open(&v, "made", O_RDWR, 0, &f), -ETXTBSY);
  ck_assert_int_eq(vt_open(&v, "made", O_RDONLY | O_TRUNC, 0, &f), -ETXTBSY);
  file_put(g);
  ck_assert_int_eq(vt_open(&v, "made", O_RDWR, 0, &f), 0);
  file_put(f);
  v.mnt->flags |= MS_NOEXEC;
  ck_assert_int_eq(vfs_open(t, AT_FDCWD, "made", &how, &g), -EACCES);
  vt_teardown(&v);
}
END_TEST

/* A cached walk must cost well under a microsecond; the bound is loose for busy machines and debug builds. */
START_TEST(walk_speed) {
  vt_setup(&v, "");
  struct path root = {v.mnt, v.mnt->root}, p;
  ck_assert_int_eq(vfs_mkdir_p(v.k->vfs, &root, "usr/lib/x86_64-linux-gnu/gconv", 0755, NULL), 0);
  struct timespec a, b;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
  for (int i = 0; i < 100000; i++) {
    ck_assert(!vfs_lookup(&v.task, AT_FDCWD, "/usr/lib/x86_64-linux-gnu/gconv", LOOKUP_FOLLOW, &p));
    path_put(&p);
  }
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
  double ns = (double)(b.tv_sec - a.tv_sec) * 1e4 + (double)(b.tv_nsec - a.tv_nsec) / 1e5;
  printf("walk of four components: %.0f ns\n", ns);
  ck_assert(ns < 5000);
  vt_teardown(&v);
}
END_TEST

START_TEST(dentry_bound) {
  vt_setup(&v, "");
  struct path p;
  char name[32];
  v.k->vfs->lru_max = 100;
  for (int i = 0; i < 1000; i++) {
    snprintf(name, sizeof name, "missing%d", i);
    ck_assert_int_eq(vfs_lookup(&v.task, AT_FDCWD, name, 0, &p), -ENOENT);
    ck_assert_int_le(v.k->vfs->nlru, 100);
  }
  vt_teardown(&v);
}
END_TEST

int main(void) {
  Suite *s = suite_create("namei");
  TCase *c = tcase_create("walk");
  tcase_set_timeout(c, 60);
  tcase_add_loop_test(c, as_root, 0, 3);
  tcase_add_loop_test(c, as_user, 0, 3);
  tcase_add_test(c, walk_limits);
  tcase_add_test(c, resolve_flags);
  tcase_add_test(c, mounts);
  tcase_add_test(c, tmpfile_and_exec);
  tcase_add_test(c, walk_speed);
  tcase_add_test(c, dentry_bound);
  suite_add_tcase(s, c);
  return vt_run(s);
}
