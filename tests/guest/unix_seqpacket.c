/* AF_UNIX seqpacket: connection with record boundaries. */
#include "guest.h"
int main(void) {
  int s[2];
  char buf[64] = "";
  MUST(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, s));
  SHOW(fcntl(s[0], F_GETFD));
  SHOW(write(s[0], "first", 5));
  SHOW(write(s[0], "second", 6));
  SHOW(read(s[1], buf, 3));
  say("%.3s", buf);
  struct iovec v = {buf, 4};
  struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};
  SHOW(recvmsg(s[1], &m, MSG_PEEK));
  say("trunc %d eor %d", (m.msg_flags & MSG_TRUNC) != 0, (m.msg_flags & MSG_EOR) != 0);
  SHOW(recv(s[1], buf, 64, 0));
  say("%.6s", buf);
  SHOW(recv(s[1], buf, 64, MSG_DONTWAIT));
  close(s[0]);
  SHOW(read(s[1], buf, 64));
  SHOW(send(s[1], "x", 1, MSG_NOSIGNAL));
  struct sockaddr_un a = {AF_UNIX, "sp"};
  int l = MUST(socket(AF_UNIX, SOCK_SEQPACKET, 0)), c = MUST(socket(AF_UNIX, SOCK_SEQPACKET, 0)), t = MUST(socket(AF_UNIX, SOCK_STREAM, 0));
  MUST(bind(l, (void *)&a, sizeof a)), MUST(listen(l, 2));
  SHOW(connect(t, (void *)&a, sizeof a));
  SHOW(connect(c, (void *)&a, sizeof a));
  int n = MUST(accept4(l, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC));
  SHOW(fcntl(n, F_GETFL) & O_NONBLOCK);
  SHOW(read(n, buf, 1));
  SHOW(write(c, "", 0));
  SHOW(read(n, buf, 1));
  SHOW(accept4(l, NULL, NULL, 0x4));
}
