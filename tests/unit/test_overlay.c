/*
 * The overlay against the host's own file system: the same random operations on a plain copy of the lower tree (the
 * model) and through the VFS on the overlay over a real gofer. Results must agree step by step, and the trees at the
 * end; the lower tree must not have changed at all.
 */
#include "../../core/fiber.h"
#include "../../core/kernel.h"
#include "../../fs/gofer/client.h"
#include "../../fs/gofer/server.h"
#include "../../fs/namei.h"
#include "../../fs/overlay/overlay.h"
#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

static char base[64];
static pid_t server;
static struct kernel *k;
static struct gofer *g;
static struct super *lower, *upper, *sb;
static struct mount *mnt;
static struct task task;
static struct process proc;

static void run(const char *fmt, const char *a, const char *b) {
  char cmd[400];
  snprintf(cmd, sizeof cmd, fmt, a, b);
  ck_assert_int_eq(system(cmd), 0);
}

static void make_trees(void) {
  strcpy(base, "/tmp/overlay-test.XXXXXX");
  ck_assert_ptr_nonnull(mkdtemp(base));
  run("mkdir -p %s/lower && cd %s/lower && mkdir -p d0/d1/d2 d1 d2/d0 && "
      "echo one > f0 && echo two > f1 && head -c 200000 /dev/urandom > d0/f0 && "
      "seq 1 5000 > d0/d1/f1 && ln f1 d1/f2 && ln -s f0 f3 && ln -s d1/f1 d0/f3 && mkfifo d1/f0 && : > d2/f1 && "
      "chmod 4755 f1 && chmod 700 d1",
      base, base);
  run("cp -a %s/lower %s/model", base, base);
  run("cp -a %s/lower %s/before", base, base);
}

static void setup(void) {
  make_trees();
  int sv[2];
  ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv), 0);
  char path[80];
  snprintf(path, sizeof path, "%s/lower", base);
  struct gofer_tree t = {path, true};
  server = fork();
  ck_assert_int_ge(server, 0);
  if (!server) {
    close(sv[0]);
    _exit(gofer_serve(sv[1], &t, 1, 0));
  }
  close(sv[1]);
  k = kernel_new(loop_new());
  ck_assert_int_eq(vfs_init(k), 0);
  ck_assert_int_eq(gofer_connect(k, sv[0], NULL, NULL, &g), 0);
  ck_assert_int_eq(gofer_mount(k, g, 0, true, true, &lower), 0);
  ck_assert_int_eq(tmpfs_mount(k, "", &upper), 0);
  ck_assert_int_eq(overlay_mount(k, lower, upper, &sb), 0);
  super_put(lower);
  super_put(upper);
  ck_assert_int_eq(vfs_mount(k->vfs, k->vfs->init_ns, sb, NULL, 0, "overlay", &mnt), 0);
  struct path root = {mnt, sb->root};
  for (int i = 0; i < RLIM_NLIMITS; i++)
    proc.rlim[i] = (struct rlimit){RLIM_INFINITY, RLIM_INFINITY};
  task.k = k;
  task.proc = &proc;
  task.cred = cred_new();
  task.cred->cap_eff = ~0ull;
  task.fs = fs_ctx_new(&root);
  task.fs->umask = 0;
  umask(0);
}

static void teardown(void) {
  int gs = g->sock, st;
  loop_poll_del(k->loop, &g->poll);
  shutdown(gs, SHUT_RDWR);
  close(gs);
  waitpid(server, &st, 0);
  run("diff -r --no-dereference %s/lower/d0 %s/before/d0", base, base);
  run("cd %s/lower && find . -printf '%%P %%y %%m %%n %%s %%l %%T@\\n' | sort > %s/l.txt", base, base);
  run("cd %s/before && find . -printf '%%P %%y %%m %%n %%s %%l %%T@\\n' | sort > %s/b.txt", base, base);
  run("sed -i '/^ d/d' %s/l.txt %s/b.txt", base, base); /* the tops themselves: times of making */
  run("cmp %s/l.txt %s/b.txt", base, base);
  run("rm -rf %s%s", base, "");
}

static void (*fiber_body)(void);
static void run_body(void *arg) {
  fiber_body();
  fiber_body = NULL;
  loop_stop(k->loop);
}
static void on_fiber(void (*fn)(void)) {
  fiber_body = fn;
  ck_assert_int_eq(fiber_spawn(run_body, NULL), 0);
  if (fiber_body)
    loop_run(k->loop);
  ck_assert_ptr_null(fiber_body);
}

