/* The contents of tmpfs files against a host file, limits, seals, and what a tree costs when it goes. */
#include "vfs_util.h"
#include <linux/falloc.h>
#include <sys/mman.h>
#include <unistd.h>

static struct vt v;
static unsigned seed;
static unsigned rnd(unsigned n) {
  seed = seed * 1103515245 + 12345;
  return (seed >> 8) % n;
}
static long err(long r) {
  return r < 0 ? -errno : r;
}

#define SPAN 300000
static char buf[SPAN], mine[SPAN], theirs[SPAN];

static void same_contents(int fd, struct file *f) {
  struct stat st;
  off_t at = 0;
  fstat(fd, &st);
  ck_assert_int_eq(st.st_size, f->inode->size);
  ssize_t h = pread(fd, theirs, SPAN, 0), o = vt_rw(f, mine, SPAN, false, &at);
  ck_assert_int_eq(h, o);
  ck_assert(!memcmp(mine, theirs, (size_t)h));
}

static void data_step(int fd, struct file *f, unsigned span) {
  off_t off = rnd(span), at = off;
  size_t n = rnd(rnd(4) ? 2000 : span / 2);
  for (size_t i = 0; i < n; i++)
    buf[i] = (char)rnd(256);
  switch (rnd(6)) {
  case 0:
  case 1:
    ck_assert_int_eq(pwrite(fd, buf, n, off), vt_rw(f, buf, n, true, &at));
    break;
  case 2:
    ck_assert_int_eq(err(pread(fd, theirs, n, off)), vt_rw(f, mine, n, false, &at));
    break;
  case 3: {
    struct path p = {f->mnt, f->dentry};
    ck_assert_int_eq(err(ftruncate(fd, off)), vfs_truncate(&v.task, &p, off));
    break;
  }
  case 4: {
    int mode = (int[]){0, FALLOC_FL_KEEP_SIZE, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE}[rnd(3)];
    ck_assert_int_eq(err(fallocate(fd, mode, off, (off_t)n + 1)), f->ops->fallocate(f, mode, off, (off_t)n + 1));
    break;
  }
  default:
    ck_assert_int_eq(err(lseek(fd, off, SEEK_SET)), f->ops->llseek(f, off, SEEK_SET));
    ck_assert_int_eq(write(fd, buf, n), vt_rw(f, buf, n, true, NULL));
  }
}

/* Small files stay in the heap, large ones move to a memfd in the course of it. */
START_TEST(contents) {
  unsigned span = _i % 2 ? 30000 : SPAN / 2;
  struct file *f;
  seed = 5 + (unsigned)_i;
  vt_setup(&v, "");
  int fd = memfd_create("model", 0);
  ck_assert_int_eq(vt_open(&v, "f", O_RDWR | O_CREAT, 0600, &f), 0);
  for (int i = 0; i < 1500; i++) {
    data_step(fd, f, span);
    if (i % 10 == 0)
      same_contents(fd, f);
  }
  same_contents(fd, f);
  off_t host_off;
  ck_assert_int_ge(f->ops->mmap(f, PROT_READ, MAP_SHARED, 0, 4096, &host_off), 0);
  same_contents(fd, f);
  for (int i = 0; i < 300; i++)
    data_step(fd, f, span);
  same_contents(fd, f);
  file_put(f);
  close(fd);
  vt_teardown(&v);
}
END_TEST

