/*
 * Advisory locks: flock(2), and fcntl(2)'s POSIX and open-file-description locks. All of an inode's locks are in one
 * list; the three kinds differ in who owns them: a POSIX lock belongs to a descriptor table, the others to an open
 * file. flock locks do not see the others.
 */
#include "namei.h"
#include <stdlib.h>
#include <sys/file.h>

#define DEADLOCK_STEPS 10 /* Linux gives up looking after as many */
#define END_OF_FILE INT64_MAX
#define LOCKS_MAX 65536 /* ranges of one inode: guests must not fill the Sentry with them */

enum lock_kind { LOCK_FLOCK, LOCK_POSIX, LOCK_OFD };

struct lock {
  TAILQ_ENTRY(lock) link;
  enum lock_kind kind;
  void *owner;      /* struct fdtable (POSIX) or struct file: compared, never used */
  int pid;          /* for F_GETLK: -1 of OFD locks */
  int type;         /* F_RDLCK, F_WRLCK */
  off_t start, end; /* inclusive */
};

struct inode_locks { /* inode->locks; lives as long as the inode */
  TAILQ_HEAD(, lock) list;
  struct waitq wq; /* a lock was given up or shrank */
  int n;           /* a bound of how many there are: counted up only, set right when it gets high */
};

struct lock_waiter { /* in vfs->lock_waiters: who waits for whose POSIX lock */
  LIST_ENTRY(lock_waiter) link;
  void *owner, *blocker;
};

static struct inode_locks *locks_of(struct inode *i) {
  if (i->locks)
    return i->locks;
  struct inode_locks *l = calloc(1, sizeof *l);
  if (!l)
    return NULL;
  TAILQ_INIT(&l->list);
  waitq_init(&l->wq);
  i->locks = l;
  return l;
}

void locks_free_inode(struct inode *i) {
  struct inode_locks *l = i->locks;
  struct lock *k;
  while ((k = TAILQ_FIRST(&l->list))) {
    TAILQ_REMOVE(&l->list, k, link);
    free(k);
  }
  waitq_destroy(&l->wq);
  free(l);
  i->locks = NULL;
}

static bool same_owner(const struct lock *a, const struct lock *b) {
  return a->kind == b->kind && a->owner == b->owner;
}

static bool conflicts(const struct lock *held, const struct lock *want) {
  if ((held->kind == LOCK_FLOCK) != (want->kind == LOCK_FLOCK) || same_owner(held, want))
    return false;
  if (held->type == F_RDLCK && want->type == F_RDLCK)
    return false;
  return held->start <= want->end && want->start <= held->end;
}

static struct lock *find_conflict(struct inode_locks *l, const struct lock *want) {
  struct lock *k;
  TAILQ_FOREACH(k, &l->list, link)
  if (conflicts(k, want))
    return k;
  return NULL;
}

/* ---- changing the list ---- */

static struct lock *lock_copy(const struct lock *k) {
  struct lock *n = malloc(sizeof *n);
  if (n)
    *n = *k;
  return n;
}

/* Take [start, end] away from the owner's locks. A lock with a hole in its middle needs `spare`. */
static void carve(struct inode_locks *l, const struct lock *r, struct lock **spare) {
  struct lock *k, *next;
  for (k = TAILQ_FIRST(&l->list); k; k = next) {
    next = TAILQ_NEXT(k, link);
    if (!same_owner(k, r) || k->end < r->start || k->start > r->end)
      continue;
    if (k->start < r->start && k->end > r->end) {
      struct lock *tail = *spare;
      *spare = NULL;
      *tail = *k;
      tail->start = r->end + 1;
      k->end = r->start - 1;
      TAILQ_INSERT_AFTER(&l->list, k, tail, link);
    } else if (k->start < r->start) {
      k->end = r->start - 1;
    } else if (k->end > r->end) {
      k->start = r->end + 1;
    } else {
      TAILQ_REMOVE(&l->list, k, link);
      free(k);
    }
  }
}

