/* ICMP, ICMPv6 and IGMP messages for us: what they quote and what they ask. The first byte says which. */
#include "net_stub.h"

static void one(struct ip_net *n, struct pbuf *p) {
  if (!p->len || !pbuf_linear(p, 1)) {
    pbuf_free(p);
    return;
  }
  uint8_t what = *p->data;
  bool v6 = what & 1, many = what & 2;
  pbuf_pull(p, 1);
  struct ip_info i = {.src = ip_from4(htonl(0x0a000009)),
                      .dst = ip_from4(htonl(many ? 0xe0000001 : 0x0a000001)),
                      .proto = v6         ? 58
                               : what & 4 ? 2
                                          : 1,
                      .ttl = what & 8 ? 255 : 1,
                      .multicast = many,
                      .dev = &fuzz_eth};
  if (v6) {
    i.src = (struct in6_addr){.s6_addr = {0xfe, 0x80, [15] = 9}};
    i.dst = (struct in6_addr){.s6_addr = {many ? 0xff : 0xfe, many ? 2 : 0x80, [15] = 1}};
    if (what & 16)
      i.src = in6addr_any;
  }
  p->net = p->data;
  p->csum = PB_CSUM_VALID;
  p->protocol = v6 ? ETH_P_IPV6 : ETH_P_IP;
  ip_deliver(n, p, &i, true);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
  return fuzz_records(data, len, one);
}
