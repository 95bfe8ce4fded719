#include "table.h"

/* Rows whose handler no file defines stay NULL and answer -ENOSYS. */
#define SYSCALL(nr, name, sup, args, note) __attribute__((weak)) syscall_fn sys_##name;
#include "table.def"
#undef SYSCALL

const struct syscall_desc syscall_table[NR_SYSCALLS] = {
#define SYSCALL(nr, nm, sup, as, nt) [nr] = {.name = #nm, .fn = sys_##nm, .support = SUP_##sup, .args = as, .note = nt},
#include "table.def"
};
