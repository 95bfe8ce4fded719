/*
 * Calls on Internet sockets with arguments that get past the first checks: names in use, options of every level with
 * the structures that they take, control messages, interface requests. FUZZ_NET=1 makes most calls such ones.
 */
#include "fuzz.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>

static unsigned share = 8; /* one call of so many */

void net_setup(void) {
  if (getenv("FUZZ_NET"))
    share = 1;
}

bool net_turn(struct rng *r) {
  return share > 1 ? one_in(r, share) : !one_in(r, 3);
}

/* ---- names ---- */

static const char *const addrs4[] = {"127.0.0.1", "127.0.0.1", "0.0.0.0",         "127.0.0.2",      "224.0.0.251",
                                     "10.1.2.3",  "192.0.2.1", "255.255.255.255", "127.255.255.255"};
static const char *const addrs6[] = {"::1",     "::1",     "::",         "::ffff:127.0.0.1", "::ffff:0.0.0.0",
                                     "fe80::1", "ff02::1", "2001:db8::1"};

static socklen_t name_fill(struct rng *r, void *p) {
  struct sockaddr_in *in = p;
  struct sockaddr_in6 *in6 = p;
  struct sockaddr_ll *ll = p;
  uint16_t port = htons(one_in(r, 8) ? (uint16_t)rnd(r) : (uint16_t)(7000 + below(r, 6)));
  memset(p, 0, 128);
  switch (below(r, 8)) {
  case 0:
    ((struct sockaddr *)p)->sa_family = AF_UNSPEC;
    return one_in(r, 2) ? 2 : 16;
  case 1:
    *ll = (struct sockaddr_ll){AF_PACKET, htons((uint16_t)below(r, 0x10000)), (int)below(r, 4), 1, 0, 6, {0}};
    return sizeof *ll;
  case 2:
  case 3:
  case 4:
    *in6 = (struct sockaddr_in6){AF_INET6, port, (uint32_t)below(r, 3), {{{0}}}, (uint32_t)below(r, 4)};
    inet_pton(AF_INET6, PICK(r, addrs6), &in6->sin6_addr);
    return one_in(r, 10) ? (socklen_t)below(r, 40) : sizeof *in6;
  default:
    *in = (struct sockaddr_in){AF_INET, port, {0}, {0}};
    inet_pton(AF_INET, PICK(r, addrs4), &in->sin_addr);
    return one_in(r, 10) ? (socklen_t)below(r, 40) : sizeof *in;
  }
}

/* ---- options ---- */

static const struct {
  int level, most; /* options 0 to most */
} levels[] = {
    {SOL_SOCKET, 80}, {IPPROTO_IP, 52}, {IPPROTO_IPV6, 80}, {IPPROTO_TCP, 47}, {IPPROTO_UDP, 105},
    {SOL_RAW, 3},     {58, 3},          {SOL_PACKET, 24},   {270, 13},         {136, 12},
};

static uint64_t odd_int(struct rng *r) {
  static const int v[] = {0,   1,    1,    2,     3,     4,       7,  64,        255,
                          256, 1500, 4096, 65535, 65536, 1 << 20, -1, INT32_MAX, INT32_MIN};
  return one_in(r, 6) ? rnd(r) : (uint64_t)PICK(r, v);
}

