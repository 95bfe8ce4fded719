/* PACKET_FANOUT: several packet sockets share what comes in, each frame being one's. packet(7). */
#include "../core/errno.h"
#include "packet.h"
#include "siphash.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* ---- whose a frame is ---- */

/* Both directions of a conversation are the same member's: __skb_get_hash_symmetric(). */
static uint32_t flow_hash(const struct packet_fanout *f, const struct pbuf *p) {
  uint8_t h[40] = {0};
  struct {
    uint8_t low[16], high[16];
    uint16_t ports[2];
    uint32_t proto;
  } key = {0};
  uint32_t at = (uint32_t)(p->net - p->data), l4 = 0, alen = 0;
  const uint8_t *a = h;
  if (p->protocol == ETH_P_IP && at + 20 <= p->len) {
    pbuf_copy_out(p, at, h, 20);
    a = h + 12;
    alen = 4;
    key.proto = h[9];
    l4 = (h[6] & 0x3f) || h[7] ? 0 : at + (h[0] & 15u) * 4; /* fragments have no ports */
  } else if (p->protocol == ETH_P_IPV6 && at + 40 <= p->len) {
    pbuf_copy_out(p, at, h, 40);
    a = h + 8;
    alen = 16;
    key.proto = h[6];
    l4 = at + 40;
  }
  bool swap = memcmp(a, a + alen, alen) > 0;
  memcpy(key.low, swap ? a + alen : a, alen);
  memcpy(key.high, swap ? a : a + alen, alen);
  bool ports = key.proto == IPPROTO_TCP || key.proto == IPPROTO_UDP || key.proto == IPPROTO_UDPLITE;
  if (l4 && ports && l4 + 4 <= p->len) {
    uint16_t two[2];
    pbuf_copy_out(p, l4, two, sizeof two);
    bool cross = two[0] > two[1];
    key.ports[0] = two[cross];
    key.ports[1] = two[!cross];
  }
  struct siphash_key k;
  memcpy(&k, f->net->ns->ns.k->net->secret, sizeof k);
  return (uint32_t)siphash(&k, &key, sizeof key);
}

static bool has_room(const struct packet_sock *ps) {
  return ps->ring ? !packet_ring_readable(ps) : ps->charged < (unsigned)ps->sock->opt.rcvbuf / 2;
}

static unsigned roll_over(const struct packet_fanout *f, unsigned i) {
  for (unsigned j = 0; j < f->n; j++)
    if (has_room(f->members[(i + j) % f->n]))
      return (i + j) % f->n;
  return i;
}

struct packet_sock *packet_fanout_pick(struct packet_fanout *f, const struct pbuf *p) {
  uint32_t r = 0;
  unsigned i = 0;
  switch (f->type) {
  case PACKET_FANOUT_HASH:
    i = (unsigned)((uint64_t)flow_hash(f, p) * f->n >> 32);
    break;
  case PACKET_FANOUT_LB:
    i = f->next++ % f->n;
    break;
  case PACKET_FANOUT_RND:
    (void)!getrandom(&r, sizeof r, GRND_NONBLOCK);
    i = r % f->n;
    break;
  case PACKET_FANOUT_ROLLOVER:
    i = f->next = roll_over(f, f->next % f->n);
    break;
  case PACKET_FANOUT_CBPF:
    i = f->prog
            ? sock_filter_run(f->prog, p, (uint32_t)(p->net - p->data) <= p->len ? (uint32_t)(p->net - p->data) : 0) %
                  f->n
            : 0;
    break;
  default: /* by CPU or queue: there is one */
    break;
  }
  if (f->flags & PACKET_FANOUT_FLAG_ROLLOVER && f->type != PACKET_FANOUT_ROLLOVER && !has_room(f->members[i]))
    i = roll_over(f, i);
  return f->members[i];
}

/* ---- joining ---- */

static struct packet_fanout *find_group(const struct packet_net *n, uint16_t id) {
  struct packet_fanout *f;
  LIST_FOREACH(f, &n->fanouts, link)
  if (f->id == id)
    break;
  return f;
}

