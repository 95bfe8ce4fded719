/* inet_diag: TCP, UDP, UDP-Lite and raw sockets, for ss(8). sock_diag(7); <linux/inet_diag.h>. */
#include "../inet/tcp_sock.h"
#include "inet_diag_bc.h"
#include "sock_diag.h"
#include "../../core/errno.h"
#include <linux/inet_diag.h>
#include <stdlib.h>

#define NS_PER_MS_K 1000000ll
#define EXT(e) (1u << ((e)-1))

/* What waits in a datagram socket, net/inet/'s. Weak: without it nothing is said of that. */
__attribute__((weak)) void dgram_queues(const struct inet_sock *is, uint32_t *rx, uint32_t *tx, uint64_t *drops);

/* One socket, or what there is of a connection without one. */
struct item {
  int family, state;
  const struct inet_sock *is; /* NULL: TIME-WAIT, a SYN that was not accepted yet, an orphan */
  struct tcp_conn *c;
  struct in6_addr laddr, raddr;
  uint16_t lport, rport;
  uint8_t timer;
  int64_t timer_at;
  uint32_t rqueue, wqueue, retrans, mark;
  uint64_t drops;
  int oif;
};

static struct item of_tcp(const struct tcp_entry *e) {
  const struct tcp_sock *ts = e->user, *l = ts ? ts : e->listener;
  struct item it = {.is = ts ? ts->is : NULL,
                    .c = e->c,
                    .state = e->state,
                    .laddr = e->laddr,
                    .raddr = e->raddr,
                    .lport = e->lport,
                    .rport = e->rport,
                    .timer = e->timer,
                    .timer_at = e->timer_at,
                    .rqueue = e->rxq,
                    .wqueue = e->txq,
                    .retrans = e->timer == 1 ? e->retransmits : e->probes,
                    .mark = e->mark,
                    .oif = e->oif};
  it.family = l ? l->is->sock->family : ip_is4(&e->laddr) ? AF_INET : AF_INET6;
  return it;
}

static struct item of_dgram(const struct inet_sock *is) {
  struct item it = {.is = is,
                    .family = is->sock->family,
                    .state = is->connected ? TCP_ESTABLISHED : TCP_CLOSE,
                    .laddr = is->laddr,
                    .raddr = is->raddr,
                    .lport = is->sock->type == SOCK_RAW ? (uint16_t)is->sock->protocol : is->lport,
                    .rport = is->rport,
                    .mark = is->sock->opt.mark,
                    .oif = is->bound_dev};
  if (dgram_queues)
    dgram_queues(is, &it.rqueue, &it.wqueue, &it.drops);
  return it;
}

/* Each of a protocol, while fn returns true. TCP: listeners, then the others. */
struct walk {
  bool (*fn)(void *arg, const struct item *it);
  void *arg;
  bool listeners, more;
};

static bool walk_tcp(void *arg, const struct tcp_entry *e) {
  struct walk *w = arg;
  struct item it = of_tcp(e);
  /* A socket that has neither a peer nor listens is not in Linux's tables. */
  if (e->state != TCP_CLOSE && (e->state == TCP_LISTEN) == w->listeners)
    w->more = w->fn(w->arg, &it);
  return w->more;
}

static bool walk_dgram(void *arg, struct inet_sock *is) {
  struct walk *w = arg;
  struct item it = of_dgram(is);
  if (it.lport)
    w->more = w->fn(w->arg, &it);
  return w->more;
}

static void each(struct inet_net *n, int protocol, bool (*fn)(void *arg, const struct item *it), void *arg) {
  struct walk w = {fn, arg, true, true};
  struct inet_sock *is;
  if (!n)
    return;
  switch (protocol) {
  case IPPROTO_TCP:
    if (n->tcp)
      tcp_each(n->tcp, walk_tcp, &w);
    w.listeners = false;
    if (w.more && n->tcp)
      tcp_each(n->tcp, walk_tcp, &w);
    return;
  case IPPROTO_RAW:
    LIST_FOREACH(is, &n->raw, hash_link)
    if (!walk_dgram(&w, is))
      return;
    return;
  default:
    inet_each(n, protocol == IPPROTO_UDP ? INET_UDP : INET_UDPLITE, walk_dgram, &w);
  }
}

/* ---- how one is told of ---- */

