/* Immutable and append-only files: ioctl_iflags(2), on a tmpfs; hard links to what is not one's own. */
#include "guest.h"
#include <linux/fs.h>
#include <linux/fiemap.h>
#include <sys/mount.h>
#include <sys/xattr.h>

static void res(const char *what, long r) {
  say("%s: %s", what, r < 0 ? ename(errno) : "ok");
}
static int set(const char *p, unsigned fl) {
  int fd = open(p, O_RDONLY), r = ioctl(fd, FS_IOC_SETFLAGS, &fl), e = errno;
  close(fd);
  errno = e;
  return r;
}
static void get(const char *p) {
  unsigned fl = 0;
  struct fsxattr x = {0};
  struct statx sx;
  int fd = open(p, O_RDONLY), r = ioctl(fd, FS_IOC_GETFLAGS, &fl), q = ioctl(fd, FS_IOC_FSGETXATTR, &x);
  statx(AT_FDCWD, p, 0, STATX_ALL, &sx);
  say("%s: %d %x, %d %x, statx %llx of %d", p, r, fl, q, x.fsx_xflags, (unsigned long long)sx.stx_attributes & 0x70,
      (sx.stx_attributes_mask & 0x70) == 0x70);
  close(fd);
}
static void attack(const char *p) {
  res(" write open", open(p, O_WRONLY));
  res(" append open", open(p, O_WRONLY | O_APPEND));
  res(" truncating open", open(p, O_WRONLY | O_APPEND | O_TRUNC));
  res(" read open", open(p, O_RDONLY));
  res(" truncate", truncate(p, 0));
  res(" chmod", chmod(p, 0600));
  res(" chown", chown(p, 1, 1));
  res(" touch", utimensat(AT_FDCWD, p, NULL, 0));
  res(" link", link(p, "other"));
  res(" rename", rename(p, "renamed"));
  res(" setxattr", setxattr(p, "trusted.x", "1", 1, 0));
  res(" unlink", unlink(p));
}

int main(void) {
  MUST(unshare(CLONE_NEWNS));
  MUST(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
  MUST(mkdir("m", 0755));
  MUST(mount("x", "m", "tmpfs", 0, NULL));
  MUST(chdir("m"));
  MUST(write_file("f", "text"));
  get("f");
  res("immutable", set("f", FS_IMMUTABLE_FL));
  get("f");
  attack("f");
  res("append", set("f", FS_APPEND_FL));
  get("f");
  attack("f");
  res("nodump, noatime", set("f", FS_NODUMP_FL | FS_NOATIME_FL));
  get("f");
  res("unsupported", set("f", FS_COMPR_FL));
  mkdir("d", 0755);
  MUST(write_file("d/in", "x"));
  res("immutable dir", set("d", FS_IMMUTABLE_FL));
  res(" create in it", open("d/new", O_CREAT | O_WRONLY, 0600));
  res(" unlink in it", unlink("d/in"));
  res(" mkdir in it", mkdir("d/sub", 0700));
  res(" write what is in it", open("d/in", O_WRONLY));
  res(" rmdir", rmdir("d"));
  res("append dir", set("d", FS_APPEND_FL));
  res(" create in it", open("d/new", O_CREAT | O_WRONLY, 0600));
  res(" unlink in it", unlink("d/new"));
  res(" rename in it", rename("d/new", "d/new2"));
  set("d", 0);
  int fd = open("f", O_RDWR);
  int block = 0;
  struct fiemap fm = {.fm_length = 100};
  res("FIBMAP", ioctl(fd, FIBMAP, &block));
  res("FIEMAP", ioctl(fd, FS_IOC_FIEMAP, &fm));
  chmod(".", 0777);
  chmod("f", 0644);
  CHILD("unprivileged") {
    become_user(1000);
    MUST(write_file("mine", "x"));
    res("immutable", set("mine", FS_IMMUTABLE_FL));
    res("nodump", set("mine", FS_NODUMP_FL));
    res("another's", set("f", FS_NODUMP_FL));
    res("link to another's", link("f", "lnk"));
    res("link to mine", link("mine", "lnk"));
  }
  return 0;
}
