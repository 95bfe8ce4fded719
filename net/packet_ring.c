/*
 * PACKET_RX_RING, Documentation/networking/packet_mmap.rst: frames are written into memory that the guest has mapped,
 * a memfd of the Sentry's. Whatever lies there is the guest's to write at any time: of it only status words are read,
 * and they decide no more than whether a frame or block may be written to. Where that is, and what has been counted, is
 * kept here.
 */
#include "../core/errno.h"
#include "../core/mm.h"
#include "../core/timers.h"
#include "packet.h"
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define BLK_ALIGN 8u
#define BLK_ROUND(n) (((n) + BLK_ALIGN - 1) & ~(BLK_ALIGN - 1))
#define BLK_HDR ((uint32_t)BLK_ROUND(sizeof(struct tpacket_block_desc)))
#define DEFAULT_TOV_MS 8
#define OLD_RINGS 16 /* that one socket keeps for who still has them mapped */

struct packet_ring {
  struct packet_ring *next; /* packet_sock.old */
  struct packet_sock *ps;   /* borrowed */
  int fd;
  uint8_t *mem;
  size_t bytes;
  bool offered; /* mmap(2) was given fd: areas may name it until the file is closed */
  int version;
  uint32_t hdrlen; /* what is in front of the frame's own room: header and struct sockaddr_ll */
  uint32_t block_size, block_nr, frame_size, per_block, frame_nr;
  uint32_t head; /* V1, V2: the frame to write next */
  /* V3 */
  uint32_t active;    /* the block that is being filled, or waited for when frozen */
  uint32_t off, last; /* in it: where the next frame goes, where the last one is */
  uint32_t npkts, private_size;
  uint64_t seq;
  bool frozen;
  int64_t stamp; /* of the last frame */
  int64_t tov;   /* ns */
  struct timer retire;
};

static const struct {
  uint32_t header, hdrlen;
} versions[] = {{sizeof(struct tpacket_hdr), TPACKET_HDRLEN},
                {sizeof(struct tpacket2_hdr), TPACKET2_HDRLEN},
                {sizeof(struct tpacket3_hdr), TPACKET3_HDRLEN}};

/* ---- status words: what is shared ---- */

static uint32_t status_get(const void *at) {
  return __atomic_load_n((const uint32_t *)at, __ATOMIC_ACQUIRE);
}
static void status_set(void *at, uint32_t v) {
  __atomic_store_n((uint32_t *)at, v, __ATOMIC_RELEASE);
}

static uint8_t *frame_at(const struct packet_ring *r, uint32_t i) {
  return r->mem + (size_t)(i / r->per_block) * r->block_size + (size_t)(i % r->per_block) * r->frame_size;
}
static struct tpacket_block_desc *block_at(const struct packet_ring *r, uint32_t i) {
  return (struct tpacket_block_desc *)(r->mem + (size_t)i * r->block_size);
}
static uint32_t *block_status(const struct packet_ring *r, uint32_t i) {
  return &block_at(r, i)->hdr.bh1.block_status;
}

/* The frame or block before the next one: is it the guest's? */
bool packet_ring_readable(const struct packet_sock *ps) {
  const struct packet_ring *r = ps->ring;
  if (r->version == TPACKET_V3)
    return status_get(block_status(r, r->active ? r->active - 1 : r->block_nr - 1)) != TP_STATUS_KERNEL;
  return status_get(frame_at(r, r->head ? r->head - 1 : r->frame_nr - 1)) != TP_STATUS_KERNEL;
}

static void wake(const struct packet_ring *r) {
  waitq_wake(&r->ps->sock->wq, EPOLLIN | EPOLLRDNORM);
}

/* ---- blocks of V3 ---- */

static uint32_t first_offset(const struct packet_ring *r) {
  return BLK_HDR + BLK_ROUND(r->private_size);
}

static struct tpacket_bd_ts bd_ts(int64_t ns) {
  return (struct tpacket_bd_ts){.ts_sec = (unsigned)(ns / NSEC_PER_SEC), .ts_nsec = (unsigned)(ns % NSEC_PER_SEC)};
}

