/* Mounted files of mount namespaces: never one's own or an older one, and their end is the namespace's. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

static void show(const char *what, int r) {
  printf("%s: %s\n", what, r ? strerror(errno) : "0");
  fflush(stdout);
}

int main(void) {
  char from[64];
  int up[2], down[2];
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(0, &one);
  sched_setaffinity(0, sizeof one, &one); /* Linux 6.18 takes the numbers that tell age from a batch for each CPU */
  if (unshare(CLONE_NEWNS))
    return 1;
  mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL);
  mount("none", "/tmp", "tmpfs", 0, NULL);
  close(open("/tmp/f", O_WRONLY | O_CREAT, 0600));
  show("own", mount("/proc/self/ns/mnt", "/tmp/f", NULL, MS_BIND, NULL));
  if (pipe(up) || pipe(down))
    return 1;
  pid_t p = fork();
  if (!p) {
    char c;
    unshare(CLONE_NEWNS);
    snprintf(from, sizeof from, "/proc/%d/ns/mnt", getppid());
    show("older", mount(from, "/tmp/f", NULL, MS_BIND, NULL));
    (void)!write(up[1], "x", 1);
    (void)!read(down[0], &c, 1);
    _exit(0);
  }
  char c;
  (void)!read(up[0], &c, 1);
  snprintf(from, sizeof from, "/proc/%d/ns/mnt", p);
  show("younger", mount(from, "/tmp/f", NULL, MS_BIND, NULL));
  (void)!write(down[1], "x", 1);
  waitpid(p, NULL, 0);
  /* A copy of this namespace has the mount no more. */
  p = fork();
  if (!p) {
    unshare(CLONE_NEWNS);
    show("not copied", umount("/tmp/f"));
    _exit(0);
  }
  waitpid(p, NULL, 0);
  show("unlink", unlink("/tmp/f")); /* the last that held it */
  show("umount", umount("/tmp/f"));
  show("unlink", unlink("/tmp/f"));
  return 0;
}
