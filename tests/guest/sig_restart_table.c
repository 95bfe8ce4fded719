/* Which blocking calls are restarted after a handler with SA_RESTART, and which give EINTR; and all of them without. */
#include "guest.h"
#include <semaphore.h>
#include <sys/file.h>
static volatile int got;
static void h(int s) { got++; }
static int fds[2], full[2], sock[2], lst, epfd, efd, tfd, locked;
static sem_t sem;
static int word;

static long c_read(void) { char c; return read(fds[0], &c, 1); }
static long c_readv(void) { char c; struct iovec v = {&c, 1}; return readv(fds[0], &v, 1); }
static long c_write(void) { return write(full[1], "x", 1); }
static long c_recv(void) { char c; return recv(sock[0], &c, 1, 0); }
static long c_recvmsg(void) { char c; struct iovec v = {&c, 1}; struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1}; return recvmsg(sock[0], &m, 0); }
static long c_accept(void) { return accept(lst, NULL, NULL); }
static long c_wait(void) { return wait(NULL); }
static long c_waitid(void) { siginfo_t si; return waitid(P_ALL, 0, &si, WEXITED); }
static long c_futex(void) { return syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0); }
static long c_futex_timed(void) { struct timespec ts = {5, 0}; return syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, &ts, NULL, 0); }
static long c_sem(void) { return sem_wait(&sem); }
static long c_flock(void) { return flock(locked, LOCK_EX); }
static long c_setlkw(void) { struct flock l = {.l_type = F_WRLCK, .l_len = 1}; return fcntl(locked, F_SETLKW, &l); }
static long c_eventfd(void) { uint64_t v; return read(efd, &v, 8); }
static long c_timerfd(void) { uint64_t v; return read(tfd, &v, 8); }
static long c_open_fifo(void) { return open("fifo", O_RDONLY); }
static long c_nanosleep(void) { struct timespec ts = {5, 0}; return nanosleep(&ts, NULL); }
static long c_clock_nanosleep(void) { struct timespec ts = {5, 0}; int e = clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, NULL); errno = e; return e ? -1 : 0; }
static long c_poll(void) { struct pollfd p = {fds[0], POLLIN, 0}; return poll(&p, 1, 5000); }
static long c_ppoll(void) { struct pollfd p = {fds[0], POLLIN, 0}; struct timespec ts = {5, 0}; return ppoll(&p, 1, &ts, NULL); }
static long c_select(void) { fd_set s; FD_ZERO(&s); FD_SET(fds[0], &s); struct timeval tv = {5, 0}; return select(fds[0] + 1, &s, NULL, NULL, &tv); }
static long c_pselect(void) { fd_set s; FD_ZERO(&s); FD_SET(fds[0], &s); return pselect(fds[0] + 1, &s, NULL, NULL, NULL, NULL); }
static long c_epoll(void) { struct epoll_event e; return epoll_wait(epfd, &e, 1, 5000); }
static long c_pause(void) { return pause(); }
static long c_sigsuspend(void) { sigset_t m; sigemptyset(&m); return sigsuspend(&m); }
static long c_sigwait(void) { sigset_t m; sigemptyset(&m); sigaddset(&m, SIGUSR2); return sigwaitinfo(&m, NULL); }
static long c_rcvtimeo(void) { char c; struct timeval tv = {5, 0}; setsockopt(sock[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv); long r = recv(sock[0], &c, 1, 0); int e = errno; tv.tv_sec = 0; setsockopt(sock[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv); errno = e; return r; }

static const struct {
  const char *name;
  long (*fn)(void);
} calls[] = {{"read pipe", c_read}, {"readv pipe", c_readv}, {"write pipe", c_write}, {"recv", c_recv}, {"recvmsg", c_recvmsg},
             {"recv with SO_RCVTIMEO", c_rcvtimeo}, {"accept", c_accept}, {"wait", c_wait}, {"waitid", c_waitid}, {"futex", c_futex},
             {"futex timed", c_futex_timed}, {"sem_wait", c_sem}, {"flock", c_flock}, {"F_SETLKW", c_setlkw}, {"read eventfd", c_eventfd},
             {"read timerfd", c_timerfd}, {"open fifo", c_open_fifo}, {"nanosleep", c_nanosleep}, {"clock_nanosleep", c_clock_nanosleep},
             {"poll", c_poll}, {"ppoll", c_ppoll}, {"select", c_select}, {"pselect", c_pselect}, {"epoll_wait", c_epoll}, {"pause", c_pause},
             {"sigsuspend", c_sigsuspend}, {"sigwaitinfo", c_sigwait}};

/* The child blocks in the call; the parent signals it once, and looks whether it blocks again. */
static void try(int i, int flags) {
  int up[2];
  pipe(up);
  pid_t p = fork();
  if (!p) {
    close(up[0]);
    pid_t idle = fork(); /* for wait */
    if (!idle) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      close(up[1]);
      for (;;)
        pause();
    }
    on_signal(SIGUSR1, h, flags);
    long r = calls[i].fn();
    int e = errno;
    dprintf(up[1], "%s", r == -1 ? ename(e) : "returned");
    kill(idle, SIGKILL);
    _exit(0);
  }
  close(up[1]);
  wait_state(p, 'S');
  kill(p, SIGUSR1);
  char buf[64] = "";
  struct pollfd pf = {up[0], POLLIN, 0};
  if (poll(&pf, 1, 150) > 0)
    read(up[0], buf, sizeof buf - 1);
  else
    strcpy(buf, "restarted");
  kill(p, SIGKILL);
  waitpid(p, NULL, 0);
  close(up[0]);
  say("%s%s: %s", calls[i].name, flags & SA_RESTART ? " SA_RESTART" : "", buf);
}

int main(void) {
  pipe(fds);
  pipe2(full, O_NONBLOCK);
  char junk[4096] = "";
  while (write(full[1], junk, sizeof junk) > 0)
    ;
  fcntl(full[1], F_SETFL, 0);
  socketpair(AF_UNIX, SOCK_STREAM, 0, sock);
  lst = socket(AF_UNIX, SOCK_STREAM, 0);
  struct sockaddr_un a = {AF_UNIX, "s"};
  MUST(bind(lst, (void *)&a, sizeof a));
  MUST(listen(lst, 1));
  epfd = epoll_create1(0);
  efd = eventfd(0, 0);
  tfd = timerfd_create(CLOCK_MONOTONIC, 0);
  MUST(mkfifo("fifo", 0600));
  sem_init(&sem, 0, 0);
  int holder = MUST(open("lock", O_RDWR | O_CREAT, 0600));
  MUST(flock(holder, LOCK_EX));
  struct flock l = {.l_type = F_WRLCK, .l_len = 1};
  MUST(fcntl(holder, F_SETLK, &l));
  locked = MUST(open("lock", O_RDWR));
  for (unsigned i = 0; i < sizeof calls / sizeof *calls; i++) {
    try(i, 0);
    try(i, SA_RESTART);
  }
}
