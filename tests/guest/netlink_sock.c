/* Sockets of AF_NETLINK: names, groups, options, datagrams between sockets, what is lost, credentials. */
#include "guest.h"
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

static int sock(int protocol) {
  return MUST(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol));
}

static struct sockaddr_nl name(unsigned pid, unsigned groups) {
  return (struct sockaddr_nl){.nl_family = AF_NETLINK, .nl_pid = pid, .nl_groups = groups};
}

static void protocols(void) {
  static const int known[] = {NETLINK_ROUTE, NETLINK_USERSOCK,       NETLINK_SOCK_DIAG,
                              NETLINK_AUDIT, NETLINK_KOBJECT_UEVENT, NETLINK_GENERIC};
  for (size_t i = 0; i < sizeof known / sizeof *known; i++)
    close(sock(known[i]));
  SHOW(socket(AF_NETLINK, SOCK_RAW, 31));
  SHOW(socket(AF_NETLINK, SOCK_RAW, -1));
  SHOW(socket(AF_NETLINK, SOCK_RAW, 32));
  SHOW(socket(AF_NETLINK, SOCK_STREAM, NETLINK_ROUTE));
  int sv[2];
  SHOW(socketpair(AF_NETLINK, SOCK_RAW, NETLINK_USERSOCK, sv));
}

static void names(void) {
  int a = sock(NETLINK_USERSOCK), b = sock(NETLINK_USERSOCK), c = sock(NETLINK_USERSOCK);
  struct sockaddr_nl n = name(0, 0);
  socklen_t len = sizeof n;
  SHOW(bind(a, (void *)&n, sizeof n - 1));
  SHOW(getsockname(a, (void *)&n, &len));
  say("unbound: %u", n.nl_pid);
  n = name(0, 0);
  SHOW(bind(a, (void *)&n, sizeof n));
  getsockname(a, (void *)&n, &len);
  YES(n.nl_pid == (unsigned)getpid());
  n = name(0, 0);
  SHOW(bind(b, (void *)&n, sizeof n));
  getsockname(b, (void *)&n, &len);
  YES((int)n.nl_pid < -4096);
  n = name((unsigned)getpid(), 0);
  SHOW(bind(c, (void *)&n, sizeof n));
  n = name(0x12345678, 5);
  SHOW(bind(c, (void *)&n, sizeof n));
  getsockname(c, (void *)&n, &len);
  say("%x, groups %x", n.nl_pid, n.nl_groups);
  n = name(0x12345678, 0);
  SHOW(bind(c, (void *)&n, sizeof n));
  n = name(0x12345679, 0);
  SHOW(bind(c, (void *)&n, sizeof n));
  n = name(0x12345678, 4);
  SHOW(connect(a, (void *)&n, sizeof n));
  SHOW(getpeername(a, (void *)&n, &len));
  say("peer %x, groups %x", n.nl_pid, n.nl_groups);
  n.nl_family = AF_UNSPEC;
  SHOW(connect(a, (void *)&n, sizeof n));
  SHOW(getpeername(a, (void *)&n, &len));
  say("peer %x, groups %x", n.nl_pid, n.nl_groups);
  n.nl_family = AF_INET;
  SHOW(connect(a, (void *)&n, sizeof n));
  SHOW(connect(a, (void *)&n, 1));
  SHOW(listen(a, 1));
  SHOW(accept(a, NULL, NULL));
  SHOW(shutdown(a, SHUT_RD));
  close(a), close(b), close(c);
}

static void option(int s, int opt, int v) {
  int got = -1;
  socklen_t len = sizeof got;
  int rc = setsockopt(s, SOL_NETLINK, opt, &v, sizeof v), err = rc ? errno : 0;
  int rc2 = getsockopt(s, SOL_NETLINK, opt, &got, &len);
  say("option %d = %d: %s, then %s %d, length %u", opt, v, ename(err), ename(rc2 ? errno : 0), got, len);
}