static socklen_t option_value(struct rng *r, void *p) {
  uint8_t *b = p;
  int32_t *w = p;
  struct sock_filter *f = scratch(r, 256);
  memset(p, 0, 300);
  switch (below(r, 10)) {
  case 0: { /* ip_mreqn, ip_mreq_source, packet_mreq */
    inet_pton(AF_INET, PICK(r, addrs4), b);
    inet_pton(AF_INET, PICK(r, addrs4), b + 4);
    w[2] = (int)below(r, 3);
    static const socklen_t n[] = {8, 12, 16};
    return PICK(r, n);
  }
  case 1: /* ipv6_mreq, in6_pktinfo */
    inet_pton(AF_INET6, PICK(r, addrs6), b);
    w[4] = (int)below(r, 3);
    return 20;
  case 2: { /* group_req, group_source_req */
    w[0] = (int)below(r, 3);
    name_fill(r, b + 8);
    struct sockaddr_in6 s;
    name_fill(r, scratch(r, 128));
    memcpy(&s, b + 8, sizeof s);
    memcpy(b + 136, &s, sizeof s);
    return one_in(r, 2) ? 136 : 264;
  }
  case 3: /* a name: device, congestion control, module */
    strcpy(p, one_in(r, 3) ? "lo" : one_in(r, 2) ? "cubic" : one_in(r, 2) ? "reno" : "none such");
    return (socklen_t)below(r, 17);
  case 4:
    w[0] = (int)below(r, 2);
    w[1] = (int)below(r, 2);
    return 8;
  case 5: {
    struct sock_fprog *prog = p;
    f[0] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(one_in(r, 3) ? rnd(r) : below(r, 60)));
    f[1] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, (uint32_t)below(r, 3) * 1000);
    prog->len = (unsigned short)below(r, 4);
    prog->filter = f;
    return sizeof *prog;
  }
  case 6: { /* timeval, tpacket_req */
    w[0] = (int)odd_int(r), w[1] = (int)below(r, 8), w[2] = (int)odd_int(r), w[3] = (int)below(r, 64);
    for (int i = 4; i < 8; i++)
      w[i] = (int)below(r, 100);
    return 16 + (socklen_t)below(r, 4) * 4;
  }
  case 7: { /* options and extension headers */
    for (int i = 0; i < 40; i++)
      b[i] = (uint8_t)(one_in(r, 3) ? rnd(r) : below(r, 9));
    return (socklen_t)below(r, 48);
  }
  default:
    w[0] = (int)odd_int(r);
    return one_in(r, 10) ? (socklen_t)below(r, 9) : 4;
  }
}

/* ---- messages ---- */

static size_t control(struct rng *r, char *p) {
  static const struct {
    int level, type, len;
  } kinds[] = {{IPPROTO_IP, IP_PKTINFO, 12},
               {IPPROTO_IP, IP_TTL, 4},
               {IPPROTO_IP, IP_TOS, 1},
               {IPPROTO_IP, IP_RETOPTS, 8},
               {IPPROTO_IPV6, IPV6_PKTINFO, 20},
               {IPPROTO_IPV6, IPV6_HOPLIMIT, 4},
               {IPPROTO_IPV6, IPV6_TCLASS, 4},
               {IPPROTO_IPV6, IPV6_HOPOPTS, 8},
               {IPPROTO_IPV6, IPV6_RTHDR, 24},
               {IPPROTO_IPV6, IPV6_DSTOPTS, 8},
               {IPPROTO_UDP, 103, 2},
               {SOL_SOCKET, SO_MARK, 4},
               {SOL_SOCKET, SCM_RIGHTS, 4},
               {SOL_SOCKET, SO_TIMESTAMPING, 4}};
  size_t total = 0;
  for (unsigned i = 0, n = (unsigned)below(r, 4); i < n; i++) {
    unsigned k = (unsigned)below(r, N(kinds));
    struct cmsghdr *h = (void *)(p + total);
    size_t len = (size_t)kinds[k].len;
    *h = (struct cmsghdr){CMSG_LEN(one_in(r, 10) ? below(r, 40) : len), kinds[k].level, kinds[k].type};
    uint32_t *d = (void *)CMSG_DATA(h);
    for (unsigned w = 0; w < (len + 3) / 4; w++)
      d[w] = one_in(r, 3) ? (uint32_t)odd_int(r) : (uint32_t)below(r, 3);
    total += CMSG_SPACE(len);
  }
  return total;
}

static void message(struct rng *r, struct msghdr *m) {
  struct iovec *v = scratch(r, 8 * sizeof *v);
  char *name = scratch(r, 128), *c = scratch(r, 256);
  for (int i = 0; i < 8; i++)
    v[i] = (struct iovec){one_in(r, 8) ? (void *)address(r) : scratch(r, 512),
                          one_in(r, 10) ? size_value(r) : below(r, 512)};
  *m = (struct msghdr){.msg_iov = v, .msg_iovlen = below(r, 6)};
  if (one_in(r, 2)) {
    m->msg_namelen = name_fill(r, name);
    m->msg_name = name;
  }
  if (one_in(r, 2)) {
    m->msg_control = c;
    m->msg_controllen = one_in(r, 3) ? 256 : control(r, c);
  }
}

