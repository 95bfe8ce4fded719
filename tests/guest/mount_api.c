/* open_tree(2), move_mount(2), fsopen(2), fsconfig(2), fsmount(2), fspick(2), mount_setattr(2). */
#include "guest.h"
#include <linux/mount.h>
#include <sys/mount.h>
#include <sys/statfs.h>
#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif

static int res(const char *what, long r) {
  say("%s: %s", what, r < 0 ? ename(errno) : "ok");
  return (int)r;
}
static void exists(const char *p) {
  say("%s %s", p, access(p, F_OK) ? ename(errno) : "exists");
}
static void touch(const char *p) {
  int fd = open(p, O_CREAT | O_WRONLY, 0644);
  if (fd >= 0)
    close(fd);
}
static long cfg(int fd, unsigned cmd, const char *k, const char *v, int aux) {
  return syscall(SYS_fsconfig, fd, cmd, k, v, aux);
}
static long setattr(const char *p, unsigned flags, uint64_t set, uint64_t clr, uint64_t prop) {
  struct mount_attr m = {.attr_set = set, .attr_clr = clr, .propagation = prop};
  return syscall(SYS_mount_setattr, AT_FDCWD, p, flags, &m, sizeof m);
}

static void by_context(void) {
  char buf[256];
  res("fsopen unknown", syscall(SYS_fsopen, "nosuchfs", 0));
  res("fsopen flags", syscall(SYS_fsopen, "tmpfs", 8));
  int fs = res("fsopen", syscall(SYS_fsopen, "tmpfs", FSOPEN_CLOEXEC));
  say("cloexec %d", fcntl(fs, F_GETFD));
  res("read nothing", read(fs, buf, sizeof buf));
  res("mount too early", syscall(SYS_fsmount, fs, 0, 0));
  res("size", cfg(fs, FSCONFIG_SET_STRING, "size", "1m", 0));
  res("mode", cfg(fs, FSCONFIG_SET_STRING, "mode", "0700", 0));
  res("source", cfg(fs, FSCONFIG_SET_STRING, "source", "mysource", 0));
  res("source again", cfg(fs, FSCONFIG_SET_STRING, "source", "other", 0));
  res("unknown key", cfg(fs, FSCONFIG_SET_STRING, "nonsense", "1", 0));
  ssize_t n = read(fs, buf, sizeof buf);
  say("message: %d", n > 0);
  res("flag with value", cfg(fs, FSCONFIG_SET_FLAG, "ro", "x", 0));
  res("string without value", cfg(fs, FSCONFIG_SET_STRING, "size", NULL, 0));
  res("bad command", cfg(fs, 77, NULL, NULL, 0));
  res("reconfigure too early", cfg(fs, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0));
  res("create", cfg(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0));
  res("create again", cfg(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0));
  res("option too late", cfg(fs, FSCONFIG_SET_STRING, "size", "2m", 0));
  res("bad attributes", syscall(SYS_fsmount, fs, 0, 0x40000000));
  int m = res("fsmount", syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOEXEC | MOUNT_ATTR_NOSUID));
  res("fsmount again", syscall(SYS_fsmount, fs, 0, 0));
  say("create in the detached tree: %d", openat(m, "file", O_CREAT | O_WRONLY, 0644) >= 0);
  mkdir("t", 0755);
  res("move_mount", syscall(SYS_move_mount, m, "", AT_FDCWD, "t", MOVE_MOUNT_F_EMPTY_PATH));
  res("move again", syscall(SYS_move_mount, m, "", AT_FDCWD, "t", MOVE_MOUNT_F_EMPTY_PATH));
  exists("t/file");
  struct stat st;
  stat("t", &st);
  say("mode %o", st.st_mode & 07777);
  close(m), close(fs);
  exists("t/file");
  res("config of another file", cfg(0, FSCONFIG_SET_FLAG, "ro", NULL, 0));
  res("config of -1", cfg(-1, FSCONFIG_SET_FLAG, "ro", NULL, 0));
  fs = res("fspick", syscall(SYS_fspick, AT_FDCWD, "t", 0));
  res("ro", cfg(fs, FSCONFIG_SET_FLAG, "ro", NULL, 0));
  res("reconfigure", cfg(fs, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0));
  res("write", open("t/new", O_CREAT | O_WRONLY, 0644));
  res("rw", cfg(fs, FSCONFIG_SET_FLAG, "rw", NULL, 0));
  res("reconfigure", cfg(fs, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0));
  res("write", open("t/new", O_CREAT | O_WRONLY, 0644));
  close(fs);
  mkdir("plain", 0755);
  res("fspick of no mount", syscall(SYS_fspick, AT_FDCWD, "plain", 0));
  umount2("t", MNT_DETACH);
}

