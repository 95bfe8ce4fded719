/* ARP and neighbour discovery, between packets of ours that want neighbours. The first byte says what comes. */
#include "net_stub.h"

static void send_one(struct ip_net *n, struct pbuf *p, uint8_t to, bool v6) {
  struct ip_flow f = {.dst = ip_from4(htonl(0x0a000000u | to)), .proto = 17, .ttl = -1, .broadcast_ok = true};
  if (v6)
    f.dst = (struct in6_addr){.s6_addr = {0xfe, 0x80, [15] = to}}, f.oif = 2;
  (void)ip_send(n, p, &f);
}

static void one(struct ip_net *n, struct pbuf *p) {
  if (p->len < 2 || !pbuf_linear(p, 2)) {
    pbuf_free(p);
    return;
  }
  uint8_t what = p->data[0], to = p->data[1];
  pbuf_pull(p, 2);
  if (what & 1) {
    pbuf_free(p);
    if ((p = pbuf_new(8))) {
      memset(pbuf_put(p, 8), 0, 8);
      send_one(n, p, to, what & 2);
    }
  } else if (what & 2) {
    p->net = p->data;
    p->protocol = ETH_P_ARP;
    arp_rx(&fuzz_eth, p);
  } else {
    struct ip_info i = {.src = {.s6_addr = {0xfe, 0x80, [15] = to}},
                        .dst = {.s6_addr = {0xfe, 0x80, [15] = 1}},
                        .proto = 58,
                        .ttl = 255,
                        .dev = &fuzz_eth};
    if (what & 4) {
      i.dst = (struct in6_addr){.s6_addr = {0xff, 2, [11] = 1, 0xff, [15] = 1}};
      i.multicast = true;
      i.src = what & 8 ? in6addr_any : i.src;
    }
    ndp_input(n, p, &i);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
  return fuzz_records(data, len, one);
}
