/* Options of packet sockets: SOL_PACKET, packet(7). */
#include "../core/errno.h"
#include "packet.h"
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* ---- memberships ---- */

/* Devices here take every group's frames; what counts is who asked for all. */
static void apply(struct netdev *d, int type, int by) {
  if (type == PACKET_MR_PROMISC)
    d->promiscuity += by;
  else if (type == PACKET_MR_ALLMULTI)
    d->allmulti += by;
}

static void member_free(struct packet_sock *ps, struct packet_member *m) {
  struct netdev *d = netdev_by_index_borrow(ps->ns, m->mreq.mr_ifindex);
  if (d)
    apply(d, m->mreq.mr_type, -1);
  LIST_REMOVE(m, link);
  ps->nmembers--;
  free(m);
}

void packet_members_drop(struct packet_sock *ps, int ifindex) {
  struct packet_member *m, *next;
  for (m = LIST_FIRST(&ps->members); m; m = next) {
    next = LIST_NEXT(m, link);
    if (!ifindex || m->mreq.mr_ifindex == ifindex)
      member_free(ps, m);
  }
}

static struct packet_member *find_member(struct packet_sock *ps, const struct packet_mreq *q) {
  struct packet_member *m;
  LIST_FOREACH(m, &ps->members, link)
  if (m->mreq.mr_ifindex == q->mr_ifindex && m->mreq.mr_type == q->mr_type && m->mreq.mr_alen == q->mr_alen &&
      !memcmp(m->mreq.mr_address, q->mr_address, q->mr_alen))
    break;
  return m;
}

static int add_member(struct packet_sock *ps, const struct packet_mreq *q) {
  struct netdev *d = netdev_by_index_borrow(ps->ns, q->mr_ifindex);
  if (!d)
    return -ENODEV;
  if (q->mr_alen > d->addr_len)
    return -EINVAL;
  struct packet_member *m = find_member(ps, q);
  if (m) {
    m->count++;
    return 0;
  }
  if (q->mr_type > PACKET_MR_UNICAST)
    return 0; /* as Linux: remembered, but nothing to do */
  if ((q->mr_type == PACKET_MR_MULTICAST || q->mr_type == PACKET_MR_UNICAST) && q->mr_alen != d->addr_len)
    return -EINVAL;
  if (ps->nmembers >= PACKET_MEMBERS || !(m = calloc(1, sizeof *m)))
    return -ENOBUFS;
  m->mreq = *q;
  m->count = 1;
  LIST_INSERT_HEAD(&ps->members, m, link);
  ps->nmembers++;
  apply(d, q->mr_type, 1);
  return 0;
}

static int membership(struct packet_sock *ps, int opt, const void *val, socklen_t len) {
  struct packet_mreq q = {0};
  if (len < sizeof q)
    return -EINVAL;
  memcpy(&q, val, sizeof q);
  if (q.mr_alen > sizeof q.mr_address)
    return -EINVAL;
  if (opt == PACKET_ADD_MEMBERSHIP)
    return add_member(ps, &q);
  struct packet_member *m = find_member(ps, &q);
  if (m && !--m->count)
    member_free(ps, m);
  return 0;
}

/* ---- rings ---- */

static int set_ring(struct packet_sock *ps, const void *val, socklen_t len) {
  struct tpacket_req3 q = {0};
  size_t n = ps->version == TPACKET_V3 ? sizeof q : sizeof(struct tpacket_req);
  if (len < n)
    return -EINVAL;
  memcpy(&q, val, n);
  return packet_ring_set(ps, &q);
}

static int set_version(struct packet_sock *ps, int v) {
  if (v < TPACKET_V1 || v > TPACKET_V3)
    return -EINVAL;
  if (ps->ring)
    return -EBUSY;
  ps->version = v;
  return 0;
}

static int set_reserve(struct packet_sock *ps, int v) {
  if (v < 0)
    return -EINVAL;
  if (ps->ring)
    return -EBUSY;
  ps->reserve = (unsigned)v;
  return 0;
}

static int set_vnet(struct packet_sock *ps, int v) {
  if (ps->sock->type != SOCK_RAW)
    return -EINVAL;
  if (ps->ring)
    return -EBUSY;
  ps->vnet_hdr = v;
  return 0;
}

/* ---- the rest ---- */

