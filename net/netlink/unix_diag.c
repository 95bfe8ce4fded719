/* unix_diag, netlink_diag and packet_diag: sock_diag(7), for ss -x, -0 and -f netlink. */
#include "sock_diag.h"
#include "../../core/errno.h"
#include "../packet.h"
#include "../unix_diag.h"
#include <linux/netlink_diag.h>
#include <linux/packet_diag.h>
#include <linux/unix_diag.h>
#include <netinet/tcp.h>
#include <stdlib.h>

static uint32_t uid_for(const struct netlink_sock *nk, uint32_t kuid) {
  return from_kuid_munged(nk->cred ? nk->cred->user_ns : NULL, kuid);
}

static uint32_t ino_of(const struct socket *s) {
  return s && s->file ? (uint32_t)s->file->anon_ino : 0;
}

/* ---- AF_UNIX ---- */

struct unix_dump {
  struct netlink_sock *nk;
  struct nlbuf *b;
  struct unix_diag_req q;
  uint16_t flags;
  uint32_t seq;
  long n, skip;
  bool full, found;
  int err;
};

static void fill_unix(struct unix_dump *x, const struct unix_info *u) {
  struct nlbuf *b = x->b;
  struct unix_diag_msg m = {
      .udiag_family = AF_UNIX, .udiag_type = u->type, .udiag_state = u->state, .udiag_ino = u->ino};
  diag_put_cookie(m.udiag_cookie, u->sock);
  size_t at = nlb_begin(b, SOCK_DIAG_BY_FAMILY, x->flags, x->nk->portid, x->seq, &m, sizeof m);
  uint32_t show = x->q.udiag_show;
  if (show & UDIAG_SHOW_NAME && u->name_len)
    nla_put(b, UNIX_DIAG_NAME, u->name, u->name_len);
  if (show & UDIAG_SHOW_VFS && u->vfs_ino)
    nla_put(b, UNIX_DIAG_VFS, &(struct unix_diag_vfs){u->vfs_ino, u->vfs_dev}, sizeof(struct unix_diag_vfs));
  if (show & UDIAG_SHOW_PEER && u->peer_ino)
    nla_put_u32(b, UNIX_DIAG_PEER, u->peer_ino);
  if (show & UDIAG_SHOW_RQLEN)
    nla_put(b, UNIX_DIAG_RQLEN, &(struct unix_diag_rqlen){u->rqueue, u->wqueue}, sizeof(struct unix_diag_rqlen));
  if (show & UDIAG_SHOW_MEMINFO && u->sock) {
    uint32_t sk[SK_MEMINFO_VARS] = {[SK_MEMINFO_RMEM_ALLOC] = u->rmem,
                                    [SK_MEMINFO_RCVBUF] = (uint32_t)u->sock->opt.rcvbuf,
                                    [SK_MEMINFO_WMEM_ALLOC] = u->wmem,
                                    [SK_MEMINFO_SNDBUF] = (uint32_t)u->sock->opt.sndbuf};
    nla_put(b, UNIX_DIAG_MEMINFO, sk, sizeof sk);
  }
  nla_put_u8(b, UNIX_DIAG_SHUTDOWN, u->shutdown);
  if (show & UDIAG_SHOW_UID)
    nla_put_u32(b, UNIX_DIAG_UID, uid_for(x->nk, u->kuid));
  nlb_end(b, at);
}

static bool unix_one(void *arg, const struct unix_info *u) {
  struct unix_dump *x = arg;
  if (x->n++ < x->skip)
    return true;
  if (x->q.udiag_states & 1u << u->state) {
    size_t before = x->b->len;
    fill_unix(x, u);
    x->full = x->b->len == before;
  }
  if (!x->full)
    x->skip++;
  return !x->full;
}

