#include "fsnotify_marks.h"
#include "anon.h"
#include "../core/errno.h"
#include "../core/uaccess.h"
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <uthash.h>

#define MAX_QUEUED 16384  /* fs.inotify.max_queued_events */
#define MAX_INSTANCES 128 /* of one user; fs.inotify.max_user_instances */
#define MAX_WATCHES 65536 /* of one instance; fs.inotify.max_user_watches */

struct event {
  TAILQ_ENTRY(event) link;
  struct inotify_event e; /* with its name behind it, as the guest reads it */
};

struct watch {
  int wd;
  uint32_t mask;
  struct inotify *in;
  struct dentry *dentry; /* counted: keeps the inode that carries us in the cache */
  struct inode *inode;   /* counted */
  LIST_ENTRY(watch) inode_link;
  UT_hash_handle hh;
};

struct inotify {
  struct kernel *k;
  struct inotify *next, **prev; /* kernel.inotifies */
  struct waitq wq;
  TAILQ_HEAD(event_queue, event) events;
  uint32_t uid; /* whose max_user_instances it counts against */
  int nevents;
  size_t bytes; /* what reading all of them gives */
  struct watch *watches;
  int last_wd;
};

/* ---- the queue ---- */

static size_t event_size(const struct event *e) {
  return sizeof e->e + e->e.len;
}

static bool same_event(const struct event *a, const struct event *b) {
  return a && event_size(a) == event_size(b) && !memcmp(&a->e, &b->e, event_size(b));
}

static void queue_event(struct inotify *in, int wd, uint32_t mask, uint32_t cookie, const char *name) {
  bool overflow = in->nevents >= MAX_QUEUED;
  if (in->nevents > MAX_QUEUED)
    return;
  if (overflow) {
    wd = -1;
    mask = IN_Q_OVERFLOW;
    cookie = 0;
    name = NULL;
  }
  size_t n = name ? strlen(name) : 0;
  size_t len = n ? (n / sizeof(struct inotify_event) + 1) * sizeof(struct inotify_event) : 0;
  struct event *e = calloc(1, sizeof *e + len);
  if (!e)
    return;
  e->e.wd = wd;
  e->e.mask = mask;
  e->e.cookie = cookie;
  e->e.len = (uint32_t)len;
  if (n)
    memcpy(e->e.name, name, n);
  if (same_event(TAILQ_LAST(&in->events, event_queue), e)) { /* inotify(7): identical successive events are one */
    free(e);
    return;
  }
  TAILQ_INSERT_TAIL(&in->events, e, link);
  in->nevents++;
  in->bytes += event_size(e);
  waitq_wake(&in->wq, EPOLLIN | EPOLLRDNORM);
}

static void pop_event(struct inotify *in) {
  struct event *e = TAILQ_FIRST(&in->events);
  TAILQ_REMOVE(&in->events, e, link);
  in->nevents--;
  in->bytes -= event_size(e);
  free(e);
}

/* ---- watches ---- */

static void watch_remove(struct watch *w) {
  LIST_REMOVE(w, inode_link);
  marks_drop(w->inode);
  HASH_DEL(w->in->watches, w);
  inode_put(w->inode);
  dentry_put(w->dentry);
  free(w);
}

static void watch_end(struct watch *w) {
  queue_event(w->in, w->wd, IN_IGNORED, 0, NULL);
  watch_remove(w);
}

static void tell(struct inode *i, uint32_t mask, uint32_t cookie, const char *name, bool unlinked) {
  struct marks *m = i ? i->fsnotify : NULL;
  struct watch *w, *next;
  if (m && !LIST_EMPTY(&m->dnotify) && (name || mask & IN_ISDIR))
    dnotify_tell(i, mask);
  for (w = m ? LIST_FIRST(&m->head) : NULL; w; w = next) {
    next = LIST_NEXT(w, inode_link);
    if (!(mask & IN_ALL_EVENTS & w->mask) && !(mask & IN_UNMOUNT))
      continue;
    if (name && unlinked && w->mask & IN_EXCL_UNLINK)
      continue;
    queue_event(w->in, w->wd, mask, cookie, name);
    if (w->mask & IN_ONESHOT)
      watch_end(w);
  }
  if (m)
    marks_drop(i);
}

