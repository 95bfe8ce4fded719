/*
 * Files of net/ in the trees of fs/: /proc/PID/net, /proc/sys/net, and the interfaces of sysfs. fs/net_files.c makes
 * inodes and open files of them, net/proc/ says what is in them.
 *
 * A node is named by a number that means the same in every namespace; nodes of devices contain the device's index. All
 * calls are made with a counted namespace and none parks.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct cred;
struct net_namespace;
struct user_namespace;

enum net_tree { NET_TREE_PROC = 1, NET_TREE_SYSCTL, NET_TREE_CLASS }; /* ids of the roots */

struct net_node {
  char name[64];
  uint32_t mode;
  uint64_t id, key; /* key: where next() found it */
};

/* Text in pieces: a table of many rows is asked for again and again, `skip` rows further each time. */
struct net_text {
  const struct net_namespace *ns;
  const struct user_namespace *user_ns; /* of who opened the file: ids are shown as that sees them */
  uint64_t skip, at;                    /* rows to pass over; rows seen, printed or not */
  size_t limit;                         /* start no row when there are that many bytes */
  char *p;                              /* malloc'd, the caller's */
  size_t len, cap;
  bool failed; /* out of memory */
  bool more;   /* limit was reached: ask again with skip = at */
};

struct net_files {
  /* dir: a root or the id of a directory. lookup: 0 or -ENOENT. next: 1, or 0 at the end. */
  int (*lookup)(struct net_namespace *ns, uint64_t dir, const char *name, struct net_node *out);
  int (*next)(struct net_namespace *ns, uint64_t dir, uint64_t key, struct net_node *out);
  /* Is it (still) there in this namespace, under that name (NULL: any)? Its mode, or 0. */
  uint32_t (*mode)(struct net_namespace *ns, uint64_t id, const char *name);
  int (*show)(struct net_namespace *ns, uint64_t id, struct net_text *t); /* 0 or -errno */
  /* text is NUL-terminated behind n bytes. opener NULL: the kernel itself. The bytes taken or -errno. */
  ssize_t (*store)(struct net_namespace *ns, uint64_t id, const struct cred *opener, char *text, size_t n);
  ssize_t (*link)(struct net_namespace *ns, uint64_t id, char *buf, size_t cap); /* symlinks: as readlink(2) */
};