START_TEST(limits) {
  struct file *f;
  struct statfs st = {0};
  struct super *sb;
  vt_setup(&v, "size=128k,nr_inodes=4,mode=700,uid=5");
  sb = v.mnt->sb;
  ck_assert_int_eq(sb->root->inode->uid, 5);
  ck_assert_str_eq(sb->options, "size=128k,nr_inodes=4,mode=700,uid=5");
  ck_assert_int_eq(vt_open(&v, "f", O_RDWR | O_CREAT | O_APPEND, 0600, &f), 0);
  memset(buf, 1, sizeof buf);
  ck_assert_int_eq(vt_rw(f, buf, 100000, true, NULL), 100000);
  ck_assert_int_eq(vt_rw(f, buf, 100000, true, NULL), 131072 - 100000);
  ck_assert_int_eq(vt_rw(f, buf, 1, true, NULL), -ENOSPC);
  sb->ops->statfs(sb, &st);
  ck_assert_int_eq((int)st.f_blocks, 32);
  ck_assert_int_eq((int)st.f_bfree, 0);
  file_put(f);
  ck_assert_int_eq(vfs_unlink(&v.task, AT_FDCWD, "f"), 0);
  sb->ops->statfs(sb, &st);
  ck_assert_int_eq((int)st.f_bfree, 32);
  for (int i = 0; i < 3; i++)
    ck_assert_int_eq(vfs_mkdir(&v.task, AT_FDCWD, (const char *[]){"a", "b", "c"}[i], 0755), 0);
  ck_assert_int_eq(vfs_mkdir(&v.task, AT_FDCWD, "d", 0755), -ENOSPC);
  ck_assert_int_eq(sb->ops->remount(sb, "size=64k"), 0);
  struct super *bad;
  ck_assert_int_eq(tmpfs_mount(v.k, "nonsense=1", &bad), -EINVAL);
  ck_assert_int_eq(tmpfs_mount(v.k, "size=1x", &bad), -EINVAL);
  vt_teardown(&v);
}
END_TEST

START_TEST(seals) {
  struct file *f;
  struct path p;
  off_t host_off;
  char b[64];
  vt_setup(&v, "");
  ck_assert_int_eq(tmpfs_anon_file(v.k, 8192, "memfd:x", 0, &f), 0);
  ck_assert_int_eq(tmpfs_add_seals(f, F_SEAL_GROW), -EPERM);
  file_put(f);
  ck_assert_int_eq(tmpfs_anon_file(v.k, 8192, "memfd:x", 2, &f), 0);
  p = (struct path){f->mnt, f->dentry};
  ck_assert_str_eq(vfs_path_string(&v.task, &p, b, sizeof b), "/memfd:x (deleted)");
  ck_assert_int_eq(tmpfs_add_seals(f, F_SEAL_SHRINK), 0);
  ck_assert_int_eq(vfs_truncate(&v.task, &p, 10), -EPERM);
  ck_assert_int_eq(vfs_truncate(&v.task, &p, 9000), 0);
  ck_assert_int_eq(tmpfs_add_seals(f, F_SEAL_GROW), 0);
  ck_assert_int_eq(vfs_truncate(&v.task, &p, 10000), -EPERM);
  int fd = f->ops->mmap(f, PROT_WRITE, MAP_SHARED, 0, 4096, &host_off);
  void *m = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  ck_assert_ptr_ne(m, MAP_FAILED);
  ck_assert_int_eq(tmpfs_add_seals(f, F_SEAL_WRITE), -EBUSY);
  munmap(m, 4096);
  ck_assert_int_eq(tmpfs_add_seals(f, F_SEAL_WRITE), 0);
  ck_assert_int_eq(vt_rw(f, b, 1, true, NULL), -EPERM);
  ck_assert_int_eq(f->ops->mmap(f, PROT_WRITE, MAP_SHARED, 0, 4096, &host_off), -EPERM);
  file_put(f);
  vt_teardown(&v);
}
END_TEST

