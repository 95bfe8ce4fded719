/* rtnetlink's answers byte by byte: acknowledgements, extended ones, lists in pieces, errors of what is malformed. */
#include "guest.h"
#include <arpa/inet.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/ioctl.h>

struct req {
  struct nlmsghdr h;
  char body[4096];
};

static void add(struct req *r, const void *p, size_t n) {
  memcpy((char *)r + NLMSG_ALIGN(r->h.nlmsg_len), p, n);
  r->h.nlmsg_len = NLMSG_ALIGN(r->h.nlmsg_len) + n;
}
static void attr(struct req *r, int type, const void *p, size_t n) {
  struct rtattr a = {.rta_len = (unsigned short)RTA_LENGTH(n), .rta_type = (unsigned short)type};
  add(r, &a, sizeof a);
  add(r, p, n);
}
static struct req make(int type, int flags, const void *body, size_t n) {
  struct req r = {.h = {NLMSG_HDRLEN, (uint16_t)type, (uint16_t)(NLM_F_REQUEST | flags), 77, 0}};
  add(&r, body, n);
  return r;
}

static void tlvs(const char *p, size_t n, const struct req *r) {
  for (const struct nlattr *a = (const void *)p; n >= sizeof *a && a->nla_len >= sizeof *a && a->nla_len <= n;) {
    const char *v = (const char *)(a + 1);
    if ((a->nla_type & NLA_TYPE_MASK) == NLMSGERR_ATTR_MSG)
      say("    says: %s", v);
    else if ((a->nla_type & NLA_TYPE_MASK) != 4) /* the policy that it broke */
      say("    %d: %u", a->nla_type & NLA_TYPE_MASK, *(const unsigned *)v);
    size_t step = NLA_ALIGN(a->nla_len);
    if (step > n)
      break;
    n -= step;
    a = (const void *)((const char *)a + step);
  }
}

static void one(const struct nlmsghdr *h, const struct req *r) {
  const struct nlmsgerr *e = NLMSG_DATA(h);
  if (h->nlmsg_type == NLMSG_ERROR) {
    bool more = h->nlmsg_flags & NLM_F_ACK_TLVS;
    say("  error %s, flags %x, length %u, of type %d", ename(-e->error), h->nlmsg_flags, more ? 0 : h->nlmsg_len,
        e->msg.nlmsg_type);
    if (h->nlmsg_flags & NLM_F_ACK_TLVS) {
      size_t off = sizeof *e + (h->nlmsg_flags & NLM_F_CAPPED ? 0 : NLMSG_ALIGN(e->msg.nlmsg_len) - NLMSG_HDRLEN);
      tlvs((const char *)e + off, h->nlmsg_len - NLMSG_HDRLEN - off, r);
    }
  } else if (h->nlmsg_type == NLMSG_DONE) {
    int code = *(const int *)NLMSG_DATA(h);
    say("  done %s, flags %x", ename(-code), h->nlmsg_flags);
    if (h->nlmsg_flags & NLM_F_ACK_TLVS)
      tlvs((const char *)NLMSG_DATA(h) + 4, h->nlmsg_len - NLMSG_HDRLEN - 4, r);
  } else {
    say("  type %d, flags %x, seq %u", h->nlmsg_type, h->nlmsg_flags, h->nlmsg_seq);
  }
}

static bool datagram(int s, const struct req *r) {
  static char b[65536];
  ssize_t n = recv(s, b, sizeof b, MSG_DONTWAIT);
  if (n < 0)
    return false;
  size_t left = (size_t)n;
  for (const struct nlmsghdr *h = (void *)b; NLMSG_OK(h, left); h = NLMSG_NEXT(h, left))
    one(h, r);
  return true;
}

static void ask(int s, const char *what, const struct req *r) {
  ssize_t n = send(s, r, r->h.nlmsg_len, 0);
  say("%s: %s", what, n == (ssize_t)r->h.nlmsg_len ? "sent" : ename(errno));
  while (datagram(s, r))
    say("  -");
}

