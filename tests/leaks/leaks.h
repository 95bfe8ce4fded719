/* Scenes: each makes something of the kernel's and gets rid of it again, so that nothing may be left. */
#pragma once
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

struct scene {
  const char *name;
  void (*fn)(int i);
  int cost; /* rounds are divided by it */
};
extern const struct scene task_scenes[], ns_scenes[], ipc_scenes[], file_scenes[], net_scenes[]; /* end with a NULL */

/* In a child that ends with fn; waits for it. */
void in_child(void (*fn)(void *), void *arg);
/* The same with clone(2)'s flags; false: it could not be made. */
bool in_clone(unsigned long flags, void (*fn)(void *), void *arg);
void nothing(void *arg);
