/* Path resolution: every error, lengths, dots, slashes. */
#include "guest.h"
int main(void) {
  struct stat st;
  MUST(mkdir("d", 0755)), MUST(write_file("f", "x")), MUST(mkdir("d/e", 0755));
  SHOW(stat("d/../f", &st)), SHOW(stat("d/./e/.", &st)), SHOW(stat("./////d///e////", &st)), SHOW(stat("d/nothing/../e", &st));
  SHOW(stat("f/.", &st)), SHOW(stat("f/..", &st)), SHOW(stat("f/", &st)), SHOW(stat("nothing/", &st)), SHOW(stat("/../../..", &st)), SHOW(stat("//", &st));
  char n[300], p[5000];
  memset(n, 'n', sizeof n);
  n[255] = 0;
  OK(open(n, O_CREAT | O_WRONLY, 0600));
  n[255] = 'n', n[256] = 0;
  SHOW(open(n, O_CREAT | O_WRONLY, 0600)), SHOW(mkdir(n, 0700)), SHOW(symlink("x", n)), SHOW(rename("f", n)), SHOW(stat(n, &st)), SHOW(unlink(n));
  memset(p, '/', sizeof p);
  p[4095] = 0;
  SHOW(stat(p, &st));
  p[4095] = '/', p[4096] = 0;
  SHOW(stat(p, &st));
  strcpy(p, "d");
  while (strlen(p) < 4080)
    strcat(p, "/../d");
  SHOW(stat(p, &st));
  memset(p, 'x', 4096), p[4096] = 0;
  SHOW(symlink(p, "toolong"));
  p[4095] = 0;
  SHOW(symlink(p, "longest")); /* as long as PATH_MAX allows, if the file system does */
  /* deeper than PATH_MAX by relative steps */
  int depth = 0;
  memset(n, 'y', 200), n[200] = 0;
  for (; depth < 30; depth++)
    if (mkdir(n, 0700) || chdir(n))
      break;
  say("depth %d", depth);
  SHOW(syscall(SYS_getcwd, p, 4096));
  for (; depth > 0; depth--)
    if (chdir("..") || rmdir(n))
      break;
  say("left %d", depth);
  int d = MUST(open("d", O_RDONLY));
  SHOW(openat(d, "e", O_RDONLY | O_DIRECTORY) >= 0), SHOW(openat(d, "/dev/null", O_RDONLY) >= 0), SHOW(openat(0, "e", O_RDONLY)), SHOW(openat(99, "e", O_RDONLY)), SHOW(openat(AT_FDCWD, "d", O_RDONLY) >= 0);
  SHOW(mkdirat(d, "m", 0700)), SHOW(unlinkat(d, "m", AT_REMOVEDIR)), SHOW(symlinkat("t", d, "s")), SHOW(readlinkat(d, "s", p, 10)), SHOW(faccessat(d, "e", F_OK, 0)), SHOW(mknodat(d, "ff", S_IFIFO | 0600, 0)), SHOW(linkat(AT_FDCWD, "f", d, "hard", 0)), SHOW(renameat(d, "hard", AT_FDCWD, "hard2"));
  struct {
    uint64_t flags, mode, resolve;
  } how = {O_RDONLY, 0, 0x08 /* RESOLVE_BENEATH */};
  SHOW(syscall(SYS_openat2, d, "e", &how, sizeof how) >= 0), SHOW(syscall(SYS_openat2, d, "../f", &how, sizeof how)), SHOW(syscall(SYS_openat2, d, "/etc", &how, sizeof how));
  how.resolve = 0x04; /* RESOLVE_NO_SYMLINKS */
  symlink("d", "sl");
  SHOW(syscall(SYS_openat2, AT_FDCWD, "sl/e", &how, sizeof how)), SHOW(syscall(SYS_openat2, AT_FDCWD, "d/e", &how, sizeof how) >= 0);
  how.resolve = 0x10; /* RESOLVE_IN_ROOT */
  SHOW(syscall(SYS_openat2, d, "/../../e", &how, sizeof how) >= 0);
  how.resolve = 0x1000;
  SHOW(syscall(SYS_openat2, d, "e", &how, sizeof how));
  how.resolve = 0, how.flags = 1ULL << 40;
  SHOW(syscall(SYS_openat2, d, "e", &how, sizeof how)), SHOW(syscall(SYS_openat2, d, "e", &how, 8));
}
