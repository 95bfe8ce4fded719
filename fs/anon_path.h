/*
 * Paths for what has none: open files without a dentry (pipes, sockets, inherited host descriptors, eventfd, …) can be
 * reached through /proc/PID/fd/N, and opened again if their kind allows it.
 */
#pragma once
#include "vfs.h"

/* A mount and a root dentry, both counted, that stand for f: stat shows f's attributes, open opens it again. */
int anon_path_of(struct file *f, struct mount **mnt, struct dentry **d);
/* The file that such a dentry stands for, borrowed; NULL for every other dentry. */
struct file *anon_path_target_borrow(const struct dentry *d);
/* The internal super and mount of anonymous things; made on first use. NULL: no memory. Borrowed, they stay. */
struct mount *anon_mount_borrow(struct kernel *k);
