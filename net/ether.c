/* Ethernet framing: RFC 894; the way from a frame to the protocol that its type names. */
#include "../core/errno.h"
#include "stack.h"
#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <string.h>

__attribute__((weak)) void packet_tap(struct netdev *d, const struct pbuf *p, bool outgoing); /* net/packet.c */
__attribute__((weak)) void packet_rx(struct netdev *d, const struct pbuf *p);                 /* the same */
__attribute__((weak)) bool bridge_port_rx(struct netdev *d, struct pbuf *p);                  /* net/bridge.c */

/* Each takes p over: data and p->net at its header, p->mac, p->protocol, p->pkt_type and p->dev set. Frames for other
 * stations (PACKET_OTHERHOST) have been dropped. */
__attribute__((weak)) void ip4_rx(struct netdev *d, struct pbuf *p);
__attribute__((weak)) void ip6_rx(struct netdev *d, struct pbuf *p);
__attribute__((weak)) void arp_rx(struct netdev *d, struct pbuf *p);

static const struct {
  uint16_t type;
  void (*rx)(struct netdev *d, struct pbuf *p);
} handlers[] = {{ETH_P_IP, ip4_rx}, {ETH_P_IPV6, ip6_rx}, {ETH_P_ARP, arp_rx}};

static uint8_t pkt_type(const struct netdev *d, const uint8_t *dst) {
  if (dst[0] & 1)
    return memcmp(dst, d->broadcast, ETH_ALEN) ? PACKET_MULTICAST : PACKET_BROADCAST;
  return memcmp(dst, d->addr, ETH_ALEN) ? PACKET_OTHERHOST : PACKET_HOST;
}

/* Types below 0x600 are lengths (IEEE 802.3): no protocol of ours, but packet sockets may be bound to it. */
static uint16_t frame_protocol(struct pbuf *p) {
  uint16_t type, first = 0;
  memcpy(&type, p->data + 2 * ETH_ALEN, sizeof type);
  if (ntohs(type) >= ETH_P_802_3_MIN)
    return ntohs(type);
  if (p->len >= ETH_HLEN + sizeof first)
    pbuf_copy_out(p, ETH_HLEN, &first, sizeof first);
  return first == 0xffff ? ETH_P_802_3 : ETH_P_802_2;
}

/* Where the frame's payload begins and what it is. */
static bool take_header(struct netdev *d, struct pbuf *p) {
  p->mac = p->data;
  if (!d->addr_len) {
    if (!pbuf_linear(p, 1))
      return false;
    p->mac = NULL;
    p->pkt_type = PACKET_HOST;
    p->protocol = *p->data >> 4 == 4 ? ETH_P_IP : ETH_P_IPV6;
    return true;
  }
  if (!pbuf_linear(p, ETH_HLEN))
    return false;
  p->mac = p->data;
  p->protocol = frame_protocol(p);
  p->pkt_type = pkt_type(d, p->data);
  return true;
}

void ether_rx(struct netdev *d, struct pbuf *p) {
  if (!take_header(d, p)) {
    d->stats.rx_errors++;
    d->stats.rx_length_errors++;
    pbuf_free(p);
    return;
  }
  p->net = p->data + (d->addr_len ? ETH_HLEN : 0);
  p->transport = NULL;
  if (d->taps && packet_tap)
    packet_tap(d, p, false);
  if (d->port && bridge_port_rx && bridge_port_rx(d, p))
    return;
  if (d->taps && packet_rx)
    packet_rx(d, p);
  if (p->pkt_type == PACKET_MULTICAST)
    d->stats.multicast++;
  if (d->addr_len)
    pbuf_pull(p, ETH_HLEN);
  if (p->pkt_type != PACKET_OTHERHOST && p->protocol >= ETH_P_802_3_MIN)
    for (size_t i = 0; i < sizeof handlers / sizeof *handlers; i++)
      if (handlers[i].type == p->protocol && handlers[i].rx) {
        handlers[i].rx(d, p);
        return;
      }
  if (p->pkt_type != PACKET_OTHERHOST)
    d->stats.rx_nohandler++;
  pbuf_free(p);
}

int ether_output(struct netdev *d, struct pbuf *p, const uint8_t *dst, uint16_t ethertype) {
  if (d->addr_len) {
    uint8_t *h = pbuf_push(p, ETH_HLEN);
    uint16_t type = htons(ethertype);
    if (!h) {
      pbuf_free(p);
      return -ENOBUFS;
    }
    memcpy(h, dst, ETH_ALEN);
    memcpy(h + ETH_ALEN, d->addr, ETH_ALEN);
    memcpy(h + 2 * ETH_ALEN, &type, sizeof type);
    p->mac = h;
    if (p->csum == PB_CSUM_PARTIAL)
      p->csum_start += ETH_HLEN;
  }
  p->protocol = ethertype;
  return netdev_xmit(d, p);
}