static void trees(void) {
  mkdir("a", 0755), mkdir("b", 0755), mkdir("c", 0755);
  MUST(mount("x", "a", "tmpfs", 0, NULL));
  mkdir("a/s", 0755);
  MUST(mount("x", "a/s", "tmpfs", 0, NULL));
  touch("a/s/in"), touch("a/top");
  res("recursive without clone", syscall(SYS_open_tree, AT_FDCWD, "a", AT_RECURSIVE));
  int p = res("plain", syscall(SYS_open_tree, AT_FDCWD, "a", OPEN_TREE_CLOEXEC));
  say("O_PATH %d", !!(fcntl(p, F_GETFL) & O_PATH));
  close(p);
  int one = res("clone", syscall(SYS_open_tree, AT_FDCWD, "a", OPEN_TREE_CLONE));
  int all = res("clone all", syscall(SYS_open_tree, AT_FDCWD, "a", OPEN_TREE_CLONE | AT_RECURSIVE));
  say("one: top %d in %d", faccessat(one, "top", F_OK, 0), faccessat(one, "s/in", F_OK, 0));
  say("all: top %d in %d", faccessat(all, "top", F_OK, 0), faccessat(all, "s/in", F_OK, 0));
  res("set ro", setattr("a", 0, MOUNT_ATTR_RDONLY, 0, 0));
  res("write in a", open("a/w", O_CREAT | O_WRONLY, 0600));
  say("write in the copy %d", openat(one, "w", O_CREAT | O_WRONLY, 0600) >= 0);
  struct mount_attr ro = {.attr_set = MOUNT_ATTR_RDONLY};
  res("ro of the detached", syscall(SYS_mount_setattr, all, "", AT_EMPTY_PATH | AT_RECURSIVE, &ro, sizeof ro));
  res("attach", syscall(SYS_move_mount, all, "", AT_FDCWD, "b", MOVE_MOUNT_F_EMPTY_PATH));
  res("write in b/s", open("b/s/w", O_CREAT | O_WRONLY, 0600));
  exists("b/s/in");
  close(all);
  exists("b/s/in");
  close(one);
  res("move a mount", syscall(SYS_move_mount, AT_FDCWD, "b", AT_FDCWD, "c", 0));
  exists("c/s/in");
  res("move file to directory", syscall(SYS_move_mount, AT_FDCWD, "c", AT_FDCWD, "/etc/passwd", 0));
  res("bad flags", syscall(SYS_move_mount, AT_FDCWD, "c", AT_FDCWD, "b", 0x10000));
  umount2("c", MNT_DETACH), umount2("a", MNT_DETACH);
}

static void attributes(void) {
  MUST(mount("x", "a", "tmpfs", 0, NULL));
  struct mount_attr m[2] = {{0}};
  res("size 0", syscall(SYS_mount_setattr, AT_FDCWD, "a", 0, m, 0));
  res("size 8192", syscall(SYS_mount_setattr, AT_FDCWD, "a", 0, m, 8192));
  res("larger, zero", syscall(SYS_mount_setattr, AT_FDCWD, "a", 0, m, sizeof m));
  m[1].attr_set = 1;
  res("larger, not zero", syscall(SYS_mount_setattr, AT_FDCWD, "a", 0, m, sizeof m));
  res("flags", setattr("a", 0x4, 0, 0, 0));
  res("unknown", setattr("a", 0, 1ull << 40, 0, 0));
  res("atime without clearing", setattr("a", 0, MOUNT_ATTR_NOATIME, 0, 0));
  res("half of atime cleared", setattr("a", 0, 0, MOUNT_ATTR_NOATIME, 0));
  res("noatime", setattr("a", 0, MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME, 0));
  res("two types", setattr("a", 0, 0, 0, MS_SHARED | MS_PRIVATE));
  res("shared", setattr("a", 0, 0, 0, MS_SHARED));
  res("not a mount", setattr("b", 0, MOUNT_ATTR_RDONLY, 0, 0));
  int fd = open("a/w", O_CREAT | O_WRONLY, 0600);
  res("busy", setattr("a", 0, MOUNT_ATTR_RDONLY, 0, 0));
  close(fd);
  res("ro", setattr("a", 0, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV, 0, 0));
  res("set and clear", setattr("a", 0, MOUNT_ATTR_NOEXEC, MOUNT_ATTR_RDONLY, 0));
  char line[4096], *d;
  FILE *f = fopen("/proc/self/mountinfo", "re");
  while (fgets(line, sizeof line, f))
    if ((d = strstr(line, "/a rw,")))
      say("%.*s", (int)(strcspn(d, " ") + 1 + strcspn(d + 3, " ")), d);
  fclose(f);
  umount2("a", MNT_DETACH);
  CHILD("unprivileged") {
    become_user(1000);
    res("fsopen", syscall(SYS_fsopen, "tmpfs", 0));
    res("open_tree clone", syscall(SYS_open_tree, AT_FDCWD, "/", OPEN_TREE_CLONE));
    res("open_tree", syscall(SYS_open_tree, AT_FDCWD, "/", 0));
    res("move_mount", syscall(SYS_move_mount, AT_FDCWD, "/", AT_FDCWD, "/", 0));
    res("setattr", setattr("/", 0, MOUNT_ATTR_RDONLY, 0, 0));
  }
}

int main(void) {
  MUST(unshare(CLONE_NEWNS));
  MUST(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
  by_context();
  trees();
  attributes();
  return 0;
}