static int unused_id(struct packet_net *n, uint16_t *id) {
  const struct packet_fanout *f;
  bool *used = calloc(UINT16_MAX + 1, sizeof *used);
  unsigned i = 0;
  if (!used)
    return -ENOMEM;
  LIST_FOREACH(f, &n->fanouts, link)
  used[f->id] = true;
  while (i <= UINT16_MAX && used[i])
    i++;
  *id = (uint16_t)i;
  free(used);
  return i <= UINT16_MAX ? 0 : -ENOMEM;
}

static struct packet_fanout *group_new(struct packet_sock *ps, const struct fanout_args *a, uint16_t type,
                                       uint16_t flags) {
  struct packet_fanout *f = calloc(1, sizeof *f);
  if (!f)
    return NULL;
  f->net = ps->net;
  f->id = a->id;
  f->type = type;
  f->flags = flags;
  f->max = a->max_num_members ? a->max_num_members : PACKET_FANOUT_MEMBERS;
  f->proto = ps->proto;
  f->ifindex = ps->ifindex;
  LIST_INSERT_HEAD(&ps->net->fanouts, f, link);
  return f;
}

static bool type_ok(uint16_t type, uint16_t flags) {
  if (type == PACKET_FANOUT_ROLLOVER && flags & PACKET_FANOUT_FLAG_ROLLOVER)
    return false;
  return type <= PACKET_FANOUT_CBPF;
}

int packet_fanout_add(struct packet_sock *ps, const struct fanout_args *args) {
  struct fanout_args a = *args;
  uint16_t type = a.type_flags & 0xff, flags = a.type_flags & 0xff00;
  if (!type_ok(type, flags))
    return type == PACKET_FANOUT_EBPF ? -EOPNOTSUPP : -EINVAL;
  if (flags & PACKET_FANOUT_FLAG_DEFRAG)
    return -EOPNOTSUPP;
  if (ps->fanout)
    return -EALREADY;
  if (flags & PACKET_FANOUT_FLAG_UNIQUEID) {
    if (a.id)
      return -EINVAL;
    if (unused_id(ps->net, &a.id))
      return -ENOMEM;
    flags &= (uint16_t)~PACKET_FANOUT_FLAG_UNIQUEID;
  }
  struct packet_fanout *f = find_group(ps->net, a.id);
  if (f && (f->type != type || f->flags != flags))
    return -EINVAL;
  if (!f && a.max_num_members > PACKET_FANOUT_MEMBERS)
    return -EINVAL;
  if (f && a.max_num_members && f->max != a.max_num_members)
    return -EINVAL;
  if (!ps->running || (f && (f->proto != ps->proto || f->ifindex != ps->ifindex)))
    return -EINVAL;
  if (f && f->n >= f->max)
    return -ENOSPC;
  if (!f && !(f = group_new(ps, &a, type, flags)))
    return -ENOMEM;
  f->members[f->n++] = ps;
  ps->fanout = f;
  return 0;
}

int packet_fanout_data(struct packet_sock *ps, const void *val, socklen_t len) {
  struct sock_filter_prog *prog;
  if (!ps->fanout || ps->fanout->type != PACKET_FANOUT_CBPF)
    return -EINVAL;
  if (ps->sock->filter_locked)
    return -EPERM;
  int rc = sock_filter_load(val, len, &prog);
  if (rc)
    return rc;
  /* The group may have changed while the program was copied. */
  sock_filter_prog_put(ps->fanout->prog);
  ps->fanout->prog = prog;
  return 0;
}

void packet_fanout_leave(struct packet_sock *ps) {
  struct packet_fanout *f = ps->fanout;
  if (!f)
    return;
  ps->fanout = NULL;
  for (unsigned i = 0; i < f->n; i++)
    if (f->members[i] == ps) {
      f->members[i] = f->members[--f->n];
      break;
    }
  if (f->n)
    return;
  LIST_REMOVE(f, link);
  sock_filter_prog_put(f->prog);
  free(f);
}
