/* POSIX access control lists: acl(5), on a tmpfs. */
#include "guest.h"
#include <sys/mount.h>
#include <sys/xattr.h>

#define ACCESS "system.posix_acl_access"
#define DEFAULT "system.posix_acl_default"
struct e {
  uint16_t tag, perm;
  uint32_t id;
};
enum { UO = 1, U = 2, GO = 4, G = 8, M = 16, O = 32 };

static int set(const char *path, const char *name, const struct e *e, int n) {
  char buf[4 + 32 * sizeof *e];
  uint32_t v = 2;
  memcpy(buf, &v, 4);
  memcpy(buf + 4, e, n * sizeof *e);
  return setxattr(path, name, buf, 4 + n * sizeof *e, 0);
}
#define SET(path, name, ...)                                                                                           \
  ({                                                                                                                   \
    struct e list[] = {__VA_ARGS__};                                                                                   \
    set(path, name, list, sizeof list / sizeof *list);                                                                 \
  })
static void res(const char *what, long r) {
  say("%s: %s", what, r < 0 ? ename(errno) : "ok");
}
static void show_acl(const char *path, const char *name) {
  char buf[1024], out[512];
  struct stat st;
  ssize_t n = getxattr(path, name, buf, sizeof buf);
  stat(path, &st);
  int len = snprintf(out, sizeof out, "%s %s mode %o:", path, name + 17, st.st_mode & 07777);
  for (ssize_t at = 4; n > 0 && at + 8 <= n; at += 8) {
    struct e e;
    memcpy(&e, buf + at, 8);
    len += snprintf(out + len, sizeof out - len, " %x:%d:%o", e.tag, (int)e.id, e.perm);
  }
  say("%s%s", out, n < 0 ? ename(errno) : "");
}
static void as(uid_t uid, gid_t gid, gid_t extra, const char *path) {
  pid_t c = child_fork();
  if (!c) {
    setgroups(extra ? 1 : 0, &extra);
    setresgid(gid, gid, gid);
    setresuid(uid, uid, uid);
    say("  uid %d gid %d+%d: r %s w %s x %s", uid, gid, extra, access(path, R_OK) ? "-" : "r",
        access(path, W_OK) ? "-" : "w", access(path, X_OK) ? "-" : "x");
    _exit(0);
  }
  waitpid(c, NULL, 0);
}
static void try_all(const char *path) {
  as(10, 10, 0, path), as(11, 11, 0, path), as(12, 12, 0, path), as(13, 20, 0, path), as(13, 13, 20, path),
      as(13, 21, 0, path), as(14, 14, 0, path);
}
static void make(const char *p, mode_t mode) {
  int fd = open(p, O_CREAT | O_EXCL | O_WRONLY, mode);
  if (fd < 0)
    say("%s: %s", p, ename(errno));
  close(fd);
}

int main(void) {
  MUST(unshare(CLONE_NEWNS));
  MUST(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
  MUST(mkdir("m", 0755));
  MUST(mount("x", "m", "tmpfs", 0, NULL));
  MUST(chdir("m"));
  chmod(".", 0755);
  umask(022);
  make("f", 0644);
  chown("f", 10, 20);
  res("get none", getxattr("f", ACCESS, NULL, 0));
  res("set", SET("f", ACCESS, {UO, 6, -1}, {U, 5, 11}, {U, 7, 12}, {GO, 4, -1}, {G, 7, 21}, {M, 6, -1}, {O, 1, -1}));
  show_acl("f", ACCESS);
  try_all("f");
  res("chmod", chmod("f", 0751));
  show_acl("f", ACCESS);
  try_all("f");
  char names[256];
  ssize_t n = listxattr("f", names, sizeof names);
  say("list: %zd %s", n, n > 0 ? names : "");
  say("size %zd, small buffer %s", getxattr("f", ACCESS, NULL, 0), getxattr("f", ACCESS, names, 5) < 0 ? ename(errno) : "");
  res("as plain mode", SET("f", ACCESS, {UO, 7, -1}, {GO, 5, -1}, {O, 0, -1}));
  show_acl("f", ACCESS);
  res("no owner", SET("f", ACCESS, {GO, 5, -1}, {O, 0, -1}));
  res("no mask", SET("f", ACCESS, {UO, 7, -1}, {U, 7, 1}, {GO, 5, -1}, {O, 0, -1}));
  res("order", SET("f", ACCESS, {GO, 5, -1}, {UO, 7, -1}, {O, 0, -1}));
  res("bad bits", SET("f", ACCESS, {UO, 17, -1}, {GO, 5, -1}, {O, 0, -1}));
  res("bad tag", SET("f", ACCESS, {UO, 7, -1}, {GO, 5, -1}, {3, 0, -1}));
  res("short", setxattr("f", ACCESS, "ab", 2, 0));
  res("bad version", setxattr("f", ACCESS, "\1\0\0\0", 4, 0));
  res("default of a file", SET("f", DEFAULT, {UO, 7, -1}, {GO, 5, -1}, {O, 0, -1}));
  res("other system attribute", setxattr("f", "system.foo", "x", 1, 0));
  res("set again", SET("f", ACCESS, {UO, 7, -1}, {U, 6, 12}, {GO, 5, -1}, {M, 7, -1}, {O, 0, -1}));
  res("remove", removexattr("f", ACCESS));
  show_acl("f", ACCESS);
  symlink("f", "l");
  res("of a link", lsetxattr("l", ACCESS, "\2\0\0\0", 4, 0));

  mkdir("d", 0755);
  res("default", SET("d", DEFAULT, {UO, 7, -1}, {U, 7, 11}, {GO, 5, -1}, {M, 7, -1}, {O, 4, -1}));
  show_acl("d", DEFAULT);
  show_acl("d", ACCESS);
  make("d/file", 0666);
  show_acl("d/file", ACCESS);
  make("d/strict", 0600);
  show_acl("d/strict", ACCESS);
  mkdir("d/sub", 0777);
  show_acl("d/sub", ACCESS);
  show_acl("d/sub", DEFAULT);
  mknod("d/fifo", S_IFIFO | 0666, 0);
  show_acl("d/fifo", ACCESS);
  symlink("x", "d/link");
  res("remove default", removexattr("d", DEFAULT));
  make("d/later", 0666);
  show_acl("d/later", ACCESS);
  chmod("d", 0777);
  res("plain default", SET("d", DEFAULT, {UO, 7, -1}, {GO, 7, -1}, {O, 7, -1}));
  make("d/wide", 0666);
  show_acl("d/wide", ACCESS);
  CHILD("not the owner") {
    become_user(1000);
    res("set", SET("f", ACCESS, {UO, 7, -1}, {GO, 5, -1}, {O, 0, -1}));
    res("remove", removexattr("d", DEFAULT));
  }
  return 0;
}
