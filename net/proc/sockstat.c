/* /proc/net/sockstat, sockstat6, protocols: how many sockets there are. */
#include "files.h"
#include "../inet/tcp_sock.h"
#include "../unix.h"

struct tcp_count {
  int family;
  unsigned inuse, alloc, tw, orphan;
};

static bool count_tcp(void *arg, const struct tcp_entry *e) {
  struct tcp_count *c = arg;
  const struct tcp_sock *ts = e->user;
  const struct inet_sock *is = ts ? ts->is : NULL;
  if ((is && is->sock ? is->sock->family : ip_is4(&e->laddr) ? AF_INET : AF_INET6) != c->family)
    return true;
  if (e->state == TCP_TIME_WAIT) {
    c->tw++;
    return true;
  }
  c->inuse += e->state != TCP_CLOSE && e->state != TCP_SYN_RECV;
  c->alloc++;
  c->orphan += e->c && !is;
  return true;
}

static struct tcp_count tcp_count(struct net_namespace *ns, int family) {
  struct inet_net *n = inet_net_of(ns);
  struct tcp_count c = {.family = family};
  if (n && n->tcp)
    tcp_each(n->tcp, count_tcp, &c);
  return c;
}

static unsigned count_unix(const struct net_namespace *ns, int type) {
  const struct unix_net *un = ns->ns.k->unix_net;
  const struct unix_sock *u;
  unsigned n = 0;
  if (un)
    LIST_FOREACH(u, &un->all, all_link)
  n += u->net == ns && !u->dead && (!type || (u->type == SOCK_STREAM) == (type == SOCK_STREAM));
  return n;
}

static long tcp_pages(struct net_namespace *ns) {
  struct inet_net *n = inet_net_of(ns);
  return n && n->tcp ? (long)((tcp_stats(n->tcp)->mem + 4095) / 4096) : 0;
}

#define UDP(family) net_count_inet(w->ns, family, SOCK_DGRAM, IPPROTO_UDP)
#define UDPLITE(family) net_count_inet(w->ns, family, SOCK_DGRAM, IPPROTO_UDPLITE)
#define RAW(family) net_count_inet(w->ns, family, SOCK_RAW, 0)
#define PING(family) net_count_inet(w->ns, family, SOCK_DGRAM, IPPROTO_ICMP)

NET_SHOW(net_show_sockstat) {
  struct ip_net *ip = ip_net_of(w->ns);
  struct tcp_count c = tcp_count(w->ns, AF_INET), c6 = tcp_count(w->ns, AF_INET6);
  unsigned used = c.alloc + c6.alloc + count_unix(w->ns, 0);
  used += UDP(AF_INET) + UDP(AF_INET6) + UDPLITE(AF_INET) + UDPLITE(AF_INET6) + RAW(AF_INET) + RAW(AF_INET6);
  nt_printf(t, "sockets: used %u\nTCP: inuse %u orphan %u tw %u alloc %u mem %ld\n", used, c.inuse,
            c.orphan + c6.orphan, c.tw + c6.tw, c.alloc + c6.alloc, tcp_pages(w->ns));
  nt_printf(t, "UDP: inuse %u mem %d\nUDPLITE: inuse %u\nRAW: inuse %u\nFRAG: inuse %u memory %u\n", UDP(AF_INET), 0,
            UDPLITE(AF_INET), RAW(AF_INET), ip ? ip->nfrag : 0, ip ? ip->frag_mem : 0);
  return 0;
}

NET_SHOW(net_show_sockstat6) {
  /* Fragments of both versions are in one store: sockstat has them. */
  nt_printf(t, "TCP6: inuse %u\nUDP6: inuse %u\nUDPLITE6: inuse %u\nRAW6: inuse %u\nFRAG6: inuse 0 memory 0\n",
            tcp_count(w->ns, AF_INET6).inuse, UDP(AF_INET6), UDPLITE(AF_INET6), RAW(AF_INET6));
  return 0;
}

static void protocol(struct net_text *t, const char *name, size_t size, unsigned sockets, long memory, bool inet) {
  nt_printf(t, "%-9s %4zu %6u  %6ld   %-3s %6u   %-4s %-10s  %s\n", name, size, sockets, memory,
            memory < 0 ? "NI" : "no", 0u, inet ? "yes" : "no", "kernel",
            inet ? "y  y  y  n  y  y  y  n  y  y  y  y  n  n  y  y  y  n"
                 : "n  n  n  n  n  n  n  n  n  n  n  n  n  n  n  n  n  n");
}

NET_SHOW(net_show_protocols) {
  const size_t size = sizeof(struct inet_sock) + sizeof(struct socket);
  const size_t ux = sizeof(struct unix_sock) + sizeof(struct socket);
  long mem = tcp_pages(w->ns);
  nt_puts(t, "protocol  size sockets  memory press maxhdr  slab module     "
             "cl co di ac io in de sh ss gs se re bi br ha uh gp em\n");
  protocol(t, "PINGv6", size, PING(AF_INET6), -1, true);
  protocol(t, "RAWv6", size, RAW(AF_INET6), -1, true);
  protocol(t, "UDPLITEv6", size, UDPLITE(AF_INET6), 0, true);
  protocol(t, "UDPv6", size, UDP(AF_INET6), 0, true);
  protocol(t, "TCPv6", size, tcp_count(w->ns, AF_INET6).alloc, mem, true);
  protocol(t, "UNIX-STREAM", ux, count_unix(w->ns, SOCK_STREAM), -1, false);
  protocol(t, "UNIX", ux, count_unix(w->ns, SOCK_DGRAM), -1, false);
  protocol(t, "UDP-Lite", size, UDPLITE(AF_INET), 0, true);
  protocol(t, "PING", size, PING(AF_INET), -1, true);
  protocol(t, "RAW", size, RAW(AF_INET), -1, true);
  protocol(t, "UDP", size, UDP(AF_INET), 0, true);
  protocol(t, "TCP", size, tcp_count(w->ns, AF_INET).alloc, mem, true);
  return 0;
}
