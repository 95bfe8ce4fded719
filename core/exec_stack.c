#include "exec_stack.h"
#include "errno.h"
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

#define ARG_MAX_K 131072ul
#define STRINGS_MAX (6ul << 20) /* three quarters of the default 8 MiB stack */
#define PLATFORM "x86_64"

static int add_strings(char *const *v, int n, uint64_t *sum) {
  for (int i = 0; i < n; i++) {
    size_t len = strlen(v[i]) + 1;
    if (len > MAX_ARG_STRLEN_K)
      return -E2BIG;
    *sum += len;
  }
  return 0;
}

int stack_check_size(char *const *argv, int argc, char *const *envp, int envc, const char *execfn,
                     uint64_t stack_limit) {
  uint64_t limit = stack_limit / 4 < STRINGS_MAX ? stack_limit / 4 : STRINGS_MAX;
  if (limit < ARG_MAX_K)
    limit = ARG_MAX_K;
  uint64_t sum = ((uint64_t)(argc > 0 ? argc : 1) + (uint64_t)envc) * sizeof(uint64_t);
  if (sum >= limit)
    return -E2BIG;
  sum += strlen(execfn) + 1;
  if (add_strings(argv, argc, &sum) || add_strings(envp, envc, &sum))
    return -E2BIG;
  return sum > limit ? -E2BIG : 0;
}

static size_t total(char *const *v, int n) {
  size_t sum = 0;
  for (int i = 0; i < n; i++)
    sum += strlen(v[i]) + 1;
  return sum;
}

/* Copies the strings to p and their guest addresses to *slot; both advance. */
static void put_strings(char *const *v, int n, char **p, uint64_t *at, uint64_t **slot) {
  for (int i = 0; i < n; i++) {
    size_t len = strlen(v[i]) + 1;
    memcpy(*p, v[i], len);
    *(*slot)++ = *at;
    *p += len;
    *at += len;
  }
  *(*slot)++ = 0;
}

int stack_build(const struct stack_in *in, struct stack_out *out) {
  size_t fn = strlen(in->execfn) + 1, args = total(in->argv, in->argc), envs = total(in->envp, in->envc);
  uint64_t strings = in->top - 8 - fn - envs - args; /* address of argv[0] */
  uint64_t small = ((strings - in->jitter) & ~15ull) - sizeof PLATFORM;
  uint64_t plat_at = small, random_at = (small - 16) & ~15ull;
  size_t words = 1 + (size_t)in->argc + 1 + (size_t)in->envc + 1 + 2 * ((size_t)in->nauxv + 1);
  uint64_t sp = (random_at - words * 8) & ~15ull;
  char *buf = calloc(1, in->top - sp);
  if (!buf)
    return -ENOMEM;
  *out = (struct stack_out){.buf = buf, .len = in->top - sp, .sp = sp};
  out->arg_start = strings;
  out->arg_end = out->env_start = strings + args;
  out->env_end = strings + args + envs;

  uint64_t *slot = (uint64_t *)buf, at = strings;
  char *p = buf + (strings - sp);
  *slot++ = (uint64_t)in->argc;
  put_strings(in->argv, in->argc, &p, &at, &slot);
  put_strings(in->envp, in->envc, &p, &at, &slot);
  memcpy(p, in->execfn, fn);
  memcpy(buf + (plat_at - sp), PLATFORM, sizeof PLATFORM);
  memcpy(buf + (random_at - sp), in->random, 16);
  for (int i = 0; i < in->nauxv; i++) {
    uint64_t *kv = in->auxv[i];
    kv[1] = kv[0] == AT_EXECFN ? at : kv[0] == AT_PLATFORM ? plat_at : kv[0] == AT_RANDOM ? random_at : kv[1];
    *slot++ = kv[0];
    *slot++ = kv[1];
  }
  return 0;
}