static int set_int(struct packet_sock *ps, int opt, int v) {
  switch (opt) {
  case PACKET_AUXDATA:
    ps->auxdata = v;
    return 0;
  case PACKET_ORIGDEV:
    ps->origdev = v;
    return 0;
  case PACKET_LOSS:
    if (ps->ring)
      return -EBUSY;
    ps->loss = v;
    return 0;
  case PACKET_COPY_THRESH:
    ps->copy_thresh = (unsigned)v;
    return 0;
  case PACKET_VERSION:
    return set_version(ps, v);
  case PACKET_RESERVE:
    return set_reserve(ps, v);
  case PACKET_VNET_HDR:
    return set_vnet(ps, v);
  case PACKET_IGNORE_OUTGOING:
    if (v < 0 || v > 1)
      return -EINVAL;
    ps->ignore_outgoing = v;
    return 0;
  case PACKET_TIMESTAMP:    /* there are stamps by software only, whatever is asked for */
  case PACKET_QDISC_BYPASS: /* there is no queueing discipline to bypass */
    return 0;
  default:
    return -ENOPROTOOPT;
  }
}

int packet_setsockopt(struct socket *s, int level, int opt, const void *val, socklen_t len) {
  struct packet_sock *ps = packet_of(s);
  struct fanout_args fan = {0};
  int v;
  if (level != SOL_PACKET)
    return -ENOPROTOOPT;
  switch (opt) {
  case PACKET_ADD_MEMBERSHIP:
  case PACKET_DROP_MEMBERSHIP:
    return membership(ps, opt, val, len);
  case PACKET_RX_RING:
    return set_ring(ps, val, len);
  case PACKET_TX_RING: /* send(2) is as good: one copy, too, and no polling of memory that others write */
    return -EOPNOTSUPP;
  case PACKET_FANOUT:
    if (len != sizeof fan && len != sizeof(int))
      return -EINVAL;
    memcpy(&fan, val, len);
    return packet_fanout_add(ps, &fan);
  case PACKET_FANOUT_DATA:
    return packet_fanout_data(ps, val, len);
  }
  if (len < sizeof v)
    return opt <= PACKET_IGNORE_OUTGOING ? -EINVAL : -ENOPROTOOPT;
  memcpy(&v, val, sizeof v);
  return set_int(ps, opt, v);
}

static int hdrlen_of(const void *val, socklen_t len, int *v) {
  if (len < sizeof *v)
    return -EINVAL;
  memcpy(v, val, sizeof *v);
  switch (*v) {
  case TPACKET_V1:
    *v = sizeof(struct tpacket_hdr);
    return 0;
  case TPACKET_V2:
    *v = sizeof(struct tpacket2_hdr);
    return 0;
  case TPACKET_V3:
    *v = sizeof(struct tpacket3_hdr);
    return 0;
  default:
    return -EINVAL;
  }
}

static int get_int(const struct packet_sock *ps, int opt, int *v) {
  switch (opt) {
  case PACKET_AUXDATA:
    *v = ps->auxdata;
    return 0;
  case PACKET_ORIGDEV:
    *v = ps->origdev;
    return 0;
  case PACKET_VNET_HDR:
    *v = ps->vnet_hdr;
    return 0;
  case PACKET_VERSION:
    *v = ps->version;
    return 0;
  case PACKET_RESERVE:
    *v = (int)ps->reserve;
    return 0;
  case PACKET_LOSS:
    *v = ps->loss;
    return 0;
  case PACKET_IGNORE_OUTGOING:
    *v = ps->ignore_outgoing;
    return 0;
  case PACKET_FANOUT:
    *v = ps->fanout ? ps->fanout->id | (ps->fanout->type | ps->fanout->flags) << 16 : 0;
    return 0;
  case PACKET_TIMESTAMP:
  case PACKET_QDISC_BYPASS:
    *v = 0;
    return 0;
  default:
    return -ENOPROTOOPT;
  }
}

/* Reading resets the counts. */
static struct tpacket_stats_v3 take_stats(struct packet_sock *ps) {
  struct tpacket_stats_v3 st = ps->stats;
  st.tp_packets += st.tp_drops;
  memset(&ps->stats, 0, sizeof ps->stats);
  return st;
}

int packet_getsockopt(struct socket *s, int level, int opt, void *val, socklen_t *len) {
  struct packet_sock *ps = packet_of(s);
  struct tpacket_stats_v3 st;
  int v, rc;
  if (level != SOL_PACKET)
    return -ENOPROTOOPT;
  if (opt == PACKET_STATISTICS) {
    socklen_t n = ps->version == TPACKET_V3 ? sizeof st : sizeof(struct tpacket_stats);
    st = take_stats(ps);
    *len = *len < n ? *len : n;
    memcpy(val, &st, *len);
    return 0;
  }
  rc = opt == PACKET_HDRLEN ? hdrlen_of(val, *len, &v) : get_int(ps, opt, &v);
  if (rc)
    return rc;
  *len = *len < sizeof v ? *len : sizeof v;
  memcpy(val, &v, *len);
  return 0;
}
