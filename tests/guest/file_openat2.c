/* openat2: RESOLVE_* and the checks of its structure; AT_EMPTY_PATH; O_PATH descriptors. */
#include "guest.h"
#include <linux/openat2.h>
static long o2(int dfd, const char *p, uint64_t flags, uint64_t mode, uint64_t resolve, size_t size) {
  struct {
    struct open_how h;
    char more[64];
  } x = {{flags, mode, resolve}, ""};
  if (size == sizeof x.h + 8 + 1)
    x.more[8] = 1;
  long fd = syscall(SYS_openat2, dfd, p, &x, size);
  if (fd >= 0) {
    close((int)fd);
    return 0;
  }
  return fd;
}
#define S sizeof(struct open_how)
int main(void) {
  mkdir("d", 0755);
  mkdir("d/e", 0755);
  close(open("d/f", O_CREAT | O_WRONLY, 0644));
  symlink("/etc", "d/abs");
  symlink("../x", "d/up");
  symlink("f", "d/in");
  symlink("e/../f", "d/roundabout");
  int d = MUST(open("d", O_PATH | O_DIRECTORY));
  static const struct {
    const char *p;
    uint64_t r;
  } t[] = {{"f", RESOLVE_BENEATH}, {"../d/f", RESOLVE_BENEATH}, {"/etc", RESOLVE_BENEATH}, {"abs", RESOLVE_BENEATH},
           {"up", RESOLVE_BENEATH}, {"in", RESOLVE_BENEATH}, {"roundabout", RESOLVE_BENEATH}, {"e/..", RESOLVE_BENEATH},
           {"e/../..", RESOLVE_BENEATH}, {"/f", RESOLVE_IN_ROOT}, {"/../../f", RESOLVE_IN_ROOT}, {"abs", RESOLVE_IN_ROOT},
           {"up", RESOLVE_IN_ROOT}, {"in", RESOLVE_NO_SYMLINKS}, {"f", RESOLVE_NO_SYMLINKS},
           {"/proc/self/fd/0", RESOLVE_NO_MAGICLINKS}, {"/proc/self/cwd/d/f", RESOLVE_NO_MAGICLINKS},
           {"/proc/self", RESOLVE_NO_XDEV}, {"f", RESOLVE_NO_XDEV}, {"f", 1 << 20}, {"f", RESOLVE_BENEATH | RESOLVE_IN_ROOT}};
  for (unsigned i = 0; i < sizeof t / sizeof *t; i++) {
    char w[64];
    snprintf(w, sizeof w, "%s %llx", t[i].p, (unsigned long long)t[i].r);
    show(w, o2(d, t[i].p, O_RDONLY, 0, t[i].r, S));
  }
  SHOW(o2(d, "f", O_RDONLY, 0644, 0, S));
  SHOW(o2(d, "n", O_RDWR | O_CREAT, 0644, 0, S));
  SHOW(o2(d, "n", O_RDWR | O_CREAT, 010644, 0, S));
  SHOW(o2(d, "n", O_PATH | O_RDWR, 0, 0, S));
  SHOW(o2(d, "n", 1ull << 40, 0, 0, S));
  SHOW(o2(d, "f", O_RDONLY, 0, 0, S - 1));
  SHOW(o2(d, "f", O_RDONLY, 0, 0, S + 8));
  SHOW(o2(d, "f", O_RDONLY, 0, 0, S + 9));
  SHOW(o2(d, "f", O_RDONLY, 0, 0, 1 << 20));
  struct stat st;
  char b[8];
  int f = MUST(openat(d, "f", O_PATH));
  SHOW(read(f, b, 1));
  SHOW(fchmod(f, 0600));
  SHOW(fstat(f, &st));
  SHOW(fstatat(f, "", &st, AT_EMPTY_PATH));
  SHOW(fstatat(f, "", &st, 0));
  SHOW(fstatat(f, "x", &st, 0));
  SHOW(ioctl(f, FIONREAD, b));
  SHOW(fcntl(f, F_GETFL) & O_PATH ? 1 : 0);
  SHOW(fcntl(f, F_SETFL, O_NONBLOCK));
  SHOW(fchdir(d));
  SHOW(linkat(f, "", AT_FDCWD, "linked", AT_EMPTY_PATH));
  int l = MUST(open("in", O_PATH | O_NOFOLLOW));
  SHOW(fstat(l, &st));
  say("symlink %d", S_ISLNK(st.st_mode));
  SHOW(readlinkat(l, "", b, sizeof b));
  SHOW(open("in", O_RDONLY | O_NOFOLLOW));
  char via[40];
  snprintf(via, sizeof via, "/proc/self/fd/%d", f);
  int again = open(via, O_RDWR);
  say("reopened %d", again >= 0);
  SHOW(write(again, "x", 1));
  SHOW(open(".", O_TMPFILE | O_RDONLY, 0600));
  int tmp = MUST(open(".", O_TMPFILE | O_RDWR, 0600));
  SHOW(fstat(tmp, &st));
  say("nlink %d", (int)st.st_nlink);
  SHOW(write(tmp, "hello", 5));
  snprintf(via, sizeof via, "/proc/self/fd/%d", tmp);
  SHOW(linkat(AT_FDCWD, via, AT_FDCWD, "named", AT_SYMLINK_FOLLOW));
  SHOW(stat("named", &st));
  say("nlink %d size %d", (int)st.st_nlink, (int)st.st_size);
  int ex = MUST(open(".", O_TMPFILE | O_RDWR | O_EXCL, 0600));
  SHOW(linkat(ex, "", AT_FDCWD, "never", AT_EMPTY_PATH));
  return 0;
}
