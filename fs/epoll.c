#include "anon.h"
#include "../core/errno.h"
#include "../core/task.h"
#include "sbuf.h"
#include "vfs.h"
#include <stdlib.h>
#include <uthash.h>

#define EP_MAX_DEPTH 5          /* epoll files inside epoll files, epoll_ctl(2) ELOOP */
#define EP_MAX_ITEMS (1u << 20) /* of one epoll file; fs.epoll.max_user_watches stands in Linux */
#define EP_FLAGS (EPOLLWAKEUP | EPOLLONESHOT | EPOLLET | EPOLLEXCLUSIVE)
#define EP_EXCLUSIVE_OK (EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLWAKEUP | EPOLLET | EPOLLEXCLUSIVE)

struct item_key { /* the same file may be watched under several numbers */
  struct file *file;
  uint64_t fd;
};

struct epitem {
  struct item_key key; /* file is borrowed: epoll_file_release() comes before it dies */
  struct eventpoll *ep;
  struct epoll_event_k ev;
  struct wait_entry e; /* on key.file->wq */
  TAILQ_ENTRY(epitem) ready_link;
  bool ready;                   /* on ep->ready */
  LIST_ENTRY(epitem) file_link; /* key.file->epitems */
  UT_hash_handle hh;
};

struct epitem_list {
  LIST_HEAD(, epitem) head;
};

TAILQ_HEAD(ready_list, epitem);

struct eventpoll {
  struct waitq wq; /* waiters of epoll_wait (exclusive), and who watches this file in turn */
  struct ready_list ready;
  struct epitem *items;
  struct file *file; /* borrowed */
  int depth;         /* during chain_depth() */
};

static const struct file_ops epoll_ops;
bool file_is_epoll(const struct file *f) {
  return f->ops == &epoll_ops;
}

int epoll_item_count(const struct file *f) {
  const struct eventpoll *ep = f->priv;
  return (int)HASH_COUNT(ep->items);
}

/* ---- readiness ---- */

/* What holds now of what the item asks for: errors always, but a one-shot item that has fired asks for nothing. */
static uint32_t item_events(const struct epitem *i) {
  uint32_t asked = i->ev.events & ~EP_FLAGS;
  return asked ? file_poll(i->key.file) & asked : 0;
}

static bool set_ready(struct epitem *i) {
  if (i->ready)
    return false;
  i->ready = true;
  TAILQ_INSERT_TAIL(&i->ep->ready, i, ready_link);
  return true;
}

static void clear_ready(struct epitem *i) {
  if (i->ready)
    TAILQ_REMOVE(&i->ep->ready, i, ready_link);
  i->ready = false;
}

/* On the watched file's queue. A chain of nested epoll files is EP_MAX_DEPTH long at most; an item that is ready
 * already told its waiters then, so that no diamond of files multiplies the wake-ups. */
static bool item_fire(struct wait_entry *e, uint32_t events) {
  struct epitem *i = e->arg;
  if (!(i->ev.events & ~EP_FLAGS))
    return false;
  if (!set_ready(i))
    return false;
  return waitq_wake_n(&i->ep->wq, EPOLLIN, 1) > 0 || !i->e.exclusive;
}

/* Drops items that are not ready after all, up to the first that is. */
static bool any_ready(struct eventpoll *ep) {
  struct epitem *i;
  while ((i = TAILQ_FIRST(&ep->ready))) {
    if (item_events(i))
      return true;
    clear_ready(i);
  }
  return false;
}

static uint32_t epoll_poll(struct file *f) {
  return any_ready(f->priv) ? EPOLLIN | EPOLLRDNORM : 0;
}

/* ---- items ---- */

static void item_free(struct epitem *i) {
  waitq_del(&i->e);
  clear_ready(i);
  LIST_REMOVE(i, file_link);
  HASH_DEL(i->ep->items, i);
  free(i);
}

void epoll_file_release(struct file *f) {
  struct epitem_list *l = f->epitems;
  struct epitem *i;
  if (!l)
    return;
  while ((i = LIST_FIRST(&l->head)))
    item_free(i);
  free(l);
  f->epitems = NULL;
}

