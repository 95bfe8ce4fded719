/*
 * The gofer: a real server on a temporary directory, first by raw messages as an attacker would send them, then through
 * the client on a loop with fibers. Beside the tree lies a canary that nothing may ever reach.
 */
#include "../../core/fiber.h"
#include "../../core/kernel.h"
#include "../../fs/gofer/client.h"
#include "../../fs/gofer/server.h"
#include "../../fs/namei.h"
#include <check.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static char base[64], tree[80], canary[80];
static pid_t server;
static int sock = -1;

static void put_file(const char *path, const char *text) {
  int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0644);
  ck_assert_int_ge(fd, 0);
  ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
  close(fd);
}
static char *at(const char *name) {
  static char buf[4][256];
  static int n;
  char *p = buf[n++ & 3];
  snprintf(p, 256, "%s/%s", tree, name);
  return p;
}

static void start(bool readonly) {
  strcpy(base, "/tmp/gofer-test.XXXXXX");
  ck_assert_ptr_nonnull(mkdtemp(base));
  snprintf(tree, sizeof tree, "%s/tree", base);
  snprintf(canary, sizeof canary, "%s/canary", base);
  mkdir(tree, 0755);
  put_file(canary, "secret");
  put_file(at("file"), "hello");
  mkdir(at("dir"), 0755);
  put_file(at("dir/inner"), "inner");
  ck_assert_int_eq(symlink("../canary", at("out")), 0);
  ck_assert_int_eq(symlink("..", at("up")), 0);
  ck_assert_int_eq(symlink("dir", at("alias")), 0);
  int sv[2];
  ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv), 0);
  static char single[96];
  snprintf(single, sizeof single, "%s", at("file"));
  struct gofer_tree trees[] = {{tree, readonly}, {single, readonly}};
  server = fork();
  ck_assert_int_ge(server, 0);
  if (!server) {
    close(sv[0]);
    _exit(gofer_serve(sv[1], trees, 2, 0));
  }
  close(sv[1]);
  sock = sv[0];
}

static void stop(void) {
  int st;
  if (sock >= 0)
    close(sock);
  sock = -1;
  ck_assert_int_eq(waitpid(server, &st, 0), server);
  ck_assert_msg(WIFEXITED(st), "the server died of signal %d", WTERMSIG(st));
  char cmd[128], text[16] = "";
  FILE *f = fopen(canary, "r");
  ck_assert_ptr_nonnull(f);
  ck_assert_ptr_nonnull(fgets(text, sizeof text, f));
  fclose(f);
  ck_assert_str_eq(text, "secret");
  snprintf(cmd, sizeof cmd, "rm -rf %s", base);
  ck_assert_int_eq(system(cmd), 0);
}
static void start_rw(void) {
  start(false);
}

/* ---- raw messages ---- */
static uint8_t out_buf[GOFER_MSG_MAX], in_buf[GOFER_MSG_MAX];

static struct gofer_msg req(int op, int t) {
  struct gofer_hdr h = {.op = (uint16_t)op, .tree = (uint16_t)t, .tag = 77};
  struct gofer_msg m = {.buf = out_buf, .cap = sizeof out_buf};
  gm_put(&m, &h, sizeof h);
  return m;
}

/* The server's errno, or -1 if it hung up. *fd: the descriptor that came along. */
static int ask(struct gofer_msg *m, struct gofer_msg *reply, int *fd) {
  struct gofer_hdr h;
  memcpy(&h, m->buf, sizeof h);
  h.size = (uint32_t)m->pos;
  memcpy(m->buf, &h, sizeof h);
  if (send(sock, m->buf, m->pos, MSG_NOSIGNAL) < 0)
    return -1;
  struct iovec iov = {in_buf, sizeof in_buf};
  union {
    struct cmsghdr align;
    char buf[CMSG_SPACE(sizeof(int))];
  } c;
  struct msghdr mh = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = c.buf, .msg_controllen = sizeof c.buf};
  ssize_t n = recvmsg(sock, &mh, 0);
  if (fd)
    *fd = -1;
  if (n <= 0)
    return -1;
  struct cmsghdr *cm = CMSG_FIRSTHDR(&mh);
  if (cm && fd)
    memcpy(fd, CMSG_DATA(cm), sizeof(int));
  memcpy(&h, in_buf, sizeof h);
  ck_assert_int_eq(h.size, n);
  ck_assert_int_eq(h.tag, 77);
  if (reply)
    *reply = (struct gofer_msg){.buf = in_buf, .cap = (size_t)n, .pos = sizeof h};
  return (int)h.err;
}

static const struct gofer_id any; /* SETATTR: whatever is there */

static int ask_path(int op, int t, const char *path) {
  struct gofer_msg m = req(op, t);
  gm_put_str(&m, path);
  if (op == GOFER_OPEN)
    gm_put_u32(&m, O_RDONLY);
  if (op == GOFER_READDIR)
    gm_put_u64(&m, 0);
  return ask(&m, NULL, NULL);
}