static void end_watches(struct inode *i) {
  struct marks *m;
  while ((m = i->fsnotify) && !LIST_EMPTY(&m->head))
    watch_end(LIST_FIRST(&m->head));
}

/* ---- what the VFS tells ---- */

void fsnotify_dentry(struct dentry *d, uint32_t mask) {
  struct inode *i = d->inode, *dir = d->parent && d->parent != d ? d->parent->inode : NULL;
  if (!i || (!i->fsnotify && !(dir && dir->fsnotify)))
    return;
  if (S_ISDIR(i->mode))
    mask |= IN_ISDIR;
  if (dir)
    tell(dir, mask, 0, d->name, d->unhashed);
  tell(i, mask, 0, NULL, false);
}

void fsnotify_dirent(struct inode *dir, const char *name, uint32_t mask) {
  if (dir->fsnotify)
    tell(dir, mask, 0, name, false);
}

void fsnotify_move(struct inode *old_dir, const char *old_name, struct inode *new_dir, const char *new_name,
                   struct inode *moved) {
  if (!old_dir->fsnotify && !new_dir->fsnotify && !moved->fsnotify)
    return;
  uint32_t isdir = S_ISDIR(moved->mode) ? IN_ISDIR : 0;
  uint32_t cookie = (uint32_t)++kernel_current()->next_anon_ino;
  tell(old_dir, IN_MOVED_FROM | isdir, cookie, old_name, false);
  tell(new_dir, IN_MOVED_TO | isdir, cookie, new_name, false);
  tell(moved, IN_MOVE_SELF, 0, NULL, false);
  if (old_dir == new_dir)
    tell(old_dir, MARK_RENAME, 0, old_name, false);
}

void fsnotify_unlinked(struct inode *i, bool links_left) {
  if (!i->fsnotify)
    return;
  inode_get(i);
  if (links_left || !S_ISDIR(i->mode))
    tell(i, IN_ATTRIB, 0, NULL, false);
  if (!links_left && !i->opens) {
    tell(i, IN_DELETE_SELF, 0, NULL, false);
    end_watches(i);
  }
  inode_put(i);
}

void fsnotify_closed(struct inode *i) {
  if (i->nlink && !i->dead)
    return;
  inode_get(i);
  tell(i, IN_DELETE_SELF, 0, NULL, false);
  end_watches(i);
  inode_put(i);
}

void fsnotify_link_count(struct inode *i) {
  if (i->fsnotify)
    tell(i, IN_ATTRIB, 0, NULL, false);
}

void fsnotify_unmount(struct super *sb) {
  for (struct inotify *in = kernel_current()->inotifies; in; in = in->next) {
    struct watch *w, *next;
    HASH_ITER(hh, in->watches, w, next) {
      if (w->inode->sb != sb)
        continue;
      queue_event(in, w->wd, IN_UNMOUNT | (S_ISDIR(w->inode->mode) ? IN_ISDIR : 0), 0, NULL);
      watch_end(w);
    }
  }
}

/* ---- the file ---- */

static ssize_t inotify_read(struct file *f, struct uio *u, off_t *pos) {
  struct inotify *in = f->priv;
  ssize_t done = 0;
  for (;;) {
    struct event *e = TAILQ_FIRST(&in->events);
    if (!e && done)
      return done;
    if (!e) {
      if (u->nonblock)
        return -EAGAIN;
      int r = task_wait(&in->wq, EPOLLIN, NO_DEADLINE);
      if (r && TAILQ_EMPTY(&in->events))
        return r;
      continue;
    }
    size_t n = event_size(e);
    if (n > u->resid)
      return done ? done : -EINVAL;
    /* Taken off before the copy, which may park. */
    struct {
      struct inotify_event e;
      char name[NAME_MAX + 1 + sizeof(struct inotify_event)];
    } out;
    memcpy(&out, &e->e, n);
    pop_event(in);
    if (uio_copy_to(u, &out, n) != (ssize_t)n)
      return done ? done : -EFAULT;
    done += (ssize_t)n;
  }
}

