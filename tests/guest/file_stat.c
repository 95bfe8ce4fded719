/* stat, fstat, lstat, fstatat, statx: fields that have one right answer. */
#include "guest.h"
#include <sys/statfs.h>
#include <sys/sysmacros.h>
static void show_st(const char *n, struct stat *s) {
  say("%s: mode %o nlink %d uid %u gid %u size %ld blksize>0 %d", n, s->st_mode, (int)s->st_nlink, s->st_uid, s->st_gid,
      S_ISDIR(s->st_mode) ? 0L : (long)s->st_size, s->st_blksize > 0);
}
int main(void) {
  struct stat s, t;
  MUST(write_file("f", "12345")), MUST(mkdir("d", 0750)), MUST(mkdir("d/e", 0755)), MUST(symlink("f", "l")), MUST(mkfifo("p", 0600));
  SHOW(stat("f", &s)), show_st("file", &s);
  SHOW(lstat("l", &s)), show_st("link", &s);
  SHOW(stat("l", &s)), show_st("through link", &s);
  SHOW(stat("p", &s)), show_st("fifo", &s);
  SHOW(stat("d", &s)), say("dir mode %o", s.st_mode);
  SHOW(stat("/dev/null", &s));
  say("device %d %d:%d", S_ISCHR(s.st_mode), major(s.st_rdev), minor(s.st_rdev));
  int fd = MUST(open("f", O_RDONLY)), dir = MUST(open("d", O_RDONLY));
  SHOW(fstat(fd, &s)), stat("f", &t);
  say("same %d %d", s.st_ino == t.st_ino, s.st_dev == t.st_dev);
  SHOW(fstatat(dir, "../f", &s, 0)), say("same %d", s.st_ino == t.st_ino);
  SHOW(fstatat(AT_FDCWD, "l", &s, AT_SYMLINK_NOFOLLOW)), say("link %d", S_ISLNK(s.st_mode));
  SHOW(fstatat(fd, "", &s, AT_EMPTY_PATH)), say("same %d", s.st_ino == t.st_ino);
  SHOW(fstatat(fd, "x", &s, 0)), SHOW(fstatat(99, "x", &s, 0)), SHOW(fstatat(99, "/", &s, 0)), SHOW(fstatat(dir, "", &s, 0));
  SHOW(fstatat(dir, "../f", &s, 0x8000000));
  SHOW(stat("", &s)), SHOW(stat("nothing", &s)), SHOW(stat("f/x", &s)), SHOW(syscall(SYS_stat, "f", 8)), SHOW(syscall(SYS_stat, 8, &s)), SHOW(fstat(99, &s));
  struct statx x;
  SHOW(statx(AT_FDCWD, "f", 0, STATX_BASIC_STATS, &x));
  say("mask %x mode %o size %lu nlink %u", x.stx_mask & STATX_BASIC_STATS, x.stx_mode, (unsigned long)x.stx_size, x.stx_nlink);
  YES(x.stx_mtime.tv_sec == t.st_mtime && x.stx_ino == t.st_ino);
  SHOW(statx(fd, "", AT_EMPTY_PATH, STATX_SIZE, &x)), say("size %lu", (unsigned long)x.stx_size);
  SHOW(statx(AT_FDCWD, "l", AT_SYMLINK_NOFOLLOW, STATX_TYPE, &x)), say("type %o", x.stx_mode & S_IFMT);
  SHOW(statx(AT_FDCWD, "f", 0x10000000, STATX_TYPE, &x)), SHOW(statx(AT_FDCWD, "nothing", 0, STATX_TYPE, &x));
  SHOW(statx(AT_FDCWD, "f", 0, 0x80000000, &x));
  struct timespec before, after;
  clock_gettime(CLOCK_REALTIME, &before);
  msleep(15);
  MUST(write_file("g", "x"));
  stat("g", &s);
  msleep(15);
  clock_gettime(CLOCK_REALTIME, &after);
  YES(s.st_mtime >= before.tv_sec && s.st_mtime <= after.tv_sec);
  YES(s.st_mtim.tv_nsec == s.st_ctim.tv_nsec || s.st_mtime == s.st_ctime);
  msleep(15);
  MUST(chmod("g", 0600)), stat("g", &t);
  YES(t.st_mtim.tv_nsec == s.st_mtim.tv_nsec && (t.st_ctime > s.st_ctime || t.st_ctim.tv_nsec > s.st_ctim.tv_nsec));
  fd = MUST(open("g", O_WRONLY | O_APPEND)), write(fd, "y", 1), stat("g", &s);
  YES(s.st_mtime > t.st_mtime || s.st_mtim.tv_nsec > t.st_mtim.tv_nsec);
  struct statfs f;
  SHOW(statfs(".", &f)), YES(f.f_bsize > 0 && f.f_namelen == 255);
  SHOW(fstatfs(fd, &f)), SHOW(statfs("nothing", &f)), SHOW(fstatfs(99, &f));
  SHOW(statfs("/proc", &f)), say("proc type %lx", (long)f.f_type);
}
