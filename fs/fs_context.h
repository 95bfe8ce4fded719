/* The configuration of a file system being made or changed, behind the descriptors of fsopen(2) and fspick(2). */
#pragma once
#include "mount.h"

enum fs_context_phase { FSC_CREATE, FSC_MADE, FSC_RECONFIGURE, FSC_FAILED };

/* type set: a new one. at set: to change what is mounted there. */
int fs_context_open(struct task *t, const struct fs_type *type, const struct path *at, struct file **out);
bool file_is_fs_context(const struct file *f);
/* A parameter; value NULL: a flag. -EBUSY in the wrong phase. */
int fs_context_set(struct task *t, struct file *f, const char *key, const char *value);
int fs_context_create(struct task *t, struct file *f, bool exclusive);
int fs_context_reconfigure(struct task *t, struct file *f);
/* fsmount(2): the new file system in a mount of its own. */
int fs_context_mount(struct task *t, struct file *f, unsigned mount_flags, struct file **out);