/* Ten thousand small files: no descriptors; and a chain of directories deeper than a stack could recurse. */
START_TEST(many) {
  char name[32];
  vt_setup(&v, "");
  int before = dup(0);
  close(before);
  for (int i = 0; i < 10000; i++) {
    struct file *f;
    snprintf(name, sizeof name, "f%d", i);
    ck_assert_int_eq(vt_open(&v, name, O_RDWR | O_CREAT, 0600, &f), 0);
    ck_assert_int_eq(vt_rw(f, name, 5, true, NULL), 5);
    file_put(f);
  }
  int after = dup(0);
  ck_assert_int_eq(before, after);
  struct super *sb;
  struct path at;
  struct mount *m;
  ck_assert_int_eq(vfs_mkdir(&v.task, AT_FDCWD, "deep", 0755), 0);
  ck_assert_int_eq(vfs_lookup(&v.task, AT_FDCWD, "deep", 0, &at), 0);
  ck_assert_int_eq(tmpfs_mount(v.k, "", &sb), 0);
  ck_assert_int_eq(vfs_mount(v.k->vfs, v.k->vfs->init_ns, sb, &at, 0, "t", &m), 0);
  super_put(sb);
  path_put(&at);
  ck_assert_int_eq(vfs_lookup(&v.task, AT_FDCWD, "deep", 0, &at), 0);
  for (int i = 0; i < 200000; i++) {
    fs_ctx_set_pwd(v.task.fs, &at);
    path_put(&at);
    ck_assert_int_eq(vfs_mkdir(&v.task, AT_FDCWD, "d", 0755), 0);
    ck_assert_int_eq(vfs_lookup(&v.task, AT_FDCWD, "d", 0, &at), 0);
  }
  path_put(&at);
  at = v.task.fs->root;
  fs_ctx_set_pwd(v.task.fs, &at);
  ck_assert_int_eq(vfs_umount(v.k->vfs, v.k->vfs->init_ns, m, 0), 0);
  mount_put(m);
  vt_teardown(&v);
}
END_TEST

START_TEST(xattrs) {
  struct path p;
  char b[100];
  vt_setup(&v, "");
  ck_assert_int_eq(vfs_mknod(&v.task, AT_FDCWD, "f", S_IFREG | 0644, 0), 0);
  ck_assert_int_eq(vfs_lookup(&v.task, AT_FDCWD, "f", 0, &p), 0);
  ck_assert_int_eq(vfs_setxattr(&v.task, &p, "user.a", "val", 3, 0), 0);
  ck_assert_int_eq(vfs_setxattr(&v.task, &p, "user.a", "val", 3, 1), -EEXIST);
  ck_assert_int_eq(vfs_setxattr(&v.task, &p, "user.b", "val", 3, 2), -ENODATA);
  ck_assert_int_eq(vfs_setxattr(&v.task, &p, "trusted.t", "x", 1, 0), 0);
  ck_assert_int_eq(vfs_setxattr(&v.task, &p, "system.posix_acl_access", "x", 1, 0), -EINVAL);
  ck_assert_int_eq(vfs_getxattr(&v.task, &p, "user.a", b, 2), -ERANGE);
  ck_assert_int_eq(vfs_getxattr(&v.task, &p, "user.a", NULL, 0), 3);
  ck_assert_int_eq(vfs_listxattr(&v.task, &p, b, sizeof b), 17);
  vt_user(&v, 1000, 1000);
  ck_assert_int_eq(vfs_listxattr(&v.task, &p, b, sizeof b), 7);
  ck_assert_int_eq(vfs_getxattr(&v.task, &p, "trusted.t", b, 10), -ENODATA);
  ck_assert_int_eq(vfs_setxattr(&v.task, &p, "user.a", "val", 3, 0), -EACCES);
  path_put(&p);
  vt_teardown(&v);
}
END_TEST

int main(void) {
  Suite *s = suite_create("tmpfs");
  TCase *c = tcase_create("tmpfs");
  tcase_set_timeout(c, 60);
  tcase_add_loop_test(c, contents, 0, 4);
  tcase_add_test(c, limits);
  tcase_add_test(c, seals);
  tcase_add_test(c, many);
  tcase_add_test(c, xattrs);
  suite_add_tcase(s, c);
  return vt_run(s);
}