/* ---- both sides ---- */
static const char *model(const char *p) {
  static char buf[4][256];
  static int n;
  char *b = buf[n++ & 3];
  snprintf(b, 256, "%s/model/%s", base, p);
  return b;
}
static int host(long r) {
  return r < 0 ? -errno : 0;
}

static int o_open(const char *p, int flags, uint32_t mode, struct file **f) {
  struct open_how_k how = {.flags = flags, .mode = mode};
  return vfs_open(&task, AT_FDCWD, p, &how, f);
}

static ssize_t o_rw(struct file *f, bool write, void *buf, size_t n, off_t *pos) {
  struct uio u;
  struct iovec iov;
  uio_kernel(&u, &iov, buf, n);
  return write ? file_write(f, &u, pos) : file_read(f, &u, pos);
}

static const char *random_path(void) {
  static char buf[4][128];
  static int n;
  char *b = buf[n++ & 3];
  int depth = rand() % 3, len = sprintf(b, "/");
  for (int i = 0; i < depth; i++)
    len += sprintf(b + len, "d%d/", rand() % 3);
  sprintf(b + len, "%c%d", rand() % 3 ? 'f' : 'd', rand() % 4);
  return b;
}

/* Same bytes, read from both? */
static void compare_contents(struct file *f, int fd, const char *what) {
  static char a[70000], b[70000];
  for (off_t at = 0;;) {
    off_t pos = at;
    ssize_t n = o_rw(f, false, a, sizeof a, &pos), m = pread(fd, b, sizeof b, at);
    ck_assert_msg(n == m, "%s at %ld: %zd instead of %zd bytes", what, (long)at, n, m);
    if (n <= 0)
      return;
    ck_assert_msg(memcmp(a, b, (size_t)n) == 0, "%s differs at %ld", what, (long)at);
    at += n;
  }
}

static void compare_stat(const char *p) {
  struct path path;
  struct stat st, ht;
  int r = vfs_lookup(&task, AT_FDCWD, p, 0, &path), h = host(lstat(model(p), &ht));
  ck_assert_msg(r == h, "lookup of %s: %d instead of %d", p, r, h);
  if (r)
    return;
  ck_assert_int_eq(vfs_getattr(&path, &st, NULL), 0);
  ck_assert_msg(st.st_mode == ht.st_mode, "mode of %s: %o instead of %o", p, st.st_mode, ht.st_mode);
  ck_assert_msg(st.st_nlink == ht.st_nlink, "nlink of %s: %lu instead of %lu", p, st.st_nlink, ht.st_nlink);
  ck_assert_msg(st.st_uid == ht.st_uid, "uid of %s", p);
  if (!S_ISDIR(st.st_mode))
    ck_assert_msg(st.st_size == ht.st_size, "size of %s: %ld instead of %ld", p, st.st_size, ht.st_size);
  path_put(&path);
}

#define OPEN_MAX_BOTH 6
static struct both {
  struct file *f;
  int fd;
} open_both[OPEN_MAX_BOTH];

static void op_open(void) {
  static const int modes[] = {O_RDONLY,
                              O_RDWR,
                              O_WRONLY,
                              O_RDWR | O_CREAT,
                              O_RDWR | O_CREAT | O_TRUNC,
                              O_WRONLY | O_APPEND,
                              O_RDWR | O_CREAT | O_EXCL};
  struct both *b = &open_both[rand() % OPEN_MAX_BOTH];
  if (b->f) {
    file_put(b->f);
    close(b->fd);
    b->f = NULL;
  }
  const char *p = random_path();
  int flags = modes[rand() % 7] | O_NONBLOCK;
  struct stat st;
  if (stat(model(p), &st) == 0 && S_ISFIFO(st.st_mode))
    return;
  struct file *f = NULL;
  int fd = open(model(p), flags, 0640), h = host(fd), r = o_open(p, flags, 0640, &f);
  ck_assert_msg(r == h, "open of %s with %o: %d instead of %d", p, flags, r, h);
  if (!r)
    *b = (struct both){f, fd};
}

