/* The named values and flags that --strace knows, by the type's name in table.def. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct strace_name {
  uint64_t value;
  const char *name;
};
struct strace_set {
  const char *type;
  bool flags;    /* OR-ed bits; else one value */
  uint64_t mask; /* 0 or the part that is a number of its own (O_ACCMODE): named first */
  const struct strace_name *names;
};
/* NULL: no such type. */
const struct strace_set *strace_set_find(const char *type, unsigned len);
