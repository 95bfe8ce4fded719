/* /proc/net/netlink and packet: the sockets of netlink(7) and packet(7). */
#include "files.h"
#include "../netlink/netlink.h"
#include "../packet.h"

static unsigned long long ino_of(const struct socket *s) {
  return s && s->file ? s->file->anon_ino : 0;
}

static void netlink_row(struct net_text *t, const void *sk, int protocol, const struct netlink_sock *nk) {
  if (nt_row(t))
    nt_printf(t, "%016x %-3d %-10u %08x %-8zu %-8d %-5d %-8d %-8llu %-8llu\n", nt_key(t, sk), protocol,
              nk ? nk->portid : 0, nk ? nk->groups[0] : 0, nk ? nk->rmem : 0, 0, nk && nk->dump, 2,
              nk ? (unsigned long long)nk->drops : 0ull, nk ? ino_of(nk->sock) : 0ull);
}

NET_SHOW(net_show_netlink) {
  const struct nl_net *n = nl_net_of(w->ns);
  if (nt_row(t))
    nt_puts(t, "sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    Drops    Inode\n");
  for (int p = 0; n && p < NL_PROTOS; p++) {
    const struct nl_proto *proto = nl_proto_find(p);
    const struct netlink_sock *nk;
    if (proto && proto->input) /* the kernel's end */
      netlink_row(t, proto, p, NULL);
    LIST_FOREACH(nk, &n->socks[p], link)
    netlink_row(t, nk, p, nk);
  }
  return 0;
}

NET_SHOW(net_show_packet) {
  const struct packet_net *n = net_stack_of(w->ns)->sub[NET_PACKET];
  const struct packet_sock *ps;
  if (nt_row(t))
    nt_puts(t, "sk               RefCnt Type Proto  Iface R Rmem   User   Inode\n");
  if (n)
    LIST_FOREACH(ps, &n->socks, link)
  if (nt_row(t))
    nt_printf(t, "%016x %-6d %-4d %04x   %-5d %1d %-6u %-6u %-6llu\n", nt_key(t, ps), 3, ps->sock->type, ps->proto,
              ps->ifindex, ps->running, ps->charged, 0u, ino_of(ps->sock));
  return 0;
}