static void op_io(void) {
  struct both *b = &open_both[rand() % OPEN_MAX_BOTH];
  static char buf[100000], back[100000];
  if (!b->f || !S_ISREG(b->f->inode->mode))
    return;
  size_t n = rand() % 4 ? (size_t)(rand() % 5000) : (size_t)(rand() % (int)sizeof buf);
  off_t at = rand() % 3 ? rand() % 3000 : rand() % 150000, pos = at;
  ssize_t r, h;
  if (rand() % 2) {
    memset(buf, rand(), n);
    r = o_rw(b->f, true, buf, n, &pos);
    h = pwrite(b->fd, buf, n, at);
  } else {
    r = o_rw(b->f, false, buf, n, &pos);
    h = pread(b->fd, back, n, at);
    if (r > 0 && r == h)
      ck_assert_int_eq(memcmp(buf, back, (size_t)r), 0);
  }
  if (h < 0)
    h = -errno;
  ck_assert_msg(r == h, "I/O of %zu bytes at %ld: %zd instead of %zd", n, (long)at, r, h);
  struct stat st, ht;
  ck_assert_int_eq(vfs_fgetattr(b->f, &st, NULL), 0);
  fstat(b->fd, &ht);
  ck_assert_int_eq(st.st_size, ht.st_size);
  ck_assert_uint_eq(st.st_nlink, ht.st_nlink);
}

static bool is_fifo(const char *p) {
  struct stat st;
  return lstat(model(p), &st) == 0 && S_ISFIFO(st.st_mode);
}

static void op_attr(const char *p) {
  struct path path;
  int r = vfs_lookup(&task, AT_FDCWD, p, LOOKUP_FOLLOW, &path);
  struct stat st;
  int h = host(stat(model(p), &st));
  ck_assert_msg(r == h, "lookup of %s: %d instead of %d", p, r, h);
  if (r)
    return;
  if (rand() % 2) {
    struct iattr a = {.valid = ATTR_MODE, .mode = (uint32_t)(rand() % 01000) | 0600};
    r = vfs_setattr(&task, &path, &a, 0);
    h = host(chmod(model(p), a.mode & 07777));
  } else if (!is_fifo(p)) {
    off_t len = rand() % 2 ? rand() % 3000 : rand() % 250000;
    r = vfs_truncate(&task, &path, len);
    h = host(truncate(model(p), len));
  }
  ck_assert_msg(r == h, "change of %s: %d instead of %d", p, r, h);
  path_put(&path);
}

static void step(void) {
  const char *p = random_path(), *q = random_path();
  int r = 0, h = 0;
  unsigned fl = rand() % 4 ? 0 : rand() % 2 ? RENAME_EXCHANGE : RENAME_NOREPLACE;
  int what = rand() % 14;
  switch (what) {
  case 0:
    r = vfs_mkdir(&task, AT_FDCWD, p, 0755), h = host(mkdir(model(p), 0755));
    break;
  case 1:
    r = vfs_rmdir(&task, AT_FDCWD, p), h = host(rmdir(model(p)));
    break;
  case 2:
    r = vfs_unlink(&task, AT_FDCWD, p), h = host(unlink(model(p)));
    break;
  case 3:
    r = vfs_symlink(&task, "d0/f1", AT_FDCWD, p), h = host(symlink("d0/f1", model(p)));
    break;
  case 4:
    r = vfs_link(&task, AT_FDCWD, p, AT_FDCWD, q, 0), h = host(link(model(p), model(q)));
    break;
  case 5:
  case 6:
  case 7:
    r = vfs_rename(&task, AT_FDCWD, p, AT_FDCWD, q, fl);
    h = host(renameat2(AT_FDCWD, model(p), AT_FDCWD, model(q), fl));
    break;
  case 8:
    op_attr(p);
    break;
  case 9:
  case 10:
    op_open();
    break;
  case 11:
  case 12:
    op_io();
    break;
  case 13:
    r = vfs_mknod(&task, AT_FDCWD, p, S_IFSOCK | 0600, 0), h = host(mknod(model(p), S_IFSOCK | 0600, 0));
    break;
  }
  ck_assert_msg(r == h, "operation %d on %s, %s (%x): %d instead of %d", what, p, q, fl, r, h);
  compare_stat(p);
  compare_stat(q);
}

/* ---- whole trees ---- */
struct names {
  struct dir_ctx ctx;
  int n;
  struct {
    char name[64];
    uint64_t ino;
    unsigned char type;
  } e[200];
};
static bool add_name(struct dir_ctx *d, const char *name, size_t len, int64_t next, uint64_t ino, unsigned char type) {
  struct names *c = (void *)d;
  ck_assert_int_lt(c->n, 200);
  memcpy(c->e[c->n].name, name, len);
  c->e[c->n].name[len] = 0;
  c->e[c->n].ino = ino;
  c->e[c->n++].type = type;
  return true;
}

