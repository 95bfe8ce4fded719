/*
 * A stack with a listener and connections, driven by the input: segments near what is expected (numbers relative to the
 * connection's own), calls, ICMP errors and the passing of time. The engine's books must balance after each step.
 */
#include "../../core/uio.h"
#include "../../net/tcp/tcp_int.h"
#include <arpa/inet.h>
#include <stdlib.h>
#include <sys/socket.h>

#define CHECK(x)                                                                                                       \
  do {                                                                                                                 \
    if (!(x))                                                                                                          \
      abort();                                                                                                         \
  } while (0)
#define CONNS 4

/* The engine needs this much of its surroundings. */
bool ip_is_any(const struct in6_addr *a) {
  return IN6_IS_ADDR_UNSPECIFIED(a) || (ip_is4(a) && !ip_get4(a));
}
bool ip_is_loopback(const struct in6_addr *a) {
  return false;
}
ssize_t uio_copy_to(struct uio *u, const void *src, size_t n) {
  n = n < u->resid ? n : u->resid;
  memcpy(u->iov->iov_base, src, n);
  uio_advance(u, n);
  return (ssize_t)n;
}
ssize_t uio_copy_to_vec(struct uio *u, struct iovec *src, int n) {
  ssize_t done = 0;
  for (int i = 0; i < n; i++)
    done += uio_copy_to(u, src[i].iov_base, src[i].iov_len);
  return done;
}
ssize_t uio_copy_from(struct uio *u, void *dst, size_t n) {
  n = n < u->resid ? n : u->resid;
  memcpy(dst, u->iov->iov_base, n);
  uio_advance(u, n);
  return (ssize_t)n;
}
void uio_advance(struct uio *u, size_t n) {
  n = n < u->resid ? n : u->resid;
  u->iov->iov_base = (char *)u->iov->iov_base + n;
  u->iov->iov_len -= n;
  u->resid -= n;
}

struct world {
  int64_t now;
  uint64_t rng;
  struct tcp_stack *s;
  struct tcp_conn *l, *c[CONNS];
  struct in6_addr us, them;
  const uint8_t *in;
  size_t left;
  bool late; /* tcp_push_late() is due */
};

static int64_t now(void *ctx) {
  return ((struct world *)ctx)->now;
}
static void rnd(void *ctx, void *buf, size_t n) {
  for (uint8_t *b = buf; n--;)
    *b++ = (uint8_t)((((struct world *)ctx)->rng = ((struct world *)ctx)->rng * 6364136223846793005ull + 1) >> 56);
}
static int output(void *ctx, struct pbuf *p, const struct ip_flow *f, struct ip_route *r) {
  static uint8_t all[70000];
  CHECK(p->len >= 20 && p->len <= 65535 && (p->data[12] >> 4) * 4u <= p->linear);
  CHECK(p->gso == PB_GSO_NONE || p->gso_size);
  pbuf_copy_out(p, 0, all, p->len);
  pbuf_free(p);
  return 0;
}
static int route(void *ctx, const struct ip_flow *f, struct tcp_path *out) {
  *out = (struct tcp_path){.src = ((struct world *)ctx)->us, .mtu = 1500};
  return 0;
}
static void arm(void *ctx, int64_t at) {}
static void push_late(void *ctx) {
  ((struct world *)ctx)->late = true;
}
static void event(void *user, struct tcp_conn *c, unsigned ev) {}
static const struct tcp_env env = {
    .now = now, .random = rnd, .output = output, .route = route, .arm = arm, .push_late = push_late};
static const struct tcp_user_ops ops = {event};

static uint32_t take(struct world *w, size_t n) {
  uint32_t v = 0;
  for (; n && w->left; n--, w->left--)
    v = v << 8 | *w->in++;
  return v;
}

static void check(const struct tcp_conn *c) {
  uint32_t sacked = 0, lost = 0, retx = 0, n = 0, at = c->snd_una;
  const struct tcp_seg *g;
  TAILQ_FOREACH(g, &c->segs, link) {
    CHECK(g->seq == at && seq_lt(g->seq, g->end));
    at = g->end;
    sacked += g->flags & SG_SACKED ? g->end - g->seq : 0;
    lost += g->flags & SG_LOST ? g->end - g->seq : 0;
    retx += g->flags & SG_RETX ? g->end - g->seq : 0;
    n++;
  }
  CHECK(n == c->nsegs && lost == c->lost && retx == c->retx && (!c->sack_on || sacked == c->sacked));
  CHECK(!n || at == c->snd_nxt);
  uint32_t bytes = 0, oo = 0, mem = 0, edge = c->rcv_nxt;
  const struct pbuf *p;
  STAILQ_FOREACH(p, &c->rq, link)
  bytes += p->len, mem += (uint32_t)p->cb[2];
  STAILQ_FOREACH(p, &c->ooq, link) {
    CHECK(seq_lt(edge, (uint32_t)p->cb[0]) || edge == (uint32_t)p->cb[0]);
    edge = (uint32_t)p->cb[0] + p->len;
    oo++, mem += (uint32_t)p->cb[2];
  }
  CHECK(bytes == c->rcv_bytes && oo == c->nooo && mem == c->rcvmem && oo <= TCP_OOO_MAX);
}

