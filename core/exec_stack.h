/*
 * The first stack of a program (the System V ABI's "initial process stack"): strings on top, then the vectors, then sp.
 * Pure: builds the bytes, puts nothing into the guest. Internal to exec.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

#define MAX_ARG_STRLEN_K (32 * 4096ul)

struct stack_in {
  char *const *argv, *const *envp;
  int argc, envc;
  const char *execfn;
  uint8_t random[16];
  uint64_t top;        /* page aligned end of the stack */
  uint64_t jitter;     /* bytes left out under the strings, for ASLR */
  uint64_t (*auxv)[2]; /* AT_* pairs without AT_NULL; AT_EXECFN, AT_PLATFORM and AT_RANDOM are filled in here */
  int nauxv;
};
struct stack_out {
  char *buf; /* to be freed by the caller; goes to [sp, sp + len) */
  size_t len;
  uint64_t sp;
  uint64_t arg_start, arg_end, env_start, env_end;
};
/* 0 or -ENOMEM. */
int stack_build(const struct stack_in *in, struct stack_out *out);
/* Linux's limits on arguments and environment (execve(2)): 0 or -E2BIG. stack_limit is RLIMIT_STACK. */
int stack_check_size(char *const *argv, int argc, char *const *envp, int envc, const char *execfn,
                     uint64_t stack_limit);
