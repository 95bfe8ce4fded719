/* Core files: core(5), fs/coredump.c of Linux. */
#pragma once
#include "signal.h"
#include <stdbool.h>

struct task;

/* Bits of /proc/PID/coredump_filter, and its default */
#define COREDUMP_FILTER_ALL 0x1ffu
#define COREDUMP_FILTER_DEFAULT 0x33u

/* t dies of sig: ends the other threads of its process, and writes the core file that the limits and the pattern allow,
 * as t and in its working directory. True if one was written, if only in part. Parks. */
bool coredump(struct task *t, int sig, const siginfo_t *info);
/* t ends while another thread dumps: leaves it its registers. At the start of task_exit(). Parks. */
void coredump_join(struct task *t);