/* Neighbours of one owner and type become one lock, so that a process that locks byte by byte costs little. */
static void merge(struct inode_locks *l, struct lock *n) {
  struct lock *k, *next;
  for (k = TAILQ_FIRST(&l->list); k; k = next) {
    next = TAILQ_NEXT(k, link);
    if (k == n || !same_owner(k, n) || k->type != n->type)
      continue;
    bool touch = (k->end != END_OF_FILE && k->end + 1 == n->start) || (n->end != END_OF_FILE && n->end + 1 == k->start);
    if (!touch)
      continue;
    n->start = k->start < n->start ? k->start : n->start;
    n->end = k->end > n->end ? k->end : n->end;
    TAILQ_REMOVE(&l->list, k, link);
    free(k);
  }
}

static int count_locks(struct inode_locks *l) {
  struct lock *k;
  l->n = 0;
  TAILQ_FOREACH(k, &l->list, link)
  l->n++;
  return l->n;
}

/* Nothing conflicts: make it so. type F_UNLCK unlocks. */
static int apply_lock(struct inode_locks *l, const struct lock *want) {
  if (want->type != F_UNLCK && ++l->n > LOCKS_MAX && count_locks(l) >= LOCKS_MAX)
    return -ENOLCK;
  struct lock *spare = lock_copy(want), *n = want->type == F_UNLCK ? NULL : lock_copy(want);
  if (!spare || (!n && want->type != F_UNLCK)) {
    free(spare);
    free(n);
    return -ENOLCK;
  }
  carve(l, want, &spare);
  if (n) {
    TAILQ_INSERT_TAIL(&l->list, n, link);
    merge(l, n);
  }
  free(spare);
  waitq_wake_all(&l->wq, 0); /* a lock may have become weaker */
  return 0;
}

/* ---- waiting ---- */

static bool would_deadlock(struct vfs *v, void *owner, void *blocker) {
  for (int i = 0; i < DEADLOCK_STEPS; i++) {
    struct lock_waiter *w;
    LIST_FOREACH(w, &v->lock_waiters, link)
    if (w->owner == blocker)
      break;
    if (!w)
      return false;
    if (w->blocker == owner)
      return true;
    blocker = w->blocker;
  }
  return false;
}

static int take_lock(struct inode *i, struct lock *want, bool wait) {
  struct inode_locks *l = locks_of(i);
  struct lock *held;
  struct vfs *v = i->sb->vfs;
  if (!l)
    return -ENOLCK;
  while (want->type != F_UNLCK && (held = find_conflict(l, want))) {
    if (!wait)
      return -EAGAIN;
    bool track = want->kind == LOCK_POSIX && held->kind == LOCK_POSIX;
    if (track && would_deadlock(v, want->owner, held->owner))
      return -EDEADLK;
    struct lock_waiter w = {.owner = want->owner, .blocker = held->owner};
    if (track)
      LIST_INSERT_HEAD(&v->lock_waiters, &w, link);
    int r = task_wait(&l->wq, 0, NO_DEADLINE);
    if (track)
      LIST_REMOVE(&w, link);
    if (r)
      return r;
  }
  return apply_lock(l, want);
}

/* ---- flock ---- */

int vfs_flock(struct file *f, int op) {
  struct lock want = {.kind = LOCK_FLOCK, .owner = f, .end = END_OF_FILE};
  switch (op & ~LOCK_NB) {
  case LOCK_SH:
    want.type = F_RDLCK;
    break;
  case LOCK_EX:
    want.type = F_WRLCK;
    break;
  case LOCK_UN:
    want.type = F_UNLCK;
    break;
  default:
    return -EINVAL;
  }
  if (!f->inode)
    return want.type == F_UNLCK ? 0 : -EINVAL;
  struct inode_locks *l = locks_of(f->inode);
  struct lock *k;
  if (!l)
    return -ENOLCK;
  TAILQ_FOREACH(k, &l->list, link)
  if (same_owner(k, &want) && k->type == want.type)
    return 0;
  /* A conversion gives the old lock up first: it is not atomic, flock(2). */
  if (want.type != F_UNLCK && find_conflict(l, &want)) {
    struct lock un = want;
    un.type = F_UNLCK;
    int r = apply_lock(l, &un);
    if (r)
      return r;
  }
  return take_lock(f->inode, &want, !(op & LOCK_NB));
}

