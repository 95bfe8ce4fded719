/* pivot_root(2) as container runtimes use it. */
#include "guest.h"
#include <sys/mount.h>

static long pivot(const char *n, const char *o) {
  return syscall(SYS_pivot_root, n, o);
}
static void res(const char *what, long r) {
  say("%s: %s", what, r < 0 ? ename(errno) : "ok");
}
static void exists(const char *p) {
  say("%s %s", p, access(p, F_OK) ? ename(errno) : "exists");
}

int main(void) {
  MUST(unshare(CLONE_NEWNS));
  MUST(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
  char here[PATH_MAX];
  MUST(getcwd(here, sizeof here) ? 0 : -1);
  mkdir("root", 0755), mkdir("root/old", 0755);
  res("no mount point", pivot("root", "root/old"));
  MUST(mount("x", "root", "tmpfs", 0, NULL));
  mkdir("root/old", 0755), mkdir("root/new-root-marker", 0755), mkdir("other", 0755);
  res("put_old elsewhere", pivot("root", "other"));
  res("file", pivot("root", "/etc/passwd"));
  CHILD("unprivileged") {
    become_user(1000);
    res("pivot", pivot("root", "root/old"));
  }
  MUST(mount(NULL, "root", NULL, MS_SHARED, NULL));
  res("shared", pivot("root", "root/old"));
  MUST(mount(NULL, "root", NULL, MS_PRIVATE, NULL));
  CHILD("with put_old") {
    MUST(unshare(CLONE_NEWNS));
    res("pivot", pivot("root", "root/old"));
    exists("/new-root-marker");
    exists("/old/etc/passwd");
    char b[PATH_MAX];
    say("cwd reachable: %d", getcwd(b, sizeof b) != NULL && b[0] == '/');
    res("chdir", chdir("/"));
    res("umount old", umount2("/old", MNT_DETACH));
    exists("/old/etc/passwd");
    exists("/etc/passwd");
  }
  exists("/etc/passwd");
  CHILD("dot dot") {
    MUST(unshare(CLONE_NEWNS));
    int old = open("/", O_RDONLY | O_DIRECTORY);
    MUST(chdir("root"));
    res("pivot", pivot(".", "."));
    MUST(fchdir(old));
    exists("etc/passwd");
    MUST(mount(NULL, ".", NULL, MS_SLAVE | MS_REC, NULL));
    res("detach", umount2(".", MNT_DETACH));
    MUST(chdir("/"));
    exists("new-root-marker");
    exists("/etc/passwd");
    char line[1024];
    int n = 0;
    mkdir("/proc", 0755);
    MUST(mount("proc", "/proc", "proc", 0, NULL));
    FILE *f = fopen("/proc/self/mountinfo", "r");
    while (f && fgets(line, sizeof line, f))
      n++;
    say("%d mounts", n);
  }
  return 0;
}