static int ask_proc(uint32_t pid, uint32_t what) {
  struct gofer_msg m = req(GOFER_PROC, 0);
  gm_put_u32(&m, pid);
  gm_put_u32(&m, what);
  return ask(&m, NULL, NULL);
}

/* Of all processes only guests' are shown: never init, the server itself or who started it. */
START_TEST(test_raw_proc) {
  ck_assert_int_eq(ask_proc(0, GPROC_MEM), EPERM);
  ck_assert_int_eq(ask_proc(1, GPROC_MEM), EPERM);
  ck_assert_int_eq(ask_proc((uint32_t)server, GPROC_MEM), EPERM);
  ck_assert_int_eq(ask_proc((uint32_t)getpid(), GPROC_STATUS), EPERM);
  ck_assert_int_eq(ask_proc(UINT32_MAX, GPROC_STATUS), EPERM);
  ck_assert_int_eq(ask_proc(4000000, GPROC_SMAPS), EOPNOTSUPP); /* this one has no procfs */
  ck_assert_int_eq(ask_proc(4000000, GPROC_END), -1);
}
END_TEST

START_TEST(test_raw_basics) {
  ck_assert_int_eq(ask_path(GOFER_GETATTR, 0, ""), 0);
  ck_assert_int_eq(ask_path(GOFER_GETATTR, 0, "file"), 0);
  ck_assert_int_eq(ask_path(GOFER_GETATTR, 0, "dir/inner"), 0);
  ck_assert_int_eq(ask_path(GOFER_GETATTR, 0, "none"), ENOENT);
  ck_assert_int_eq(ask_path(GOFER_GETATTR, 0, "file/x"), ENOTDIR);
  ck_assert_int_eq(ask_path(GOFER_GETATTR, 1, ""), 0);
  ck_assert_int_eq(ask_path(GOFER_GETATTR, 1, "x"), ENOTDIR);
  ck_assert_int_eq(ask_path(GOFER_OPEN, 1, ""), 0);
  ck_assert_int_eq(ask_path(GOFER_READLINK, 0, "out"), 0);
  ck_assert_int_eq(ask_path(GOFER_READLINK, 0, "file"), EINVAL);
  /* through symlinks: never */
  ck_assert_int_eq(ask_path(GOFER_OPEN, 0, "out"), EOPNOTSUPP);
  ck_assert_int_eq(ask_path(GOFER_OPEN, 0, "up/canary"), ENOENT);
  ck_assert_int_eq(ask_path(GOFER_GETATTR, 0, "up/canary"), ENOENT);
  ck_assert_int_eq(ask_path(GOFER_READDIR, 0, "up"), ENOTDIR);
  ck_assert_int_eq(ask_path(GOFER_OPEN, 0, "alias/inner"), ENOENT);
  ck_assert_int_eq(ask_path(GOFER_OPEN, 0, "dir"), EOPNOTSUPP);
}
END_TEST

static const char *const bad_paths[] = {"..",   ".",    "/",       "/etc", "dir/..", "dir/../..",       "../canary",
                                        "dir/", "a//b", "dir/./x", "/",    "./file", "dir/../../canary"};
START_TEST(test_bad_paths) {
  ck_assert_int_eq(ask_path(GOFER_GETATTR, 0, bad_paths[_i]), -1);
}
END_TEST

/* Messages that are wrong in other ways: each ends the connection, and none kills the server otherwise. */
START_TEST(test_malformed) {
  struct gofer_msg m = req(GOFER_GETATTR, 0);
  char longname[300];
  memset(longname, 'a', sizeof longname);
  switch (_i) {
  case 0:
    m = req(0, 0);
    break;
  case 1:
    m = req(GOFER_OP_END, 0);
    break;
  case 2:
    m = req(GOFER_GETATTR, 2);
    gm_put_str(&m, "");
    break;
  case 3:
    break; /* no payload */
  case 4:
    gm_put_blob(&m, "a\0b", 4);
    break; /* a NUL within */
  case 5:
    gm_put_u32(&m, 0xffffffff);
    gm_put(&m, "x", 2);
    break;
  case 6:
    gm_put_str(&m, "file");
    gm_put_u32(&m, 0);
    break; /* left over */
  case 7:
    gm_put_strn(&m, longname, 256);
    break;
  case 8:
    m = req(GOFER_UNLINK, 0);
    gm_put_str(&m, "");
    gm_put_str(&m, "..");
    break;
  case 9:
    m = req(GOFER_UNLINK, 0);
    gm_put_str(&m, "");
    gm_put_str(&m, "dir/inner");
    break;
  case 10:
    m = req(GOFER_UNLINK, 0);
    gm_put_str(&m, "");
    gm_put_str(&m, "");
    break;
  case 11:
    m = req(GOFER_OPEN, 0);
    gm_put_str(&m, "file");
    gm_put_u32(&m, O_CREAT | O_RDWR);
    break;
  case 12:
    m = req(GOFER_WALK, 0);
    gm_put_str(&m, "");
    gm_put_u32(&m, 0xffffffff);
    break;
  case 13:
    m = req(GOFER_WALK, 0);
    gm_put_str(&m, "");
    gm_put_u32(&m, 1);
    gm_put_str(&m, ".");
    break;
  case 14:
    m = req(GOFER_SYMLINK, 0);
    gm_put_str(&m, "");
    gm_put_str(&m, "a/b");
    gm_put_str(&m, "x");
    gm_put_u64(&m, 0);
    break;
  case 15: { /* overlong path */
    char *p = malloc(5000);
    for (int i = 0; i < 5000; i++)
      p[i] = i % 2 ? '/' : 'a';
    gm_put_strn(&m, p, 4999);
    free(p);
    break;
  }
  case 16:
    m.pos = 3;
    break; /* shorter than a header: ask() still writes one, so cut it */
  case 17:
    m = req(GOFER_RENAME, 0);
    gm_put_str(&m, "");
    gm_put_str(&m, "file");
    gm_put_str(&m, "");
    gm_put_str(&m, "x");
    gm_put_u32(&m, 4);
    break;
  }
  ck_assert_int_eq(ask(&m, NULL, NULL), -1);
}
END_TEST

