/* What the tests of packet sockets share: a network namespace of their own with lo up, and frames. */
#pragma once
#include "guest.h"
#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>

#define TEST_PROTO 0x88b5 /* IEEE 802 local experimental */

static inline void lo_up(void) {
  struct ifreq r = {.ifr_name = "lo"};
  MUST(unshare(CLONE_NEWNET));
  int fd = MUST(socket(AF_UNIX, SOCK_DGRAM, 0));
  MUST(ioctl(fd, SIOCGIFFLAGS, &r));
  r.ifr_flags |= IFF_UP;
  MUST(ioctl(fd, SIOCSIFFLAGS, &r));
  close(fd);
}

static inline int packet_socket(int type, int proto) {
  return MUST(socket(AF_PACKET, type, htons(proto)));
}

static inline struct sockaddr_ll ll_to(int ifindex, int proto) {
  struct sockaddr_ll a = {.sll_family = AF_PACKET, .sll_ifindex = ifindex, .sll_protocol = htons(proto), .sll_halen = 6};
  return a;
}

/* A whole frame of n bytes of payload into buf. */
static inline int make_frame(uint8_t *buf, int proto, int n) {
  memset(buf, 0, 12);
  buf[12] = proto >> 8;
  buf[13] = proto;
  for (int i = 0; i < n; i++)
    buf[14 + i] = 'a' + i % 26;
  return 14 + n;
}

static inline const char *pkttype(int t) {
  static const char *const names[] = {"host", "broadcast", "multicast", "otherhost", "outgoing"};
  return t >= 0 && t < 5 ? names[t] : "?";
}

static inline void say_ll(const struct sockaddr_ll *a, socklen_t len) {
  say("  from len %u family %d proto %04x if %d hatype %d %s halen %d", len, a->sll_family, ntohs(a->sll_protocol),
      a->sll_ifindex, a->sll_hatype, pkttype(a->sll_pkttype), a->sll_halen);
}

/* One frame, or that there is none; it may take a moment to arrive. */
static inline ssize_t get_frame(const char *what, int fd, uint8_t *buf, size_t size, int flags) {
  struct sockaddr_ll a;
  socklen_t len = sizeof a;
  struct pollfd p = {fd, POLLIN, 0};
  poll(&p, 1, 100);
  ssize_t n = recvfrom(fd, buf, size, flags | MSG_DONTWAIT, (struct sockaddr *)&a, &len);
  if (n < 0) {
    say("%s: %s", what, ename(errno));
    return n;
  }
  say("%s: %zd bytes", what, n);
  say_ll(&a, len);
  return n;
}