static int dump_unix(struct nl_dump *d, struct nlbuf *b) {
  struct unix_dump x = {.nk = d->nk, .b = b, .flags = d->flags, .seq = d->req->nlmsg_seq, .skip = d->at[0]};
  memcpy(&x.q, NLMSG_DATA(d->req), sizeof x.q);
  unix_each(d->ns, unix_one, &x);
  d->at[0] = x.skip;
  return x.full;
}

static bool unix_exact(void *arg, const struct unix_info *u) {
  struct unix_dump *x = arg;
  if (u->ino != x->q.udiag_ino)
    return true;
  x->found = true;
  x->err = diag_check_cookie(x->q.udiag_cookie, u->sock);
  if (!x->err)
    fill_unix(x, u);
  return false;
}

int unix_diag_serve(struct nl_req *r) {
  struct unix_dump x = {.nk = r->nk, .seq = r->h->nlmsg_seq};
  if (nl_body_len(r) < sizeof x.q)
    return -EINVAL;
  if (diag_wants_dump(r))
    return nl_dump_start(r, &(struct nl_dump){.fn = dump_unix, .split = true});
  memcpy(&x.q, nl_body(r), sizeof x.q);
  if (!x.q.udiag_ino)
    return -EINVAL;
  x.b = nlbuf_new(1024);
  if (!x.b)
    return -ENOBUFS;
  unix_each(r->ns, unix_exact, &x);
  int rc = !x.found ? -ENOENT : x.err ? x.err : nl_reply(r, x.b);
  free(x.b);
  return rc;
}

/* ---- AF_NETLINK ---- */

static void fill_netlink(struct nl_dump *d, struct nlbuf *b, const struct netlink_sock *nk, uint32_t show) {
  struct netlink_diag_msg m = {.ndiag_family = AF_NETLINK,
                               .ndiag_type = (uint8_t)nk->sock->type,
                               .ndiag_protocol = (uint8_t)nk->proto->protocol,
                               .ndiag_state = nk->connected,
                               .ndiag_portid = nk->portid,
                               .ndiag_dst_portid = nk->dst_portid,
                               .ndiag_dst_group = nk->dst_group,
                               .ndiag_ino = ino_of(nk->sock)};
  diag_put_cookie(m.ndiag_cookie, nk->sock);
  size_t at = nl_dump_begin(d, b, SOCK_DIAG_BY_FAMILY, &m, sizeof m);
  if (show & NDIAG_SHOW_GROUPS && nk->njoined)
    nla_put(b, NETLINK_DIAG_GROUPS, nk->groups, (nk->proto->ngroups + 63) / 64 * 8);
  if (show & NDIAG_SHOW_MEMINFO) {
    uint32_t sk[SK_MEMINFO_VARS] = {[SK_MEMINFO_RMEM_ALLOC] = (uint32_t)nk->rmem,
                                    [SK_MEMINFO_RCVBUF] = (uint32_t)nk->sock->opt.rcvbuf,
                                    [SK_MEMINFO_SNDBUF] = (uint32_t)nk->sock->opt.sndbuf,
                                    [SK_MEMINFO_DROPS] = (uint32_t)nk->drops};
    nla_put(b, NETLINK_DIAG_MEMINFO, sk, sizeof sk);
  }
  nlb_end(b, at);
}

static int dump_netlink(struct nl_dump *d, struct nlbuf *b) {
  struct netlink_diag_req q;
  struct nl_net *n = nl_net_of(d->ns);
  long i = 0;
  memcpy(&q, NLMSG_DATA(d->req), sizeof q);
  for (int p = 0; n && p < NL_PROTOS; p++) {
    const struct netlink_sock *nk;
    if (q.sdiag_protocol != NDIAG_PROTO_ALL && q.sdiag_protocol != p)
      continue;
    LIST_FOREACH(nk, &n->socks[p], link) {
      size_t before = b->len;
      if (i++ < d->at[0])
        continue;
      fill_netlink(d, b, nk, q.ndiag_show);
      if (b->len == before)
        return 1;
      d->at[0]++;
    }
  }
  return 0;
}