static void links(int s) {
  struct ifinfomsg m = {.ifi_index = 1}, none = {.ifi_index = 0}, neg = {.ifi_index = -5}, many = {.ifi_index = 4711};
  struct req r = make(RTM_GETLINK, 0, &m, sizeof m);
  ask(s, "lo", &r);
  r = make(RTM_GETLINK, NLM_F_ACK, &m, sizeof m);
  ask(s, "lo with ack", &r);
  r = make(RTM_GETLINK, 0, &none, sizeof none);
  ask(s, "no link", &r);
  attr(&r, IFLA_IFNAME, "lo", 3);
  ask(s, "by name", &r);
  r = make(RTM_GETLINK, 0, &none, sizeof none);
  attr(&r, IFLA_IFNAME, "nosuch", 7);
  ask(s, "by another name", &r);
  r = make(RTM_GETLINK, 0, &none, sizeof none);
  attr(&r, IFLA_IFNAME, "a name that is too long", 24);
  ask(s, "by too long a name", &r);
  r = make(RTM_GETLINK, 0, &neg, sizeof neg);
  ask(s, "negative", &r);
  r = make(RTM_GETLINK, 0, &many, sizeof many);
  ask(s, "unknown", &r);
  r = make(RTM_GETLINK, 0, &m, 4);
  ask(s, "short", &r);
  r = make(RTM_GETLINK, 0, &m, 0);
  ask(s, "empty", &r);
  r = make(RTM_GETLINK, NLM_F_DUMP, &none, sizeof none);
  ask(s, "list", &r);
  r = make(RTM_NEWLINK, NLM_F_ACK, &many, sizeof many);
  ask(s, "change what is not there", &r);
  r = make(RTM_NEWLINK, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, &m, sizeof m);
  ask(s, "make lo", &r);
  r = make(RTM_DELLINK, NLM_F_ACK, &m, sizeof m);
  ask(s, "delete lo", &r);
  r = make(RTM_NEWLINK, NLM_F_ACK, &m, sizeof m);
  attr(&r, IFLA_MTU, "\1", 1);
  ask(s, "an MTU of one byte", &r);
  m.ifi_flags = m.ifi_change = IFF_UP;
  r = make(RTM_NEWLINK, NLM_F_ACK, &m, sizeof m);
  ask(s, "lo up", &r);
}

static void addrs(int s) {
  struct ifaddrmsg m = {.ifa_family = AF_INET, .ifa_prefixlen = 33, .ifa_index = 1};
  uint32_t a = htonl(0x7f000005);
  struct req r = make(RTM_NEWADDR, NLM_F_ACK, &m, sizeof m);
  attr(&r, IFA_LOCAL, &a, 4);
  ask(s, "prefix of 33", &r);
  m.ifa_prefixlen = 32;
  r = make(RTM_NEWADDR, NLM_F_ACK, &m, sizeof m);
  ask(s, "no address", &r);
  attr(&r, IFA_LOCAL, &a, 4);
  ask(s, "an address", &r);
  ask(s, "again", &r);
  r.h.nlmsg_flags |= NLM_F_REPLACE;
  ask(s, "replaced", &r);
  r.h.nlmsg_type = RTM_DELADDR;
  ask(s, "deleted", &r);
  ask(s, "deleted again", &r);
  m.ifa_index = 99;
  r = make(RTM_NEWADDR, NLM_F_ACK, &m, sizeof m);
  attr(&r, IFA_LOCAL, &a, 4);
  ask(s, "no device", &r);
  r = make(RTM_GETADDR, NLM_F_DUMP, &m, sizeof m);
  ask(s, "list", &r);
  r = make(RTM_GETADDR, 0, &m, sizeof m);
  ask(s, "one", &r);
}

static void routes(int s) {
  struct rtmsg m = {.rtm_family = AF_INET,
                    .rtm_dst_len = 8,
                    .rtm_table = RT_TABLE_MAIN,
                    .rtm_protocol = RTPROT_BOOT,
                    .rtm_scope = RT_SCOPE_LINK,
                    .rtm_type = RTN_UNICAST};
  uint32_t dst = htonl(0x0a000000), oif = 1, bad = 99;
  struct req r = make(RTM_NEWROUTE, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, &m, sizeof m);
  attr(&r, RTA_DST, &dst, 4);
  struct req keep = r;
  attr(&r, RTA_OIF, &oif, 4);
  ask(s, "a route", &r);
  ask(s, "again", &r);
  r.h.nlmsg_flags &= (uint16_t) ~(NLM_F_EXCL | NLM_F_CREATE);
  r.h.nlmsg_flags |= NLM_F_REPLACE;
  ask(s, "replaced", &r);
  r.h.nlmsg_type = RTM_DELROUTE;
  ask(s, "deleted", &r);
  ask(s, "deleted again", &r);
  r = keep;
  attr(&r, RTA_OIF, &bad, 4);
  ask(s, "no such device", &r);
  ask(s, "no device", &keep);
  m.rtm_dst_len = 40;
  r = make(RTM_NEWROUTE, NLM_F_ACK | NLM_F_CREATE, &m, sizeof m);
  attr(&r, RTA_DST, &dst, 4);
  ask(s, "prefix of 40", &r);
  m = (struct rtmsg){.rtm_family = AF_INET, .rtm_dst_len = 32};
  r = make(RTM_GETROUTE, 0, &m, sizeof m);
  attr(&r, RTA_DST, &dst, 4);
  ask(s, "to nowhere", &r);
  dst = htonl(INADDR_LOOPBACK);
  r = make(RTM_GETROUTE, 0, &m, sizeof m);
  attr(&r, RTA_DST, &dst, 4);
  ask(s, "to ourselves", &r);
}