static void put_addr(uint32_t out[4], int family, const struct in6_addr *a) {
  memset(out, 0, 16);
  if (family == AF_INET)
    out[0] = ip_get4(a);
  else
    memcpy(out, a, 16);
}

static void put_options(struct nlbuf *b, const struct item *it, uint8_t ext, bool admin) {
  const struct inet_sock *is = it->is;
  const struct inet_opts *o = &is->opt;
  struct tcp_status st;
  uint8_t shut = (uint8_t)((is->shut_rd ? 1 : 0) | (is->shut_wr ? 2 : 0));
  if (it->c && it->state != TCP_LISTEN) {
    tcp_status(it->c, &st);
    shut = (uint8_t)((st.rd_closed ? 1 : 0) | (st.wr_closed ? 2 : 0));
  }
  struct inet_diag_sockopt so = {.recverr = o->recverr[0],
                                 .is_icsk = it->c != NULL,
                                 .freebind = o->freebind,
                                 .hdrincl = o->hdrincl,
                                 .mc_loop = o->mc_loop[0],
                                 .transparent = o->transparent,
                                 .mc_all = o->mc_all[0],
                                 .nodefrag = o->nodefrag,
                                 .bind_address_no_port = o->bind_no_port};
  nla_put_u8(b, INET_DIAG_SHUTDOWN, shut);
  if (ext & EXT(INET_DIAG_TOS))
    nla_put_u8(b, INET_DIAG_TOS, (uint8_t)o->tos);
  if (it->family == AF_INET6) {
    if (ext & EXT(INET_DIAG_TCLASS))
      nla_put_u8(b, INET_DIAG_TCLASS, o->tclass < 0 ? 0 : (uint8_t)o->tclass);
    if (it->state == TCP_LISTEN || it->state == TCP_CLOSE)
      nla_put_u8(b, INET_DIAG_SKV6ONLY, o->v6only);
  }
  if (admin)
    nla_put_u32(b, INET_DIAG_MARK, it->mark);
  nla_put(b, INET_DIAG_SOCKOPT, &so, sizeof so);
}

static void put_memory(struct nlbuf *b, const struct item *it, uint8_t ext) {
  const struct sock_opts *o = &it->is->sock->opt;
  bool listen = it->state == TCP_LISTEN;
  uint32_t rmem = listen ? 0 : it->rqueue, wmem = listen ? 0 : it->wqueue;
  struct inet_diag_meminfo mi = {.idiag_rmem = rmem, .idiag_wmem = wmem, .idiag_tmem = wmem};
  uint32_t sk[SK_MEMINFO_VARS] = {[SK_MEMINFO_RMEM_ALLOC] = rmem,
                                  [SK_MEMINFO_RCVBUF] = (uint32_t)o->rcvbuf,
                                  [SK_MEMINFO_WMEM_ALLOC] = it->c ? 0 : wmem,
                                  [SK_MEMINFO_SNDBUF] = (uint32_t)o->sndbuf,
                                  [SK_MEMINFO_WMEM_QUEUED] = it->c ? wmem : 0,
                                  [SK_MEMINFO_DROPS] = (uint32_t)it->drops};
  int v;
  if (it->c && !tcp_get_option(it->c, TCP_OPT_RCVBUF, &v))
    sk[SK_MEMINFO_RCVBUF] = (uint32_t)v;
  if (it->c && !tcp_get_option(it->c, TCP_OPT_SNDBUF, &v))
    sk[SK_MEMINFO_SNDBUF] = (uint32_t)v;
  if (ext & EXT(INET_DIAG_MEMINFO))
    nla_put(b, INET_DIAG_MEMINFO, &mi, sizeof mi);
  if (ext & EXT(INET_DIAG_SKMEMINFO))
    nla_put(b, INET_DIAG_SKMEMINFO, sk, sizeof sk);
}

static void put_tcp(struct nlbuf *b, const struct item *it, uint8_t ext) {
  struct tcp_info ti;
  if (ext & EXT(INET_DIAG_INFO)) {
    tcp_get_info(it->c, &ti);
    nla_put(b, INET_DIAG_INFO, &ti, sizeof ti);
  }
  if (ext & EXT(INET_DIAG_CONG))
    nla_put_str(b, INET_DIAG_CONG, tcp_congestion(it->c));
}

