/*
 * net/'s files as entries of synthetic file systems: core/net_files.h. A directory of such a tree is a named entry with
 * NET_FILES_ROOT() in it; what is below is dynamic.
 *
 * Whose files: of /proc/PID/net that process's, of /proc/sys/net the caller's, of sysfs those of the namespace that the
 * super was mounted in (synth_super.priv, counted). An open file keeps the namespace it was opened in.
 */
#pragma once
#include "../core/net_files.h"
#include "synth.h"

int net_files_lookup(struct inode *dir, const char *name, struct synth_child *c);
int net_files_next(struct inode *dir, uint64_t key, struct synth_child *c);
/* The namespace of an inode; borrowed. NULL: its process is gone. */
struct net_namespace *net_files_ns_borrow(const struct inode *i);
/* The id that an inode stands for. */
uint64_t net_files_id(const struct inode *i);
/* For entries of another's making that stand for a node: its existence, its name, and its directory as a link. */
int net_files_alive(struct inode *i);
bool net_files_named(struct inode *i, const char *name);
ssize_t net_files_link(struct inode *i, char *buf, size_t cap);
#define NET_FILES_ROOT(tree) .lookup = net_files_lookup, .next = net_files_next, .arg = tree
