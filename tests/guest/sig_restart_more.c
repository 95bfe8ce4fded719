/* The rest of signal(7)'s list: restarted or EINTR after a handler; and what a stop and SIGCONT alone do to a call. */
#include "guest.h"
#include <linux/futex.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#ifndef FUTEX_LOCK_PI2
#define FUTEX_LOCK_PI2 13
#endif
static void h(int s) {}
static int fds[2], full[2], sock[2], fullsock[2], timedsock[2], ino, sfd, epfd, pty, locked, lst, efull;
static uint32_t word, *piword;
struct waitv {
  uint64_t val, uaddr;
  uint32_t flags, res;
};
static struct timespec in5(clockid_t c) {
  struct timespec ts;
  clock_gettime(c, &ts);
  ts.tv_sec += 5;
  return ts;
}

static long c_inotify(void) { char b[200] = ""; return read(ino, b, sizeof b); }
static long c_signalfd(void) { char b[200] = ""; return read(sfd, b, sizeof b); }
static long c_pty(void) { char b[200] = ""; return read(pty, b, sizeof b); }
static long c_send(void) { char b[200] = ""; return send(fullsock[0], b, sizeof b, 0); }
static long c_sendmsg(void) { char b[200] = ""; struct iovec v = {b, sizeof b}; struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1}; return sendmsg(fullsock[0], &m, 0); }
static long c_sndtimeo(void) { char b[200] = ""; return send(timedsock[0], b, sizeof b, 0); }
static long c_recvmmsg(void) { char b[10]; struct iovec v = {b, 10}; struct mmsghdr m = {{.msg_iov = &v, .msg_iovlen = 1}, 0}; return recvmmsg(sock[0], &m, 1, 0, NULL); }
static long c_accept4(void) { return accept4(lst, NULL, NULL, SOCK_CLOEXEC); }
static long c_bitset(void) { struct timespec ts = in5(CLOCK_MONOTONIC); return syscall(SYS_futex, &word, FUTEX_WAIT_BITSET_PRIVATE, 0, &ts, NULL, -1); }
static long c_lock_pi(void) { return syscall(SYS_futex, piword, FUTEX_LOCK_PI, 0, NULL, NULL, 0); }
static long c_lock_pi_timed(void) { struct timespec ts = in5(CLOCK_REALTIME); return syscall(SYS_futex, piword, FUTEX_LOCK_PI, 0, &ts, NULL, 0); }
static long c_waitv(void) { struct waitv v = {0, (uint64_t)&word, 2 | 128, 0}; return syscall(449, &v, 1, 0, NULL, 0); }
static long c_waitv_timed(void) { struct timespec ts = in5(CLOCK_MONOTONIC); struct waitv v = {0, (uint64_t)&word, 2 | 128, 0}; return syscall(449, &v, 1, 0, &ts, CLOCK_MONOTONIC); }
static long c_sigtimedwait(void) { sigset_t m; sigemptyset(&m); sigaddset(&m, SIGUSR2); struct timespec ts = {5, 0}; return sigtimedwait(&m, NULL, &ts); }
static long c_epoll_pwait(void) { struct epoll_event e; sigset_t m; sigemptyset(&m); return epoll_pwait(epfd, &e, 1, -1, &m); }
static long c_epoll_inf(void) { struct epoll_event e; return epoll_wait(epfd, &e, 1, -1); }
static long c_ofd(void) { struct flock l = {.l_type = F_WRLCK, .l_len = 1}; return fcntl(locked, F_OFD_SETLKW, &l); }
static long c_abs(void) { struct timespec ts = in5(CLOCK_REALTIME); int e = clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &ts, NULL); errno = e; return e ? -1 : 0; }
static long c_nano_rem(void) { struct timespec ts = {5, 0}, r = {0, 0}; long x = nanosleep(&ts, &r); int e = errno; if (x < 0 && (r.tv_sec < 3 || r.tv_sec > 5)) e = EDOM; errno = e; return x; }
static long c_waitpid_stop(void) { return waitpid(-1, NULL, WUNTRACED); }
static long c_wait4(void) { return wait4(-1, NULL, 0, NULL); }
static long c_splice(void) { return splice(fds[0], NULL, full[1], NULL, 10, 0); }
static long c_tee(void) { return tee(fds[0], full[1], 10, 0); }
static long c_poll_inf(void) { struct pollfd p = {fds[0], POLLIN, 0}; return poll(&p, 1, -1); }
static long c_ppoll_inf(void) { struct pollfd p = {fds[0], POLLIN, 0}; return ppoll(&p, 1, NULL, NULL); }
static long c_select_inf(void) { fd_set s; FD_ZERO(&s); FD_SET(fds[0], &s); return select(fds[0] + 1, &s, NULL, NULL, NULL); }
static long c_efd_write(void) { uint64_t v = 5; return write(efull, &v, 8); }
static long c_open_wr(void) { return open("fifo2", O_WRONLY); }
static long c_read(void) { char c; return read(fds[0], &c, 1); }
static long c_flock(void) { return flock(locked, LOCK_SH); }