struct query {
  struct netlink_sock *nk;
  struct inet_diag_req_v2 q;
  const struct nlattr *bc; /* checked */
  bool admin, family_any;
  uint16_t flags;
  uint32_t seq;
};

static void fill(struct nlbuf *b, const struct query *q, const struct item *it) {
  int64_t left = it->timer ? (it->timer_at - loop_now()) / NS_PER_MS_K : 0;
  const struct socket *s = it->is ? it->is->sock : NULL;
  struct inet_diag_msg m = {.idiag_family = (uint8_t)it->family,
                            .idiag_state = (uint8_t)it->state,
                            .idiag_timer = it->timer,
                            .idiag_retrans = (uint8_t)it->retrans,
                            .idiag_expires = left > 0 ? (uint32_t)left : 0,
                            .idiag_rqueue = it->rqueue,
                            .idiag_wqueue = it->wqueue};
  m.id.idiag_sport = htons(it->lport);
  m.id.idiag_dport = htons(it->rport);
  m.id.idiag_if = (uint32_t)it->oif;
  put_addr(m.id.idiag_src, it->family, &it->laddr);
  put_addr(m.id.idiag_dst, it->family, &it->raddr);
  diag_put_cookie(m.id.idiag_cookie, s);
  if (it->is)
    m.idiag_uid = from_kuid_munged(q->nk->cred ? q->nk->cred->user_ns : NULL, it->is->kuid);
  if (s && s->file)
    m.idiag_inode = (uint32_t)s->file->anon_ino;
  size_t at = nlb_begin(b, SOCK_DIAG_BY_FAMILY, q->flags, q->nk->portid, q->seq, &m, sizeof m);
  if (it->is) {
    put_options(b, it, q->q.idiag_ext, q->admin);
    put_memory(b, it, q->q.idiag_ext);
  }
  if (it->c)
    put_tcp(b, it, q->q.idiag_ext);
  nlb_end(b, at);
}

/* ---- which ones ---- */

static bool wanted(const struct query *q, const struct item *it) {
  const struct inet_diag_req_v2 *r = &q->q;
  if (!(r->idiag_states & 1u << it->state) || (r->sdiag_family != AF_UNSPEC && r->sdiag_family != it->family))
    return false;
  if ((r->id.idiag_sport && r->id.idiag_sport != htons(it->lport)) ||
      (r->id.idiag_dport && r->id.idiag_dport != htons(it->rport)))
    return false;
  if (!q->bc)
    return true;
  struct diag_entry e = {.family = it->family,
                         .src = it->laddr,
                         .dst = it->raddr,
                         .sport = it->lport,
                         .dport = it->rport,
                         .ifindex = it->oif,
                         .mark = it->mark,
                         .port_given = it->is && it->is->bound_port};
  return diag_bc_run(nla_data(q->bc), nla_len(q->bc), &e);
}

struct dumping {
  struct nl_dump *d;
  struct nlbuf *b;
  struct query q;
  long n;
  bool full;
};

static bool dump_one(void *arg, const struct item *it) {
  struct dumping *x = arg;
  if (x->n++ < x->d->at[0])
    return true;
  size_t before = x->b->len;
  if (wanted(&x->q, it)) {
    fill(x->b, &x->q, it);
    x->full = x->b->len == before;
  }
  if (!x->full)
    x->d->at[0]++;
  return !x->full;
}

/* TCPDIAG_GETSOCK's header is another one; both become the newer. */
static void header(const struct nlmsghdr *h, struct inet_diag_req_v2 *out, size_t *off) {
  const void *body = NLMSG_DATA(h);
  if (h->nlmsg_type != TCPDIAG_GETSOCK) {
    memcpy(out, body, sizeof *out);
    *off = sizeof *out;
    return;
  }
  struct inet_diag_req q;
  memcpy(&q, body, sizeof q);
  *out = (struct inet_diag_req_v2){.sdiag_family = AF_UNSPEC,
                                   .sdiag_protocol = IPPROTO_TCP,
                                   .idiag_ext = q.idiag_ext,
                                   .idiag_states = q.idiag_states,
                                   .id = q.id};
  *off = sizeof q;
}