static void malformed(int s) {
  struct ifinfomsg m = {.ifi_index = 1};
  struct req r = make(RTM_GETLINK, 0, &m, sizeof m);
  r.h.nlmsg_len = 3;
  SHOW(send(s, &r, 40, 0));
  YES(!datagram(s, &r));
  r = make(RTM_GETLINK, 0, &m, sizeof m);
  r.h.nlmsg_len = 400;
  SHOW(send(s, &r, 40, 0));
  YES(!datagram(s, &r));
  r = make(RTM_GETLINK, 0, &m, sizeof m);
  r.h.nlmsg_flags = 0;
  ask(s, "no request", &r);
  r = make(NLMSG_NOOP, NLM_F_ACK, &m, sizeof m);
  ask(s, "noop", &r);
  r = make(5000, 0, &m, sizeof m);
  ask(s, "type 5000", &r);
  r = make(RTM_GETLINK + 1, 0, &m, sizeof m);
  ask(s, "RTM_SETLINK that changes nothing", &r);
  struct rtgenmsg g = {.rtgen_family = 77};
  r = make(RTM_GETROUTE, NLM_F_DUMP, &g, sizeof g);
  ask(s, "routes of family 77", &r);
  struct {
    struct rtgenmsg g;
    char rest[11];
  } nd = {g};
  r = make(RTM_GETNEIGH, NLM_F_DUMP, &nd, sizeof nd);
  ask(s, "neighbours of family 77", &r);
  r = make(RTM_GETRULE, NLM_F_DUMP, &g, sizeof g);
  ask(s, "rules of family 77", &r);
}

/* Several requests in one datagram, the second of which is not known. */
static void several(int s) {
  struct ifinfomsg m = {.ifi_index = 1};
  struct req a = make(RTM_GETLINK, 0, &m, sizeof m), b = make(7000, 0, &m, sizeof m);
  char buf[256];
  memcpy(buf, &a, a.h.nlmsg_len);
  memcpy(buf + a.h.nlmsg_len, &b, b.h.nlmsg_len);
  memcpy(buf + a.h.nlmsg_len + b.h.nlmsg_len, &a, a.h.nlmsg_len);
  SHOW(send(s, buf, 2 * a.h.nlmsg_len + b.h.nlmsg_len, 0));
  while (datagram(s, &a))
    say("  -");
}

/* Thousands in one datagram, in their order. */
static void thousands(int s) {
  struct ifinfomsg m = {.ifi_index = 1};
  char *buf = calloc(1, 150000);
  size_t n = 0;
  for (uint32_t i = 1; i <= 3000; i++) {
    struct req r = make(RTM_SETLINK, i == 3000 ? NLM_F_ACK : 0, &m, sizeof m);
    attr(&r, IFLA_TXQLEN, &i, sizeof i);
    memcpy(buf + n, &r, r.h.nlmsg_len);
    n += r.h.nlmsg_len;
  }
  SHOW(send(s, buf, n, 0));
  struct req r = make(RTM_GETLINK, 0, &m, sizeof m);
  while (datagram(s, &r))
    say("  -");
  struct ifreq q = {.ifr_name = "lo"};
  SHOW(ioctl(s, SIOCGIFTXQLEN, &q));
  say("%d", q.ifr_qlen);
  free(buf);
}

/* A list that is not read keeps others waiting. */
static void unfinished(int s) {
  struct ifinfomsg m = {0};
  struct req r = make(RTM_GETLINK, NLM_F_DUMP, &m, sizeof m);
  SHOW(send(s, &r, r.h.nlmsg_len, 0) > 0);
  SHOW(send(s, &r, r.h.nlmsg_len, 0) > 0);
  while (datagram(s, &r))
    say("  -");
}

int main(void) {
  MUST(unshare(CLONE_NEWNET));
  int s = MUST(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE)), on = 1;
  links(s);
  setsockopt(s, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof on);
  addrs(s);
  routes(s);
  setsockopt(s, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on);
  malformed(s);
  several(s);
  thousands(s);
  unfinished(s);
  setsockopt(s, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof on);
  links(s);
  addrs(s);
}