/* Begin to fill the active block, if it is ours. */
static bool open_block(struct packet_ring *r) {
  struct tpacket_block_desc *b = block_at(r, r->active);
  if (status_get(block_status(r, r->active)) & TP_STATUS_USER) {
    if (!r->frozen)
      r->ps->stats.tp_freeze_q_cnt++;
    r->frozen = true;
    return false;
  }
  r->frozen = false;
  r->npkts = 0;
  r->off = r->last = first_offset(r);
  r->stamp = 0;
  b->version = TPACKET_V3;
  b->offset_to_priv = BLK_HDR;
  b->hdr.bh1 = (struct tpacket_hdr_v1){
      .block_status = TP_STATUS_KERNEL, .offset_to_first_pkt = r->off, .blk_len = r->off, .seq_num = r->seq++};
  return true;
}

/* The active block is the guest's from now on; the next one becomes the active one, not opened. */
static void close_block(struct packet_ring *r, uint32_t status) {
  struct tpacket_block_desc *b = block_at(r, r->active);
  uint32_t none = 0;
  timer_disarm(&r->retire);
  memcpy((uint8_t *)b + r->last + offsetof(struct tpacket3_hdr, tp_next_offset), &none, sizeof none);
  b->hdr.bh1.num_pkts = r->npkts;
  b->hdr.bh1.blk_len = r->off;
  b->hdr.bh1.ts_last_pkt = bd_ts(r->stamp);
  if (r->ps->stats.tp_drops)
    status |= TP_STATUS_LOSING;
  status_set(block_status(r, r->active), TP_STATUS_USER | status);
  r->active = r->active + 1 == r->block_nr ? 0 : r->active + 1;
  wake(r);
}

static void retire(struct timer *t) {
  struct packet_ring *r = t->arg;
  if (r->frozen || !r->npkts)
    return;
  close_block(r, TP_STATUS_BLK_TMO);
  open_block(r);
}

/* Room for `need` bytes in a block: the offset in the active one, 0: there is none. */
static uint32_t block_room(struct packet_ring *r, uint32_t need) {
  if (r->frozen && !open_block(r))
    return 0;
  if (r->off + need >= r->block_size && r->npkts) {
    close_block(r, 0);
    if (!open_block(r))
      return 0;
  }
  return r->off + need <= r->block_size ? r->off : 0;
}

/* ---- a frame ---- */

struct place {
  uint8_t *h; /* the header */
  uint32_t mac, net, snap, status;
  bool vnet;
};

static void put_body(const struct packet_view *v, const struct place *at, uint32_t header) {
  memcpy(at->h + TPACKET_ALIGN(header), &v->sll, sizeof v->sll);
  if (at->vnet) {
    struct virtio_net_hdr h;
    packet_vnet(v, &h);
    memcpy(at->h + at->mac - sizeof h, &h, sizeof h);
  }
  if (at->snap)
    pbuf_copy_out(v->p, v->base, at->h + at->mac, at->snap);
}

static void put_v1(const struct packet_view *v, const struct place *at) {
  struct tpacket_hdr h = {.tp_len = v->p->len - v->base,
                          .tp_snaplen = at->snap,
                          .tp_mac = (uint16_t)at->mac,
                          .tp_net = (uint16_t)at->net,
                          .tp_sec = (unsigned)(v->stamp / NSEC_PER_SEC),
                          .tp_usec = (unsigned)(v->stamp % NSEC_PER_SEC / 1000)};
  memcpy(at->h + sizeof h.tp_status, (char *)&h + sizeof h.tp_status, sizeof h - sizeof h.tp_status);
  memset(at->h + 4, 0, sizeof h.tp_status - 4);
}

static void put_v2(const struct packet_view *v, const struct place *at) {
  struct tpacket2_hdr h = {.tp_len = v->p->len - v->base,
                           .tp_snaplen = at->snap,
                           .tp_mac = (uint16_t)at->mac,
                           .tp_net = (uint16_t)at->net,
                           .tp_sec = (unsigned)(v->stamp / NSEC_PER_SEC),
                           .tp_nsec = (unsigned)(v->stamp % NSEC_PER_SEC)};
  memcpy(at->h + sizeof h.tp_status, (char *)&h + sizeof h.tp_status, sizeof h - sizeof h.tp_status);
}

static void put_v3(const struct packet_view *v, const struct place *at, uint32_t next) {
  struct tpacket3_hdr h = {.tp_next_offset = next,
                           .tp_sec = (unsigned)(v->stamp / NSEC_PER_SEC),
                           .tp_nsec = (unsigned)(v->stamp % NSEC_PER_SEC),
                           .tp_snaplen = at->snap,
                           .tp_len = v->p->len - v->base,
                           .tp_status = at->status,
                           .tp_mac = (uint16_t)at->mac,
                           .tp_net = (uint16_t)at->net};
  memcpy(at->h, &h, sizeof h);
}