START_TEST(test_sends_descriptor) {
  struct gofer_msg m = req(GOFER_GETATTR, 0);
  gm_put_str(&m, "");
  struct gofer_hdr h;
  memcpy(&h, m.buf, sizeof h);
  h.size = (uint32_t)m.pos;
  memcpy(m.buf, &h, sizeof h);
  struct iovec iov = {m.buf, m.pos};
  union {
    struct cmsghdr align;
    char buf[CMSG_SPACE(sizeof(int))];
  } c = {0};
  struct msghdr mh = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = c.buf, .msg_controllen = sizeof c.buf};
  struct cmsghdr *cm = CMSG_FIRSTHDR(&mh);
  *cm = (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int))};
  int zero = 0;
  memcpy(CMSG_DATA(cm), &zero, sizeof zero);
  ck_assert_int_gt(sendmsg(sock, &mh, 0), 0);
  ck_assert_int_eq(recv(sock, in_buf, sizeof in_buf, 0), 0);
}
END_TEST

static void new_obj(struct gofer_msg *m, const char *dir, const char *name, uint32_t mode) {
  gm_put_str(m, dir);
  gm_put_str(m, name);
  gm_put_u32(m, mode);
  gm_put_u32(m, 12);
  gm_put_u32(m, 34);
}

START_TEST(test_no_devices) {
  struct gofer_msg m = req(GOFER_MKNOD, 0);
  new_obj(&m, "", "null", S_IFCHR | 0666);
  ck_assert_int_eq(ask(&m, NULL, NULL), EPERM);
  m = req(GOFER_MKNOD, 0);
  new_obj(&m, "", "disk", S_IFBLK | 0666);
  ck_assert_int_eq(ask(&m, NULL, NULL), EPERM);
  m = req(GOFER_MKNOD, 0);
  new_obj(&m, "", "fifo", S_IFIFO | 0640);
  ck_assert_int_eq(ask(&m, NULL, NULL), 0);
  struct stat st;
  ck_assert_int_eq(lstat(at("fifo"), &st), 0);
  ck_assert_uint_eq(st.st_mode, S_IFIFO | 0640);
  ck_assert_uint_eq(st.st_uid, 12);
  ck_assert_int_eq(ask_path(GOFER_OPEN, 0, "fifo"), EOPNOTSUPP);
}
END_TEST

START_TEST(test_create_modes) {
  int fd;
  struct gofer_msg m = req(GOFER_CREATE, 0);
  new_obj(&m, "dir", "suid", 04755);
  ck_assert_int_eq(ask(&m, NULL, &fd), 0);
  ck_assert_int_ge(fd, 0);
  ck_assert_int_eq(fcntl(fd, F_GETFL) & (O_ACCMODE | O_NONBLOCK), O_RDWR);
  close(fd);
  struct stat st;
  ck_assert_int_eq(lstat(at("dir/suid"), &st), 0);
  ck_assert_uint_eq(st.st_mode, S_IFREG | 04755);
  ck_assert_uint_eq(st.st_uid, 12);
  ck_assert_uint_eq(st.st_gid, 34);
  m = req(GOFER_CREATE, 0);
  new_obj(&m, "", "out", 0644); /* a symlink out of the tree is there already */
  ck_assert_int_eq(ask(&m, NULL, &fd), EEXIST);
  m = req(GOFER_MKDIR, 0);
  new_obj(&m, "", "sticky", 01777);
  ck_assert_int_eq(ask(&m, NULL, NULL), 0);
  ck_assert_int_eq(lstat(at("sticky"), &st), 0);
  ck_assert_uint_eq(st.st_mode, S_IFDIR | 01777);
}
END_TEST