static void options(void) {
  int s = sock(NETLINK_ROUTE), g = 33;
  uint32_t m[4] = {0};
  socklen_t len = sizeof m;
  for (int o = 0; o < 14; o++)
    if (o != NETLINK_ADD_MEMBERSHIP && o != NETLINK_DROP_MEMBERSHIP && o != NETLINK_LIST_MEMBERSHIPS)
      option(s, o, 3);
  option(s, NETLINK_EXT_ACK, 0);
  SHOW(setsockopt(s, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &g, sizeof g));
  g = RTNLGRP_LINK;
  SHOW(setsockopt(s, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &g, sizeof g));
  SHOW(getsockopt(s, SOL_NETLINK, NETLINK_LIST_MEMBERSHIPS, m, &len));
  say("length %u: %x %x", len, m[0], m[1]);
  len = 4, m[0] = m[1] = 0;
  SHOW(getsockopt(s, SOL_NETLINK, NETLINK_LIST_MEMBERSHIPS, m, &len));
  say("length %u: %x %x", len, m[0], m[1]);
  len = 7, m[0] = 0, m[1] = 0xaaaaaaaa; /* only whole words are written */
  SHOW(getsockopt(s, SOL_NETLINK, NETLINK_LIST_MEMBERSHIPS, m, &len));
  say("length %u: %x %x", len, m[0], m[1]);
  g = 0;
  SHOW(setsockopt(s, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &g, sizeof g));
  g = 5000;
  SHOW(setsockopt(s, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &g, sizeof g));
  SHOW(setsockopt(s, SOL_NETLINK, NETLINK_DROP_MEMBERSHIP, &g, sizeof g));
  g = RTNLGRP_LINK;
  SHOW(setsockopt(s, SOL_NETLINK, NETLINK_DROP_MEMBERSHIP, &g, sizeof g));
  len = 2;
  SHOW(getsockopt(s, SOL_NETLINK, NETLINK_PKTINFO, &g, &len));
  SHOW(setsockopt(s, SOL_SOCKET + 5, 1, &g, sizeof g));
  close(s);
}

static void show_recv(int s, int flags, size_t room) {
  char b[256], control[256];
  struct sockaddr_nl from;
  struct iovec io = {b, room};
  struct msghdr m = {&from, sizeof from, &io, 1, control, sizeof control, 0};
  ssize_t n = recvmsg(s, &m, flags);
  if (n < 0) {
    say("recvmsg: %s", ename(errno));
    return;
  }
  say("recvmsg: %zd, flags %x, from %x groups %x, name of %u", n, m.msg_flags, from.nl_pid, from.nl_groups,
      m.msg_namelen);
  for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
    const struct ucred *u = (void *)CMSG_DATA(c);
    if (c->cmsg_level == SOL_SOCKET)
      say("  credentials: %s uid %u gid %u",
          u->pid == getpid() ? "ours"
          : u->pid           ? "another's"
                             : "the kernel's",
          u->uid, u->gid);
    else
      say("  cmsg %d/%d: %d", c->cmsg_level, c->cmsg_type, *(int *)CMSG_DATA(c));
  }
}

