/* The relay of DNS queries: see dns_relay.h. What is in flight, and UDP. */
#include "dns_relay.h"
#include "../core/errno.h"
#include "dns_relay_int.h"
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void dns_stack_fini(struct net_stack *st);

static struct dns_relay *relay_of(struct net_namespace *ns) {
  struct net_stack *st = net_stack_of(ns);
  return st ? st->sub[NET_DNS] : NULL;
}

/* ---- in flight ---- */

static void arm_timeout(struct dns_relay *d) {
  const struct dns_query *first = TAILQ_FIRST(&d->in_flight);
  if (first)
    timer_arm(&d->timeout, first->due);
  else
    timer_disarm(&d->timeout);
}

void dns_forget(struct dns_relay *d, struct dns_query *q) {
  TAILQ_REMOVE(&d->in_flight, q, link);
  TAILQ_INSERT_TAIL(&d->unused, q, link);
  pbuf_free(q->p);
  q->p = NULL;
  q->conn = NULL;
  q->id += DNS_QUERIES_MAX;
  arm_timeout(d);
}

/* Not asked again: who asks over UDP does that by himself, and the process has time to answer. */
static bool tell(struct dns_relay *d, uint32_t id, bool tcp, const void *msg, uint32_t len) {
  struct dns_relay_msg h = {.id = id, .tcp = tcp};
  struct iovec v[2] = {{&h, sizeof h}, {(void *)msg, len}};
  struct msghdr m = {.msg_iov = v, .msg_iovlen = 2};
  return sendmsg(d->fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
}

struct dns_query *dns_ask(struct dns_relay *d, bool tcp, const void *msg, uint32_t len) {
  struct dns_query *q = TAILQ_FIRST(&d->unused);
  if (!q || d->fd < 0 || !tell(d, q->id, tcp, msg, len))
    return NULL;
  TAILQ_REMOVE(&d->unused, q, link);
  TAILQ_INSERT_TAIL(&d->in_flight, q, link);
  q->due = loop_now() + DNS_TIMEOUT_S * NS_PER_S;
  arm_timeout(d);
  return q;
}

/* ---- UDP ---- */

static void udp_answer(struct dns_relay *d, const struct dns_query *q, const uint8_t *msg, uint32_t len) {
  const struct udphdr *asked = (const struct udphdr *)q->p->data;
  struct ip_flow f = {.src = q->info.dst, .dst = q->info.src, .proto = IPPROTO_UDP, .ttl = -1};
  struct udphdr h = {
      .uh_sport = asked->uh_dport, .uh_dport = asked->uh_sport, .uh_ulen = htons((uint16_t)(sizeof h + len))};
  struct pbuf *p = len + sizeof h + IP4_HDR <= 65535 ? pbuf_new((uint32_t)sizeof h + len) : NULL;
  if (!p)
    return;
  uint32_t sum = csum_add(ip_pseudo_sum(&f.src, &f.dst, IPPROTO_UDP, (uint32_t)sizeof h + len), &h, sizeof h);
  h.uh_sum = csum_fold(csum_add(sum, msg, len));
  if (!h.uh_sum)
    h.uh_sum = 0xffff;
  memcpy(pbuf_put(p, sizeof h), &h, sizeof h);
  memcpy(pbuf_put(p, len), msg, len);
  ip_send(ip_net_of(d->ns), p, &f);
}

/* The message's bytes, or NULL for what no resolver would take. */
static const uint8_t *udp_query(struct pbuf *p, const struct ip_info *i, uint32_t *len) {
  const struct udphdr *h = (const struct udphdr *)pbuf_linear(p, sizeof *h);
  uint32_t ulen = h ? ntohs(h->uh_ulen) : 0;
  if (ulen < sizeof *h + DNS_MESSAGE_MIN || ulen > p->len || ulen > DNS_UDP_QUERY_MAX || p->gso != PB_GSO_NONE)
    return NULL;
  pbuf_trim(p, ulen);
  if (p->csum == PB_CSUM_NONE && h->uh_sum &&
      csum_fold(pbuf_csum_add(p, 0, ulen, ip_pseudo_sum(&i->src, &i->dst, IPPROTO_UDP, ulen))))
    return NULL;
  *len = ulen - (uint32_t)sizeof *h;
  const uint8_t *b = pbuf_linear(p, ulen);
  return b ? b + sizeof *h : NULL;
}

static void udp_input(struct dns_relay *d, struct pbuf *p, const struct ip_info *i) {
  uint32_t len;
  const uint8_t *msg = udp_query(p, i, &len);
  struct dns_query *q = msg ? dns_ask(d, false, msg, len) : NULL;
  if (!q) {
    pbuf_free(p);
    return;
  }
  q->p = p;
  q->info = *i;
}

/* ---- answers ---- */

/* msg NULL: the process could not ask, as when nobody listens there any more. */
static void answered(struct dns_relay *d, struct dns_query *q, const uint8_t *msg, uint32_t len) {
  struct dns_conn *c = q->conn;
  if (q->p && msg)
    udp_answer(d, q, msg, len);
  else if (q->p)
    icmp_send_unreachable(d->ns, q->p, &q->info, 3);
  dns_forget(d, q);
  if (c)
    dns_tcp_answer(c, msg, len);
}

static void process_is_gone(struct dns_relay *d) {
  struct dns_query *q;
  loop_recv_del(d->loop, &d->recv);
  close(d->fd);
  d->fd = -1;
  while ((q = TAILQ_FIRST(&d->in_flight)))
    answered(d, q, NULL, 0);
}

static void received(struct loop_recv *r, int res, int buf) {
  struct dns_relay *d = r->arg;
  struct dns_relay_msg h;
  if (buf < 0) {
    process_is_gone(d);
    return;
  }
  const uint8_t *b = loop_buffer(d->loop, buf);
  if ((size_t)res >= sizeof h) {
    memcpy(&h, b, sizeof h);
    struct dns_query *q = &d->query[h.id % DNS_QUERIES_MAX];
    if ((q->p || q->conn) && q->id == h.id)
      answered(d, q, h.failed ? NULL : b + sizeof h, (uint32_t)(res - (int)sizeof h));
  }
  loop_buffer_give(d->loop, buf);
}

static void timed_out(struct timer *t) {
  struct dns_relay *d = t->arg;
  struct dns_query *q;
  while ((q = TAILQ_FIRST(&d->in_flight)) && q->due <= loop_now()) {
    struct dns_conn *c = q->conn;
    dns_forget(d, q);
    if (c)
      dns_tcp_answer(c, NULL, 0);
  }
}

/* ---- the namespace ---- */

bool dns_relay_input(struct net_namespace *ns, struct pbuf *p, const struct ip_info *i) {
  struct dns_relay *d = relay_of(ns);
  uint16_t ports[2];
  if (!d || d->fd < 0 || !(i->dev->flags & IFF_LOOPBACK) || !ip_is4(&i->dst) || ip_get4(&i->dst) != htonl(DNS_SERVER) ||
      (i->proto != IPPROTO_UDP && i->proto != IPPROTO_TCP) || p->len < sizeof ports)
    return false;
  pbuf_copy_out(p, 0, ports, sizeof ports);
  if (ports[1] != htons(DNS_PORT))
    return false;
  if (i->proto == IPPROTO_UDP)
    udp_input(d, p, i);
  else
    dns_tcp_input(d, p, i);
  return true;
}

bool dns_relay_is_host_flow(struct net_namespace *ns, const struct pbuf *p, const struct ip_info *i) {
  uint16_t ports[2];
  if (!relay_of(ns) || i->dev->flags & IFF_LOOPBACK || (i->proto != IPPROTO_UDP && i->proto != IPPROTO_TCP) ||
      !p->transport || p->transport + sizeof ports > p->data + p->linear)
    return false;
  memcpy(ports, p->transport, sizeof ports);
  return ntohs(ports[0]) == DNS_PORT && ntohs(ports[1]) >= DNS_HOST_PORT_LO;
}

static struct dns_relay *relay_new(struct net_namespace *ns, int fd) {
  struct dns_relay *d = calloc(1, sizeof *d);
  if (!d)
    return NULL;
  d->ns = ns;
  d->loop = ns->ns.k->loop;
  d->fd = fd;
  d->recv = (struct loop_recv){.fd = fd, .fn = received, .arg = d};
  d->timeout = (struct timer){.fn = timed_out, .arg = d};
  TAILQ_INIT(&d->in_flight);
  TAILQ_INIT(&d->unused);
  for (uint32_t i = 0; i < DNS_QUERIES_MAX; i++) {
    d->query[i].id = i;
    TAILQ_INSERT_TAIL(&d->unused, &d->query[i], link);
  }
  return d;
}

int dns_relay_attach(struct net_namespace *ns, int fd) {
  struct dns_relay *d = relay_of(ns) ? NULL : relay_new(ns, fd);
  int rc = d ? dns_tcp_init(d) : relay_of(ns) ? -EBUSY : -ENOMEM;
  if (!rc && (rc = loop_recv_start(d->loop, &d->recv)))
    dns_tcp_fini(d);
  if (rc) {
    free(d);
    close(fd);
    return rc;
  }
  net_stack_of(ns)->sub[NET_DNS] = d;
  return 0;
}

void dns_stack_fini(struct net_stack *st) {
  struct dns_relay *d = st->sub[NET_DNS];
  struct dns_query *q;
  if (!d)
    return;
  st->sub[NET_DNS] = NULL;
  dns_tcp_fini(d);
  while ((q = TAILQ_FIRST(&d->in_flight)))
    dns_forget(d, q);
  timer_disarm(&d->timeout);
  if (d->fd >= 0) {
    loop_recv_del(d->loop, &d->recv);
    close(d->fd);
  }
  free(d);
}
