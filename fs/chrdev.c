/* Which driver serves a character device's number. */
#include "namei.h"
#include <stdlib.h>

struct chrdev {
  LIST_ENTRY(chrdev) link;
  unsigned major, first, last;
  chrdev_open_fn *fn;
};

int chrdev_register(unsigned major, unsigned minor_first, unsigned minor_last, chrdev_open_fn *fn) {
  struct vfs *v = kernel_current()->vfs;
  struct chrdev *c = malloc(sizeof *c);
  if (!c)
    return -ENOMEM;
  *c = (struct chrdev){.major = major, .first = minor_first, .last = minor_last, .fn = fn};
  LIST_INSERT_HEAD(&v->chrdevs, c, link);
  return 0;
}

int chrdev_open(struct inode *i, struct file *f) {
  unsigned maj = major(i->rdev), min = minor(i->rdev);
  struct chrdev *c;
  LIST_FOREACH(c, &i->sb->vfs->chrdevs, link)
  if (c->major == maj && min >= c->first && min <= c->last)
    return c->fn(i, f);
  return -ENXIO;
}

void chrdev_free_all(struct vfs *v) {
  struct chrdev *c;
  while ((c = LIST_FIRST(&v->chrdevs))) {
    LIST_REMOVE(c, link);
    free(c);
  }
}
