/* User namespaces: what a process has in a new one, who may write the maps and how, ids as they are seen. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <grp.h>
#include <linux/capability.h>

static void show(const char *what, long r) {
  printf("%s: %ld %s\n", what, r < 0 ? -1 : r, r < 0 ? strerrorname_np(errno) : "");
  fflush(stdout);
}

static long put(const char *file, const char *text) {
  int fd = open(file, O_WRONLY);
  if (fd < 0)
    return -1;
  long r = write(fd, text, strlen(text));
  int e = errno;
  close(fd);
  errno = e;
  return r;
}

static void cat(const char *file) {
  char b[4096];
  int fd = open(file, O_RDONLY);
  ssize_t n = read(fd, b, sizeof b - 1);
  b[n > 0 ? n : 0] = 0;
  printf("%s: %s", file, b);
  fflush(stdout);
  close(fd);
}

static void caps(const char *what) {
  struct __user_cap_header_struct h = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct d[2] = {0};
  syscall(SYS_capget, &h, d);
  printf("%s: eff %d prm %d inh %d bnd(sys_admin) %d\n", what, d[0].effective != 0, d[0].permitted != 0, d[0].inheritable != 0,
         prctl(PR_CAPBSET_READ, CAP_SYS_ADMIN));
}

static void maps_refused(void) {
  static const char *const bad[] = {"",          "0",           "0 0",          "0 1000 0",   "a 0 1",
                                    "0 0 1 1",   "4294967295 0 1", "0 4294967295 1", "0 0 1\n0 5 1", "0 5 2\n2 6 2",
                                    "0 4294967290 10"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    show(bad[i], put("/proc/self/uid_map", bad[i]));
}

static void ids(void) {
  uid_t r, e, s;
  getresuid(&r, &e, &s);
  printf("ids %u %u %u, %u %u\n", r, e, s, getgid(), getegid());
}

/* As root of the parent: a range is mapped by the parent, in a child that waits. */
static void mapped_by_parent(void) {
  int up[2], down[2];
  char c, path[64];
  if (pipe(up) || pipe(down))
    exit(9);
  pid_t pid = fork();
  if (!pid) {
    struct stat st;
    show("unshare", unshare(CLONE_NEWUSER));
    ids();
    caps("fresh");
    cat("/proc/self/uid_map");
    cat("/proc/self/setgroups");
    show("setuid before the map", setuid(0));
    show("setgroups before the map", setgroups(0, NULL));
    maps_refused();
    fflush(stdout);
    if (write(up[1], "x", 1) != 1 || read(down[0], &c, 1) != 1)
      exit(9);
    ids();
    cat("/proc/self/uid_map");
    cat("/proc/self/gid_map");
    show("again", put("/proc/self/uid_map", "0 0 1"));
    show("deny after gid_map", put("/proc/self/setgroups", "deny"));
    show("setgroups", setgroups(0, NULL));
    show("setresgid", setresgid(0, 0, 0));
    show("setresuid", setresuid(0, 0, 0));
    ids();
    show("setuid unmapped", setuid(70000));
    show("setreuid unmapped", setreuid(70000, -1));
    show("setgid unmapped", setgid(70000));
    int fd = open("mine", O_CREAT | O_RDWR, 0644);
    fstat(fd, &st);
    printf("mine %u:%u\n", st.st_uid, st.st_gid);
    show("chown", fchown(fd, 7, 8));
    fstat(fd, &st);
    printf("mine %u:%u\n", st.st_uid, st.st_gid);
    show("chown unmapped", fchown(fd, 70000, -1));
    stat("/proc/1", &st);
    stat("/etc/passwd", &st);
    printf("passwd %u:%u\n", st.st_uid, st.st_gid);
    show("chmod of the unmapped", chmod("/etc/passwd", 0644));
    show("sethostname of the parent", sethostname("x", 1));
    show("mount in the parent's", mount("none", "/tmp", "tmpfs", 0, NULL));
    show("mknod", mknod("dev", S_IFCHR | 0600, 0x103));
    show("unshare uts", unshare(CLONE_NEWUTS));
    show("sethostname", sethostname("x", 1));
    show("setuid 7", setuid(7));
    ids();
    caps("no root");
    exit(3);
  }
  if (read(up[0], &c, 1) != 1)
    exit(9);
  snprintf(path, sizeof path, "/proc/%d/uid_map", pid);
  show("parent maps", put(path, "0 100000 65536"));
  snprintf(path, sizeof path, "/proc/%d/gid_map", pid);
  show("parent maps", put(path, "0 200000 100\n100 300000 5\n"));
  int st;
  if (write(down[1], "x", 1) != 1)
    exit(9);
  waitpid(pid, &st, 0);
  struct stat sb;
  stat("mine", &sb);
  printf("exit %d, outside %u:%u\n", WEXITSTATUS(st), sb.st_uid, sb.st_gid);
  fflush(stdout);
}

/* As an ordinary user: one id of his own, and no groups. */
static void mapped_by_oneself(void) {
  show("setgid", setresgid(1000, 1000, 1000));
  show("setuid", setresuid(1000, 1000, 1000));
  prctl(PR_SET_DUMPABLE, 1);
  show("unshare uts alone", unshare(CLONE_NEWUTS));
  show("unshare both", unshare(CLONE_NEWUSER | CLONE_NEWUTS));
  show("a range", put("/proc/self/uid_map", "0 1000 2"));
  show("another's", put("/proc/self/uid_map", "0 1001 1"));
  show("gid first", put("/proc/self/gid_map", "0 1000 1"));
  show("bad word", put("/proc/self/setgroups", "denyx"));
  show("deny", put("/proc/self/setgroups", "deny"));
  show("allow", put("/proc/self/setgroups", "allow"));
  show("uid", put("/proc/self/uid_map", "5 1000 1"));
  show("gid", put("/proc/self/gid_map", "6 1000 1"));
  ids();
  caps("mapped");
  show("setgroups", setgroups(0, NULL));
  show("hostname", sethostname("y", 1));
  cat("/proc/self/uid_map");
  show("nested", unshare(CLONE_NEWUSER));
  ids();
  show("nested map", put("/proc/self/uid_map", "0 5 1"));
  ids();
  cat("/proc/self/uid_map");
  int depth = 2;
  while (unshare(CLONE_NEWUSER) == 0) {
    put("/proc/self/uid_map", "0 0 1");
    put("/proc/self/setgroups", "deny");
    put("/proc/self/gid_map", depth == 2 ? "0 6 1" : "0 0 1");
    if (++depth > 40)
      break;
  }
  printf("gave up after %s: %s\n", depth > 40 ? "too many" : "some", strerrorname_np(errno));
}

int main(void) {
  char old[64];
  setvbuf(stdout, NULL, _IOFBF, 1 << 16);
  gethostname(old, sizeof old);
  chmod(".", 0777);
  mapped_by_parent();
  pid_t pid = fork();
  if (!pid) {
    mapped_by_oneself();
    fflush(stdout);
    _exit(4);
  }
  int st;
  waitpid(pid, &st, 0);
  char now[64];
  gethostname(now, sizeof now);
  printf("exit %d, host name %s\n", WEXITSTATUS(st), strcmp(old, now) ? "changed" : "kept");
}
