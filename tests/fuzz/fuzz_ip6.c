/* IPv6 packets with whatever extension headers, one after another. */
#include "net_stub.h"

static void one(struct ip_net *n, struct pbuf *p) {
  uint8_t *h = p->len >= IP6_HDR ? pbuf_linear(p, IP6_HDR) : NULL;
  if (h) {
    static const uint8_t us[16] = {0xfe, 0x80, [15] = 1};
    h[0] = (uint8_t)(0x60 | (h[0] & 15));
    if (h[0] & 1)
      memcpy(h + 24, us, 16);
    if (h[0] & 2)
      h[4] = (uint8_t)((p->len - IP6_HDR) >> 8), h[5] = (uint8_t)(p->len - IP6_HDR);
  }
  p->csum = PB_CSUM_VALID;
  p->protocol = ETH_P_IPV6;
  ip6_rx(&fuzz_eth, p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
  return fuzz_records(data, len, one);
}
