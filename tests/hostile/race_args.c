/* Threads change paths, vectors, addresses, messages and lengths while the calls read them: copied once, checked, used. */
#include "hostile.h"
static volatile bool stop;
static struct {
  char path[64];
  struct iovec iov[8];
  struct sockaddr_un sun;
  struct msghdr msg;
  char control[256];
  struct pollfd pfd[8];
  struct timespec ts;
  struct sigaction sa;
  struct epoll_event ev;
  uint64_t clone3[11];
  char *argv[4];
  char data[4096];
  socklen_t len;
  sigset_t mask;
} *s;
static void *flipper(void *arg) {
  unsigned seed = (unsigned)(long)arg;
  volatile unsigned char *b = (void *)s;
  while (!stop) {
    for (int i = 0; i < 64; i++) {
      unsigned at = rand_r(&seed) % sizeof *s;
      b[at] = rand_r(&seed);
      ((volatile uint64_t *)b)[(rand_r(&seed) % (sizeof *s / 8))] = hostile_value(rand_r(&seed), s->data, (void *)s);
    }
    strcpy(s->path, rand_r(&seed) & 1 ? "/tmp/race/a" : "/tmp/race/../race/d/../../../../etc/passwd");
    for (int i = 0; i < 8; i++)
      s->iov[i] = (struct iovec){s->data, rand_r(&seed) % 600};
    s->sun.sun_family = AF_UNIX;
    s->msg = (struct msghdr){.msg_name = &s->sun, .msg_namelen = 20, .msg_iov = s->iov, .msg_iovlen = rand_r(&seed) % 9, .msg_control = s->control, .msg_controllen = 64};
  }
  return NULL;
}
static void racer(void *arg) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  pthread_t t;
  pthread_create(&t, NULL, flipper, arg);
  unsigned seed = (unsigned)(long)arg * 77;
  int p[2], sp[2], ep = epoll_create1(0), d = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0), f = open("/tmp/race/a", O_RDWR | O_CREAT, 0600);
  pipe2(p, O_NONBLOCK), socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, sp);
  signal(SIGPIPE, SIG_IGN);
  int64_t end = now_ms() + 700;
  struct timespec zero = {0, 0};
  while (now_ms() < end)
    switch (rand_r(&seed) % 26) {
    case 0: close(open(s->path, O_RDWR | O_CREAT | O_NONBLOCK, 0600)); break;
    case 1: { struct stat st; stat(s->path, &st); break; }
    case 2: rename(s->path, "/tmp/race/b"); break;
    case 3: unlink(s->path); break;
    case 4: mkdir(s->path, 0700); break;
    case 5: writev(p[1], s->iov, 8); break;
    case 6: readv(p[0], s->iov, 8); break;
    case 7: pwritev(f, s->iov, 8, 0); break;
    case 8: preadv(f, s->iov, 8, 0); break;
    case 9: sendmsg(sp[0], &s->msg, MSG_DONTWAIT); break;
    case 10: recvmsg(sp[1], &s->msg, MSG_DONTWAIT); break;
    case 11: bind(d, (void *)&s->sun, 20), close(d), d = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0); break;
    case 12: sendto(d, s->data, 100, MSG_DONTWAIT, (void *)&s->sun, s->len); break;
    case 13: poll(s->pfd, 8, 0); break;
    case 14: ppoll(s->pfd, 8, &zero, &s->mask); break;
    case 15: epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &s->ev), epoll_ctl(ep, EPOLL_CTL_DEL, p[0], &s->ev); break;
    case 16: syscall(SYS_rt_sigaction, SIGUSR2, &s->sa, &s->sa, 8), signal(SIGUSR2, SIG_IGN); break;
    case 17: getsockname(sp[0], (void *)&s->sun, &s->len); break;
    case 18: syscall(SYS_getsockopt, sp[0], SOL_SOCKET, SO_PEERCRED, s->data, &s->len); break;
    case 19: symlink(s->path, "/tmp/race/l"), readlink("/tmp/race/l", s->data, 4096), unlink("/tmp/race/l"); break;
    case 20: syscall(SYS_prlimit64, 0, RLIMIT_CORE, s->data, s->data + 16); break;
    case 21: if (syscall(SYS_execve, s->path, s->argv, s->argv) == 0) _exit(0); break;
    case 22: { long c = syscall(SYS_clone3, s->clone3, 64); if (c == 0) _exit(0); if (c > 0) while (waitpid(-1, NULL, WNOHANG | __WALL) > 0); break; }
    case 23: process_vm_readv(getpid(), s->iov, 8, s->iov, 8, 0); break;
    case 24: { fd_set *r = (void *)s->data; struct timeval tv = {0, 0}; select(900, r, NULL, NULL, &tv); break; }
    case 25: syscall(SYS_futex, s->data, FUTEX_WAIT, 0, &zero), syscall(SYS_futex, s->data, FUTEX_CMP_REQUEUE, 1, 1, s->data + 8, 0); break;
    }
  stop = true;
}
int main(void) {
  mkdir("/tmp/race", 0777), mkdir("/tmp/race/d", 0777);
  s = mmap(NULL, 16384, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  for (long i = 1; i <= 6; i++)
    attack(racer, (void *)i, 1500, NULL);
  say("raced");
  return 0;
}
