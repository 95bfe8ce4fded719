/* Directory notification: fcntl(2), F_NOTIFY; fs/notify/dnotify of Linux. */
#include "../core/errno.h"
#include "../core/task.h"
#include "fsnotify_marks.h"

struct dnotify {
  LIST_ENTRY(dnotify) link;
  struct file *file;           /* borrowed: closing its descriptor ends us */
  const struct fdtable *files; /* of whoever asked; only compared */
  int fd;
  uint32_t mask; /* IN_ events and MARK_RENAME */
  bool multishot;
};

static uint32_t events_of(unsigned long dn) {
  return (dn & DN_ACCESS ? IN_ACCESS : 0) | (dn & DN_MODIFY ? IN_MODIFY : 0) | (dn & DN_ATTRIB ? IN_ATTRIB : 0) |
         (dn & DN_CREATE ? IN_CREATE | IN_MOVED_TO : 0) | (dn & DN_DELETE ? IN_DELETE | IN_MOVED_FROM : 0) |
         (dn & DN_RENAME ? MARK_RENAME : 0);
}

static void end(struct inode *i, struct dnotify *dn) {
  LIST_REMOVE(dn, link);
  free(dn);
  marks_drop(i);
}

static struct dnotify *find(const struct file *f, const struct fdtable *files) {
  struct marks *m = f->inode->fsnotify;
  struct dnotify *dn = m ? LIST_FIRST(&m->dnotify) : NULL;
  while (dn && (dn->file != f || dn->files != files))
    dn = LIST_NEXT(dn, link);
  return dn;
}

void dnotify_close(struct file *f, const struct fdtable *files) {
  struct dnotify *dn = S_ISDIR(f->inode->mode) ? find(f, files) : NULL;
  if (dn)
    end(f->inode, dn);
}

int dnotify_set(struct task *t, struct file *f, int fd, unsigned long arg) {
  struct inode *i = f->inode;
  if (!(arg & ~(unsigned long)DN_MULTISHOT)) {
    if (i)
      dnotify_close(f, t->files);
    return 0;
  }
  if (!i || !S_ISDIR(i->mode))
    return -ENOTDIR;
  struct dnotify *dn = find(f, t->files);
  if (!dn) {
    struct marks *m = marks_of(i);
    dn = m ? calloc(1, sizeof *dn) : NULL;
    if (!dn) {
      marks_drop(i);
      return -ENOMEM;
    }
    dn->file = f;
    dn->files = t->files;
    LIST_INSERT_HEAD(&m->dnotify, dn, link);
  }
  dn->fd = fd;
  dn->mask |= events_of(arg);
  dn->multishot |= !!(arg & DN_MULTISHOT);
  if (!f->owner_pid) {
    f->owner_pid = t->proc->pid->nr;
    f->owner_uid = t->cred->uid;
    f->owner_euid = t->cred->euid;
  }
  return 0;
}

void dnotify_tell(struct inode *i, uint32_t mask) {
  struct marks *m = i->fsnotify;
  struct dnotify *dn, *next;
  for (dn = LIST_FIRST(&m->dnotify); dn; dn = next) {
    next = LIST_NEXT(dn, link);
    if (!(dn->mask & mask))
      continue;
    file_signal_owner(dn->file, dn->fd, POLL_MSG, EPOLLIN | EPOLLRDNORM | EPOLLMSG);
    if (!dn->multishot) {
      LIST_REMOVE(dn, link); /* the caller drops the marks */
      free(dn);
    }
  }
}
