/*
 * The system call table: x86-64's numbers, handlers, how far each is supported, and a note. table.def holds the rows;
 * docs/syscalls.md and `runsc-notify syscalls` are made from it.
 */
#pragma once
#include "../core/task.h"
#include <stdint.h>

/* A handler decodes a[0..5], calls core/, fs/ or net/, and encodes the result: a value or -errno. */
typedef int64_t syscall_fn(struct task *t, const uint64_t a[6]);

enum support { SUP_FULL, SUP_PARTIAL, SUP_ERROR /* answers as a Linux configured without it */, SUP_NONE };

struct syscall_desc {
  const char *name;
  syscall_fn *fn; /* NULL: -ENOSYS */
  enum support support;
  const char *args; /* for --strace, e.g. "fd, buf:2, size"; see strace.c */
  const char *note;
};
#define NR_SYSCALLS 463
extern const struct syscall_desc syscall_table[NR_SYSCALLS];

/* The kernel's hook: look up, log, call. */
int64_t syscall_dispatch(struct task *t, const struct plat_call *c);
#define SYSCALL_HANDLER(name) int64_t sys_##name(struct task *t, const uint64_t a[6])