START_TEST(test_setattr_symlink) {
  /* chmod and truncate of a symlink must not go through it */
  struct gofer_msg m = req(GOFER_SETATTR, 0);
  struct gofer_setattr s = {.valid = GSET_MODE, .mode = 0700};
  gm_put_str(&m, "out");
  gm_put(&m, &any, sizeof any);
  gm_put(&m, &s, sizeof s);
  ck_assert_int_eq(ask(&m, NULL, NULL), EOPNOTSUPP);
  m = req(GOFER_SETATTR, 0);
  s = (struct gofer_setattr){.valid = GSET_SIZE};
  gm_put_str(&m, "out");
  gm_put(&m, &any, sizeof any);
  gm_put(&m, &s, sizeof s);
  ck_assert_int_eq(ask(&m, NULL, NULL), EINVAL);
  m = req(GOFER_SETATTR, 0);
  s = (struct gofer_setattr){.valid = GSET_UID, .uid = 99};
  gm_put_str(&m, "out");
  gm_put(&m, &any, sizeof any);
  gm_put(&m, &s, sizeof s);
  ck_assert_int_eq(ask(&m, NULL, NULL), 0); /* lchown */
  struct stat st;
  ck_assert_int_eq(stat(canary, &st), 0);
  ck_assert_uint_eq(st.st_mode, S_IFREG | 0644);
  ck_assert_uint_eq(st.st_uid, 0);
  ck_assert_int_eq(lstat(at("out"), &st), 0);
  ck_assert_uint_eq(st.st_uid, 99);
}
END_TEST

START_TEST(test_setattr_id) {
  struct stat st;
  ck_assert_int_eq(stat(at("file"), &st), 0);
  struct gofer_setattr s = {.valid = GSET_MODE, .mode = 0700};
  for (int wrong = 0; wrong < 2; wrong++) {
    struct gofer_id id = {st.st_dev, st.st_ino + (ino_t)wrong};
    struct gofer_msg m = req(GOFER_SETATTR, 0);
    gm_put_str(&m, "file");
    gm_put(&m, &id, sizeof id);
    gm_put(&m, &s, sizeof s);
    ck_assert_int_eq(ask(&m, NULL, NULL), wrong ? ESTALE : 0);
    s.mode = 0777;
  }
  ck_assert_int_eq(stat(at("file"), &st), 0);
  ck_assert_uint_eq(st.st_mode & 07777, 0700);
}
END_TEST

START_TEST(test_readonly) {
  start(true);
  struct gofer_msg m = req(GOFER_MKDIR, 0);
  new_obj(&m, "", "x", 0755);
  ck_assert_int_eq(ask(&m, NULL, NULL), EROFS);
  m = req(GOFER_OPEN, 0);
  gm_put_str(&m, "file");
  gm_put_u32(&m, O_RDWR);
  ck_assert_int_eq(ask(&m, NULL, NULL), EROFS);
  m = req(GOFER_UNLINK, 0);
  gm_put_str(&m, "");
  gm_put_str(&m, "file");
  ck_assert_int_eq(ask(&m, NULL, NULL), EROFS);
  ck_assert_int_eq(ask_path(GOFER_OPEN, 0, "file"), 0);
  stop();
}
END_TEST

/* Another process of the host turns a directory into a symlink to the outside and back, as fast as it can. */
static volatile bool swapping;
static void *swapper(void *arg) {
  char dir[128], real[128], lnk[128];
  snprintf(dir, sizeof dir, "%s/race", tree);
  snprintf(real, sizeof real, "%s/race.real", tree);
  snprintf(lnk, sizeof lnk, "%s/race.lnk", tree);
  while (swapping) {
    renameat2(AT_FDCWD, dir, AT_FDCWD, lnk, RENAME_EXCHANGE);
    renameat2(AT_FDCWD, dir, AT_FDCWD, lnk, RENAME_EXCHANGE);
  }
  (void)real;
  return arg;
}

START_TEST(test_symlink_race) {
  mkdir(at("race"), 0755);
  put_file(at("race/canary"), "inside");
  ck_assert_int_eq(symlink("..", at("race.lnk")), 0); /* race/canary through it is the outside one */
  swapping = true;
  pthread_t th;
  pthread_create(&th, NULL, swapper, NULL);
  int opened = 0;
  for (int i = 0; i < 5000; i++) {
    int fd;
    struct gofer_msg m = req(GOFER_OPEN, 0);
    gm_put_str(&m, "race/canary");
    gm_put_u32(&m, O_RDWR);
    int err = ask(&m, NULL, &fd);
    ck_assert_msg(err == 0 || err == ENOENT || err == ENOTDIR || err == ESTALE, "error %d", err);
    if (err)
      continue;
    char text[8] = "";
    ck_assert_int_eq(pread(fd, text, 6, 0), 6);
    ck_assert_str_eq(text, "inside");
    close(fd);
    opened++;
    m = req(GOFER_SETATTR, 0);
    struct gofer_setattr s = {.valid = GSET_MODE | GSET_UID, .mode = 0600, .uid = 5};
    gm_put_str(&m, "race/canary");
    gm_put(&m, &any, sizeof any);
    gm_put(&m, &s, sizeof s);
    ask(&m, NULL, NULL);
    m = req(GOFER_CREATE, 0);
    new_obj(&m, "race", "planted", 0644);
    if (ask(&m, NULL, &fd) == 0)
      close(fd);
    m = req(GOFER_UNLINK, 0);
    gm_put_str(&m, "race");
    gm_put_str(&m, "planted");
    ask(&m, NULL, NULL);
  }
  swapping = false;
  pthread_join(th, NULL);
  ck_assert_int_gt(opened, 0);
  struct stat st;
  char planted[128];
  snprintf(planted, sizeof planted, "%s/planted", base);
  ck_assert_int_ne(lstat(planted, &st), 0);
  ck_assert_int_eq(stat(canary, &st), 0);
  ck_assert_uint_eq(st.st_uid, 0);
  ck_assert_uint_eq(st.st_mode, S_IFREG | 0644);
}
END_TEST