/* Where things go behind the header. False: the reserve is too large for 16 bits. */
static bool layout(const struct packet_sock *ps, const struct packet_view *v, struct place *at) {
  const struct packet_ring *r = ps->ring;
  if (ps->sock->type == SOCK_DGRAM) {
    at->net = at->mac = (uint32_t)TPACKET_ALIGN(r->hdrlen) + 16 + ps->reserve;
  } else {
    uint32_t mac_len = v->mac_len;
    at->net = (uint32_t)TPACKET_ALIGN(r->hdrlen + (mac_len < 16 ? 16 : mac_len)) + ps->reserve;
    if (ps->vnet_hdr)
      at->net += sizeof(struct virtio_net_hdr);
    at->mac = at->net - mac_len;
    at->vnet = ps->vnet_hdr;
  }
  at->snap = v->snap;
  at->status = TP_STATUS_USER | TP_STATUS_TS_SOFTWARE | v->status;
  return at->net <= UINT16_MAX;
}

static void rx_frames(struct packet_sock *ps, const struct packet_view *v, struct place *at) {
  struct packet_ring *r = ps->ring;
  bool copy = false;
  if (at->mac + at->snap > r->frame_size) {
    copy = ps->copy_thresh && ps->charged < (unsigned)ps->sock->opt.rcvbuf;
    at->snap = at->mac < r->frame_size ? r->frame_size - at->mac : 0;
    at->vnet = at->vnet && at->mac <= r->frame_size;
  }
  at->h = frame_at(r, r->head);
  if (status_get(at->h) != TP_STATUS_KERNEL) {
    packet_drop(ps);
    return;
  }
  r->head = r->head + 1 == r->frame_nr ? 0 : r->head + 1;
  if (ps->stats.tp_drops)
    at->status |= TP_STATUS_LOSING;
  if (copy && !packet_enqueue(ps, v, 0))
    at->status |= TP_STATUS_COPY;
  ps->stats.tp_packets++;
  if (r->version == TPACKET_V1)
    put_v1(v, at);
  else
    put_v2(v, at);
  put_body(v, at, versions[r->version].header);
  status_set(at->h, at->status);
  wake(r);
}

static void rx_blocks(struct packet_sock *ps, const struct packet_view *v, struct place *at) {
  struct packet_ring *r = ps->ring;
  uint32_t max = r->block_size - first_offset(r);
  if (at->mac + at->snap > max) {
    at->vnet = at->vnet && at->mac <= max;
    at->snap = at->mac < max ? max - at->mac : 0;
    at->mac = at->mac < max ? at->mac : max;
  }
  uint32_t need = BLK_ROUND(at->mac + at->snap), off = block_room(r, need);
  if (!off) {
    packet_drop(ps);
    return;
  }
  ps->stats.tp_packets++;
  if (ps->stats.tp_drops)
    at->status |= TP_STATUS_LOSING;
  struct tpacket_block_desc *b = block_at(r, r->active);
  at->h = (uint8_t *)b + off;
  if (!r->npkts) {
    b->hdr.bh1.ts_first_pkt = bd_ts(v->stamp);
    timer_arm(&r->retire, deadline_after(r->tov));
  }
  put_v3(v, at, need);
  put_body(v, at, versions[TPACKET_V3].header);
  r->last = off;
  r->off = off + need;
  r->npkts++;
  r->stamp = v->stamp;
}

void packet_ring_rx(struct packet_sock *ps, const struct packet_view *v) {
  struct place at = {0};
  if (!layout(ps, v, &at))
    packet_drop(ps);
  else if (ps->ring->version == TPACKET_V3)
    rx_blocks(ps, v, &at);
  else
    rx_frames(ps, v, &at);
}

/* ---- making and ending ---- */

static int check_request(const struct packet_sock *ps, const struct tpacket_req3 *q) {
  uint64_t least = (uint64_t)versions[ps->version].hdrlen + ps->reserve;
  if ((int)q->tp_block_size <= 0 || q->tp_block_size % PAGE_SIZE)
    return -EINVAL;
  uint64_t private = BLK_HDR + (((uint64_t)q->tp_sizeof_priv + BLK_ALIGN - 1) & ~(uint64_t)(BLK_ALIGN - 1));
  if (ps->version == TPACKET_V3 && q->tp_block_size < private + least)
    return -EINVAL;
  if (q->tp_frame_size < least || q->tp_frame_size % TPACKET_ALIGNMENT)
    return -EINVAL;
  uint32_t per_block = q->tp_block_size / q->tp_frame_size;
  if (!per_block || per_block > UINT32_MAX / q->tp_block_nr || per_block * q->tp_block_nr != q->tp_frame_nr)
    return -EINVAL;
  return 0;
}

