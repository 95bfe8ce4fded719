/* The internal mount of files without a path: fs/anon.c. */
#pragma once
#include "vfs.h"

/* Made on first use, in no namespace, stays. NULL: no memory. */
struct mount *anon_mount_borrow(struct vfs *v);
/* The one that f, which has no path, belongs to: files on namespaces have one of their own. */
struct mount *anon_home_borrow(const struct file *f);
