/*
 * Two TCP stacks, a link between them, and virtual time. Everything is decided by a seed: a failure repeats. The link
 * delays, drops, doubles, reorders and damages packets, has a rate and a queue; checksums are computed and verified.
 */
#pragma once
#include "../../core/uio.h"
#include "../../net/tcp/tcp_int.h"
#include <arpa/inet.h>
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

struct sim_link {
  int64_t delay, jitter;                /* ns */
  unsigned loss, dup, reorder, corrupt; /* in 10000 */
  uint64_t rate;                        /* bytes a second; 0: infinite */
  uint32_t queue;                       /* bytes that may wait; 0: any */
  unsigned mtu;
  bool gso; /* big segments travel whole, unchecked: as over loopback */
};
struct sim_packet {
  struct sim_packet *next;
  int64_t at;
  uint64_t order;
  int to;
  uint8_t tos;
  bool vouched;
  uint32_t len;
  uint8_t bytes[];
};
struct sim;
struct sim_host {
  struct sim *sim;
  int i;
  struct tcp_stack *stack;
  struct in6_addr addr;
  int64_t armed, busy; /* busy: when the link has sent all that waits */
  uint64_t sent, rsts; /* segments */
  struct tcp_hdr last; /* sent; numbers in host order */
  uint32_t last_len;
};
struct sim {
  int64_t now;
  uint64_t rng, order;
  struct sim_link link;
  struct sim_host h[2];
  struct sim_packet *wire;
  bool (*filter)(struct sim *s, int from, const struct tcp_hdr *h, uint32_t len); /* false: drop. Host order */
  void *arg;
  uint64_t dropped;
  int ports; /* port_get() without port_put() */
};

static inline uint64_t sim_rand(struct sim *s) { /* xorshift64* */
  s->rng ^= s->rng >> 12, s->rng ^= s->rng << 25, s->rng ^= s->rng >> 27;
  return s->rng * 0x2545f4914f6cdd1dull >> 11;
}
static inline bool sim_chance(struct sim *s, unsigned of10000) {
  return of10000 && sim_rand(s) % 10000 < of10000;
}
static int64_t sim_now(void *ctx) {
  return ((struct sim_host *)ctx)->sim->now;
}
static void sim_random(void *ctx, void *buf, size_t n) {
  for (uint8_t *b = buf; n--;)
    *b++ = (uint8_t)sim_rand(((struct sim_host *)ctx)->sim);
}
static int sim_route(void *ctx, const struct ip_flow *f, struct tcp_path *out) {
  struct sim_host *h = ctx;
  if (ip_is_any(&f->dst))
    return -ENETUNREACH;
  *out = (struct tcp_path){.src = h->addr, .mtu = h->sim->link.mtu};
  return 0;
}
static void sim_arm(void *ctx, int64_t at) {
  ((struct sim_host *)ctx)->armed = at;
}
static void *sim_port_get(void *port) {
  ++*(int *)port;
  return port;
}
static void sim_port_put(void *port) {
  --*(int *)port;
}

static void sim_queue(struct sim *s, struct sim_packet *k) {
  struct sim_packet **at = &s->wire;
  k->order = s->order++;
  while (*at && (*at)->at <= k->at)
    at = &(*at)->next;
  k->next = *at;
  *at = k;
}

static void sim_wire(struct sim_host *h, const uint8_t *seg, uint32_t len, uint8_t tos, bool vouched) {
  struct sim *s = h->sim;
  struct tcp_hdr t;
  memcpy(&t, seg, sizeof t);
  t.sport = ntohs(t.sport), t.dport = ntohs(t.dport), t.seq = ntohl(t.seq), t.ack = ntohl(t.ack);
  t.wnd = ntohs(t.wnd), t.urp = ntohs(t.urp);
  uint32_t payload = len - (t.off >> 4) * 4u;
  h->last = t;
  h->last_len = payload;
  h->sent++;
  h->rsts += !!(t.flags & TF_RST);
  if ((s->filter && !s->filter(s, h->i, &t, payload)) || sim_chance(s, s->link.loss)) {
    s->dropped++;
    return;
  }
  int64_t start = h->busy > s->now ? h->busy : s->now, wait = start - s->now;
  if (s->link.rate && s->link.queue && (uint64_t)wait * s->link.rate / SEC > s->link.queue) {
    s->dropped++;
    return;
  }
  h->busy = start + (s->link.rate ? (int64_t)((len + 40) * (uint64_t)SEC / s->link.rate) : 0);
  for (int copies = 1 + sim_chance(s, s->link.dup); copies--;) {
    struct sim_packet *k = malloc(sizeof *k + len);
    *k = (struct sim_packet){.to = !h->i, .tos = tos, .len = len, .vouched = vouched, .at = h->busy + s->link.delay};
    memcpy(k->bytes, seg, len);
    if (s->link.jitter)
      k->at += (int64_t)(sim_rand(s) % (uint64_t)s->link.jitter);
    if (sim_chance(s, s->link.reorder))
      k->at += s->link.delay;
    if (sim_chance(s, s->link.corrupt))
      k->bytes[sim_rand(s) % len] ^= (uint8_t)(1 + sim_rand(s) % 255);
    sim_queue(s, k);
  }
}

