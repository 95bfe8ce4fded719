/* Host descriptors as files of a guest: the stdio of a container without a terminal. */
#pragma once
#include "vfs.h"

extern const struct file_ops hostfd_file_ops;
static inline bool file_is_hostfd(const struct file *f) { return f->ops == &hostfd_file_ops; }
/* Another open file on the same host descriptor; -EACCES if that was not opened for what flags ask. */
int hostfd_reopen(struct file *f, int flags, struct file **out);