static int parse(const struct nlmsghdr *h, struct query *q, bool check, struct nl_extack *x) {
  const struct nlattr *tb[INET_DIAG_REQ_MAX + 1];
  size_t off, len = h->nlmsg_len - NLMSG_HDRLEN;
  header(h, &q->q, &off);
  off = NLMSG_ALIGN(off);
  int rc = nla_parse(tb, INET_DIAG_REQ_MAX, (const char *)NLMSG_DATA(h) + off, len > off ? len - off : 0, NULL, 0, x);
  if (rc)
    return rc;
  q->bc = tb[INET_DIAG_REQ_BYTECODE];
  if (tb[INET_DIAG_REQ_PROTOCOL] && nla_len(tb[INET_DIAG_REQ_PROTOCOL]) >= 4 &&
      nla_get_u32(tb[INET_DIAG_REQ_PROTOCOL]) > 255)
    return -ENOENT; /* MPTCP */
  return q->bc && check ? diag_bc_check(nla_data(q->bc), nla_len(q->bc), q->admin) : 0;
}

static int dump(struct nl_dump *d, struct nlbuf *b) {
  struct dumping x = {.d = d, .b = b};
  x.q = (struct query){.nk = d->nk, .admin = d->arg.u32[0], .flags = d->flags, .seq = d->req->nlmsg_seq};
  int rc = parse(d->req, &x.q, false, NULL);
  if (rc)
    return rc;
  each(inet_net_of(d->ns), x.q.q.sdiag_protocol, dump_one, &x);
  return x.full;
}

static bool has_handler(int protocol) {
  return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP || protocol == IPPROTO_UDPLITE || protocol == IPPROTO_RAW;
}

/* ---- one ---- */

struct finding {
  const struct inet_diag_req_v2 *q;
  bool found;
  struct item it;
};

static bool same_addr(int family, const uint32_t want[4], const struct in6_addr *a) {
  uint32_t have[4];
  put_addr(have, family, a);
  return !memcmp(have, want, family == AF_INET ? 4 : 16);
}

static bool find_one(void *arg, const struct item *it) {
  struct finding *f = arg;
  const struct inet_diag_sockid *id = &f->q->id;
  bool listener = it->state == TCP_LISTEN || it->state == TCP_CLOSE;
  if (it->family != f->q->sdiag_family || htons(it->lport) != id->idiag_sport ||
      diag_check_cookie(id->idiag_cookie, it->is ? it->is->sock : NULL))
    return true;
  if (!listener && (htons(it->rport) != id->idiag_dport || !same_addr(it->family, id->idiag_dst, &it->raddr)))
    return true;
  if (!same_addr(it->family, id->idiag_src, &it->laddr) && !(listener && ip_is_any(&it->laddr)))
    return true;
  f->found = true;
  f->it = *it;
  return false;
}

static int exact(struct nl_req *r, struct query *q, bool destroy) {
  struct finding f = {.q = &q->q};
  each(inet_net_of(r->ns), q->q.sdiag_protocol, find_one, &f);
  if (!f.found)
    return -ENOENT;
  if (destroy) {
    if (!q->admin)
      return -EPERM;
    if (!f.it.c)
      return -EOPNOTSUPP;
    tcp_abort(f.it.c, ECONNABORTED);
    return 0;
  }
  struct nlbuf *b = nlbuf_new(2048);
  if (!b)
    return -ENOBUFS;
  q->seq = r->h->nlmsg_seq;
  fill(b, q, &f.it);
  int rc = nl_reply(r, b);
  free(b);
  return rc;
}

static int serve(struct nl_req *r, bool destroy) {
  struct query q = {.nk = r->nk, .admin = diag_admin(r)};
  int rc = parse(r->h, &q, true, &r->ext);
  if (rc)
    return rc;
  if (!has_handler(q.q.sdiag_protocol))
    return -ENOENT;
  if (destroy || !diag_wants_dump(r))
    return exact(r, &q, destroy);
  struct nl_dump d = {.fn = dump, .split = true};
  d.arg.u32[0] = q.admin;
  return nl_dump_start(r, &d);
}

int inet_diag_serve(struct nl_req *r, int family, bool destroy) {
  return nl_body_len(r) < sizeof(struct inet_diag_req_v2) ? -EINVAL : serve(r, destroy);
}

int inet_diag_compat(struct nl_req *r) {
  return nl_body_len(r) < sizeof(struct inet_diag_req) ? -EINVAL : serve(r, false);
}
