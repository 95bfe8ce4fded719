/* Who watches an inode: inode.fsnotify, between fs/inotify.c and fs/dnotify.c. */
#pragma once
#include "fsnotify.h"
#include <stdlib.h>

#define MARK_RENAME 0x10000000u /* an entry was renamed within its directory; inotify(7) knows no such event */

struct watch;   /* of an inotify file */
struct dnotify; /* of fcntl(F_NOTIFY) */
struct marks {
  LIST_HEAD(, watch) head;
  LIST_HEAD(, dnotify) dnotify;
};

/* NULL: no memory. Whoever adds nothing must call marks_drop(). */
static inline struct marks *marks_of(struct inode *i) {
  return i->fsnotify ? i->fsnotify : (i->fsnotify = calloc(1, sizeof(struct marks)));
}
static inline void marks_drop(struct inode *i) {
  struct marks *m = i->fsnotify;
  if (m && LIST_EMPTY(&m->head) && LIST_EMPTY(&m->dnotify)) {
    free(m);
    i->fsnotify = NULL;
  }
}
/* Signals those who asked to hear of mask in the directory i. */
void dnotify_tell(struct inode *i, uint32_t mask);