static void between(void) {
  int a = sock(NETLINK_USERSOCK), b = sock(NETLINK_USERSOCK), on = 1, g = 3;
  struct sockaddr_nl na = name(0x1000001, 0), nb = name(0x1000002, 0), none = name(0x1000003, 0), grp = name(0, 1 << 2);
  MUST(bind(a, (void *)&na, sizeof na));
  MUST(bind(b, (void *)&nb, sizeof nb));
  SHOW(sendto(a, "hello", 5, 0, (void *)&nb, sizeof nb));
  show_recv(b, MSG_PEEK, 3);
  show_recv(b, MSG_PEEK | MSG_TRUNC, 0);
  show_recv(b, MSG_TRUNC, 2);
  show_recv(b, MSG_DONTWAIT, 2);
  SHOW(sendto(a, "hello", 5, 0, (void *)&none, sizeof none));
  SHOW(sendto(a, "hello", 5, 0, NULL, 0));
  SHOW(sendto(a, "", 0, 0, (void *)&nb, sizeof nb));
  SHOW(sendto(a, "x", 1, MSG_OOB, (void *)&nb, sizeof nb));
  SHOW(sendto(a, "x", 1, 0, (void *)&nb, 3));
  SHOW(recv(b, &on, 1, MSG_OOB));
  SHOW(setsockopt(b, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &g, sizeof g));
  SHOW(setsockopt(b, SOL_NETLINK, NETLINK_PKTINFO, &on, sizeof on));
  SHOW(setsockopt(b, SOL_SOCKET, SO_PASSCRED, &on, sizeof on));
  say("to the group: %d %s", (int)sendto(a, "group", 5, 0, (void *)&grp, sizeof grp), ename(errno));
  show_recv(b, MSG_DONTWAIT, 100);
  SHOW(connect(b, (void *)&none, sizeof none));
  SHOW(sendto(a, "hello", 5, 0, (void *)&nb, sizeof nb));
  SHOW(connect(b, (void *)&na, sizeof na));
  SHOW(sendto(a, "hello", 5, 0, (void *)&nb, sizeof nb));
  SHOW(send(b, "back", 4, 0));
  show_recv(a, MSG_DONTWAIT, 100);
  show_recv(b, MSG_DONTWAIT, 100);
  struct pollfd p = {b, POLLIN | POLLOUT, 0};
  poll(&p, 1, 0);
  say("poll: %x", p.revents);
  close(a), close(b);
}

/* A reader that does not read: -EAGAIN for who sends to it, ENOBUFS for it when a group's message is lost. */
static void full(void) {
  int a = sock(NETLINK_USERSOCK), b = sock(NETLINK_USERSOCK), g = 3, small = 4096, on = 1;
  struct sockaddr_nl na = name(0x1000001, 0), nb = name(0x1000002, 0), grp = name(0, 1 << 2);
  char m[1000] = "x";
  MUST(bind(a, (void *)&na, sizeof na));
  MUST(bind(b, (void *)&nb, sizeof nb));
  setsockopt(b, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
  setsockopt(b, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &g, sizeof g);
  int n = 0;
  while (n < 100 && sendto(a, m, sizeof m, MSG_DONTWAIT, (void *)&nb, sizeof nb) > 0)
    n++;
  say("then %s", ename(errno));
  YES(n > 1 && n < 20);
  struct pollfd p = {b, POLLIN | POLLOUT, 0};
  sendto(a, m, sizeof m, 0, (void *)&grp, sizeof grp);
  poll(&p, 1, 0);
  say("poll: %x", p.revents);
  show_recv(b, MSG_DONTWAIT, 1);
  int got = 0;
  while (recv(b, m, sizeof m, MSG_DONTWAIT) > 0)
    got++;
  YES(got == n);
  setsockopt(b, SOL_NETLINK, NETLINK_NO_ENOBUFS, &on, sizeof on);
  for (int i = 0; i < 20; i++)
    sendto(a, m, sizeof m, 0, (void *)&grp, sizeof grp);
  show_recv(b, MSG_DONTWAIT, 1);
  close(a), close(b);
}

static void others(void) {
  int u = sock(NETLINK_KOBJECT_UEVENT);
  struct sockaddr_nl n = name(0, 1);
  char b[64];
  SHOW(bind(u, (void *)&n, sizeof n));
  SHOW(recv(u, b, sizeof b, MSG_DONTWAIT));
  int a = sock(NETLINK_AUDIT);
  struct nlmsghdr h = {.nlmsg_len = sizeof h, .nlmsg_type = 1000, .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK};
  SHOW(send(a, &h, sizeof h, 0));
  YES(recv(a, b, sizeof b, MSG_DONTWAIT) > 0);
  close(u), close(a);
}

int main(void) {
  MUST(unshare(CLONE_NEWNET));
  protocols();
  names();
  options();
  between();
  full();
  others();
}
