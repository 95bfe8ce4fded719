/* The internal mount of files without a path: fs/anon.c. */
#pragma once
#include "vfs.h"

/* Made on first use, in no namespace, stays. NULL: no memory. */
struct mount *anon_mount_borrow(struct vfs *v);