int netlink_diag_serve(struct nl_req *r) {
  const struct netlink_diag_req *q = nl_body(r);
  if (nl_body_len(r) < sizeof *q)
    return -EINVAL;
  if (!diag_wants_dump(r))
    return -EOPNOTSUPP;
  if (q->sdiag_protocol != NDIAG_PROTO_ALL && q->sdiag_protocol >= NL_PROTOS)
    return -ENOENT;
  return nl_dump_start(r, &(struct nl_dump){.fn = dump_netlink, .split = true});
}

/* ---- AF_PACKET ---- */

static void fill_packet(struct nl_dump *d, struct nlbuf *b, const struct packet_sock *ps, uint32_t show) {
  struct packet_diag_msg m = {.pdiag_family = AF_PACKET,
                              .pdiag_type = (uint8_t)ps->sock->type,
                              .pdiag_num = ps->proto,
                              .pdiag_ino = ino_of(ps->sock)};
  diag_put_cookie(m.pdiag_cookie, ps->sock);
  size_t at = nl_dump_begin(d, b, SOCK_DIAG_BY_FAMILY, &m, sizeof m);
  if (show & PACKET_SHOW_INFO) {
    struct packet_diag_info pi = {.pdi_index = ps->ifindex > 0 ? (uint32_t)ps->ifindex : 0,
                                  .pdi_version = (uint32_t)ps->version,
                                  .pdi_reserve = ps->reserve,
                                  .pdi_copy_thresh = ps->copy_thresh};
    pi.pdi_flags = (ps->running ? PDI_RUNNING : 0) | (ps->auxdata ? PDI_AUXDATA : 0) | (ps->origdev ? PDI_ORIGDEV : 0) |
                   (ps->vnet_hdr ? PDI_VNETHDR : 0) | (ps->loss ? PDI_LOSS : 0);
    nla_put(b, PACKET_DIAG_INFO, &pi, sizeof pi);
  }
  if (show & PACKET_SHOW_INFO)
    nla_put_u32(b, PACKET_DIAG_UID, uid_for(d->nk, ps->sock->file ? ps->sock->file->anon_uid : 0));
  if (show & PACKET_SHOW_MEMINFO) {
    uint32_t sk[SK_MEMINFO_VARS] = {[SK_MEMINFO_RMEM_ALLOC] = ps->charged,
                                    [SK_MEMINFO_RCVBUF] = (uint32_t)ps->sock->opt.rcvbuf,
                                    [SK_MEMINFO_SNDBUF] = (uint32_t)ps->sock->opt.sndbuf,
                                    [SK_MEMINFO_DROPS] = ps->drops};
    nla_put(b, PACKET_DIAG_MEMINFO, sk, sizeof sk);
  }
  nlb_end(b, at);
}

static int dump_packet(struct nl_dump *d, struct nlbuf *b) {
  struct packet_diag_req q;
  struct packet_net *n = net_stack_of(d->ns) ? net_stack_of(d->ns)->sub[NET_PACKET] : NULL;
  const struct packet_sock *ps;
  long i = 0;
  memcpy(&q, NLMSG_DATA(d->req), sizeof q);
  if (n)
    LIST_FOREACH(ps, &n->socks, link) {
      size_t before = b->len;
      if (i++ < d->at[0])
        continue;
      fill_packet(d, b, ps, q.pdiag_show);
      if (b->len == before)
        return 1;
      d->at[0]++;
    }
  return 0;
}

int packet_diag_serve(struct nl_req *r) {
  const struct packet_diag_req *q = nl_body(r);
  if (nl_body_len(r) < sizeof *q || q->sdiag_protocol)
    return -EINVAL;
  if (!diag_wants_dump(r))
    return -EOPNOTSUPP;
  return nl_dump_start(r, &(struct nl_dump){.fn = dump_packet, .split = true});
}
