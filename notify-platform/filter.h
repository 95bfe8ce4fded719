/* The guests' seccomp filter, as BPF: libseccomp cannot express conditions on the instruction pointer. */
#pragma once
#include <linux/filter.h>
#include <stdint.h>

#define FILTER_MAX 128
/* Returns the number of instructions. syscall_ret and sigreturn_ret are the addresses behind the stub's two syscall
 * instructions. */
int guest_filter(struct sock_filter *f, uint64_t syscall_ret, uint64_t sigreturn_ret);
