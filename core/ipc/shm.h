/* A shared memory segment, as the address spaces that have it see it. */
#pragma once
#include "ipc.h"

struct shm_segment {
  struct ipc_object obj;
  struct area_owner owner;  /* told of each area that maps it: nattch */
  struct ipc_namespace *ns; /* counted by every attachment; valid while it is in the table or attached */
  struct file *file;        /* counted */
  uint64_t size;
  unsigned long nattch;
  time_t atime, dtime, ctime;
  int cpid, lpid;
  struct pid *creator; /* the thread that made it, while it lives; counted. For shm_rmid_forced */
};
