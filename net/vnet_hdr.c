/* struct virtio_net_hdr, VIRTIO 1.2 section 5.1.6, little-endian on this machine. */
#include "../core/errno.h"
#include "packet_io.h"
#include <linux/virtio_net.h>
#include <string.h>

#ifndef VIRTIO_NET_HDR_GSO_UDP_L4
#define VIRTIO_NET_HDR_GSO_UDP_L4 5
#endif

/* The host's kernel made it, but out of what a stranger sent. */
int vnet_hdr_parse(const struct virtio_net_hdr *h, struct pbuf *p) {
  p->csum = PB_CSUM_NONE;
  p->gso = PB_GSO_NONE;
  if (h->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) {
    if ((uint32_t)h->csum_start + h->csum_offset + 2 > p->len)
      return -EINVAL;
    p->csum = PB_CSUM_PARTIAL;
    p->csum_start = h->csum_start;
    p->csum_offset = h->csum_offset;
  } else if (h->flags & VIRTIO_NET_HDR_F_DATA_VALID) {
    p->csum = PB_CSUM_VALID;
  }
  if (h->gso_type == VIRTIO_NET_HDR_GSO_NONE)
    return 0;
  switch (h->gso_type & ~VIRTIO_NET_HDR_GSO_ECN) {
  case VIRTIO_NET_HDR_GSO_TCPV4:
    p->gso = PB_GSO_TCP4;
    break;
  case VIRTIO_NET_HDR_GSO_TCPV6:
    p->gso = PB_GSO_TCP6;
    break;
  case VIRTIO_NET_HDR_GSO_UDP_L4:
    p->gso = PB_GSO_UDP;
    break;
  default: /* UDP fragmentation offload, which nobody has announced */
    return -EINVAL;
  }
  p->ecn = h->gso_type & VIRTIO_NET_HDR_GSO_ECN;
  p->gso_size = h->gso_size;
  return p->gso_size ? 0 : -EINVAL;
}

void vnet_hdr_fill(struct virtio_net_hdr *h, const struct pbuf *p) {
  static const uint8_t types[] = {[PB_GSO_TCP4] = VIRTIO_NET_HDR_GSO_TCPV4,
                                  [PB_GSO_TCP6] = VIRTIO_NET_HDR_GSO_TCPV6,
                                  [PB_GSO_UDP] = VIRTIO_NET_HDR_GSO_UDP_L4};
  memset(h, 0, sizeof *h);
  if (p->csum != PB_CSUM_PARTIAL)
    return;
  h->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
  h->csum_start = p->csum_start;
  h->csum_offset = p->csum_offset;
  uint32_t headers = p->csum_start + 8u;
  if (p->gso == PB_GSO_TCP4 || p->gso == PB_GSO_TCP6) {
    if (p->csum_start + 13u > p->linear)
      return;
    headers = p->csum_start + (p->data[p->csum_start + 12] >> 4) * 4u;
  }
  /* One segment's worth is no GSO packet. */
  if (!p->gso || headers + p->gso_size >= p->len)
    return;
  h->gso_type = types[p->gso] | (p->ecn ? VIRTIO_NET_HDR_GSO_ECN : 0);
  h->gso_size = p->gso_size;
  h->hdr_len = (uint16_t)headers;
}