static int nnodes;
static void compare_tree(const char *p) {
  struct file *f;
  struct names *c = calloc(1, sizeof *c);
  c->ctx.emit = add_name;
  ck_assert_int_eq(o_open(p, O_RDONLY | O_DIRECTORY, 0, &f), 0);
  ck_assert_int_eq(vfs_iterate(f, &c->ctx), 0);
  file_put(f);
  int count = 0;
  DIR *d = opendir(model(p));
  ck_assert_ptr_nonnull(d);
  for (struct dirent *e; (e = readdir(d)); count++) {
    int i = 0;
    while (i < c->n && strcmp(c->e[i].name, e->d_name) != 0)
      i++;
    ck_assert_msg(i < c->n, "%s/%s is missing", p, e->d_name);
    ck_assert_msg(c->e[i].type == e->d_type, "type of %s/%s", p, e->d_name);
  }
  closedir(d);
  ck_assert_msg(count == c->n, "%s has %d entries instead of %d", p, c->n, count);
  for (int i = 0; i < c->n; i++) {
    if (!strcmp(c->e[i].name, ".") || !strcmp(c->e[i].name, ".."))
      continue;
    char sub[256];
    snprintf(sub, sizeof sub, "%s%s%s", p, p[1] ? "/" : "", c->e[i].name);
    compare_stat(sub);
    nnodes++;
    struct path path;
    ck_assert_int_eq(vfs_lookup(&task, AT_FDCWD, sub, 0, &path), 0);
    ck_assert_uint_eq(path.dentry->inode->ino, c->e[i].ino);
    path_put(&path);
    if (c->e[i].type == DT_DIR)
      compare_tree(sub);
    if (c->e[i].type == DT_REG) {
      int fd = open(model(sub), O_RDONLY);
      ck_assert_int_eq(o_open(sub, O_RDONLY, 0, &f), 0);
      compare_contents(f, fd, sub);
      file_put(f);
      close(fd);
    }
    char a[256] = "", b[256] = "";
    if (c->e[i].type == DT_LNK) {
      ck_assert_int_gt(readlink(model(sub), a, sizeof a - 1), 0);
      ck_assert_int_eq(vfs_lookup(&task, AT_FDCWD, sub, 0, &path), 0);
      ck_assert_int_gt(path.dentry->inode->ops->readlink(path.dentry->inode, b, sizeof b), 0);
      path_put(&path);
      ck_assert_str_eq(a, b);
    }
  }
  free(c);
}

static int seed;
static void body_random(void) {
  srand((unsigned)seed);
  for (int round = 0; round < 20; round++) {
    for (int i = 0; i < 100; i++)
      step();
    /* forget what is cached: changes must survive that */
    if (round % 3 == 0)
      dentry_invalidate_children(sb->root);
    compare_tree("/");
  }
  for (int i = 0; i < OPEN_MAX_BOTH; i++)
    if (open_both[i].f) {
      if (file_can_read(open_both[i].f) && S_ISREG(open_both[i].f->inode->mode))
        compare_contents(open_both[i].f, open_both[i].fd, "an open file");
      file_put(open_both[i].f);
    }
  ck_assert_int_gt(nnodes, 0);
}
START_TEST(test_random) {
  seed = _i + 1;
  on_fiber(body_random);
}
END_TEST

/* ---- single properties ---- */
static ino_t ino_of(const char *p) {
  struct path path;
  ck_assert_int_eq(vfs_lookup(&task, AT_FDCWD, p, 0, &path), 0);
  ino_t i = path.dentry->inode->ino;
  path_put(&path);
  return i;
}

