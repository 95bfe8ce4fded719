/* AF_UNIX datagrams: boundaries, truncation, names of senders, connected ones, full queues, shutdown. */
#include "guest.h"
int main(void) {
  struct sockaddr_un a = {AF_UNIX, "a"}, b = {AF_UNIX, "b"}, from;
  socklen_t len = sizeof from;
  char buf[64] = "";
  int x = MUST(socket(AF_UNIX, SOCK_DGRAM, 0)), y = MUST(socket(AF_UNIX, SOCK_DGRAM, 0)), z = MUST(socket(AF_UNIX, SOCK_DGRAM, 0));
  MUST(bind(x, (void *)&a, sizeof a));
  MUST(bind(y, (void *)&b, sizeof b));
  SHOW(sendto(y, "one", 3, 0, (void *)&a, sizeof a));
  SHOW(sendto(y, "three", 5, 0, (void *)&a, sizeof a));
  SHOW(sendto(z, "", 0, 0, (void *)&a, sizeof a));
  SHOW(recvfrom(x, buf, 64, 0, (void *)&from, &len));
  say("%.3s from %s (%u)", buf, from.sun_path, len);
  SHOW(recv(x, buf, 2, MSG_TRUNC));
  SHOW(recvfrom(x, buf, 64, 0, (void *)&from, &len));
  say("nameless sender %u", len);
  SHOW(recv(x, buf, 64, MSG_DONTWAIT));
  SHOW(send(z, "x", 1, 0));
  SHOW(connect(z, (void *)&a, sizeof a));
  SHOW(send(z, "connected", 9, 0));
  SHOW(read(x, buf, 64));
  SHOW(connect(x, (void *)&b, sizeof b));
  SHOW(sendto(z, "not from the peer", 17, MSG_DONTWAIT, (void *)&a, sizeof a));
  SHOW(listen(x, 1));
  SHOW(accept(x, NULL, NULL));
  struct sockaddr un = {AF_UNSPEC};
  SHOW(connect(x, &un, sizeof un));
  struct msghdr m = {.msg_iov = (struct iovec[]){{"ab", 2}, {"cd", 2}}, .msg_iovlen = 2, .msg_name = &a, .msg_namelen = sizeof a};
  SHOW(sendmsg(y, &m, 0));
  m = (struct msghdr){.msg_iov = (struct iovec[]){{buf, 1}, {buf + 1, 2}}, .msg_iovlen = 2};
  SHOW(recvmsg(x, &m, 0));
  say("truncated %d", (m.msg_flags & MSG_TRUNC) != 0);
  static char big[300000];
  SHOW(sendto(y, big, sizeof big, 0, (void *)&a, sizeof a));
  SHOW(sendto(y, big, 100000, 0, (void *)&a, sizeof a));
  SHOW(recv(x, big, sizeof big, 0));
  int n = 0;
  while (sendto(y, "x", 1, MSG_DONTWAIT, (void *)&a, sizeof a) == 1)
    n++;
  say("queue full: %s, some %d", ename(errno), n > 5 && n < 100000);
  close(x);
  SHOW(sendto(y, "x", 1, 0, (void *)&a, sizeof a));
  SHOW(send(z, "x", 1, 0));
  unlink("a");
  SHOW(sendto(y, "x", 1, 0, (void *)&a, sizeof a));
  struct mmsghdr mm[3];
  memset(mm, 0, sizeof mm);
  int sp[2];
  MUST(socketpair(AF_UNIX, SOCK_DGRAM, 0, sp));
  struct iovec v[3] = {{"1", 1}, {"22", 2}, {"333", 3}};
  for (int i = 0; i < 3; i++)
    mm[i].msg_hdr = (struct msghdr){.msg_iov = &v[i], .msg_iovlen = 1};
  SHOW(sendmmsg(sp[0], mm, 3, 0));
  char in[3][4];
  for (int i = 0; i < 3; i++)
    v[i] = (struct iovec){in[i], 4}, mm[i].msg_hdr = (struct msghdr){.msg_iov = &v[i], .msg_iovlen = 1};
  SHOW(recvmmsg(sp[1], mm, 3, 0, NULL));
  say("%u %u %u", mm[0].msg_len, mm[1].msg_len, mm[2].msg_len);
}
