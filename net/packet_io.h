/*
 * Devices of the host: a packet socket (packet(7), with PACKET_VNET_HDR) that the launcher has opened and bound, as a
 * netdev. What the socket hands over are whole Ethernet frames behind a struct virtio_net_hdr: up to 64 KiB in one
 * piece, with checksums that need not be computed (VIRTIO 1.2, 5.1.6).
 */
#pragma once
#include "netdev.h"

struct packet_io_args {
  int fd; /* taken over, on failure too */
  const char *name;
  int ifindex; /* 0: any */
  uint8_t addr[ETH_ALEN];
  unsigned mtu;
  uint16_t type;  /* ARPHRD_ETHER or ARPHRD_NONE */
  bool multicast; /* IFF_MULTICAST */
};
/* The device, listed, not up. *out is borrowed: the namespace's list holds it. */
int packet_io_new(struct net_namespace *ns, const struct packet_io_args *a, struct netdev **out);

/* The header of a received frame into p, data at the Ethernet header: -EINVAL if it does not fit the frame. */
struct virtio_net_hdr;
int vnet_hdr_parse(const struct virtio_net_hdr *h, struct pbuf *p);
void vnet_hdr_fill(struct virtio_net_hdr *h, const struct pbuf *p);
