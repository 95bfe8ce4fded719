/* Every AF_UNIX socket of a namespace, as sock_diag(7) shows them. */
#include "unix_diag.h"
#include "unix.h"
#include <netinet/tcp.h>
#include <stddef.h>

static uint32_t ino_of(const struct unix_sock *u) {
  return u->sock && u->sock->file ? (uint32_t)u->sock->file->anon_ino : 0;
}

static void look(const struct unix_sock *u, struct unix_info *i) {
  size_t head = offsetof(struct sockaddr_un, sun_path);
  *i = (struct unix_info){.sock = u->sock,
                          .type = (uint8_t)u->type,
                          .shutdown = (uint8_t)u->shutdown,
                          .ino = ino_of(u),
                          .peer_ino = u->peer ? ino_of(u->peer) : 0,
                          .kuid = u->sock && u->sock->file ? u->sock->file->anon_uid : 0};
  i->state = u->state == UNIX_LISTENING ? TCP_LISTEN : u->state == UNIX_CONNECTED ? TCP_ESTABLISHED : TCP_CLOSE;
  if (u->type == SOCK_DGRAM && u->peer)
    i->state = TCP_ESTABLISHED;
  i->rqueue = i->state == TCP_LISTEN ? (uint32_t)u->nbacklog : (uint32_t)u->recv_bytes;
  i->wqueue = i->state == TCP_LISTEN ? (uint32_t)u->backlog_max : (uint32_t)u->sent_bytes;
  i->rmem = (uint32_t)u->recv_bytes;
  i->wmem = (uint32_t)u->sent_bytes;
  if (u->has_path && u->inode) {
    i->vfs_ino = (uint32_t)u->inode->ino;
    i->vfs_dev = (uint32_t)u->inode->sb->dev;
  }
  if (u->addr && u->addr->len > head) {
    i->name = u->addr->sun.sun_path;
    i->name_len = u->addr->len - head;
  }
}

void unix_each(const struct net_namespace *ns, bool (*fn)(void *arg, const struct unix_info *u), void *arg) {
  const struct unix_net *un = ns->ns.k->unix_net;
  const struct unix_sock *u;
  struct unix_info i;
  if (un)
    LIST_FOREACH(u, &un->all, all_link) {
      if (u->net != ns || u->dead || !u->sock || !u->sock->file) /* has no descriptor yet */
        continue;
      look(u, &i);
      if (!fn(arg, &i))
        return;
    }
}