static void epoll_release(struct file *f) {
  struct eventpoll *ep = f->priv;
  struct epitem *i, *next;
  HASH_ITER(hh, ep->items, i, next)
  item_free(i);
  waitq_destroy(&ep->wq);
  free(ep);
}

static void epoll_fdinfo(struct file *f, struct sbuf *b) {
  const struct eventpoll *ep = f->priv;
  const struct epitem *i, *next;
  HASH_ITER(hh, ep->items, i, next)
  sb_printf(b, "tfd: %8d events: %8x data: %16llx  pos:%lld ino:%llx sdev:0\n", (int)i->key.fd, i->ev.events,
            (unsigned long long)i->ev.data, (long long)i->key.file->pos, (unsigned long long)i->key.file->anon_ino);
}

static const struct file_ops epoll_ops = {
    .name = "epoll", .poll = epoll_poll, .fdinfo = epoll_fdinfo, .release = epoll_release};

int epoll_new(struct kernel *k, struct file **out) {
  struct eventpoll *ep = calloc(1, sizeof *ep);
  if (!ep)
    return -ENOMEM;
  file_epoll_release = epoll_file_release;
  waitq_init(&ep->wq);
  TAILQ_INIT(&ep->ready);
  *out = anon_file_new(k, &epoll_ops, O_RDWR, ep, "anon_inode:[eventpoll]");
  if (!*out) {
    free(ep);
    return -ENOMEM;
  }
  ep->file = *out;
  (*out)->wq = &ep->wq;
  return 0;
}

/* ---- nesting ---- */

/*
 * The longest chain of epoll files down from ep (up: of files that watch it), itself included; more than EP_MAX_DEPTH
 * if `avoid` is on it. Every file is walked once and remembers its result until forget_depth().
 */
static int chain_depth(struct eventpoll *ep, const struct eventpoll *avoid, bool up, int level) {
  if (ep == avoid || level >= EP_MAX_DEPTH)
    return EP_MAX_DEPTH + 1;
  if (ep->depth)
    return ep->depth;
  int deepest = 0;
  struct epitem *i, *next;
  if (up && ep->file->epitems) {
    LIST_FOREACH(i, &ep->file->epitems->head, file_link) {
      int d = chain_depth(i->ep, avoid, up, level + 1);
      deepest = d > deepest ? d : deepest;
    }
  } else if (!up) {
    HASH_ITER(hh, ep->items, i, next) {
      int d = file_is_epoll(i->key.file) ? chain_depth(i->key.file->priv, avoid, up, level + 1) : 0;
      deepest = d > deepest ? d : deepest;
    }
  }
  return ep->depth = deepest + 1;
}

static void forget_depth(struct eventpoll *ep, bool up) {
  struct epitem *i, *next;
  if (!ep->depth)
    return;
  ep->depth = 0;
  if (up && ep->file->epitems) {
    LIST_FOREACH(i, &ep->file->epitems->head, file_link)
    forget_depth(i->ep, up);
  } else if (!up) {
    HASH_ITER(hh, ep->items, i, next)
    if (file_is_epoll(i->key.file))
      forget_depth(i->key.file->priv, up);
  }
}

static int check_nesting(struct eventpoll *ep, struct file *target) {
  if (!file_is_epoll(target))
    return 0;
  int below = chain_depth(target->priv, ep, false, 0);
  forget_depth(target->priv, false);
  int above = chain_depth(ep, NULL, true, 0);
  forget_depth(ep, true);
  return below + above > EP_MAX_DEPTH ? -ELOOP : 0;
}

/* ---- epoll_ctl ---- */

static struct epitem *find(struct eventpoll *ep, struct file *f, int fd) {
  struct item_key key = {f, (uint64_t)fd};
  struct epitem *i;
  HASH_FIND(hh, ep->items, &key, sizeof key, i);
  return i;
}

static struct epitem_list *list_of(struct file *f) {
  if (!f->epitems && (f->epitems = malloc(sizeof *f->epitems)))
    LIST_INIT(&f->epitems->head);
  return f->epitems;
}