static uint16_t sim_csum(const uint8_t *seg, uint32_t len, const struct in6_addr *a, const struct in6_addr *b) {
  uint32_t sum = htons(IPPROTO_TCP) + htons((uint16_t)len), four[2] = {ip_get4(a), ip_get4(b)};
  sum = ip_is4(b) ? csum_add(sum, four, 8) : csum_add(csum_add(sum, a, 16), b, 16);
  return csum_fold(csum_add(sum, seg, len));
}

/* One segment of a packet that may be a big one. */
static void sim_cut(struct sim_host *h, uint8_t *all, uint32_t hdr, uint32_t off, uint32_t n, bool last,
                    const struct ip_flow *f) {
  static uint8_t seg[70000];
  memcpy(seg, all, hdr);
  memcpy(seg + hdr, all + hdr + off, n);
  struct tcp_hdr *t = (struct tcp_hdr *)seg;
  t->seq = htonl(ntohl(t->seq) + off);
  if (!last)
    t->flags &= (uint8_t) ~(TF_FIN | TF_PSH);
  if (off)
    t->flags &= (uint8_t)~TF_CWR;
  t->sum = 0;
  t->sum = sim_csum(seg, hdr + n, &f->src, &f->dst);
  sim_wire(h, seg, hdr + n, f->tos, false);
}

static int sim_output(void *ctx, struct pbuf *p, const struct ip_flow *f, struct ip_route *r) {
  struct sim_host *h = ctx;
  static uint8_t all[70000];
  uint32_t len = p->len, iph = ip_is4(&f->dst) ? 20 : 40, size = p->gso_size;
  ck_assert(p->csum == PB_CSUM_PARTIAL && len >= 20 && len + iph <= 65575);
  pbuf_copy_out(p, 0, all, len);
  uint32_t hdr = (all[12] >> 4) * 4u, n = len - hdr;
  bool gso = p->gso != PB_GSO_NONE;
  pbuf_free(p);
  if (gso)
    ck_assert(size && n > size && size + hdr + iph <= h->sim->link.mtu);
  else if (len + iph > h->sim->link.mtu)
    return -EMSGSIZE;
  if (h->sim->link.gso) {
    sim_wire(h, all, len, f->tos, true);
    return 0;
  }
  if (!gso)
    size = n;
  for (uint32_t off = 0; off < n || !off; off += size ? size : 1) {
    uint32_t part = n - off < size ? n - off : size;
    sim_cut(h, all, hdr, off, part, off + part == n, f);
  }
  return 0;
}

static const struct tcp_env sim_env = {.now = sim_now,
                                       .random = sim_random,
                                       .output = sim_output,
                                       .route = sim_route,
                                       .arm = sim_arm,
                                       .port_get = sim_port_get,
                                       .port_put = sim_port_put};

static struct in6_addr sim_addr(int i, bool six) {
  struct in6_addr a = ip_from4(htonl(0x0a000001u + (uint32_t)i));
  if (six) {
    memset(&a, 0, sizeof a);
    a.s6_addr[0] = 0xfd;
    a.s6_addr[15] = (uint8_t)(1 + i);
  }
  return a;
}

static void sim_init(struct sim *s, uint64_t seed, const struct sim_link *l, bool six) {
  memset(s, 0, sizeof *s);
  s->now = 1000 * SEC;
  s->rng = seed * 0x9e3779b97f4a7c15ull + 1;
  s->link = *l;
  if (!s->link.mtu)
    s->link.mtu = 1500;
  for (int i = 0; i < 2; i++) {
    s->h[i] = (struct sim_host){.sim = s, .i = i, .addr = sim_addr(i, six), .armed = TCP_NEVER};
    s->h[i].stack = tcp_stack_new(&sim_env, &s->h[i]);
    ck_assert_ptr_nonnull(s->h[i].stack);
  }
}

static void sim_fini(struct sim *s) {
  struct sim_packet *k;
  while ((k = s->wire)) {
    s->wire = k->next;
    free(k);
  }
  for (int i = 0; i < 2; i++) {
    struct tcp_stack *st = s->h[i].stack;
    tcp_stack_free(st);
  }
  ck_assert_int_eq(s->ports, 0);
}