/* ---- fcntl ---- */

static int lock_range(struct file *f, const struct flock *fl, struct lock *k) {
  off_t base, start, end;
  switch (fl->l_whence) {
  case SEEK_SET:
    base = 0;
    break;
  case SEEK_CUR:
    base = f->pos;
    break;
  case SEEK_END:
    base = f->inode->size;
    break;
  default:
    return -EINVAL;
  }
  if (__builtin_add_overflow(base, fl->l_start, &start))
    return -EOVERFLOW;
  if (start < 0)
    return -EINVAL;
  if (fl->l_len > 0) {
    if (__builtin_add_overflow(start, fl->l_len - 1, &end))
      return -EOVERFLOW;
  } else if (fl->l_len < 0) {
    end = start - 1;
    if (__builtin_add_overflow(start, fl->l_len, &start) || start < 0)
      return -EINVAL;
  } else {
    end = END_OF_FILE;
  }
  k->start = start;
  k->end = end;
  return 0;
}

static int get_lock(struct file *f, struct lock *want, struct flock *fl) {
  struct lock *held = f->inode->locks ? find_conflict(f->inode->locks, want) : NULL;
  if (!held) {
    fl->l_type = F_UNLCK;
    return 0;
  }
  fl->l_type = (short)held->type;
  fl->l_whence = SEEK_SET;
  fl->l_start = held->start;
  fl->l_len = held->end == END_OF_FILE ? 0 : held->end - held->start + 1;
  fl->l_pid = held->kind == LOCK_OFD ? -1 : pid_nr_here(kernel_current(), held->pid);
  return 0;
}

int vfs_posix_lock(struct task *t, struct file *f, int cmd, struct flock *fl) {
  bool ofd = cmd == F_OFD_GETLK || cmd == F_OFD_SETLK || cmd == F_OFD_SETLKW;
  bool get = cmd == F_GETLK || cmd == F_OFD_GETLK, wait = cmd == F_SETLKW || cmd == F_OFD_SETLKW;
  struct fdtable *table = t->files;
  struct lock want = {.kind = ofd ? LOCK_OFD : LOCK_POSIX,
                      .owner = ofd ? (void *)f : table,
                      .pid = t->proc->pid->nr,
                      .type = fl->l_type};
  if (!f->inode)
    return -EINVAL;
  if (ofd && fl->l_pid)
    return -EINVAL;
  if (want.type != F_RDLCK && want.type != F_WRLCK && (get || want.type != F_UNLCK))
    return -EINVAL;
  int r = lock_range(f, fl, &want);
  if (r)
    return r;
  if (get)
    return get_lock(f, &want, fl);
  if (want.type == F_RDLCK && !file_can_read(f))
    return -EBADF;
  if (want.type == F_WRLCK && !file_can_write(f))
    return -EBADF;
  return take_lock(f->inode, &want, wait);
}

/* ---- closing ---- */

static void drop_owner(struct inode *i, enum lock_kind kind, void *owner) {
  struct inode_locks *l = i->locks;
  struct lock *k, *next;
  bool any = false;
  for (k = TAILQ_FIRST(&l->list); k; k = next) {
    next = TAILQ_NEXT(k, link);
    if (k->kind != kind || k->owner != owner)
      continue;
    TAILQ_REMOVE(&l->list, k, link);
    free(k);
    any = true;
  }
  if (any)
    waitq_wake_all(&l->wq, 0);
}

void locks_close(struct file *f, struct fdtable *owner) {
  if (f->inode->locks)
    drop_owner(f->inode, LOCK_POSIX, owner);
}

void locks_release(struct file *f) {
  if (!f->inode->locks)
    return;
  drop_owner(f->inode, LOCK_FLOCK, f);
  drop_owner(f->inode, LOCK_OFD, f);
}
