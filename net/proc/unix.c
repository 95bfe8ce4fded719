/* /proc/net/unix: unix(7). */
#include "files.h"
#include "../unix.h"
#include <stddef.h>

#define SO_ACCEPTCON_FLAG 0x10000
enum { FREE, UNCONNECTED, CONNECTING, CONNECTED, DISCONNECTING }; /* socket_state, <linux/net.h> */

static unsigned state_of(const struct unix_sock *u) {
  if (u->sock)
    return u->state == UNIX_CONNECTED ? CONNECTED : UNCONNECTED;
  return u->state == UNIX_CONNECTED ? CONNECTING : DISCONNECTING;
}

static void name_of(struct net_text *t, const struct unix_addr *a) {
  char path[sizeof a->sun.sun_path + 2] = " ";
  size_t n = a->len > offsetof(struct sockaddr_un, sun_path) ? a->len - offsetof(struct sockaddr_un, sun_path) : 0;
  if (n > sizeof a->sun.sun_path)
    n = sizeof a->sun.sun_path;
  if (n && a->sun.sun_path[0] && !a->sun.sun_path[n - 1])
    n--; /* the NUL of a path */
  for (size_t i = 0; i < n; i++)
    path[1 + i] = a->sun.sun_path[i] ? a->sun.sun_path[i] : '@';
  path[1 + n] = 0;
  nt_puts(t, path);
}

NET_SHOW(net_show_unix) {
  const struct unix_net *un = w->ns->ns.k->unix_net;
  const struct unix_sock *u;
  if (nt_row(t))
    nt_puts(t, "Num       RefCount Protocol Flags    Type St Inode Path\n");
  if (un)
    LIST_FOREACH(u, &un->all, all_link) {
      if (u->net != w->ns || u->dead || !nt_row(t))
        continue;
      nt_printf(t, "%016x: %08X %08X %08X %04X %02X %5llu", nt_key(t, u),
                u->ref.n + 1 /* the list of all counts, too */, 0, u->state == UNIX_LISTENING ? SO_ACCEPTCON_FLAG : 0,
                (unsigned)u->type, state_of(u),
                u->sock && u->sock->file ? (unsigned long long)u->sock->file->anon_ino : 0ull);
      if (u->addr)
        name_of(t, u->addr);
      nt_puts(t, "\n");
    }
  return 0;
}