/* The item's interest changed, or is new: it may be ready now. */
static void reconsider(struct epitem *i) {
  i->ev.events |= EPOLLERR | EPOLLHUP;
  i->e.events = i->ev.events & ~EP_FLAGS;
  if (item_events(i) && set_ready(i))
    waitq_wake(&i->ep->wq, EPOLLIN);
}

static int item_add(struct eventpoll *ep, struct file *target, int fd, const struct epoll_event_k *ev) {
  if (HASH_COUNT(ep->items) >= EP_MAX_ITEMS)
    return -ENOSPC;
  int err = check_nesting(ep, target);
  if (err)
    return err;
  struct epitem *i = calloc(1, sizeof *i);
  struct epitem_list *l = list_of(target);
  if (!i || !l) {
    free(i);
    return -ENOMEM;
  }
  i->key = (struct item_key){target, (uint64_t)fd};
  i->ep = ep;
  i->ev = *ev;
  i->e = (struct wait_entry){.fn = item_fire, .exclusive = ev->events & EPOLLEXCLUSIVE, .arg = i};
  HASH_ADD(hh, ep->items, key, sizeof i->key, i);
  LIST_INSERT_HEAD(&l->head, i, file_link);
  if (target->wq)
    waitq_add(target->wq, &i->e);
  reconsider(i);
  return 0;
}

int epoll_ctl_file(struct file *epf, int op, int fd, struct file *target, const struct epoll_event_k *ev) {
  if (!target->ops->poll)
    return -EPERM;
  if (!file_is_epoll(epf) || epf == target)
    return -EINVAL;
  struct eventpoll *ep = epf->priv;
  if (op != EPOLL_CTL_DEL && ev->events & EPOLLEXCLUSIVE &&
      (op == EPOLL_CTL_MOD || file_is_epoll(target) || ev->events & ~EP_EXCLUSIVE_OK))
    return -EINVAL;
  struct epitem *i = find(ep, target, fd);
  switch (op) {
  case EPOLL_CTL_ADD:
    return i ? -EEXIST : item_add(ep, target, fd, ev);
  case EPOLL_CTL_DEL:
    if (!i)
      return -ENOENT;
    item_free(i);
    return 0;
  case EPOLL_CTL_MOD:
    if (!i)
      return -ENOENT;
    if (i->ev.events & EPOLLEXCLUSIVE)
      return -EINVAL;
    i->ev = *ev;
    reconsider(i);
    return 0;
  default:
    return -EINVAL;
  }
}

/* ---- epoll_wait ---- */

static int collect(struct eventpoll *ep, struct epoll_event_k *out, int n) {
  struct ready_list again = TAILQ_HEAD_INITIALIZER(again);
  struct epitem *i;
  int got = 0;
  while (got < n && (i = TAILQ_FIRST(&ep->ready))) {
    uint32_t events = item_events(i);
    TAILQ_REMOVE(&ep->ready, i, ready_link);
    i->ready = false;
    if (!events)
      continue;
    out[got].events = events;
    out[got++].data = i->ev.data;
    if (i->ev.events & EPOLLONESHOT) {
      i->ev.events &= EP_FLAGS;
    } else if (!(i->ev.events &
                 EPOLLET)) { /* level-triggered: to be looked at again, after the others had their turn */
      i->ready = true;
      TAILQ_INSERT_TAIL(&again, i, ready_link);
    }
  }
  TAILQ_CONCAT(&ep->ready, &again, ready_link);
  return got;
}

int epoll_wait_file(struct file *f, struct epoll_event_k *out, int n, int64_t deadline) {
  struct eventpoll *ep = f->priv;
  int r = 0;
  for (;;) {
    int got = collect(ep, out, n);
    if (got) {
      /* Only one waiter is woken per event: hand on what is left. */
      if (!TAILQ_EMPTY(&ep->ready))
        waitq_wake(&ep->wq, EPOLLIN);
      return got;
    }
    if (r)
      return r == -ETIMEDOUT ? 0 : -EINTR;
    if (deadline == 0)
      return 0;
    r = task_wait_exclusive(&ep->wq, EPOLLIN, deadline);
  }
}