static uint32_t inotify_poll(struct file *f) {
  const struct inotify *in = f->priv;
  return in->nevents ? EPOLLIN | EPOLLRDNORM : 0;
}

static long inotify_ioctl(struct file *f, unsigned cmd, uint64_t arg) {
  const struct inotify *in = f->priv;
  int n = (int)in->bytes;
  return cmd == FIONREAD ? put_user(arg, &n) : -ENOTTY;
}

static void inotify_release(struct file *f) {
  struct inotify *in = f->priv;
  struct watch *w, *next;
  HASH_ITER(hh, in->watches, w, next)
  watch_remove(w);
  while (!TAILQ_EMPTY(&in->events))
    pop_event(in);
  *in->prev = in->next;
  if (in->next)
    in->next->prev = in->prev;
  waitq_destroy(&in->wq);
  free(in);
}

static const struct file_ops inotify_ops = {
    .name = "inotify",
    .read = inotify_read,
    .poll = inotify_poll,
    .ioctl = inotify_ioctl,
    .release = inotify_release,
};

int inotify_new(struct kernel *k, int flags, struct file **out) {
  uint32_t uid = task_current() ? task_current()->cred->euid : 0;
  int mine = 0;
  for (const struct inotify *o = k->inotifies; o; o = o->next)
    mine += o->uid == uid;
  if (mine >= MAX_INSTANCES)
    return -EMFILE;
  struct inotify *in = calloc(1, sizeof *in);
  if (!in)
    return -ENOMEM;
  in->uid = uid;
  *out = anon_file_new(k, &inotify_ops, O_RDONLY | (flags & IN_NONBLOCK), in, "anon_inode:inotify");
  if (!*out) {
    free(in);
    return -ENOMEM;
  }
  in->k = k;
  waitq_init(&in->wq);
  TAILQ_INIT(&in->events);
  in->next = k->inotifies;
  in->prev = &k->inotifies;
  if (in->next)
    in->next->prev = &in->next;
  k->inotifies = in;
  (*out)->wq = &in->wq;
  return 0;
}

static struct watch *find(struct inotify *in, const struct inode *i) {
  struct marks *m = i->fsnotify;
  struct watch *w;
  if (!m)
    return NULL;
  LIST_FOREACH(w, &m->head, inode_link)
  if (w->in == in)
    return w;
  return NULL;
}

static int update(struct watch *w, uint32_t mask) {
  if (mask & IN_MASK_CREATE)
    return -EEXIST;
  uint32_t keep = mask & IN_MASK_ADD ? w->mask : 0;
  w->mask = keep | mask;
  return w->wd;
}

int inotify_add(struct file *f, const struct path *p, uint32_t mask) {
  struct inode *i = p->dentry->inode;
  if (f->ops != &inotify_ops)
    return -EINVAL;
  struct inotify *in = f->priv;
  struct watch *w = find(in, i);
  if (w)
    return update(w, mask);
  if (HASH_COUNT(in->watches) >= MAX_WATCHES || in->last_wd == INT32_MAX)
    return -ENOSPC;
  w = calloc(1, sizeof *w);
  struct marks *m = marks_of(i);
  if (!w || !m) {
    free(w);
    marks_drop(i);
    return -ENOMEM;
  }
  *w = (struct watch){
      .wd = ++in->last_wd, .mask = mask, .in = in, .dentry = dentry_get(p->dentry), .inode = inode_get(i)};
  LIST_INSERT_HEAD(&m->head, w, inode_link);
  HASH_ADD_INT(in->watches, wd, w);
  return w->wd;
}

int inotify_rm(struct file *f, int wd) {
  if (f->ops != &inotify_ops)
    return -EINVAL;
  struct inotify *in = f->priv;
  struct watch *w;
  HASH_FIND_INT(in->watches, &wd, w);
  if (!w)
    return -EINVAL;
  watch_end(w);
  return 0;
}
