#include "filter.h"
#include <asm/unistd.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <stddef.h>

/* Calls that need the whole register file, or work inside the guest's address space: the stub's handler gets them. */
static const int trapped[] = {__NR_mmap,          __NR_munmap,     __NR_mprotect,     __NR_brk,
                              __NR_mremap,        __NR_madvise,    __NR_clone,        __NR_clone3,
                              __NR_fork,          __NR_vfork,      __NR_rt_sigreturn, __NR_exit,
                              __NR_shmat,         __NR_shmdt,      __NR_arch_prctl,   __NR_remap_file_pages,
                              __NR_pkey_mprotect, __NR_exit_group, __NR_rseq,         __NR_membarrier};

#define DATA(field) ((unsigned)offsetof(struct seccomp_data, field))

int guest_filter(struct sock_filter *f, uint64_t syscall_ret, uint64_t sigreturn_ret) {
  int n = 0;
#define STMT(code, k) f[n++] = (struct sock_filter)BPF_STMT(code, k)
#define JUMP(k, yes, no) f[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, k, yes, no)
#define LOAD(off) STMT(BPF_LD | BPF_W | BPF_ABS, off)
#define RET(action) STMT(BPF_RET | BPF_K, action)
  /* Architecture first: int 0x80 and sysenter report an instruction pointer that is not to be trusted. */
  LOAD(DATA(arch));
  JUMP(AUDIT_ARCH_X86_64, 1, 0);
  RET(SECCOMP_RET_TRAP);
  /* Both halves of the instruction pointer. The two addresses share their upper half: one stub, less than 4 GiB. */
  LOAD(DATA(instruction_pointer) + 4);
  JUMP((uint32_t)(syscall_ret >> 32), 0, 8);
  LOAD(DATA(instruction_pointer));
  JUMP((uint32_t)syscall_ret, 0, 1);
  RET(SECCOMP_RET_USER_NOTIF);
  JUMP((uint32_t)sigreturn_ret, 0, 4);
  LOAD(DATA(nr));
  JUMP(__NR_rt_sigreturn, 0, 1);
  RET(SECCOMP_RET_ALLOW); /* only touches the calling thread: registers, mask, alternate stack */
  RET(SECCOMP_RET_USER_NOTIF);
  LOAD(DATA(nr));
  for (unsigned i = 0; i < sizeof trapped / sizeof *trapped; i++) {
    JUMP((uint32_t)trapped[i], 0, 1);
    RET(SECCOMP_RET_TRAP);
  }
  RET(SECCOMP_RET_USER_NOTIF);
  return n;
}