/* ---- calls ---- */

static void call(struct call *c, int nr, const char *name, uint64_t a, uint64_t b, uint64_t d, uint64_t e, uint64_t f,
                 uint64_t g) {
  *c = (struct call){nr, name, {a, b, d, e, f, g}};
}

static void socket_call(struct rng *r, struct call *c) {
  static const int types[] = {SOCK_STREAM, SOCK_STREAM, SOCK_DGRAM, SOCK_DGRAM, SOCK_RAW, SOCK_SEQPACKET};
  static const int protos[] = {0, 0, 0, 1, 2, 6, 17, 58, 136, 255, 132, 262, 0x300};
  static const int families[] = {AF_INET, AF_INET, AF_INET6, AF_INET6, AF_PACKET};
  int type = PICK(r, types) | (one_in(r, 8) ? 0 : SOCK_NONBLOCK);
  call(c, SYS_socket, "socket", (uint64_t)PICK(r, families), (uint64_t)type, (uint64_t)PICK(r, protos), 0, 0, 0);
}

static void data_call(struct rng *r, struct call *c) {
  static const int sendf[] = {0, 0, MSG_MORE, MSG_OOB, MSG_CONFIRM, 0x10, 0x4000000, MSG_FASTOPEN, MSG_EOR};
  static const int recvf[] = {
      0, 0, MSG_PEEK, MSG_OOB, MSG_TRUNC, MSG_WAITALL, MSG_ERRQUEUE, MSG_CMSG_CLOEXEC, MSG_WAITFORONE};
  uint64_t fd = (uint64_t)descriptor(r), wait = one_in(r, 10) ? 0 : MSG_DONTWAIT;
  uint64_t out = (uint64_t)(PICK(r, sendf) | PICK(r, sendf) | MSG_NOSIGNAL) | wait,
           in = (uint64_t)(PICK(r, recvf) | PICK(r, recvf)) | wait;
  struct mmsghdr *mm = scratch(r, 4 * sizeof *mm);
  char *name = scratch(r, 128), *buf = scratch(r, 4096);
  socklen_t *len = scratch(r, 8);
  uint64_t n = one_in(r, 10) ? size_value(r) : one_in(r, 4) ? below(r, 70000) : below(r, 4096);
  for (int i = 0; i < 4; i++)
    message(r, &mm[i].msg_hdr);
  *len = (socklen_t)below(r, 40);
  uint64_t data = one_in(r, 5) ? address(r) : (uint64_t)buf;
  switch (below(r, 8)) {
  case 0:
    call(c, SYS_sendto, "sendto", fd, data, n, out, one_in(r, 2) ? 0 : (uint64_t)name, name_fill(r, name));
    break;
  case 1:
    call(c, SYS_recvfrom, "recvfrom", fd, data, n, in, (uint64_t)name, (uint64_t)len);
    break;
  case 2:
  case 3:
    call(c, SYS_sendmsg, "sendmsg", fd, (uint64_t)mm, out, 0, 0, 0);
    break;
  case 4:
    call(c, SYS_recvmsg, "recvmsg", fd, (uint64_t)mm, in, 0, 0, 0);
    break;
  case 5:
    call(c, SYS_sendmmsg, "sendmmsg", fd, (uint64_t)mm, below(r, 5), out, 0, 0);
    break;
  case 6:
    call(c, SYS_recvmmsg, "recvmmsg", fd, (uint64_t)mm, below(r, 5), in, 0, 0);
    break;
  default:
    call(c, SYS_splice, "splice", fd, 0, (uint64_t)descriptor(r), 0, n, below(r, 16));
  }
}

static void option_call(struct rng *r, struct call *c) {
  unsigned l = (unsigned)below(r, N(levels));
  uint64_t level = (uint64_t)levels[l].level, opt = below(r, (uint64_t)levels[l].most + 1),
           fd = (uint64_t)descriptor(r);
  void *p = scratch(r, 320);
  socklen_t *len = scratch(r, 8), n = option_value(r, p);
  *len = one_in(r, 3) ? (socklen_t)below(r, 300) : n;
  if (one_in(r, 3))
    call(c, SYS_getsockopt, "getsockopt", fd, level, opt, (uint64_t)p, (uint64_t)len, 0);
  else
    call(c, SYS_setsockopt, "setsockopt", fd, level, opt, (uint64_t)p, n, 0);
}