static const struct {
  const char *name;
  long (*fn)(void);
} calls[] = {{"read inotify", c_inotify}, {"read signalfd", c_signalfd}, {"read terminal", c_pty}, {"send", c_send}, {"sendmsg", c_sendmsg}, {"send with SO_SNDTIMEO", c_sndtimeo}, {"recvmmsg", c_recvmmsg}, {"accept4", c_accept4}, {"futex bitset timed", c_bitset}, {"futex LOCK_PI", c_lock_pi}, {"futex LOCK_PI timed", c_lock_pi_timed}, {"futex_waitv", c_waitv}, {"futex_waitv timed", c_waitv_timed}, {"sigtimedwait", c_sigtimedwait}, {"epoll_pwait", c_epoll_pwait}, {"epoll_wait", c_epoll_inf}, {"F_OFD_SETLKW", c_ofd}, {"clock_nanosleep absolute", c_abs}, {"nanosleep rem", c_nano_rem}, {"waitpid WUNTRACED", c_waitpid_stop}, {"wait4", c_wait4}, {"splice", c_splice}, {"tee", c_tee}, {"poll", c_poll_inf}, {"ppoll", c_ppoll_inf}, {"select", c_select_inf}, {"write eventfd", c_efd_write}, {"open fifo for writing", c_open_wr}, {"read pipe", c_read}, {"flock shared", c_flock}};

#define N (sizeof calls / sizeof *calls)
static pid_t child[N];
static int up[N];

static void start(unsigned i, int flags) {
  int pfd[2];
  pipe(pfd);
  up[i] = pfd[0];
  child[i] = fork();
  if (!child[i]) {
    pid_t idle = fork();
    if (!idle) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      close(pfd[1]);
      for (;;)
        pause();
    }
    on_signal(SIGUSR1, h, flags);
    long r = calls[i].fn();
    int e = errno;
    dprintf(pfd[1], "%s", r == -1 ? ename(e) : "returned");
    kill(idle, SIGKILL);
    _exit(0);
  }
  close(pfd[1]);
}

/* All children block in their calls; the parent signals each once, and looks which block again. */
static void try(int flags, int sig) {
  for (unsigned i = 0; i < N; i++)
    start(i, flags);
  for (unsigned i = 0; i < N; i++)
    wait_state(child[i], 'S');
  for (unsigned i = 0; i < N; i++) {
    kill(child[i], sig);
    if (sig == SIGSTOP) {
      waitpid(child[i], NULL, WUNTRACED);
      kill(child[i], SIGCONT);
    }
  }
  usleep(300000);
  for (unsigned i = 0; i < N; i++) {
    char buf[64] = "";
    struct pollfd pf = {up[i], POLLIN, 0};
    if (poll(&pf, 1, 0) > 0)
      read(up[i], buf, sizeof buf - 1);
    else
      strcpy(buf, "restarted");
    kill(child[i], SIGKILL);
    waitpid(child[i], NULL, 0);
    close(up[i]);
    say("%s%s: %s", calls[i].name, sig == SIGSTOP ? " stop" : flags & SA_RESTART ? " SA_RESTART" : "", buf);
  }
}

int main(void) {
  setbuf(stdout, NULL);
  pipe(fds);
  pipe2(full, O_NONBLOCK);
  char junk[4096] = "";
  while (write(full[1], junk, sizeof junk) > 0)
    ;
  fcntl(full[1], F_SETFL, 0);
  socketpair(AF_UNIX, SOCK_STREAM, 0, sock);
  socketpair(AF_UNIX, SOCK_STREAM, 0, fullsock);
  while (send(fullsock[0], junk, sizeof junk, MSG_DONTWAIT) > 0)
    ;
  socketpair(AF_UNIX, SOCK_STREAM, 0, timedsock);
  struct timeval tv = {5, 0};
  setsockopt(timedsock[0], SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof tv);
  while (send(timedsock[0], junk, sizeof junk, MSG_DONTWAIT) > 0)
    ;
  lst = socket(AF_UNIX, SOCK_STREAM, 0);
  struct sockaddr_un a = {AF_UNIX, "s2"};
  unlink("s2");
  MUST(bind(lst, (void *)&a, sizeof a));
  MUST(listen(lst, 1));
  ino = inotify_init();
  sigset_t m;
  sigemptyset(&m);
  sigaddset(&m, SIGUSR2);
  sigprocmask(SIG_BLOCK, &m, NULL);
  sfd = signalfd(-1, &m, 0);
  epfd = epoll_create1(0);
  efull = eventfd(0xfffffffe, 0);
  uint64_t big = 0xfffffffffffffffeull - 0xfffffffeull;
  write(efull, &big, 8);
  int pt = posix_openpt(O_RDWR | O_NOCTTY);
  grantpt(pt), unlockpt(pt);
  pty = open(ptsname(pt), O_RDWR | O_NOCTTY);
  unlink("fifo2");
  MUST(mkfifo("fifo2", 0600));
  int holder = MUST(open("lock2", O_RDWR | O_CREAT, 0600));
  MUST(flock(holder, LOCK_EX));
  struct flock l = {.l_type = F_WRLCK, .l_len = 1};
  MUST(fcntl(holder, F_OFD_SETLK, &l));
  locked = MUST(open("lock2", O_RDWR));
  piword = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  *piword = (uint32_t)getpid();
  try(0, SIGUSR1);
  try(SA_RESTART, SIGUSR1);
  try(0, SIGSTOP);
}