static void sim_deliver(struct sim *s, struct sim_packet *k) {
  struct sim_host *h = &s->h[k->to];
  struct pbuf *p = pbuf_new(k->len);
  memcpy(pbuf_put(p, k->len), k->bytes, k->len);
  if (k->vouched)
    p->csum = PB_CSUM_VALID;
  struct ip_info i = {.src = s->h[!k->to].addr, .dst = h->addr, .proto = IPPROTO_TCP, .tos = k->tos, .ttl = 64};
  tcp_input(h->stack, p, &i);
  free(k);
}

/* A segment out of nowhere, with a good checksum. */
static inline void sim_inject(struct sim *s, int to, struct tcp_hdr t, const void *data, uint32_t n) {
  struct sim_packet *k = malloc(sizeof *k + 20 + n);
  *k = (struct sim_packet){.to = to, .len = 20 + n, .vouched = true};
  t.sport = htons(t.sport), t.dport = htons(t.dport), t.seq = htonl(t.seq), t.ack = htonl(t.ack);
  t.wnd = htons(t.wnd), t.urp = htons(t.urp), t.off = 0x50;
  memcpy(k->bytes, &t, 20);
  if (n)
    memcpy(k->bytes + 20, data, n);
  sim_deliver(s, k);
  tcp_rx_end(s->h[to].stack);
}

/* The next thing that happens, not after `until`. False: nothing does. */
static bool sim_step(struct sim *s, int64_t until) {
  int64_t at = s->wire ? s->wire->at : TCP_NEVER;
  for (int i = 0; i < 2; i++)
    at = s->h[i].armed < at ? s->h[i].armed : at;
  if (at > until || at == TCP_NEVER) {
    s->now = until > s->now ? until : s->now;
    return false;
  }
  s->now = at > s->now ? at : s->now;
  while (s->wire && s->wire->at <= s->now) {
    struct sim_packet *k = s->wire;
    s->wire = k->next;
    sim_deliver(s, k);
  }
  for (int i = 0; i < 2; i++) {
    tcp_rx_end(s->h[i].stack);
    if (s->h[i].armed <= s->now) {
      s->h[i].armed = TCP_NEVER; /* it fires once */
      tcp_run_timers(s->h[i].stack);
    }
  }
  return true;
}

static inline void sim_run(struct sim *s, int64_t ns) {
  int64_t until = s->now + ns;
  while (sim_step(s, until))
    ;
}

/* ---- what tests do with it ---- */

static inline ssize_t sim_send(struct tcp_conn *c, const void *buf, size_t n, int flags) {
  struct uio u;
  struct iovec v;
  uio_kernel(&u, &v, (void *)buf, n);
  return tcp_send(c, &u, flags);
}
static inline ssize_t sim_recv(struct tcp_conn *c, void *buf, size_t n, int flags) {
  struct uio u;
  struct iovec v;
  uio_kernel(&u, &v, buf, n);
  return tcp_recv(c, &u, flags, 0);
}

static unsigned sim_events;
static void sim_event(void *user, struct tcp_conn *c, unsigned ev) {
  sim_events |= ev;
  if (user)
    *(unsigned *)user |= ev;
}
static const struct tcp_user_ops sim_ops = {sim_event};

static inline struct tcp_conn *sim_listen(struct sim *s, int i, uint16_t port, int backlog) {
  struct tcp_conn *l = tcp_open(s->h[i].stack, &sim_ops, NULL);
  struct ip_flow f = {.src = ip_is4(&s->h[i].addr) ? ip_from4(0) : in6addr_any, .ttl = -1};
  ck_assert_int_eq(tcp_listen(l, &f, port, backlog, false, false, &s->ports), 0);
  return l;
}
static inline struct tcp_conn *sim_connect(struct sim *s, int i, uint16_t lport, uint16_t rport) {
  struct tcp_conn *c = tcp_open(s->h[i].stack, &sim_ops, NULL);
  struct ip_flow f = {.dst = s->h[!i].addr, .ttl = -1};
  if (ip_is4(&f.dst))
    f.src = ip_from4(0);
  ck_assert_int_eq(tcp_connect(c, &f, lport, rport, &s->ports), 0);
  return c;
}
/* A connection from host 0 to host 1, established. */
static inline void sim_pair(struct sim *s, struct tcp_conn **a, struct tcp_conn **b) {
  struct tcp_conn *l = sim_listen(s, 1, 80, 16);
  *a = sim_connect(s, 0, 40000, 80);
  for (int i = 0; i < 400 && !(*b = tcp_accept(l, &sim_ops, NULL)); i++)
    sim_run(s, SEC / 4);
  ck_assert_ptr_nonnull(*b);
  ck_assert_int_eq(tcp_state(*a), TCP_ESTABLISHED);
  ck_assert_int_eq(tcp_state(*b), TCP_ESTABLISHED);
  tcp_close(l, -1);
}