static void ioctl_call(struct rng *r, struct call *c) {
  static const char *const devices[] = {"lo", "lo", "eth0", "lo:1", "dummy0", ""};
  static const uint32_t others[] = {0x541b, 0x5411, 0x894b, 0x8905, 0x8906, 0x8907, 0x8901,
                                    0x8902, 0x8903, 0x8904, 0x5421, 0x5452, 0x8946};
  struct ifreq *q = scratch(r, 320);
  memset(q, 0, sizeof *q);
  strcpy(q->ifr_name, PICK(r, devices));
  if (one_in(r, 2))
    name_fill(r, (char *)q + IFNAMSIZ);
  else
    q->ifr_ifindex = (int)odd_int(r);
  uint64_t cmd = one_in(r, 3) ? PICK(r, others) : 0x8910 + below(r, 0x90);
  call(c, SYS_ioctl, "ioctl", (uint64_t)descriptor(r), cmd, one_in(r, 12) ? address(r) : (uint64_t)q, 0, 0, 0);
}

void make_net_call(struct rng *r, struct call *c) {
  uint64_t fd = (uint64_t)descriptor(r);
  char *name = scratch(r, 128);
  socklen_t *len = scratch(r, 8);
  *len = (socklen_t)below(r, 40);
  switch (below(r, 14)) {
  case 0:
    socket_call(r, c);
    break;
  case 1:
    call(c, SYS_bind, "bind", fd, (uint64_t)name, name_fill(r, name), 0, 0, 0);
    break;
  case 2:
  case 3:
    call(c, SYS_connect, "connect", fd, (uint64_t)name, name_fill(r, name), 0, 0, 0);
    break;
  case 4:
    call(c, SYS_listen, "listen", fd, below(r, 6), 0, 0, 0, 0);
    break;
  case 5:
    call(c, SYS_accept4, "accept4", fd, one_in(r, 2) ? 0 : (uint64_t)name, (uint64_t)len, SOCK_NONBLOCK, 0, 0);
    break;
  case 6:
    call(c, SYS_shutdown, "shutdown", fd, below(r, 4), 0, 0, 0, 0);
    break;
  case 7:
    call(c, one_in(r, 2) ? SYS_getsockname : SYS_getpeername, "getsockname", fd, (uint64_t)name, (uint64_t)len, 0, 0,
         0);
    break;
  case 8:
    ioctl_call(r, c);
    break;
  case 9:
  case 10:
  case 11:
    option_call(r, c);
    break;
  default:
    data_call(r, c);
  }
}

/* Sockets that have somebody to talk to. */
void make_net_objects(struct rng *r) {
  struct sockaddr_in a = {.sin_family = AF_INET,
                          .sin_port = htons((uint16_t)(7000 + below(r, 6))),
                          .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  struct sockaddr_in6 a6 = {.sin6_family = AF_INET6, .sin6_port = a.sin_port, .sin6_addr = in6addr_loopback};
  bool v6 = one_in(r, 2);
  void *p = v6 ? (void *)&a6 : (void *)&a;
  socklen_t n = v6 ? sizeof a6 : sizeof a;
  int family = v6 ? AF_INET6 : AF_INET, one = 1, type = one_in(r, 3) ? SOCK_DGRAM : SOCK_STREAM;
  int s = socket(family, type | SOCK_NONBLOCK, 0), c = socket(family, type | SOCK_NONBLOCK, 0);
  remember_fd(s);
  remember_fd(c);
  setsockopt(s, SOL_SOCKET, one_in(r, 2) ? SO_REUSEADDR : SO_REUSEPORT, &one, sizeof one);
  bind(s, p, n);
  listen(s, 4);
  connect(c, p, n);
  if (type == SOCK_STREAM)
    remember_fd(accept4(s, NULL, NULL, SOCK_NONBLOCK));
}
