/* Network namespaces and connections: names are apart, sockets keep their namespace, one that ends takes its
 * connections along. */
#include "guest.h"
#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>

static struct sockaddr_in to;

static int up(void) {
  struct ifreq q = {.ifr_flags = IFF_UP};
  int fd = MUST(socket(AF_INET, SOCK_DGRAM, 0));
  strcpy(q.ifr_name, "lo");
  int r = ioctl(fd, SIOCSIFFLAGS, &q);
  close(fd);
  return r;
}

static int server(uint16_t port) {
  socklen_t n = sizeof to;
  int l = MUST(socket(AF_INET, SOCK_STREAM, 0)), one = 1;
  to = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = port, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  MUST(setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one));
  if (bind(l, (void *)&to, n))
    say("bind %s", ename(errno));
  MUST(listen(l, 4));
  MUST(getsockname(l, (void *)&to, &n));
  return l;
}

static void send_fd(int via, int fd) {
  union {
    char buf[CMSG_SPACE(sizeof fd)];
    struct cmsghdr h;
  } u = {.h = {CMSG_LEN(sizeof fd), SOL_SOCKET, SCM_RIGHTS}};
  struct iovec v = {"x", 1};
  struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = &u, .msg_controllen = sizeof u.buf};
  memcpy(CMSG_DATA(&u.h), &fd, sizeof fd);
  MUST(sendmsg(via, &m, 0));
}

static int recv_fd(int via) {
  char c;
  union {
    char buf[CMSG_SPACE(sizeof(int))];
    struct cmsghdr h;
  } u;
  struct iovec v = {&c, 1};
  struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = &u, .msg_controllen = sizeof u.buf};
  MUST(recvmsg(via, &m, 0));
  int fd;
  memcpy(&fd, CMSG_DATA(&u.h), sizeof fd);
  return fd;
}

int main(void) {
  int sv[2], l = server(0);
  uint16_t port = to.sin_port;
  alarm(15);
  MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, sv));
  for (int round = 0; round < 8; round++) {
    pid_t pid = fork();
    if (!pid) {
      static char big[20000];
      MUST(unshare(CLONE_NEWNET));
      int c = MUST(socket(AF_INET, SOCK_STREAM, 0));
      int r = connect(c, (void *)&to, sizeof to) ? errno : 0;
      if (!round)
        say("lo is down: %s", ename(r));
      close(c);
      MUST(up());
      c = MUST(socket(AF_INET, SOCK_STREAM, 0));
      r = connect(c, (void *)&to, sizeof to) ? errno : 0;
      if (!round)
        say("nobody is there: %s", ename(r));
      close(c);
      int in = server(port); /* the same name as outside */
      c = MUST(socket(AF_INET, SOCK_STREAM, 0));
      MUST(connect(c, (void *)&to, sizeof to));
      MUST(send(c, big, sizeof big, 0));
      if (!round) {
        int s = MUST(accept(in, NULL, NULL));
        send_fd(sv[0], c);
        send_fd(sv[0], s);
        send_fd(sv[0], in);
      }
      _exit(0); /* with data in queues, and connections that nobody has accepted */
    }
    int st;
    MUST(waitpid(pid, &st, 0));
    if (st)
      say("round %d: %x", round, st);
  }
  int c = recv_fd(sv[1]), s = recv_fd(sv[1]), in = recv_fd(sv[1]);
  char buf[1000];
  long total = 0;
  for (ssize_t n; (n = recv(s, buf, sizeof buf, MSG_DONTWAIT)) > 0;)
    total += n;
  say("what was sent: %ld", total);
  SHOW(send(s, "still", 5, 0));
  struct pollfd p = {c, POLLIN, 0};
  SHOW(poll(&p, 1, 1000));
  SHOW(recv(c, buf, sizeof buf, 0));
  struct sockaddr_in a;
  socklen_t n = sizeof a;
  MUST(getsockname(in, (void *)&a, &n));
  say("same port: %d", a.sin_port == port);
  int x = MUST(socket(AF_INET, SOCK_STREAM, 0)); /* in our own namespace: reaches our listener */
  SHOW(connect(x, (void *)&a, sizeof a));
  p = (struct pollfd){in, POLLIN, 0};
  SHOW(poll(&p, 1, 10));
  p.fd = l;
  SHOW(poll(&p, 1, 1000));
  close(c);
  p = (struct pollfd){s, POLLRDHUP, 0};
  SHOW(poll(&p, 1, 1000));
  close(s);
  close(in);
  return 0;
}
