/* Being told: SIGIO and SIGURG, epoll with edges and in levels, exclusive waiters in accept(2), signals that end or do
 * not end waits, FIONBIO; sendfile(2) and splice(2); a network namespace that ends with connections in it. */
#include "guest.h"
#include <arpa/inet.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/sendfile.h>

static int a, b, l;
static struct sockaddr_in to;
static volatile sig_atomic_t io, urg, alrm;

static void on(int sig) {
  if (sig == SIGIO)
    io++;
  if (sig == SIGURG)
    urg++;
  if (sig == SIGALRM)
    alrm++;
}

static void server(void) {
  socklen_t n = sizeof to;
  to = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  l = MUST(socket(AF_INET, SOCK_STREAM, 0));
  MUST(bind(l, (void *)&to, n));
  MUST(listen(l, 8));
  MUST(getsockname(l, (void *)&to, &n));
}

static void pair(void) {
  int one = 1;
  server();
  a = MUST(socket(AF_INET, SOCK_STREAM, 0));
  MUST(connect(a, (void *)&to, sizeof to));
  b = MUST(accept(l, NULL, NULL));
  MUST(setsockopt(a, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one));
}

static void end(void) {
  close(a);
  close(b);
  close(l);
}

static void signals(void) {
  int pid = getpid(), v = 0, one = 1;
  struct sigaction sa = {.sa_handler = on, .sa_flags = SA_RESTART};
  char c;
  say("-- signals");
  sigaction(SIGIO, &sa, NULL);
  sigaction(SIGURG, &sa, NULL);
  pair();
  SHOW(ioctl(b, FIOSETOWN, &pid));
  SHOW(ioctl(b, SIOCGPGRP, &v));
  say("owner is me: %d %d", v == pid, fcntl(b, F_GETOWN) == pid);
  v = -getpgrp();
  SHOW(ioctl(b, SIOCSPGRP, &v));
  say("owner is my group: %d", fcntl(b, F_GETOWN) == -getpgrp());
  SHOW(fcntl(b, F_SETOWN, getpid()));
  send(a, "u", 1, MSG_OOB);
  usleep(10000);
  say("urgent %d io %d", urg, io);
  recv(b, &c, 1, MSG_OOB);
  SHOW(fcntl(b, F_SETFL, O_ASYNC));
  send(a, "x", 1, 0);
  usleep(10000);
  say("urgent %d io %d", urg, io > 0);
  SHOW(ioctl(b, FIOASYNC, &(int){0}));
  io = 0;
  send(a, "x", 1, 0);
  usleep(10000);
  say("io %d", io);
  SHOW(ioctl(b, FIONBIO, &one));
  say("flags %x", fcntl(b, F_GETFL));
  end();
  server();
  SHOW(fcntl(l, F_SETOWN, getpid()));
  SHOW(fcntl(l, F_SETFL, O_ASYNC));
  a = MUST(socket(AF_INET, SOCK_STREAM, 0));
  MUST(connect(a, (void *)&to, sizeof to));
  usleep(10000);
  say("a connection to accept: io %d", io > 0);
  close(a);
  close(l);
}

static void interrupted(void) {
  struct sigaction sa = {.sa_handler = on};
  struct itimerval it = {.it_value = {0, 20000}}, off = {0};
  struct timeval tv = {5, 0};
  char c;
  say("-- interrupted calls");
  for (int restart = 0; restart < 2; restart++) {
    pair();
    sa.sa_flags = restart ? SA_RESTART : 0;
    sigaction(SIGALRM, &sa, NULL);
    pid_t pid = fork();
    if (!pid) {
      usleep(60000);
      send(a, "late", 1, 0);
      int x = socket(AF_INET, SOCK_STREAM, 0);
      usleep(60000);
      connect(x, (void *)&to, sizeof to);
      _exit(0);
    }
    setitimer(ITIMER_REAL, &it, NULL);
    SHOW(recv(b, &c, 1, 0));
    if (!restart)
      SHOW(recv(b, &c, 1, 0));
    setitimer(ITIMER_REAL, &it, NULL);
    SHOW(accept(l, NULL, NULL) >= 0 ? 0 : -1);
    waitpid(pid, NULL, 0);
    MUST(setsockopt(b, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv));
    setitimer(ITIMER_REAL, &it, NULL);
    SHOW(recv(b, &c, 1, 0)); /* with a time limit: never again */
    setitimer(ITIMER_REAL, &off, NULL);
    end();
  }
}

