#include "errno.h"
#include "file.h"
#include "task.h"
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define FD_FIRST_CAP 32
#define FD_MAX (1 << 20) /* fs.nr_open */

struct fdtable *fdtable_new(void) {
  struct fdtable *t = calloc(1, sizeof *t);
  if (!t)
    return NULL;
  ref_init(&t->ref);
  t->cap = FD_FIRST_CAP;
  t->ent = calloc((size_t)t->cap, sizeof *t->ent);
  if (!t->ent) {
    free(t);
    return NULL;
  }
  return t;
}

struct fdtable *fdtable_get(struct fdtable *t) {
  ref_get(&t->ref);
  return t;
}

struct fdtable *fdtable_dup(const struct fdtable *t) {
  struct fdtable *n = calloc(1, sizeof *n);
  if (!n)
    return NULL;
  int used = t->cap;
  while (used > FD_FIRST_CAP && !t->ent[used - 1].file)
    used--;
  ref_init(&n->ref);
  n->cap = used;
  n->ent = calloc((size_t)used, sizeof *n->ent);
  if (!n->ent) {
    free(n);
    return NULL;
  }
  n->next = used;
  for (int i = used - 1; i >= 0; i--) {
    if (!t->ent[i].file) {
      n->next = i;
      continue;
    }
    n->ent[i].file = file_get(t->ent[i].file);
    n->ent[i].cloexec = t->ent[i].cloexec;
  }
  return n;
}

static int grow(struct fdtable *t, int need) {
  if (need >= FD_MAX)
    return -EMFILE;
  int cap = t->cap;
  while (cap <= need)
    cap *= 2;
  struct fdent *e = realloc(t->ent, (size_t)cap * sizeof *e);
  if (!e)
    return -ENOMEM;
  memset(e + t->cap, 0, (size_t)(cap - t->cap) * sizeof *e);
  t->ent = e;
  t->cap = cap;
  return 0;
}

static uint64_t fd_limit(void) {
  struct task *t = task_current();
  uint64_t lim = t ? task_rlimit(t, RLIMIT_NOFILE) : FD_MAX;
  return lim < FD_MAX ? lim : FD_MAX;
}

int fd_reserve(struct fdtable *t, int min, bool cloexec) {
  if (min < 0)
    return -EINVAL;
  uint64_t limit = fd_limit();
  int fd = min > t->next ? min : t->next;
  while (fd < t->cap && (t->ent[fd].file || t->ent[fd].reserved))
    fd++;
  if ((uint64_t)fd >= limit)
    return -EMFILE;
  if (fd >= t->cap) {
    int r = grow(t, fd);
    if (r)
      return r;
  }
  if (min <= t->next)
    t->next = fd + 1;
  t->ent[fd].reserved = true;
  t->ent[fd].cloexec = cloexec;
  return fd;
}

void fd_fill(struct fdtable *t, int fd, struct file *f) {
  t->ent[fd].reserved = false;
  t->ent[fd].file = file_get(f);
}

void fd_unreserve(struct fdtable *t, int fd) {
  t->ent[fd].reserved = false;
  t->ent[fd].cloexec = false;
  if (fd < t->next)
    t->next = fd;
}

int fd_install(struct fdtable *t, struct file *f, int min, bool cloexec) {
  int fd = fd_reserve(t, min, cloexec);
  if (fd >= 0)
    fd_fill(t, fd, f);
  return fd;
}

struct file *fd_file_raw(struct fdtable *t, int fd) {
  if (fd < 0 || fd >= t->cap || !t->ent[fd].file)
    return NULL;
  return file_get(t->ent[fd].file);
}

struct file *fd_file(struct fdtable *t, int fd) {
  if (fd < 0 || fd >= t->cap)
    return NULL;
  struct file *f = t->ent[fd].file;
  return f && !(f->flags & O_PATH) ? file_get(f) : NULL;
}

/* What close(2) does to a file that has left the table (filp_close). Takes the table's reference over. */
static int close_file(struct fdtable *t, struct file *f) {
  int r = 0;
  if (!(f->flags & O_PATH)) {
    if (f->ops && f->ops->flush)
      r = f->ops->flush(f);
    if (f->inode && file_vfs_close)
      file_vfs_close(f, t);
  }
  file_put(f);
  return r;
}

static struct file *take(struct fdtable *t, int fd) {
  struct file *f = t->ent[fd].file;
  t->ent[fd] = (struct fdent){0};
  if (fd < t->next)
    t->next = fd;
  return f;
}

int fd_close(struct fdtable *t, int fd) {
  if (fd < 0 || fd >= t->cap || !t->ent[fd].file)
    return -EBADF;
  return close_file(t, take(t, fd));
}

int fd_dup_to(struct fdtable *t, struct file *f, int newfd, bool cloexec) {
  if (newfd < 0 || (uint64_t)newfd >= fd_limit())
    return -EBADF;
  if (newfd >= t->cap) {
    int r = grow(t, newfd);
    if (r)
      return r;
  }
  struct fdent *e = &t->ent[newfd];
  if (e->reserved)
    return -EBUSY; /* a race with open(): dup2(2) */
  struct file *old = e->file;
  e->file = file_get(f);
  e->cloexec = cloexec;
  if (old)
    close_file(t, old); /* may park; e is not valid any more */
  return newfd;
}

void fdtable_close_cloexec(struct fdtable *t) {
  for (int i = 0; i < t->cap; i++)
    if (t->ent[i].file && t->ent[i].cloexec)
      close_file(t, take(t, i));
}

void fdtable_put(struct fdtable *t) {
  if (!t || !ref_put(&t->ref))
    return;
  for (int i = 0; i < t->cap; i++)
    if (t->ent[i].file)
      close_file(t, take(t, i));
  free(t->ent);
  free(t);
}

bool fd_get_cloexec(const struct fdtable *t, int fd) {
  return fd >= 0 && fd < t->cap && t->ent[fd].cloexec;
}

int fd_set_cloexec(struct fdtable *t, int fd, bool on) {
  if (fd < 0 || fd >= t->cap || !t->ent[fd].file)
    return -EBADF;
  t->ent[fd].cloexec = on;
  return 0;
}
