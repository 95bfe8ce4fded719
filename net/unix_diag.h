/* What unix_diag says of a socket: net/unix_diag.c looks, since AF_UNIX names are files; net/netlink/unix_diag.c tells.
 */
#pragma once
#include "socket.h"

struct net_namespace;
struct unix_info {
  const struct socket *sock;     /* borrowed; NULL: not accepted yet */
  uint8_t type, state, shutdown; /* state: TCP_ESTABLISHED, TCP_LISTEN, TCP_CLOSE */
  uint32_t ino, peer_ino, vfs_ino, vfs_dev, kuid;
  uint32_t rqueue, wqueue, rmem, wmem;
  const void *name; /* sun_path, borrowed */
  size_t name_len;
};
/* Every socket of a namespace, while fn returns true. */
void unix_each(const struct net_namespace *ns, bool (*fn)(void *arg, const struct unix_info *u), void *arg);
