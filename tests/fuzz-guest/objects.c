#include "fuzz.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <unistd.h>

/* ---- processes ---- */

static int pids[16];
static unsigned npids;
void remember_pid(int pid) {
  pids[__atomic_fetch_add(&npids, 1, __ATOMIC_RELAXED) % N(pids)] = pid;
}

static int any_process(struct rng *r) {
  static const int odd[] = {0, 0, -1, -2, 99999, INT32_MAX, INT32_MIN, 2, 3, 4, 5};
  switch (below(r, 6)) {
  case 0:
    return getpid();
  case 1:
    return (int)syscall(SYS_gettid);
  case 2:
    return PICK(r, odd);
  case 3:
    return getppid();
  default:
    return pids[below(r, N(pids))];
  }
}

/* Not pid 1, which supervises: in a sandbox of `do` it dies of signals. */
int process_id(struct rng *r) {
  int pid = any_process(r);
  return pid == 1 ? getpid() : pid;
}

/* ---- paths ---- */

static char long_path[4200], long_name[300], fd_path[16][40];
static const char *const paths[] = {
    WORK_DIR "/a",
    WORK_DIR "/b",
    WORK_DIR "/c",
    "a",
    "b",
    "d",
    "d/x",
    "d/y/z",
    WORK_DIR "/d",
    WORK_DIR "/d/x",
    WORK_DIR "/link",
    WORK_DIR "/dangling",
    WORK_DIR "/loop",
    WORK_DIR "/fifo",
    WORK_DIR "/sock",
    WORK_DIR "/m",
    WORK_DIR "/mapped",
    "/tmp/fz/../fz/a/",
    "",
    ".",
    "..",
    "/",
    "//tmp/./fz/a",
    "../../../..",
    "a/b",
    "d/",
    "d/.",
    "d/..",
    "/proc",
    "/proc/self",
    "/proc/self/exe",
    "/proc/self/mem",
    "/proc/self/maps",
    "/proc/self/status",
    "/proc/self/fd",
    "/proc/self/cwd",
    "/proc/self/root",
    "/proc/self/task",
    "/proc/self/ns/mnt",
    "/proc/self/ns/user",
    "/proc/self/comm",
    "/proc/self/oom_score_adj",
    "/proc/self/environ",
    "/proc/self/fdinfo/3",
    "/proc/self/stat",
    "/proc/self/mountinfo",
    "/proc/self/cmdline",
    "/proc/self/uid_map",
    "/proc/self/setgroups",
    "/proc/thread-self",
    "/proc/self/clear_refs",
    "/proc/self/smaps",
    "/proc/self/pagemap",
    "/proc/self/auxv",
    "/proc/self/limits",
    "/proc/meminfo",
    "/proc/stat",
    "/proc/sys/kernel/hostname",
    "/proc/sys/kernel/pid_max",
    "/proc/sys/net",
    "/proc/net/unix",
    "/proc/net/dev",
    "/proc/1/stat",
    "/proc/2/status",
    "/proc/sysvipc/shm",
    "/proc/mounts",
    "/dev",
    "/dev/null",
    "/dev/zero",
    "/dev/full",
    "/dev/random",
    "/dev/tty",
    "/dev/ptmx",
    "/dev/pts/0",
    "/dev/pts/1",
    "/dev/shm/fz",
    "/dev/mqueue",
    "/dev/fd/3",
    "/sys",
    "/sys/class/net/lo",
    "/sys/fs/cgroup",
    "/etc/passwd",
    "/etc",
    "/usr/bin/true",
    "/bin/sh",
    "/usr",
    "tmpfs",
    "proc",
    "sysfs",
    "devpts",
    "cgroup2",
    "overlay",
    "ramfs",
    "mqueue",
    "user.x",
    "user.a.long.name",
    "trusted.x",
    "security.capability",
    "system.posix_acl_access",
    "user.",
    "nosuch",
    "size=1m,mode=700",
    "/queue",
    "/nosuch/a",
    WORK_DIR "/script",
    "source",
    "ro",
};

const char *path(struct rng *r) {
  if (one_in(r, 40))
    return long_path;
  if (one_in(r, 40))
    return long_name;
  if (one_in(r, 15)) {
    char *p = fd_path[below(r, 16)];
    snprintf(p, sizeof fd_path[0], "/proc/self/fd/%d", descriptor(r));
    return p;
  }
  return one_in(r, 2) ? paths[below(r, 27)] : PICK(r, paths);
}

static void make_files(void) {
  mkdir(WORK_DIR, 0777);
  chmod(WORK_DIR, 0777);
  chdir(WORK_DIR);
  mkdir("d", 0777);
  mkdir("m", 0777);
  close(open("a", O_RDWR | O_CREAT, 0666));
  int fd = open("b", O_RDWR | O_CREAT, 0666);
  for (int i = 0; i < 20; i++)
    write(fd, long_path, 4000);
  close(fd);
  fd = open("script", O_RDWR | O_CREAT | O_TRUNC, 0777);
  write(fd, "#!/usr/bin/true x y\n", 20);
  close(fd);
  symlink("a", "link");
  symlink("nowhere", "dangling");
  symlink("loop", "loop");
  mkfifo("fifo", 0666);
  memset(long_path, 'a', sizeof long_path - 1);
  for (size_t i = 0; i < sizeof long_path - 1; i += 100)
    long_path[i] = '/';
  long_path[4000 + 95] = 0;
  memset(long_name, 'n', sizeof long_name - 1);
}