static void epolls(void) {
  struct epoll_event ev = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET}, got[4];
  int ep = MUST(epoll_create1(0)), lt = MUST(epoll_create1(0));
  char c[10];
  say("-- epoll");
  pair();
  ev.data.fd = b;
  MUST(epoll_ctl(ep, EPOLL_CTL_ADD, b, &ev));
  ev.events = EPOLLIN | EPOLLRDHUP;
  MUST(epoll_ctl(lt, EPOLL_CTL_ADD, b, &ev));
  int n = epoll_wait(ep, got, 4, 0);
  say("first: %d %x", n, n > 0 ? got[0].events : 0);
  say("again: %d", epoll_wait(ep, got, 4, 0));
  send(a, "abc", 3, 0);
  n = epoll_wait(ep, got, 4, 1000);
  say("data: %d %x", n, n > 0 ? got[0].events : 0);
  say("again: %d", epoll_wait(ep, got, 4, 0));
  recv(b, c, 1, 0);
  say("after a part was read: %d", epoll_wait(ep, got, 4, 0));
  n = epoll_wait(lt, got, 4, 0);
  say("in levels: %d %x", n, n > 0 ? got[0].events : 0);
  send(a, "d", 1, 0);
  n = epoll_wait(ep, got, 4, 1000);
  say("more: %d %x", n, n > 0 ? got[0].events : 0);
  recv(b, c, 10, 0);
  say("nothing: %d", epoll_wait(lt, got, 4, 0));
  shutdown(a, SHUT_WR);
  n = epoll_wait(ep, got, 4, 1000);
  say("end: %d %x", n, n > 0 ? got[0].events : 0);
  shutdown(b, SHUT_WR);
  usleep(10000);
  n = epoll_wait(ep, got, 4, 1000);
  say("both: %d %x", n, n > 0 ? got[0].events : 0);
  end();
  close(ep);
  close(lt);
}

static void herd(void) {
  say("-- several in accept(2)");
  server();
  pid_t pid[3];
  for (int i = 0; i < 3; i++)
    if (!(pid[i] = fork())) {
      int s = accept(l, NULL, NULL);
      _exit(s >= 0 ? 7 : 1);
    }
  usleep(20000);
  for (int i = 0; i < 3; i++) {
    int st, c = MUST(socket(AF_INET, SOCK_STREAM, 0));
    MUST(connect(c, (void *)&to, sizeof to));
    MUST(wait(&st));
    say("one: %d", WEXITSTATUS(st));
    close(c);
  }
  close(l);
}

static void files(void) {
  static char buf[300000], back[300000];
  char path[] = "/tmp/tcp_async.XXXXXX";
  int f = MUST(mkstemp(path)), p[2];
  unlink(path);
  for (size_t i = 0; i < sizeof buf; i++)
    buf[i] = (char)(i * 7 + i / 1000);
  MUST(write(f, buf, sizeof buf));
  say("-- sendfile, splice");
  pair();
  pid_t pid = fork();
  if (!pid) {
    off_t o = 0;
    while (o < (off_t)sizeof buf)
      if (sendfile(a, f, &o, sizeof buf - (size_t)o) <= 0)
        _exit(1);
    close(a);
    _exit(0);
  }
  close(a);
  size_t at = 0;
  for (ssize_t n; (n = recv(b, back + at, sizeof back - at, 0)) > 0;)
    at += (size_t)n;
  waitpid(pid, NULL, 0);
  say("sendfile: %zu, same %d", at, !memcmp(buf, back, sizeof buf));
  end();
  MUST(pipe(p));
  pair();
  MUST(write(p[1], "through a pipe", 14));
  SHOW(splice(p[0], NULL, a, NULL, 100, 0));
  struct pollfd pf = {b, POLLIN, 0};
  poll(&pf, 1, 1000);
  SHOW(splice(b, NULL, p[1], NULL, 7, 0));
  memset(back, 0, 20);
  SHOW(read(p[0], back, 20));
  SHOW(splice(b, NULL, p[1], NULL, 100, SPLICE_F_NONBLOCK));
  SHOW(read(p[0], back + 7, 20));
  say("%s", back);
  MUST(fcntl(b, F_SETFL, O_NONBLOCK)); /* SPLICE_F_NONBLOCK is for pipes */
  SHOW(splice(b, NULL, p[1], NULL, 100, 0));
  SHOW(splice(b, &(off_t){0}, p[1], NULL, 100, SPLICE_F_NONBLOCK));
  SHOW(sendfile(a, b, NULL, 10));
  SHOW(sendfile(a, p[0], NULL, 10));
  shutdown(a, SHUT_WR);
  poll(&pf, 1, 1000);
  SHOW(splice(b, NULL, p[1], NULL, 100, 0));
  signal(SIGPIPE, SIG_IGN);
  SHOW(sendfile(a, f, &(off_t){0}, 10));
  SHOW(lseek(a, 0, SEEK_SET));
  SHOW(pread(a, back, 1, 0));
  SHOW(ftruncate(a, 0));
  SHOW(fsync(a));
  end();
}

int main(void) {
  signals();
  interrupted();
  epolls();
  herd();
  files();
  return 0;
}
