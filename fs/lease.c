/*
 * Leases: fcntl(2), F_SETLEASE. Whoever opens or truncates a file in a way that conflicts with a lease waits until its
 * holder, told by SIGIO, has given it up or taken a weaker one, or fs.lease-break-time is over.
 */
#include "../core/timers.h"
#include "namei.h"
#include <linux/capability.h>
#include <stdlib.h>

struct lease {
  LIST_ENTRY(lease) link;
  struct file *f;            /* the holder: borrowed, its release drops the lease */
  int fd;                    /* si_fd of the signal */
  int type;                  /* F_RDLCK, F_WRLCK */
  int64_t unlock, downgrade; /* being broken: deadlines; 0 if not */
};

struct inode_leases { /* inode->leases; lives as long as the inode */
  LIST_HEAD(, lease) list;
  struct waitq wq; /* a lease was given up or became weaker */
};

static void drop(struct inode_leases *l, struct lease *e) {
  LIST_REMOVE(e, link);
  free(e);
  waitq_wake_all(&l->wq, 0);
}

static struct lease *lease_of(struct file *f) {
  struct inode_leases *l = f->inode->leases;
  struct lease *e;
  if (!l)
    return NULL;
  LIST_FOREACH(e, &l->list, link)
  if (e->f == f)
    return e;
  return NULL;
}

static void expire(struct inode_leases *l) {
  struct lease *e, *next;
  int64_t now = loop_now();
  for (e = LIST_FIRST(&l->list); e; e = next) {
    next = LIST_NEXT(e, link);
    if (e->downgrade && e->downgrade <= now) {
      e->downgrade = 0;
      e->type = F_RDLCK;
      waitq_wake_all(&l->wq, 0);
    }
    if (e->unlock && e->unlock <= now)
      drop(l, e);
  }
}

int vfs_getlease(struct file *f) {
  if (!f->inode || !f->inode->leases)
    return F_UNLCK;
  expire(f->inode->leases);
  const struct lease *e = lease_of(f);
  if (!e || e->unlock)
    return F_UNLCK;
  return e->downgrade ? F_RDLCK : e->type;
}

/* Does anybody but f have the file open so that the lease could not be kept? */
static bool open_elsewhere(const struct file *f, int type) {
  const struct inode *i = f->inode;
  if (type == F_RDLCK)
    return i->write_count > 0;
  bool writer = file_can_write(f);
  return i->write_count != (writer ? 1 : 0) || i->read_count != (writer ? 0 : 1);
}

static int add(struct task *t, struct file *f, int fd, int type) {
  struct inode_leases *l = f->inode->leases;
  if (!t->k->sysctl.leases_enable)
    return -EINVAL;
  if (open_elsewhere(f, type))
    return -EAGAIN;
  if (!l) {
    l = calloc(1, sizeof *l);
    if (!l)
      return -ENOLCK;
    LIST_INIT(&l->list);
    waitq_init(&l->wq);
    f->inode->leases = l;
  }
  struct lease *e, *mine = NULL;
  LIST_FOREACH(e, &l->list, link) {
    if (e->f == f)
      mine = e;
    else if (type == F_WRLCK || e->unlock)
      return -EAGAIN;
  }
  if (mine) {
    mine->type = type;
    if (type == F_RDLCK)
      mine->downgrade = 0;
    waitq_wake_all(&l->wq, 0);
    return 0;
  }
  mine = calloc(1, sizeof *mine);
  if (!mine)
    return -ENOLCK;
  *mine = (struct lease){.f = f, .fd = fd, .type = type};
  LIST_INSERT_HEAD(&l->list, mine, link);
  if (!f->owner_pid) {
    f->owner_pid = t->proc->pid->nr;
    f->owner_uid = t->cred->uid;
    f->owner_euid = t->cred->euid;
  }
  return 0;
}

int vfs_setlease(struct task *t, struct file *f, int fd, int type) {
  if (type != F_RDLCK && type != F_WRLCK && type != F_UNLCK)
    return -EINVAL;
  if (!f->inode || !S_ISREG(f->inode->mode))
    return f->inode && t->cred->fsuid != f->inode->uid && !cred_has_cap(t->cred, CAP_LEASE) ? -EACCES : -EINVAL;
  if (t->cred->fsuid != f->inode->uid && !cred_has_cap(t->cred, CAP_LEASE))
    return -EACCES;
  if (type != F_UNLCK)
    return add(t, f, fd, type);
  struct lease *e = lease_of(f);
  if (!e)
    return -EAGAIN;
  drop(f->inode->leases, e);
  f->owner_pid = f->owner_sig = 0;
  return 0;
}

/* ---- breaking ---- */

static bool conflicts(const struct lease *e, bool write) {
  return write || e->type == F_WRLCK;
}

/* Tell the holders. The next deadline of those that are in the way, 0 if there are none. */
static int64_t ask(struct kernel *k, struct inode_leases *l, bool write) {
  int64_t first = 0;
  struct lease *e;
  expire(l);
  LIST_FOREACH(e, &l->list, link) {
    if (!conflicts(e, write))
      continue;
    int64_t *due = write || e->unlock ? &e->unlock : &e->downgrade;
    if (!*due) {
      int secs = k->sysctl.lease_break_time;
      *due = secs > 0 ? loop_now() + secs * NSEC_PER_SEC : NO_DEADLINE;
      file_signal_owner(e->f, e->fd, POLL_MSG, EPOLLIN | EPOLLRDNORM | EPOLLMSG);
    }
    if (!first || *due < first)
      first = *due;
  }
  return first;
}

int lease_break(struct inode *i, int flags) {
  struct inode_leases *l = i->leases;
  bool write = (flags & O_ACCMODE) != O_RDONLY;
  struct kernel *k = i->sb->vfs->k;
  int64_t until;
  while (l && (until = ask(k, l, write))) {
    if (flags & O_NONBLOCK)
      return -EWOULDBLOCK;
    int r = task_wait(&l->wq, 0, until);
    if (r == -ERESTARTSYS)
      return r;
  }
  return 0;
}

void lease_release(struct file *f) {
  struct lease *e = lease_of(f);
  if (e)
    drop(f->inode->leases, e);
}

void leases_free_inode(struct inode *i) {
  struct inode_leases *l = i->leases;
  struct lease *e;
  while ((e = LIST_FIRST(&l->list)))
    drop(l, e);
  waitq_destroy(&l->wq);
  free(l);
  i->leases = NULL;
}
