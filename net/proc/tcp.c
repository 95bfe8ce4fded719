/* /proc/net/tcp and tcp6: proc(5), and the columns that netstat(8), ss(8), lsof(8) and psutil take apart. */
#include "files.h"
#include "../inet/tcp_sock.h"

#define WIDTH4 149
#define CLOCK_TICK (NS_PER_S / 100) /* USER_HZ */

struct rows {
  struct net_text *t;
  struct net_namespace *ns;
  int family;
};

/* Connections, listeners: the family of the socket; what has none any more: that of the addresses. */
static int family_of(const struct inet_sock *is, const struct tcp_entry *e) {
  if (is && is->sock)
    return is->sock->family;
  return ip_is4(&e->laddr) ? AF_INET : AF_INET6;
}

static void name(struct net_text *t, int family, const struct in6_addr *a, uint16_t port) {
  if (family == AF_INET)
    nt_printf(t, " %08X:%04X", ip_get4(a), port);
  else
    nt_printf(t, " %08X%08X%08X%08X:%04X", a->s6_addr32[0], a->s6_addr32[1], a->s6_addr32[2], a->s6_addr32[3], port);
}

static void rest(struct net_text *t, const struct tcp_entry *e, const struct inet_sock *is) {
  struct tcp_info ti = {.tcpi_rto = 1000000, .tcpi_snd_cwnd = 10}; /* as a connection begins: RFC 6298, RFC 6928 */
  bool listens = e->state == TCP_LISTEN;
  int64_t now = loop_now(), left = e->timer && e->timer_at > now ? (e->timer_at - now) / CLOCK_TICK : 0;
  bool open = is && is->sock && is->sock->file;
  nt_printf(t, " %02X %08X:%08X %02X:%08lX %08X %5u %8d %llu %d %016x", (unsigned)e->state, listens ? 0 : e->txq,
            e->rxq, e->timer, (unsigned long)left, e->retransmits, is ? from_kuid_munged(t->user_ns, is->kuid) : 0,
            (int)e->probes, open ? (unsigned long long)is->sock->file->anon_ino : 0ull, 1,
            is ? nt_key(t, is) : nt_key(t, e->c));
  if (!e->c)
    return;
  if (!listens)
    tcp_get_info(e->c, &ti);
  nt_printf(t, " %lu %lu %u %u %d", (unsigned long)ti.tcpi_rto / 10000, (unsigned long)ti.tcpi_ato / 10000, 0,
            ti.tcpi_snd_cwnd,
            e->state == TCP_LISTEN               ? 0
            : ti.tcpi_snd_ssthresh >= 0x7fffffff ? -1
                                                 : (int)ti.tcpi_snd_ssthresh);
}

static bool row(void *arg, const struct tcp_entry *e) {
  struct rows *r = arg;
  struct net_text *t = r->t;
  const struct tcp_sock *ts = e->user;
  const struct inet_sock *is = ts ? ts->is : NULL;
  if (e->state == TCP_CLOSE || family_of(is, e) != r->family || !nt_row(t)) /* without a name yet */
    return !t->more;
  size_t from = t->len;
  nt_printf(t, "%4lu:", (unsigned long)t->at - 2); /* the header was a row, too */
  name(t, r->family, &e->laddr, e->lport);
  name(t, r->family, &e->raddr, e->rport);
  rest(t, e, is);
  nt_pad(t, from, r->family == AF_INET ? WIDTH4 : 0);
  return true;
}

NET_SHOW(net_show_tcp) {
  struct inet_net *n = inet_net_of(w->ns);
  struct rows r = {t, w->ns, (int)w->ent->arg};
  size_t from = t->len;
  if (nt_row(t) && r.family == AF_INET) {
    nt_puts(t, "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode");
    nt_pad(t, from, WIDTH4);
  } else if (!t->skip) {
    nt_puts(t, "  sl  local_address                         remote_address                        st tx_queue rx_queue "
               "tr tm->when retrnsmt   uid  timeout inode\n");
  }
  if (n && n->tcp)
    tcp_each(n->tcp, row, &r);
  return 0;
}