/* ---- the client ---- */
static struct kernel *k;
static struct gofer *g;
static struct super *sb;
static int deaths;
static void died(void *arg) {
  ++*(int *)arg;
}

static void mount_tree(bool exclusive) {
  struct loop *l = loop_new();
  ck_assert_ptr_nonnull(l);
  k = kernel_new(l);
  ck_assert_ptr_nonnull(k);
  ck_assert_int_eq(vfs_init(k), 0);
  ck_assert_int_eq(gofer_connect(k, sock, died, &deaths, &g), 0);
  sock = -1;
  ck_assert_int_eq(gofer_mount(k, g, 0, exclusive, false, &sb), 0);
}

static void (*fiber_body)(void);
static bool fiber_finished;
static void run_body(void *arg) {
  fiber_body();
  fiber_finished = true;
  loop_stop(k->loop);
}
static void on_fiber(void (*fn)(void)) {
  fiber_body = fn;
  fiber_finished = false;
  ck_assert_int_eq(fiber_spawn(run_body, NULL), 0);
  if (!fiber_finished)
    loop_run(k->loop);
  ck_assert(fiber_finished);
}

static void unmount(void) {
  super_put(sb);
  int gs = g->sock;
  loop_poll_del(k->loop, &g->poll);
  shutdown(gs, SHUT_RDWR); /* the ring still holds the socket */
  close(gs);
}

/* The child `name`, counted, possibly negative. */
static struct dentry *child(struct dentry *d, const char *name) {
  struct dentry *out = NULL;
  unsigned n = (unsigned)strlen(name);
  ck_assert_int_eq(dentry_lookup(d, name, n, name_hash(name, n), false, &out), 0);
  return out;
}

static struct file *open_dentry(struct dentry *d, int flags) {
  struct file *f = file_new(NULL, flags, NULL);
  f->dentry = dentry_get(d);
  f->inode = d->inode;
  int err = d->inode->ops->open(d->inode, f);
  ck_assert_int_eq(err, 0);
  return f;
}
static ssize_t rd(struct file *f, void *buf, size_t n, off_t pos) {
  struct uio u;
  struct iovec iov;
  uio_kernel(&u, &iov, buf, n);
  return f->ops->read(f, &u, &pos);
}
static ssize_t wr(struct file *f, const void *buf, size_t n, off_t pos) {
  struct uio u;
  struct iovec iov;
  uio_kernel(&u, &iov, (void *)buf, n);
  return f->ops->write(f, &u, &pos);
}
static const struct iattr attr644 = {
    .valid = ATTR_MODE | ATTR_UID | ATTR_GID, .mode = S_IFREG | 0644, .uid = 7, .gid = 8};
static const struct iattr attr755 = {
    .valid = ATTR_MODE | ATTR_UID | ATTR_GID, .mode = S_IFDIR | 0755, .uid = 7, .gid = 8};

/* What the VFS does around the operations. */
static struct dentry *make(struct dentry *dir, const char *name, bool is_dir) {
  struct inode *i;
  struct dentry *d = child(dir, name);
  ck_assert_ptr_null(d->inode);
  int err = is_dir ? dir->inode->ops->mkdir(dir->inode, dir, name, &attr755, &i)
                   : dir->inode->ops->create(dir->inode, dir, name, &attr644, &i);
  ck_assert_int_eq(err, 0);
  dcache_instantiate(d, i);
  inode_put(i);
  return d;
}

