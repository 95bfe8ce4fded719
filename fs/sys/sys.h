/* What the files of sysfs share. */
#pragma once
#include "../synth.h"

/* net.c: the interfaces, as links to their directories */
int sys_net_class_lookup(struct inode *dir, const char *name, struct synth_child *c);
int sys_net_class_next(struct inode *dir, uint64_t key, struct synth_child *c);
