/*
 * Host descriptors of regular files. All opens of an inode in one access mode share one; in exclusive trees it stays
 * for a while after the last close, so that opening the file again costs no message.
 */
#include "client.h"
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

static void destroy(struct gofer_fd *h) {
  if (h->gi->ro == h)
    h->gi->ro = NULL;
  if (h->gi->rw == h)
    h->gi->rw = NULL;
  close(h->fd);
  free(h);
}

static void close_idle(struct gofer *g, struct gofer_fd *h) {
  TAILQ_REMOVE(&g->idle, h, link);
  g->nidle--;
  destroy(h);
}

static struct gofer_fd *use(struct gofer *g, struct gofer_fd *h) {
  if (h->users++ == 0) {
    TAILQ_REMOVE(&g->idle, h, link);
    g->nidle--;
  }
  return h;
}

static struct gofer_fd *known(struct gofer_inode *gi, bool write) {
  return write || !gi->ro ? gi->rw : gi->ro;
}

static struct gofer_fd *install(struct gofer_inode *gi, int fd, bool rw) {
  struct gofer_fd *h = calloc(1, sizeof *h);
  if (!h)
    return NULL;
  *h = (struct gofer_fd){.fd = fd, .rw = rw, .users = 1, .gi = gi};
  *(rw ? &gi->rw : &gi->ro) = h;
  return h;
}

int gofer_fd_get(struct inode *i, struct dentry *d, bool write, struct gofer_fd **out) {
  struct gofer_sb *s = gofer_sb_of(i);
  struct gofer_inode *gi = gofer_inode_of(i);
  struct gofer_fd *h = known(gi, write);
  if (h) {
    *out = use(s->g, h);
    return 0;
  }
  if (i->nlink == 0 || (d->unhashed && d->parent != d))
    return -ESTALE;
  struct gofer_attr a;
  int fd;
  int err = gc_open(s, d, write ? O_RDWR : O_RDONLY, &a, &fd);
  /* The name was renamed, removed or replaced since it was looked up: the VFS looks again. */
  if (err)
    return err == -ENOENT || err == -ENOTDIR ? -ESTALE : err;
  if (!gofer_same(i, &a)) {
    close(fd);
    return -ESTALE;
  }
  if (!s->exclusive)
    gofer_apply_attr(i, &a);
  h = known(gi, write); /* another fiber may have been faster */
  if (h) {
    close(fd);
    *out = use(s->g, h);
    return 0;
  }
  h = install(gi, fd, write);
  if (!h) {
    close(fd);
    return -ENOMEM;
  }
  *out = h;
  return 0;
}

void gofer_fd_put(struct gofer_fd *h) {
  if (--h->users)
    return;
  struct inode *i = h->gi->inode;
  struct gofer_sb *s = gofer_sb_of(i);
  struct gofer *g = s->g;
  if (h->gi->dirty && s->exclusive) /* the descriptor may go before somebody asks */
    gofer_getattr(i, NULL);
  TAILQ_INSERT_TAIL(&g->idle, h, link);
  g->nidle++;
  /* On shared trees an idle descriptor would keep alive what others delete. */
  if (!s->exclusive || i->nlink == 0)
    close_idle(g, h);
  else if (g->nidle > GOFER_IDLE_FDS)
    close_idle(g, TAILQ_FIRST(&g->idle));
}

void gofer_fd_adopt(struct inode *i, int fd) {
  struct gofer_inode *gi = gofer_inode_of(i);
  struct gofer_fd *h = gi->rw ? NULL : install(gi, fd, true);
  if (h)
    gofer_fd_put(h);
  else
    close(fd);
}

int gofer_fd_any(const struct inode *i, bool write) {
  const struct gofer_inode *gi = gofer_inode_of(i);
  const struct gofer_fd *h = gi->rw ? gi->rw : write ? NULL : gi->ro;
  return h ? h->fd : -1;
}

void gofer_fds_close_idle(struct gofer_inode *gi) {
  struct gofer *g = gofer_sb_of(gi->inode)->g;
  if (gi->ro && !gi->ro->users)
    close_idle(g, gi->ro);
  if (gi->rw && !gi->rw->users)
    close_idle(g, gi->rw);
}