static void segment(struct world *w, struct tcp_conn *c) {
  struct tcp_hdr h = {.off = 0x50, .sport = htons(7), .dport = htons(80), .wnd = htons((uint16_t)take(w, 2))};
  h.flags = (uint8_t)take(w, 1);
  uint32_t seq = take(w, 2) - 0x100, ack = take(w, 2) - 0x100, shape = take(w, 1);
  if (c) {
    h.sport = htons(c->n.key.rport), h.dport = htons(c->n.key.lport);
    seq += c->rcv_nxt, ack += c->snd_una;
  } else {
    h.sport = htons((uint16_t)(ack & 15));
  }
  h.seq = htonl(seq), h.ack = htonl(ack), h.urp = htons((uint16_t)(shape >> 4));
  uint8_t opts[40] = {0};
  uint32_t n = (shape & 7) * 4, len = shape & 8 ? take(w, 2) % 20000 : 0;
  for (uint32_t i = 0; i < n; i++)
    opts[i] = (uint8_t)take(w, 1);
  if (c && n >= 12 && opts[0] == 5) { /* SACK blocks that may fit */
    uint32_t b[2] = {htonl(c->snd_una + opts[2] * 100u), htonl(c->snd_una + opts[2] * 100u + opts[3] * 100u)};
    opts[1] = 10;
    memcpy(opts + 2, b, 8);
  }
  h.off = (uint8_t)((20 + n) / 4 << 4);
  struct pbuf *p = pbuf_new(20 + n + len);
  memcpy(pbuf_put(p, 20), &h, 20);
  memcpy(pbuf_put(p, n), opts, n);
  memset(pbuf_put(p, len), 'x', len);
  p->csum = PB_CSUM_VALID;
  struct ip_info i = {.src = w->them, .dst = w->us, .proto = IPPROTO_TCP, .tos = (uint8_t)(shape & 3)};
  tcp_input(w->s, p, &i);
}

static void call(struct world *w, struct tcp_conn **slot) {
  static char buf[1 << 17];
  struct tcp_conn *c = *slot;
  uint32_t what = take(w, 1), arg = take(w, 2);
  struct uio u;
  struct iovec v = {buf, (size_t)arg * 2};
  struct ip_flow f = {.dst = w->them, .src = ip_from4(0), .ttl = -1};
  u = (struct uio){.iov = &v, .n = 1, .resid = v.iov_len};
  if (!c) {
    if (what & 1)
      *slot = tcp_accept(w->l, &ops, NULL);
    else if ((*slot = tcp_open(w->s, &ops, NULL)))
      tcp_connect(*slot, &f, (uint16_t)(1000 + (arg & 15)), 7, NULL);
    return;
  }
  struct tcp_info ti;
  struct tcp_status st;
  uint8_t b;
  switch (what % 10) {
  case 0:
    tcp_send(c, &u, arg & 1 ? MSG_MORE : 0);
    break;
  case 1:
    tcp_send(c, &u, arg & 7 ? 0 : MSG_OOB);
    break;
  case 2:
    tcp_recv(c, &u, 0, 0);
    break;
  case 3:
    tcp_recv(c, &u, MSG_PEEK, arg & 0xff);
    break;
  case 4:
    tcp_shutdown(c, (int)(arg % 3));
    break;
  case 5:
    tcp_close(c, arg & 1 ? -1 : 0), *slot = NULL;
    break;
  case 6:
    tcp_set_option(c, (enum tcp_option)(arg & 31), (int)(arg >> 5));
    break;
  case 7:
    tcp_recv_urg(c, &b, 0), tcp_get_info(c, &ti), tcp_status(c, &st);
    break;
  case 8:
    tcp_disconnect(c);
    break;
  case 9:
    tcp_take_error(c);
    break;
  }
}

static void icmp(struct world *w, struct tcp_conn *c) {
  if (!c)
    return;
  struct tcp_hdr h = {.sport = htons(c->n.key.lport), .dport = htons(c->n.key.rport), .seq = htonl(c->snd_una)};
  uint32_t v = take(w, 2);
  struct ip_error e = {.src = w->us, .dst = w->them, .err = v & 1 ? EMSGSIZE : ECONNREFUSED, .fatal = v & 2, .mtu = v};
  tcp_error(w->s, &e, (uint8_t *)&h, 8);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  struct world w = {.now = 1000 * SEC,
                    .rng = 1,
                    .us = ip_from4(htonl(0x0a000001)),
                    .them = ip_from4(htonl(0x0a000002)),
                    .in = data,
                    .left = n};
  struct ip_flow f = {.src = ip_from4(0), .ttl = -1};
  w.s = tcp_stack_new(&env, &w);
  tcp_settings(w.s)->max_syn_backlog = 3;
  w.l = tcp_open(w.s, &ops, NULL);
  CHECK(!tcp_listen(w.l, &f, 80, 8, false, false, NULL));
  while (w.left) {
    uint32_t op = take(&w, 1);
    struct tcp_conn **slot = &w.c[op >> 3 & 3], *c;
    switch (op & 7) {
    case 0:
    case 1:
    case 2:
      segment(&w, *slot);
      break;
    case 3:
      segment(&w, NULL);
      break;
    case 4:
    case 5:
      call(&w, slot);
      break;
    case 6:
      icmp(&w, *slot);
      break;
    case 7:
      tcp_rx_end(w.s);
      if (w.late && !(op & 64))
        w.late = false, tcp_push_late(w.s);
      w.now += (int64_t)take(&w, 2) * (op & 32 ? SEC / 100 : MS / 10);
      tcp_run_timers(w.s);
      break;
    }
    TAILQ_FOREACH(c, &w.s->all, all)
    check(c);
  }
  for (int i = 0; i < CONNS; i++)
    if (w.c[i])
      tcp_close(w.c[i], -1);
  tcp_close(w.l, -1);
  tcp_stack_free(w.s);
  return 0;
}
