/* What ICMP of both versions shares: rate limits (RFC 1812 4.3.2.8, RFC 4443 2.4 f) and to whom an error is told. */
#include "../core/errno.h"
#include "dns_relay.h"
#include "ip_stack.h"

/* One every interval_ns on average, burst at once. */
static bool bucket_take(struct icmp_bucket *b, int64_t now, int64_t interval_ns, int64_t burst) {
  int64_t max = interval_ns * burst;
  if (!b->stamp)
    b->credit_ns = max;
  else if (now > b->stamp)
    b->credit_ns = b->credit_ns + (now - b->stamp) < max ? b->credit_ns + (now - b->stamp) : max;
  b->stamp = now ? now : 1;
  if (b->credit_ns < interval_ns)
    return false;
  b->credit_ns -= interval_ns;
  return true;
}

bool icmp_allowed(struct ip_net *n, int v, uint8_t type, const struct in6_addr *to) {
  const struct ip_sysctl *s = &n->sysctl;
  if (v ? type >= 128 : type < 31 && !(s->icmp_ratemask >> type & 1))
    return true;
  if (net_stack_of(n->ns)->lo && ip_local_type(n, to) == RTN_LOCAL)
    return true;
  int64_t now = loop_now(), every = (v ? s->icmp6_ratelimit_ms : s->icmp_ratelimit_ms) * NS_PER_MS;
  if (s->icmp_msgs_per_sec <= 0 || !bucket_take(&n->icmp_all, now, NS_PER_S / s->icmp_msgs_per_sec, s->icmp_msgs_burst))
    return false;
  if (!every)
    return true;
  return bucket_take(&n->icmp_peer[ip_hash(n, to, sizeof *to) % ICMP_BUCKETS], now, every, 6);
}

void icmp_deliver_error(struct ip_net *n, uint8_t proto, const struct ip_error *e, const uint8_t *quoted,
                        uint32_t len) {
  const struct ip_proto *p = ip_proto_find(proto);
  if (ip_raw_error)
    ip_raw_error(n->ns, proto, e, quoted, len);
  if (p && p->error)
    p->error(n->ns, e, quoted, len);
}

void icmp_send_unreachable(struct net_namespace *ns, const struct pbuf *p, const struct ip_info *i, uint8_t code) {
  struct ip_net *n = ip_net_of(ns);
  if (!n || (dns_relay_is_host_flow && dns_relay_is_host_flow(ns, p, i)))
    return;
  if (ip_is4(&i->dst))
    icmp4_send(n, p, 3, code, 0);
  else
    icmp6_send(n, p, 1, code == 3 ? 4 : code, 0); /* RFC 4443 3.1: 4 is "port unreachable" */
}
