/*
 * Where memory should lie: set_mempolicy(2). There is one node; policies are checked, kept, inherited and told as on
 * any machine with one, and change nothing.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#define NUMA_NODES 1
#define NUMA_NODES_MAX 1024 /* MAX_NUMNODES: bits that a mask may name at all */

enum {
  MPOL_DEFAULT_K,
  MPOL_PREFERRED_K,
  MPOL_BIND_K,
  MPOL_INTERLEAVE_K,
  MPOL_LOCAL_K,
  MPOL_PREFERRED_MANY_K,
  MPOL_MAX_K
};
#define MPOL_F_STATIC_NODES_K (1u << 15)
#define MPOL_F_RELATIVE_NODES_K (1u << 14)
#define MPOL_F_NUMA_BALANCING_K (1u << 13)
#define MPOL_MODE_FLAGS_K (7u << 13)

struct mempolicy { /* all zeroes: the default */
  uint16_t mode, flags;
  uint64_t nodes; /* the first 64: those in effect, or with static or relative nodes those that were named */
};

/* mode and its flags, as the calls take them, with the first 64 nodes, and whether there are more. 0 or -EINVAL. */
int mempolicy_make(struct mempolicy *p, unsigned mode, uint64_t nodes, bool more);

struct task;
/* mbind(2): 0, -EFAULT if not all is mapped, -ENOMEM. Parks. */
int64_t mm_set_policy(struct task *t, uint64_t start, uint64_t end, const struct mempolicy *p);
