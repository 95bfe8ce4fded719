#include "leaks.h"
#include <dirent.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/xattr.h>

static void create_unlink(int i) {
  char name[40];
  snprintf(name, sizeof name, "f%d", i);
  int fd = open(name, O_RDWR | O_CREAT, 0600);
  (void)!write(fd, name, sizeof name);
  setxattr(name, "user.a", "b", 1, 0);
  if (i & 1)
    unlink(name);
  close(fd);
  if (!(i & 1))
    unlink(name);
}
/* Names that are not there, and many that are: the caches must have an end. */
static void lookups(int i) {
  char name[60];
  struct stat st;
  snprintf(name, sizeof name, "/etc/nosuch%d", i);
  stat(name, &st);
  snprintf(name, sizeof name, "/tmp/leaks/nosuch%d/a", i);
  stat(name, &st);
  snprintf(name, sizeof name, "/proc/self/fd/%d", i);
  stat(name, &st);
  snprintf(name, sizeof name, "/proc/%d/status", i);
  stat(name, &st);
}
static void directories(int i) {
  mkdir("d", 0700);
  mkdir("d/e", 0700);
  symlink("d", "s");
  link("/tmp/leaks/s", "l");
  rename("d/e", "e");
  mknod("ff", S_IFIFO | 0600, 0);
  DIR *d = opendir(".");
  while (d && readdir(d))
    ;
  if (d)
    closedir(d);
  rmdir("e");
  rmdir("d");
  unlink("s");
  unlink("l");
  unlink("ff");
}
static void proc_files(int i) {
  static const char *const names[] = {"maps", "status", "fd",    "stat", "mountinfo", "cmdline", "limits", "ns",
                                      "task", "fdinfo", "smaps", "auxv", "environ",   "io",      "mem",    "comm"};
  char name[60], buf[8192];
  snprintf(name, sizeof name, "/proc/self/%s", names[i % 16]);
  int fd = open(name, O_RDONLY);
  if (read(fd, buf, sizeof buf) < 0)
    syscall(SYS_getdents64, fd, buf, sizeof buf);
  close(fd);
}
static void proc_of_children(int i) {
  char name[60], buf[1000];
  pid_t p = fork();
  if (!p) {
    pause();
    _exit(0);
  }
  snprintf(name, sizeof name, "/proc/%d/task/%d/stat", p, p);
  int fd = open(name, O_RDONLY);
  snprintf(name, sizeof name, "/proc/%d/ns/mnt", p);
  int ns = open(name, O_RDONLY);
  snprintf(name, sizeof name, "/proc/%d/fd/0", p);
  int f0 = open(name, O_RDONLY | O_PATH);
  kill(p, SIGKILL);
  waitpid(p, NULL, 0);
  (void)!read(fd, buf, sizeof buf);
  close(fd);
  close(ns);
  close(f0);
}
static void locks(int i) {
  int fd = open("locked", O_RDWR | O_CREAT, 0600), other = open("locked", O_RDWR);
  struct flock l = {.l_type = F_WRLCK, .l_start = i % 7, .l_len = 10};
  fcntl(fd, F_SETLK, &l);
  l.l_start += 20;
  fcntl(fd, F_SETLK, &l);
  l = (struct flock){.l_type = F_RDLCK, .l_start = 100, .l_len = 3};
  fcntl(fd, F_OFD_SETLK, &l);
  flock(fd, LOCK_EX);
  flock(other, LOCK_SH | LOCK_NB);
  close(other);
  close(fd);
}
static void lock_waiter(void *arg) {
  int fd = open("locked", O_RDWR | O_CREAT, 0600);
  struct flock l = {.l_type = F_WRLCK, .l_len = 10};
  fcntl(fd, F_SETLKW, &l);
  flock(fd, LOCK_EX);
}
static void locks_waited_for(int i) {
  int fd = open("locked", O_RDWR | O_CREAT, 0600);
  struct flock l = {.l_type = F_WRLCK, .l_len = 10};
  fcntl(fd, F_SETLK, &l);
  pid_t p = fork();
  if (!p) {
    lock_waiter(NULL);
    _exit(0);
  }
  if (i & 1) {
    usleep(300);
    kill(p, SIGKILL);
  }
  close(fd);
  waitpid(p, NULL, 0);
}
static void leases(int i) {
  signal(SIGIO, SIG_IGN);
  int fd = open("leased", O_RDONLY | O_CREAT, 0600);
  fcntl(fd, F_SETLEASE, F_RDLCK);
  close(open("leased", O_WRONLY | O_NONBLOCK));
  fcntl(fd, F_SETLEASE, F_UNLCK);
  fcntl(fd, F_SETOWN, getpid());
  fcntl(fd, F_SETFL, O_ASYNC);
  int d = open(".", O_RDONLY | O_DIRECTORY);
  fcntl(d, F_NOTIFY, DN_CREATE | DN_MULTISHOT);
  close(d);
  close(fd);
}
static void pipes(int i) {
  int p[2], q[2];
  char buf[5000] = {0};
  if (pipe(p) || pipe(q))
    return;
  fcntl(p[0], F_SETPIPE_SZ, 1 << 17);
  (void)!write(p[1], buf, sizeof buf);
  tee(p[0], q[1], 1000, 0);
  splice(p[0], NULL, q[1], NULL, 100, 0);
  struct iovec v = {buf, 100};
  vmsplice(p[1], &v, 1, 0);
  (void)!read(p[0], buf, 10);
  for (int k = 0; k < 2; k++) {
    close(p[k]);
    close(q[k]);
  }
}
static void pipe_left(void *arg) {
  int p[2];
  if (pipe(p))
    return;
  (void)!write(p[1], "abc", 3);
  if (!fork()) {
    char c[10];
    close(p[1]);
    while (read(p[0], c, 10) > 0)
      ;
    _exit(0);
  }
}
static void pipes_at_exit(int i) {
  in_child(pipe_left, NULL);
}
static void terminals(int i) {
  int m = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK), zero = 0;
  ioctl(m, TIOCSPTLCK, &zero);
  int s = ioctl(m, TIOCGPTPEER, O_RDWR | O_NOCTTY);
  (void)!write(m, "hello\n", 6);
  (void)!write(s, "hello\n", 6);
  close(i & 1 ? m : s);
  close(i & 1 ? s : m);
}
static void tty_session(void *arg) {
  setsid();
  int m = open("/dev/ptmx", O_RDWR | O_NOCTTY), zero = 0;
  ioctl(m, TIOCSPTLCK, &zero);
  int s = ioctl(m, TIOCGPTPEER, O_RDWR | O_NOCTTY);
  ioctl(s, TIOCSCTTY, 0);
  if (!fork())
    _exit(0);
}
static void sessions(int i) {
  in_child(tty_session, NULL);
}
static void file_maps(int i) {
  int fd = open("mapped", O_RDWR | O_CREAT, 0600);
  if (ftruncate(fd, 40000))
    return;
  char *p = mmap(NULL, 40000, PROT_READ | PROT_WRITE, i & 1 ? MAP_SHARED : MAP_PRIVATE, fd, 0);
  close(fd);
  p[5000] = 1;
  if (i % 3 == 0)
    unlink("mapped");
  munmap(p, 40000);
}
static void image_files(int i) {
  char buf[100];
  int fd = open("/etc/passwd", O_RDONLY);
  (void)!read(fd, buf, sizeof buf);
  void *p = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
  munmap(p, 4096);
  close(fd);
}
static void descriptors(int i) {
  int fd = open("/dev/null", O_RDWR);
  for (int k = 0; k < 20; k++)
    dup(fd);
  syscall(SYS_close_range, 3, ~0u, 0);
}
static void handles(int i) {
  struct {
    struct file_handle h;
    char rest[128];
  } h = {.h.handle_bytes = 128};
  int id;
  close(open("h", O_CREAT | O_RDWR, 0600));
  name_to_handle_at(AT_FDCWD, "h", &h.h, &id, 0);
  close(open_by_handle_at(AT_FDCWD, &h.h, O_RDONLY));
  unlink("h");
  int t = open(".", O_TMPFILE | O_RDWR, 0600);
  close(t);
}

const struct scene file_scenes[] = {
    {"create", create_unlink, 3},
    {"lookups", lookups, 2},
    {"directories", directories, 8},
    {"proc", proc_files, 2},
    {"proc-children", proc_of_children, 8},
    {"locks", locks, 4},
    {"locks-waited-for", locks_waited_for, 8},
    {"leases", leases, 4},
    {"pipes", pipes, 4},
    {"pipes-at-exit", pipes_at_exit, 8},
    {"terminals", terminals, 3},
    {"sessions", sessions, 8},
    {"file-maps", file_maps, 4},
    {"image-files", image_files, 3},
    {"descriptors", descriptors, 8},
    {"handles", handles, 4},
    {NULL, NULL, 0},
};