/* ---- descriptors ---- */

#define NFDS 96
static int fds[NFDS];
static unsigned next_fd;
static int keep(int fd) {
  if (fd >= 0)
    fds[__atomic_fetch_add(&next_fd, 1, __ATOMIC_RELAXED) % NFDS] = fd;
  return fd;
}

void remember_fd(int fd) {
  keep(fd);
}

int descriptor(struct rng *r) {
  static const int odd[] = {-1, -100, 0, 1, 2, 3, 4, 5, 1023, 1024, 65536, INT32_MAX, INT32_MIN};
  if (one_in(r, 16))
    return PICK(r, odd);
  if (one_in(r, 10))
    return (int)below(r, 128);
  return fds[below(r, NFDS)];
}

static void make_sockets(struct rng *r) {
  static const int types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET};
  int sv[2];
  if (!socketpair(AF_UNIX, PICK(r, types) | (one_in(r, 2) ? SOCK_NONBLOCK : 0), 0, sv)) {
    keep(sv[0]);
    keep(sv[1]);
  }
  int s = keep(socket(one_in(r, 3) ? AF_INET6 : AF_INET, one_in(r, 2) ? SOCK_STREAM : SOCK_DGRAM, 0));
  struct sockaddr_in in = {
      .sin_family = AF_INET, .sin_port = htons(7000 + below(r, 4)), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  if (one_in(r, 2))
    bind(s, (void *)&in, sizeof in);
  if (one_in(r, 2))
    listen(s, 4);
  struct sockaddr_un un = {.sun_family = AF_UNIX};
  snprintf(un.sun_path + 1, 20, "fz%d", (int)below(r, 4));
  s = keep(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0));
  if (!bind(s, (void *)&un, 7))
    listen(s, 4);
  else
    connect(s, (void *)&un, 7);
  keep(socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE));
  keep(socket(AF_PACKET, SOCK_RAW, 0x300));
}

static void make_tty(void) {
  int m = keep(open("/dev/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK)), zero = 0;
  if (m < 0)
    return;
  ioctl(m, TIOCSPTLCK, &zero);
  keep(ioctl(m, TIOCGPTPEER, O_RDWR | O_NOCTTY));
}

static void make_anonymous(struct rng *r) {
  sigset_t s;
  sigemptyset(&s);
  sigaddset(&s, SIGUSR1);
  sigaddset(&s, SIGCHLD);
  struct epoll_event ev = {.events = EPOLLIN | EPOLLOUT | (one_in(r, 2) ? EPOLLET : 0)};
  int ep = keep(epoll_create1(0));
  for (int i = 0; i < 5; i++)
    epoll_ctl(ep, EPOLL_CTL_ADD, descriptor(r), &ev);
  keep(eventfd((unsigned)below(r, 3), one_in(r, 2) ? EFD_NONBLOCK : 0));
  int t = keep(timerfd_create(CLOCK_MONOTONIC, 0));
  struct itimerspec it = {{0, 1000000}, {0, 1000000}};
  timerfd_settime(t, 0, &it, NULL);
  keep(signalfd(-1, &s, 0));
  int in = keep(inotify_init1(IN_NONBLOCK));
  inotify_add_watch(in, WORK_DIR, IN_ALL_EVENTS);
  int m = keep(memfd_create("fz", MFD_ALLOW_SEALING));
  ftruncate(m, 20000);
  keep((int)syscall(SYS_pidfd_open, process_id(r), 0));
  keep((int)syscall(SYS_userfaultfd, 0));
}

void make_object(struct rng *r) {
  int p[2];
  if (net_turn(r)) {
    make_net_objects(r);
    return;
  }
  switch (below(r, 7)) {
  case 0:
    if (!pipe2(p, one_in(r, 2) ? O_NONBLOCK : 0)) {
      keep(p[0]);
      keep(p[1]);
    }
    break;
  case 1:
    make_sockets(r);
    break;
  case 2:
    make_tty();
    break;
  case 3:
    make_anonymous(r);
    break;
  default: {
    static const int flags[] = {O_RDONLY, O_RDWR, O_WRONLY, O_RDWR | O_CREAT, O_PATH, O_RDWR | O_APPEND, O_DIRECTORY};
    keep(open(path(r), PICK(r, flags) | O_NONBLOCK | O_NOCTTY, 0666));
  }
  }
}

void objects_setup(struct rng *r) {
  make_files();
  for (int i = 0; i < NFDS; i++)
    fds[i] = -1;
  for (int i = 0; i < 40; i++)
    make_object(r);
}