static int ring_memory(struct packet_ring *r) {
  r->fd = memfd_create("packet", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (r->fd < 0)
    return -ENOMEM;
  /* No one may make it shorter under our feet. */
  if (ftruncate(r->fd, (off_t)r->bytes) || fcntl(r->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL))
    return -ENOMEM;
  void *m = mmap(NULL, r->bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, r->fd, 0);
  if (m == MAP_FAILED)
    return -ENOMEM;
  r->mem = m;
  return 0;
}

static void ring_free(struct packet_ring *r) {
  if (r->mem)
    munmap(r->mem, r->bytes);
  if (r->fd >= 0)
    close(r->fd);
  timer_disarm(&r->retire);
  free(r);
}

static int ring_new(struct packet_sock *ps, const struct tpacket_req3 *q, struct packet_ring **out) {
  struct packet_ring *r = calloc(1, sizeof *r);
  if (!r)
    return -ENOMEM;
  *r = (struct packet_ring){.ps = ps,
                            .fd = -1,
                            .bytes = (size_t)q->tp_block_size * q->tp_block_nr,
                            .version = ps->version,
                            .hdrlen = versions[ps->version].hdrlen,
                            .block_size = q->tp_block_size,
                            .block_nr = q->tp_block_nr,
                            .frame_size = q->tp_frame_size,
                            .per_block = q->tp_block_size / q->tp_frame_size,
                            .frame_nr = q->tp_frame_nr,
                            .seq = 1};
  r->retire.fn = retire;
  r->retire.arg = r;
  int rc = ring_memory(r);
  if (rc) {
    ring_free(r);
    return rc;
  }
  if (ps->version == TPACKET_V3) {
    r->private_size = q->tp_sizeof_priv;
    r->tov = (q->tp_retire_blk_tov ? q->tp_retire_blk_tov : DEFAULT_TOV_MS) * (NSEC_PER_SEC / 1000);
    open_block(r);
  }
  *out = r;
  return 0;
}

/* Areas may go on to name its descriptor: that stays open, without memory behind it. */
static void ring_retire(struct packet_sock *ps) {
  struct packet_ring *r = ps->ring;
  ps->ring = NULL;
  if (!r->offered) {
    ring_free(r);
    return;
  }
  timer_disarm(&r->retire);
  munmap(r->mem, r->bytes);
  r->mem = NULL;
  (void)!fallocate(r->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, (off_t)r->bytes);
  r->next = ps->old;
  ps->old = r;
}

static bool too_much(const struct packet_sock *ps, const struct tpacket_req3 *q) {
  uint64_t bytes = (uint64_t)q->tp_block_size * q->tp_block_nr;
  unsigned n = 0;
  for (const struct packet_ring *r = ps->old; r; r = r->next, n++)
    bytes += r->bytes;
  return bytes > PACKET_RING_MAX || n >= OLD_RINGS;
}

int packet_ring_set(struct packet_sock *ps, const struct tpacket_req3 *q) {
  struct packet_ring *r;
  if (!q->tp_block_nr) {
    if (q->tp_frame_nr)
      return -EINVAL;
    if (ps->ring)
      ring_retire(ps);
    packet_purge(ps);
    return 0;
  }
  if (ps->ring)
    return -EBUSY;
  int rc = check_request(ps, q);
  if (!rc && too_much(ps, q))
    rc = -ENOMEM;
  if (!rc)
    rc = ring_new(ps, q, &r);
  if (rc)
    return rc;
  packet_purge(ps);
  ps->ring = r;
  return 0;
}

int packet_ring_mmap(struct socket *s, off_t off, size_t len, off_t *host_off) {
  struct packet_ring *r = packet_of(s)->ring;
  if (off || !r || len != r->bytes)
    return -EINVAL;
  r->offered = true;
  *host_off = 0;
  return r->fd;
}

void packet_rings_free(struct packet_sock *ps) {
  struct packet_ring *r;
  if (ps->ring)
    ring_free(ps->ring);
  ps->ring = NULL;
  while ((r = ps->old)) {
    ps->old = r->next;
    ring_free(r);
  }
}