static void body_files(void) {
  struct dentry *r = sb->root, *f = child(r, "file"), *none = child(r, "none"), *dir = child(r, "dir");
  ck_assert_ptr_nonnull(f->inode);
  ck_assert_ptr_null(none->inode);
  ck_assert_int_eq(f->inode->size, 5);
  struct dentry *inner = child(dir, "inner");
  ck_assert_ptr_nonnull(inner->inode);
  char buf[64] = "";
  struct file *o = open_dentry(f, O_RDONLY);
  ck_assert_int_eq(rd(o, buf, sizeof buf, 0), 5);
  ck_assert_str_eq(buf, "hello");
  ck_assert_int_eq(rd(o, buf, sizeof buf, 5), 0);
  file_put(o);
  uint32_t tag = g->next_tag;
  o = open_dentry(f, O_RDONLY); /* the descriptor is cached */
  file_put(o);
  dentry_put(child(r, "file"));
  dentry_put(child(r, "none"));
  if (gofer_sb_of(f->inode)->exclusive)
    ck_assert_uint_eq(g->next_tag, tag);

  struct dentry *n = make(dir, "new", false);
  ck_assert_uint_eq(n->inode->uid, 7);
  tag = g->next_tag;
  o = open_dentry(n, O_RDWR); /* CREATE brought a descriptor */
  if (gofer_sb_of(f->inode)->exclusive)
    ck_assert_uint_eq(g->next_tag, tag);
  char *big = malloc(300000), *back = malloc(300000);
  for (int i = 0; i < 300000; i++)
    big[i] = (char)(i * 7 + i / 1000);
  ck_assert_int_eq(wr(o, big, 300000, 10), 300000);
  ck_assert_int_eq(n->inode->size, 300010);
  ck_assert_int_eq(rd(o, back, 300000, 10), 300000);
  ck_assert_int_eq(memcmp(big, back, 300000), 0);
  struct iattr tr = {.valid = ATTR_SIZE, .size = 100};
  ck_assert_int_eq(n->inode->ops->setattr(n->inode, n, &tr), 0);
  ck_assert_int_eq(n->inode->size, 100);
  o->flags |= O_APPEND;
  ck_assert_int_eq(wr(o, "tail", 4, 0), 4);
  ck_assert_int_eq(n->inode->size, 104);
  /* unlinked, but open */
  ck_assert_int_eq(dir->inode->ops->unlink(dir->inode, n), 0);
  dentry_drop(n);
  ck_assert_uint_eq(n->inode->nlink, 0);
  ck_assert_int_eq(rd(o, back, 300000, 100), 4);
  tr.size = 2;
  ck_assert_int_eq(n->inode->ops->setattr(n->inode, n, &tr), 0);
  ck_assert_int_eq(rd(o, back, 300000, 0), 2);
  ck_assert_int_eq(o->ops->fsync(o, false), 0);
  file_put(o);
  dentry_put(n);
  struct stat st;
  ck_assert_int_ne(lstat(at("dir/new"), &st), 0);
  free(big);
  free(back);
  dentry_put(inner);
  dentry_put(dir);
  dentry_put(none);
  dentry_put(f);
}

static void body_names(void) {
  struct dentry *r = sb->root, *dir = child(r, "dir");
  uint32_t nlink = r->inode->nlink;
  struct dentry *sub = make(r, "sub", true), *a = make(sub, "a", false);
  ck_assert_uint_eq(r->inode->nlink, nlink + 1);
  /* rename a directory; what is below is reached by the new path */
  struct dentry *to = child(dir, "moved");
  ck_assert_int_eq(r->inode->ops->rename(r->inode, sub, dir->inode, to, 0), 0);
  ck_assert_int_eq(dcache_move(sub, to, false), 0);
  dentry_put(to);
  ck_assert_uint_eq(r->inode->nlink, nlink);
  struct file *o = open_dentry(a, O_RDWR);
  ck_assert_int_eq(wr(o, "x", 1, 0), 1);
  file_put(o);
  struct stat st;
  ck_assert_int_eq(lstat(at("dir/moved/a"), &st), 0);
  ck_assert_int_eq(st.st_size, 1);
  /* hard link: one inode */
  struct dentry *b = child(dir, "b");
  ck_assert_int_eq(dir->inode->ops->link(dir->inode, dir, "b", a), 0);
  dcache_instantiate(b, a->inode);
  ck_assert_uint_eq(a->inode->nlink, 2);
  dentry_drop(b);
  dentry_put(b);
  b = child(dir, "b");
  ck_assert_ptr_eq(b->inode, a->inode);
  /* symlink */
  struct inode *li;
  struct dentry *l = child(dir, "l");
  ck_assert_int_eq(dir->inode->ops->symlink(dir->inode, dir, "l", "/target", &attr644, &li), 0);
  char buf[64];
  ck_assert_int_eq(li->ops->readlink(li, buf, sizeof buf), 7);
  ck_assert_str_eq(buf, "/target");
  inode_put(li);
  dentry_drop(l);
  dentry_put(l);
  l = child(r, "out");
  ck_assert_int_eq(l->inode->ops->readlink(l->inode, buf, sizeof buf), 9);
  ck_assert_str_eq(buf, "../canary");
  dentry_put(l);
  /* attributes */
  struct iattr ia = {.valid = ATTR_MODE | ATTR_UID | ATTR_MTIME, .mode = 0600, .uid = 42, .mtime = {1234, 5678}};
  ck_assert_int_eq(a->inode->ops->setattr(a->inode, a, &ia), 0);
  ck_assert_uint_eq(a->inode->mode, S_IFREG | 0600);
  ck_assert_int_eq(lstat(at("dir/moved/a"), &st), 0);
  ck_assert_uint_eq(st.st_mode, S_IFREG | 0600);
  ck_assert_uint_eq(st.st_uid, 42);
  ck_assert_int_eq(st.st_mtim.tv_sec, 1234);
  ck_assert_int_eq(st.st_mtim.tv_nsec, 5678);
  struct statfs sf;
  ck_assert_int_eq(sb->ops->statfs(sb, &sf), 0);
  ck_assert_uint_gt(sf.f_blocks, 0);
  /* rmdir of what is not empty */
  ck_assert_int_eq(dir->inode->ops->rmdir(dir->inode, sub), -ENOTEMPTY);
  dentry_put(b);
  dentry_put(a);
  dentry_put(sub);
  dentry_put(dir);
}

