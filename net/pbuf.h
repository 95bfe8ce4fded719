/*
 * Packet buffers. A pbuf describes one packet (on the way in, at most what one GRO frame holds; on the way out, at most
 * one GSO frame): a linear part with the headers, then up to PBUF_FRAGS references to payload that others hold too (a
 * TCP send queue, a sibling on its way to another device). Bytes live in counted stores; a pbuf has one owner, and
 * whoever is given one either keeps it or drops it with pbuf_free().
 *
 * On the way in, each layer pulls its header (pbuf_pull) and hands the rest up; on the way out, each pushes its own in
 * front (pbuf_push): PBUF_HEADROOM bytes are kept free for that.
 */
#pragma once
#include "../core/ref.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

struct iovec;
struct netdev;
struct uio;

#define PBUF_HEADROOM 192 /* Ethernet, IPv6 with a few extension headers, TCP with options; and the device's own */
#define PBUF_FRAGS 17
#define PBUF_MAX                                                                                                       \
  66176 /* an Ethernet header, IPv6 with extension headers (ip_stack.h bounds them) and 64 KiB of payload */

/* Memory that packets point into. Made by pstore_new(), or by a device around a receive buffer of its own. */
struct pstore {
  ref_t ref;
  uint32_t cap;
  uint8_t *bytes;
  void (*free)(struct pstore *s); /* the last reference is gone */
  void *priv;
};
struct pstore *pstore_new(uint32_t cap); /* NULL: no memory. The bytes follow the struct in the same allocation */
struct pstore *pstore_get(struct pstore *s);
void pstore_put(struct pstore *s);

enum pbuf_csum {
  PB_CSUM_NONE,    /* in: not looked at yet; out: complete, or the protocol has none */
  PB_CSUM_VALID,   /* in: the device or the peer's kernel vouches for the transport checksum */
  PB_CSUM_PARTIAL, /* the pseudo-header's sum is in place, the rest is the device's to fill in (both ways) */
};
enum pbuf_gso { PB_GSO_NONE, PB_GSO_TCP4, PB_GSO_TCP6, PB_GSO_UDP };

struct pbuf {
  STAILQ_ENTRY(pbuf) link;
  struct pstore *store; /* of the linear part */
  uint8_t *head, *end;  /* its bounds */
  uint8_t *data;        /* the first byte of what is left of the packet */
  uint32_t linear;      /* bytes at data */
  uint32_t len;         /* all that is left: linear and frags */
  struct pfrag {
    struct pstore *store;
    uint8_t *data;
    uint32_t len;
  } frag[PBUF_FRAGS];
  uint8_t nfrags;

  /* What was found on the way. */
  struct netdev *dev; /* in: where it came in; out: where it leaves. Borrowed: devices flush their packets */
  uint8_t *mac, *net, *transport;   /* where those headers begin, within the linear part; NULL: not reached yet */
  uint16_t protocol;                /* ETH_P_* of what is at net, host order */
  uint8_t pkt_type;                 /* PACKET_HOST, PACKET_BROADCAST, … */
  uint8_t csum, gso;                /* enum pbuf_csum, enum pbuf_gso */
  bool ecn;                         /* gso: SKB_GSO_TCP_ECN, CWR goes into the first segment only */
  uint16_t csum_start, csum_offset; /* PB_CSUM_PARTIAL: from data as the device sees it (the Ethernet header) */
  uint16_t gso_size, gso_segs;      /* payload bytes of a segment; how many there are (0: count them) */
  int64_t stamp;                    /* CLOCK_REALTIME ns when it came in; 0: not stamped */
  uint32_t mark;
  uint64_t cb[8]; /* the present owner's */
};
STAILQ_HEAD(pbuf_queue, pbuf);

/* An empty packet with room for `linear` bytes behind PBUF_HEADROOM. NULL: no memory. */
struct pbuf *pbuf_new(uint32_t linear);
/* Around len bytes of a store, headroom being what lies before data in it. Takes its own reference. */
struct pbuf *pbuf_over(struct pstore *s, uint8_t *data, uint32_t len);
/* The same packet again: headers copied, payload shared. */
struct pbuf *pbuf_clone(const struct pbuf *p);
void pbuf_free(struct pbuf *p); /* NULL: no-op */
void pbuf_queue_free(struct pbuf_queue *q);

/* Room for n bytes in front or behind (linear part only). NULL: there is none. */
uint8_t *pbuf_push(struct pbuf *p, uint32_t n);
uint8_t *pbuf_put(struct pbuf *p, uint32_t n);
/* Make the first n bytes linear and return them; NULL: the packet is shorter, or no memory. */
uint8_t *pbuf_linear(struct pbuf *p, uint32_t n);
/* Drop n bytes at the front (the linear part must hold them, or all is in frags), or keep only the first n. */
void pbuf_pull(struct pbuf *p, uint32_t n);
void pbuf_trim(struct pbuf *p, uint32_t n);
/* Reference `len` bytes of a store as payload behind what is there. -ENOSPC when there are PBUF_FRAGS already. */
int pbuf_add_frag(struct pbuf *p, struct pstore *s, uint8_t *data, uint32_t len);
/* Copies out of any part; the caller has checked off + n <= len. */
void pbuf_copy_out(const struct pbuf *p, uint32_t off, void *dst, uint32_t n);
/* The pieces of n bytes from off, at most max (PBUF_FRAGS + 1 is always enough): how many. *n becomes what they hold.
 */
int pbuf_pieces(const struct pbuf *p, uint32_t off, uint32_t *n, struct iovec *v, int max);
ssize_t pbuf_copy_to_uio(const struct pbuf *p, uint32_t off, struct uio *u, uint32_t n);

/* The Internet checksum, RFC 1071: partial sums over any part of a packet, folded and inverted at the end. */
uint32_t csum_add(uint32_t sum, const void *p, size_t n); /* n may be odd only in the last piece */
uint16_t csum_fold(uint32_t sum);                         /* inverted, in network order */
uint32_t pbuf_csum_add(const struct pbuf *p, uint32_t off, uint32_t n, uint32_t sum);
