/*
 * File system events for inotify(7). The VFS calls these after a change succeeded; without watches they cost one test.
 * None of them parks.
 */
#pragma once
#include "../core/kernel.h"
#include "vfs.h"
#include <sys/inotify.h>

/* Something happened to the object of d (IN_ACCESS, IN_MODIFY, IN_ATTRIB, IN_OPEN, IN_CLOSE_*): tells watches of d's
 * inode and, with the name, those of its directory. */
void fsnotify_dentry(struct dentry *d, uint32_t mask);
/* Through an open file; no-op for anonymous ones. */
static inline void fsnotify_file(struct file *f, uint32_t mask) {
  if (f->dentry)
    fsnotify_dentry(f->dentry, mask);
}
/* An entry of a directory came or went: IN_CREATE, IN_DELETE (IN_ISDIR is added by the caller for directories). */
void fsnotify_dirent(struct inode *dir, const char *name, uint32_t mask);
/* rename(2): IN_MOVED_FROM, IN_MOVED_TO with a common cookie, and IN_MOVE_SELF. */
void fsnotify_move(struct inode *old_dir, const char *old_name, struct inode *new_dir, const char *new_name,
                   struct inode *moved);
/* A name of i is gone (unlink, rmdir, rename over it): IN_ATTRIB. With the last, and if it is not open any more,
 * IN_DELETE_SELF, and the watches end. */
void fsnotify_unlinked(struct inode *i, bool links_left);
/* The last open file of i is closed: if it has no name any more either, its watches end. */
void fsnotify_closed(struct inode *i);
/* i got one more name (link(2)): IN_ATTRIB to its own watches only. */
void fsnotify_link_count(struct inode *i);
/* A file system was unmounted: IN_UNMOUNT to watches of its inodes. */
void fsnotify_unmount(struct super *sb);

/* ---- inotify(7) ---- */
int inotify_new(struct kernel *k, int flags, struct file **out);      /* IN_NONBLOCK */
int inotify_add(struct file *f, const struct path *p, uint32_t mask); /* the watch descriptor */
int inotify_rm(struct file *f, int wd);

/* ---- fcntl(2), F_NOTIFY ---- */
int dnotify_set(struct task *t, struct file *f, int fd, unsigned long arg);
/* A descriptor of files was closed; f->inode is set. */
void dnotify_close(struct file *f, const struct fdtable *files);
