/* /proc/net/udp, udp6, udplite, udplite6, icmp, icmp6, raw, raw6: one row for each socket that has a name. */
#include "files.h"
#include "../inet/dgram.h"
#include <netinet/tcp.h>

#define WIDTH4 127

struct kind {
  int family, type, protocol;
};
static struct kind kind_of(const struct net_where *w) {
  return (struct kind){w->ent->arg & 255, w->ent->arg >> 8 & 255, (int)(w->ent->arg >> 16)};
}
static enum inet_table table_of(struct kind k) {
  switch (k.protocol) {
  case IPPROTO_UDP:
    return INET_UDP;
  case IPPROTO_UDPLITE:
    return INET_UDPLITE;
  default:
    return k.type == SOCK_RAW ? INET_TABLES : INET_PING;
  }
}

struct rows {
  struct net_text *t;
  struct kind k;
};

static void name(struct net_text *t, int family, const struct in6_addr *a, unsigned port) {
  if (family == AF_INET)
    nt_printf(t, " %08X:%04X", ip_get4(a), port);
  else
    nt_printf(t, " %08X%08X%08X%08X:%04X", a->s6_addr32[0], a->s6_addr32[1], a->s6_addr32[2], a->s6_addr32[3], port);
}

static bool row(void *arg, struct inet_sock *is) {
  struct rows *r = arg;
  struct net_text *t = r->t;
  uint32_t rx, tx;
  uint64_t drops;
  if (!is->sock || is->sock->family != r->k.family || !nt_row(t))
    return !t->more;
  dgram_queues(is, &rx, &tx, &drops);
  bool raw = r->k.type == SOCK_RAW;
  size_t from = t->len;
  unsigned lport = raw ? (unsigned)is->sock->protocol : is->lport;
  if (raw)
    nt_printf(t, "%4u:", lport);
  else
    nt_printf(t, "%5u:", nt_key(t, is) & 0x3fff); /* natively the number of a hash chain */
  name(t, r->k.family, &is->laddr, lport);
  name(t, r->k.family, &is->raddr, raw ? 0 : is->rport);
  nt_printf(t, " %02X %08X:%08X %02X:%08lX %08X %5u %8d %llu %d %016x %llu",
            is->connected ? TCP_ESTABLISHED : TCP_CLOSE, tx, rx, 0, 0ul, 0,
            from_kuid_munged(t->user_ns, is->kuid), 0,
            is->sock->file ? (unsigned long long)is->sock->file->anon_ino : 0ull, 2, nt_key(t, is),
            (unsigned long long)drops);
  nt_pad(t, from, r->k.family == AF_INET && !raw ? WIDTH4 : 0);
  return true;
}

/* The registered sockets of one kind, until fn has enough. */
static void each(struct inet_net *n, struct kind k, bool (*fn)(void *arg, struct inet_sock *is), void *arg) {
  struct inet_sock *is;
  if (table_of(k) != INET_TABLES) {
    inet_each(n, table_of(k), fn, arg);
    return;
  }
  LIST_FOREACH(is, &n->raw, hash_link)
  if (!fn(arg, is))
    return;
}

NET_SHOW(net_show_dgram) {
  struct inet_net *n = inet_net_of(w->ns);
  struct rows r = {t, kind_of(w)};
  size_t from = t->len;
  if (nt_row(t)) {
    bool v4 = r.k.family == AF_INET, raw = r.k.type == SOCK_RAW;
    if (v4)
      nt_puts(t, raw || r.k.protocol == IPPROTO_ICMP ? "  sl  local_address rem_address   "
                                                     : "   sl  local_address rem_address   ");
    else
      nt_puts(t, "  sl  local_address                         remote_address                        ");
    nt_puts(t, "st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops");
    nt_pad(t, from, v4 && !raw ? WIDTH4 : 0);
  }
  if (n)
    each(n, r.k, row, &r);
  return 0;
}

struct tally {
  int family;
  unsigned n;
};
static bool tally(void *arg, struct inet_sock *is) {
  struct tally *c = arg;
  c->n += is->sock && is->sock->family == c->family;
  return true;
}

unsigned net_count_inet(struct net_namespace *ns, int family, int type, int protocol) {
  struct inet_net *n = inet_net_of(ns);
  struct tally c = {family, 0};
  if (n)
    each(n, (struct kind){family, type, protocol}, tally, &c);
  return c.n;
}
