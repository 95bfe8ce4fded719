/* --strace: calls and results in strace(1)'s words, into the debug log. */
#pragma once
#include "../core/platform.h"
#include <stdint.h>

struct task;

#define STRACE_ARG_LEN 160
struct strace_line { /* one call in progress; lives on the fiber's stack */
  int n;
  bool deferred[6]; /* filled in by the call: formatted afterwards */
  char who[40];
  char arg[6][STRACE_ARG_LEN];
};
/* Both may read guest memory, and so park. */
void strace_enter(struct strace_line *l, struct task *t, const struct plat_call *c);
void strace_exit(struct strace_line *l, struct task *t, const struct plat_call *c, int64_t ret);