struct collect {
  struct dir_ctx ctx;
  int n, limit;
  char seen[4000];
};
static bool collect(struct dir_ctx *d, const char *name, size_t len, int64_t next, uint64_t ino, unsigned char type) {
  struct collect *c = (void *)d;
  if (c->limit-- == 0)
    return false;
  int nr;
  if (sscanf(name, "f%d", &nr) == 1) {
    ck_assert_int_eq(c->seen[nr], 0);
    c->seen[nr] = 1;
    ck_assert_int_eq(type, DT_REG);
  }
  c->n++;
  return true;
}

static void body_readdir(void) {
  struct dentry *dir = child(sb->root, "many");
  struct file *o = open_dentry(dir, O_RDONLY);
  struct collect c = {.ctx.emit = collect};
  int before;
  do { /* in portions, as getdents does */
    before = c.n;
    c.limit = 100;
    ck_assert_int_eq(o->ops->iterate(o, &c.ctx), 0);
  } while (c.n > before);
  ck_assert_int_eq(c.n, 3000 + 2);
  file_put(o);
  dentry_put(dir);
}

/* Looking in vain costs messages only until the directory's listing is known, and a change is seen. */
static void body_absent(void) {
  struct dentry *dir = child(sb->root, "dir");
  char name[32];
  uint32_t tag = g->next_tag;
  for (int i = 0; i < 100; i++) {
    snprintf(name, sizeof name, "absent%d", i);
    struct dentry *d = child(dir, name);
    ck_assert_ptr_null(d->inode);
    dentry_put(d);
  }
  if (gofer_sb_of(dir->inode)->exclusive)
    ck_assert_uint_le(g->next_tag - tag, 6);
  dentry_put(make(dir, "present", false));
  dentry_invalidate_children(dir);
  struct dentry *d = child(dir, "present");
  ck_assert_ptr_nonnull(d->inode);
  dentry_put(d);
  dentry_put(dir);
}

static void body_xattr(void) {
  struct dentry *f = child(sb->root, "file");
  const struct inode_ops *ops = f->inode->ops;
  char buf[64];
  int err = ops->setxattr(f->inode, f, "user.a", "value", 5, 0);
  if (err != -EOPNOTSUPP) { /* the host's /tmp may have none */
    ck_assert_int_eq(err, 0);
    ck_assert_int_eq(ops->getxattr(f->inode, f, "user.a", NULL, 0), 5);
    ck_assert_int_eq(ops->getxattr(f->inode, f, "user.a", buf, sizeof buf), 5);
    ck_assert_int_eq(memcmp(buf, "value", 5), 0);
    ck_assert_int_eq(ops->getxattr(f->inode, f, "user.a", buf, 2), -ERANGE);
    ck_assert_int_eq(ops->setxattr(f->inode, f, "user.a", "v", 1, 1), -EEXIST);
    ck_assert_int_eq(ops->listxattr(f->inode, f, buf, sizeof buf), 7);
    ck_assert_str_eq(buf, "user.a");
    ck_assert_int_eq(ops->removexattr(f->inode, f, "user.a"), 0);
    ck_assert_int_eq(ops->getxattr(f->inode, f, "user.a", buf, sizeof buf), -ENODATA);
  }
  ck_assert_int_eq(ops->setxattr(f->inode, f, "trusted.a", "v", 1, 0), -EOPNOTSUPP);
  ck_assert_int_eq(ops->setxattr(f->inode, f, "security.capability", "v", 1, 0), -EOPNOTSUPP);
  dentry_put(f);
}