static void body_properties(void) {
  struct file *f, *r;
  char buf[64] = "";
  off_t pos = 0;
  struct path path;
  /* a walk that hits costs no message, nor does opening what was open */
  compare_stat("/d0/d1/f1");
  ck_assert_int_eq(o_open("/d0/d1/f1", O_RDONLY, 0, &f), 0);
  file_put(f);
  uint32_t tag = g->next_tag;
  compare_stat("/d0/d1/f1");
  ck_assert_int_eq(o_open("/d0/d1/f1", O_RDONLY, 0, &f), 0);
  file_put(f);
  ck_assert_uint_eq(g->next_tag, tag);

  /* the number stays over a copy-up; a reader of before sees the writes */
  ino_t ino = ino_of("/f0");
  ck_assert_int_eq(o_open("/f0", O_RDONLY, 0, &r), 0);
  ck_assert_int_eq(o_rw(r, false, buf, 1, &pos), 1);
  ck_assert_int_eq(o_open("/f0", O_RDWR, 0, &f), 0);
  ck_assert_ptr_null(ovl_inode_of(f->inode)->upper); /* opening alone copies nothing */
  pos = 0;
  ck_assert_int_eq(o_rw(f, true, "ONE", 3, &pos), 3);
  ck_assert_ptr_nonnull(ovl_inode_of(f->inode)->upper);
  ck_assert_uint_eq(ino_of("/f0"), ino);
  pos = 0;
  ck_assert_int_eq(o_rw(r, false, buf, 60, &pos), 4);
  ck_assert_str_eq(buf, "ONE\n");
  off_t hoff = 0;
  ck_assert_int_ge(f->ops->mmap(f, PROT_READ | PROT_WRITE, MAP_SHARED, 0, 4096, &hoff), 0);
  file_put(f);
  file_put(r);

  /* lower files map from the lower descriptor */
  ck_assert_int_eq(o_open("/d0/f0", O_RDONLY, 0, &f), 0);
  ck_assert_int_ge(f->ops->mmap(f, PROT_READ, MAP_PRIVATE, 0, 4096, &hoff), 0);
  ck_assert(f->ops->may_block_mmap);
  file_put(f);

  /* O_TMPFILE, then a name */
  ck_assert_int_eq(o_open("/d0", O_TMPFILE | O_RDWR, 0600, &f), 0);
  pos = 0;
  ck_assert_int_eq(o_rw(f, true, "tmp", 3, &pos), 3);
  file_put(f);

  /* xattrs: of lower files, and changed ones */
  ck_assert_int_eq(vfs_lookup(&task, AT_FDCWD, "/d0/f0", 0, &path), 0);
  ck_assert_int_eq(vfs_getxattr(&task, &path, "user.x", buf, sizeof buf), -ENODATA);
  ck_assert_int_eq(vfs_setxattr(&task, &path, "user.x", "val", 3, 0), 0);
  ck_assert_int_eq(vfs_getxattr(&task, &path, "user.x", buf, sizeof buf), 3);
  ck_assert_int_eq(vfs_setxattr(&task, &path, "user.x", "longer", 6, XATTR_CREATE), -EEXIST);
  path_put(&path);
  dentry_invalidate_children(sb->root);
  ck_assert_int_eq(vfs_lookup(&task, AT_FDCWD, "/d0/f0", 0, &path), 0);
  ck_assert_int_eq(vfs_getxattr(&task, &path, "user.x", buf, sizeof buf), 3);
  path_put(&path);

  struct statfs sf;
  ck_assert_int_eq(sb->ops->statfs(sb, &sf), 0);
  ck_assert_uint_gt(sf.f_ffree, 0); /* new names are bounded, by inode and by link */
  struct ovl *o = sb->priv;
  uint64_t used = o->used, max = o->max;
  o->max = used + 2;
  ck_assert_int_eq(vfs_mkdir(&task, AT_FDCWD, "/full1", 0755), 0);
  ck_assert_int_eq(vfs_link(&task, AT_FDCWD, "/f0", AT_FDCWD, "/full2", 0), 0);
  ck_assert_int_eq(vfs_mkdir(&task, AT_FDCWD, "/full3", 0755), -ENOSPC);
  ck_assert_int_eq(vfs_link(&task, AT_FDCWD, "/f0", AT_FDCWD, "/full3", 0), -ENOSPC);
  ck_assert_int_eq(vfs_unlink(&task, AT_FDCWD, "/full2"), 0);
  ck_assert_int_eq(vfs_rmdir(&task, AT_FDCWD, "/full1"), 0);
  ck_assert_uint_eq(o->used, used);
  o->max = max;

  /* a tree deeper than the stack is taken down with its file system */
  struct super *second;
  ck_assert_int_eq(overlay_mount(k, lower, upper, &second), 0);
  struct inode *dir = inode_get(second->root->inode), *sub;
  const struct iattr a = {.valid = ATTR_MODE, .mode = S_IFDIR | 0755};
  for (int i = 0; i < 20000; i++) {
    ck_assert_int_eq(dir->ops->mkdir(dir, NULL, "d", &a, &sub), 0);
    inode_put(dir);
    dir = sub;
  }
  inode_put(dir);
  super_put(second);
}
START_TEST(test_properties) {
  on_fiber(body_properties);
}
END_TEST

int main(void) {
  Suite *s = suite_create("overlay");
  TCase *c = tcase_create("overlay");
  tcase_add_checked_fixture(c, setup, teardown);
  tcase_set_timeout(c, 60);
  tcase_add_test(c, test_properties);
  tcase_add_loop_test(c, test_random, 0, 16);
  suite_add_tcase(s, c);
  SRunner *r = srunner_create(s);
  srunner_run_all(r, CK_NORMAL);
  int failed = srunner_ntests_failed(r);
  srunner_free(r);
  return failed != 0;
}
