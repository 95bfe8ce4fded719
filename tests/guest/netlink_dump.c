/* Long lists in pieces: each is made when the one before has been read, fits the reader's buffer, and says when it was
 * disturbed; a list that nobody reads holds nothing up but its own socket. */
#include "guest.h"
#include <arpa/inet.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

#define N 300

struct req {
  struct nlmsghdr h;
  char body[256];
};
static void add(struct req *r, const void *p, size_t n) {
  memcpy((char *)r + r->h.nlmsg_len, p, n);
  r->h.nlmsg_len += (unsigned)NLMSG_ALIGN(n);
}
static void attr(struct req *r, int type, const void *p, size_t n) {
  struct rtattr a = {.rta_len = (unsigned short)RTA_LENGTH(n), .rta_type = (unsigned short)type};
  add(r, &a, sizeof a);
  add(r, p, n);
}

static int change(int s, struct req *r) {
  struct {
    struct nlmsghdr h;
    struct nlmsgerr e;
    char more[512];
  } answer;
  r->h.nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
  send(s, r, r->h.nlmsg_len, 0);
  recv(s, &answer, sizeof answer, 0);
  return -answer.e.error;
}

static int address(int s, int type, unsigned i) {
  struct ifaddrmsg m = {.ifa_family = AF_INET, .ifa_prefixlen = 32, .ifa_index = 1};
  struct req r = {.h = {.nlmsg_len = NLMSG_HDRLEN, .nlmsg_type = (uint16_t)type, .nlmsg_flags = NLM_F_CREATE}};
  uint32_t a = htonl(0x7f010000 + i);
  add(&r, &m, sizeof m);
  attr(&r, IFA_LOCAL, &a, 4);
  return change(s, &r);
}

static int route(int s, unsigned i) {
  struct rtmsg m = {.rtm_family = AF_INET,
                    .rtm_dst_len = 32,
                    .rtm_table = RT_TABLE_MAIN,
                    .rtm_protocol = RTPROT_BOOT,
                    .rtm_scope = RT_SCOPE_LINK,
                    .rtm_type = RTN_UNICAST};
  struct req r = {.h = {.nlmsg_len = NLMSG_HDRLEN, .nlmsg_type = RTM_NEWROUTE, .nlmsg_flags = NLM_F_CREATE}};
  uint32_t dst = htonl(0x0a000000 + i), oif = 1;
  add(&r, &m, sizeof m);
  attr(&r, RTA_DST, &dst, 4);
  attr(&r, RTA_OIF, &oif, 4);
  return change(s, &r);
}

struct seen {
  int messages, datagrams, disturbed;
  bool done, sorted;
  uint32_t last;
  size_t largest;
};

/* One datagram. */
static bool piece(int s, size_t room, struct seen *x) {
  static _Alignas(8) char b[65536];
  ssize_t n = recv(s, b, room, MSG_TRUNC | MSG_DONTWAIT);
  if (n < 0 || (size_t)n > room)
    return false;
  size_t left = (size_t)n;
  x->datagrams++;
  x->largest = left > x->largest ? left : x->largest;
  for (const struct nlmsghdr *h = (void *)b; NLMSG_OK(h, left); h = NLMSG_NEXT(h, left)) {
    x->disturbed += (h->nlmsg_flags & NLM_F_DUMP_INTR) != 0;
    x->done |= h->nlmsg_type == NLMSG_DONE;
    x->messages += h->nlmsg_type != NLMSG_DONE;
  }
  return !x->done;
}

static void list(int s, int type) {
  struct rtgenmsg g = {.rtgen_family = AF_INET};
  struct req r = {.h = {.nlmsg_len = NLMSG_HDRLEN, .nlmsg_type = (uint16_t)type}};
  r.h.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  add(&r, &g, sizeof g);
  send(s, &r, r.h.nlmsg_len, 0);
}

static void all(const char *what, int s, int type, size_t room) {
  struct seen x = {0};
  list(s, type);
  while (piece(s, room, &x))
    ;
  say("%s, buffer of %zu: %d messages, %s, %s, largest fits: %s, disturbed: %d", what, room, x.messages,
      x.done ? "done" : "not done", x.datagrams > 3 ? "in pieces" : "at once", x.largest <= room ? "yes" : "no",
      x.disturbed);
}

int main(void) {
  MUST(unshare(CLONE_NEWNET));
  int s = MUST(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE)), t, bad = 0;
  t = MUST(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  struct ifreq ifr = {.ifr_name = "lo", .ifr_flags = IFF_UP};
  int u = MUST(socket(AF_INET, SOCK_DGRAM, 0));
  MUST(ioctl(u, SIOCSIFFLAGS, &ifr));
  for (unsigned i = 1; i <= 200; i++)
    bad += address(s, RTM_NEWADDR, i) != 0;
  for (unsigned i = 1; i <= N; i++)
    bad += route(s, i) != 0;
  say("not added: %d", bad);
  all("addresses", s, RTM_GETADDR, 4096);
  all("addresses", s, RTM_GETADDR, 32768);
  all("routes", s, RTM_GETROUTE, 32768);
  all("routes", s, RTM_GETROUTE, 65536);
  /* Disturbed in the middle. */
  int v = MUST(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  struct seen x = {0};
  list(v, RTM_GETADDR);
  piece(v, 4096, &x);
  address(t, RTM_NEWADDR, 1000);
  while (piece(v, 4096, &x))
    ;
  YES(x.done);
  YES(x.disturbed > 0);
  /* Not read: others go on, and it ends with its socket. */
  int w = MUST(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  list(w, RTM_GETADDR);
  SHOW(address(t, RTM_DELADDR, 1000));
  close(w);
  all("addresses", t, RTM_GETADDR, 8192);
}