static int parallel_left;
static struct fiber *parallel_waiter;
static void parallel_one(void *arg) {
  char name[32];
  int nr = (int)(intptr_t)arg;
  snprintf(name, sizeof name, "p%d", nr);
  struct dentry *d = make(sb->root, name, false);
  struct file *o = open_dentry(d, O_RDWR);
  ck_assert_int_eq(wr(o, name, strlen(name), 0), (ssize_t)strlen(name));
  file_put(o);
  dentry_put(d);
  if (--parallel_left == 0)
    fiber_wake(parallel_waiter);
}
static void body_parallel(void) {
  parallel_left = 100; /* more than may be in flight */
  parallel_waiter = fiber_self();
  for (int i = 0; i < 100; i++)
    ck_assert_int_eq(fiber_spawn(parallel_one, (void *)(intptr_t)i), 0);
  while (parallel_left)
    fiber_park();
  struct stat st;
  ck_assert_int_eq(lstat(at("p99"), &st), 0);
  ck_assert_int_eq(st.st_size, 3);
}
static void body_client(void) {
  body_files();
  body_names();
  body_readdir();
  body_xattr();
  body_absent();
  body_parallel();
}

START_TEST(test_client_both) {
  mkdir(at("many"), 0755);
  for (int i = 0; i < 3000; i++) {
    char name[64];
    snprintf(name, sizeof name, "many/f%d", i);
    put_file(at(name), "");
  }
  mount_tree(_i == 0);
  on_fiber(body_client);
  ck_assert_int_eq(deaths, 0);
  unmount();
}
END_TEST

static void body_shared(void) {
  struct dentry *r = sb->root, *f = child(r, "file"), *none = child(r, "none");
  ck_assert_int_eq(f->inode->size, 5);
  put_file(at("file"), "longer than before");
  put_file(at("none"), "now there is one");
  usleep(1000);
  dentry_put(f);
  f = child(r, "file");
  ck_assert_int_eq(f->inode->size, 18);
  dentry_put(none);
  none = child(r, "none");
  ck_assert_ptr_nonnull(none->inode);
  char buf[64] = "";
  struct file *o = open_dentry(f, O_RDONLY);
  ck_assert_int_eq(rd(o, buf, sizeof buf, 0), 18);
  ck_assert_int_eq(unlink(at("none")), 0);
  dentry_put(none);
  none = child(r, "none");
  ck_assert_ptr_null(none->inode);
  /* replaced: another inode; what is open stays */
  put_file(at("file.new"), "other");
  ck_assert_int_eq(rename(at("file.new"), at("file")), 0);
  struct dentry *f2 = child(r, "file");
  ck_assert_ptr_ne(f2->inode, f->inode);
  ck_assert_int_eq(rd(o, buf, sizeof buf, 0), 18);
  file_put(o);
  dentry_put(f2);
  dentry_put(f);
  dentry_put(none);
}
START_TEST(test_client_shared) {
  mount_tree(false);
  on_fiber(body_shared);
  unmount();
}
END_TEST

static void body_death(void) {
  ck_assert_int_gt(server, 1);
  kill(server, SIGSTOP);
  struct dentry *out = NULL;
  kill(server, SIGKILL);
  ck_assert_int_eq(dentry_lookup(sb->root, "x", 1, name_hash("x", 1), false, &out), -EIO);
  ck_assert_int_eq(dentry_lookup(sb->root, "y", 1, name_hash("y", 1), false, &out), -EIO);
}
START_TEST(test_death) {
  start(false);
  mount_tree(true);
  deaths = 0;
  on_fiber(body_death);
  ck_assert_int_eq(deaths, 1);
  waitpid(server, NULL, 0);
  char cmd[128];
  snprintf(cmd, sizeof cmd, "rm -rf %s", base);
  ck_assert_int_eq(system(cmd), 0);
}
END_TEST

int main(void) {
  Suite *s = suite_create("gofer");
  TCase *raw = tcase_create("raw"), *own = tcase_create("own"), *client = tcase_create("client");
  tcase_add_checked_fixture(raw, start_rw, stop);
  tcase_add_checked_fixture(client, start_rw, stop);
  tcase_set_timeout(raw, 30);
  tcase_set_timeout(client, 30);
  tcase_add_test(raw, test_raw_proc);
  tcase_add_test(raw, test_raw_basics);
  tcase_add_loop_test(raw, test_bad_paths, 0, (int)(sizeof bad_paths / sizeof *bad_paths));
  tcase_add_loop_test(raw, test_malformed, 0, 18);
  tcase_add_test(raw, test_sends_descriptor);
  tcase_add_test(raw, test_no_devices);
  tcase_add_test(raw, test_create_modes);
  tcase_add_test(raw, test_setattr_symlink);
  tcase_add_test(raw, test_setattr_id);
  tcase_add_test(raw, test_symlink_race);
  tcase_add_test(own, test_readonly);
  tcase_add_test(own, test_death);
  tcase_add_loop_test(client, test_client_both, 0, 2);
  tcase_add_test(client, test_client_shared);
  suite_add_tcase(s, raw);
  suite_add_tcase(s, own);
  suite_add_tcase(s, client);
  SRunner *r = srunner_create(s);
  srunner_run_all(r, CK_NORMAL);
  int failed = srunner_ntests_failed(r);
  srunner_free(r);
  return failed != 0;
}
