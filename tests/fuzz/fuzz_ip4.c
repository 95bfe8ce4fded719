/* IPv4 packets, whole and in fragments, one after another, from headers that are nearly right. */
#include "net_stub.h"

static void one(struct ip_net *n, struct pbuf *p) {
  struct ip4_hdr *h = p->len >= IP4_HDR ? (struct ip4_hdr *)pbuf_linear(p, IP4_HDR) : NULL;
  unsigned hlen = h ? (h->vihl & 15) * 4u : 0;
  if (h && p->len >= hlen && hlen >= IP4_HDR && pbuf_linear(p, hlen)) {
    h = (struct ip4_hdr *)p->data;
    h->vihl = (uint8_t)(0x40 | (h->vihl & 15));
    if (h->tos & 1)
      h->dst = htonl(0x0a000001);
    if (h->tos & 2)
      h->len = htons((uint16_t)p->len);
    ip4_hdr_csum(h);
  }
  p->csum = PB_CSUM_VALID;
  p->protocol = ETH_P_IP;
  ip4_rx(&fuzz_eth, p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
  return fuzz_records(data, len, one);
}
