#pragma once
#include "../core/task.h"
/* prctl(PR_SET_SECCOMP, mode, filter). */
int64_t seccomp_prctl(struct task *t, uint64_t mode, uint64_t filter);
