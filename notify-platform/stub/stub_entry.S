/* The stub's assembly: its only two syscall instructions, the signal entry, and copies that may fault. */
#include "stub_abi.h"

	.section .header, "a"
header:
	.long STUB_MAGIC
	.long stub_handler - header
	.long stub_syscall_ret - header
	.long stub_sigreturn_ret - header
	.long stub_restorer - header
	.long stub_zygote - header

	.text

/* Every host call of the stub. The filter and the Sentry know it by stub_syscall_ret. (nr, a, b, c, d, e, f) */
	.globl stub_syscall, stub_syscall_ret
stub_syscall:
	mov %rdi, %rax
	mov %rsi, %rdi
	mov %rdx, %rsi
	mov %rcx, %rdx
	mov %r8, %r10
	mov %r9, %r8
	mov 8(%rsp), %r9
stub_syscall_insn:
	syscall
stub_syscall_ret:
	ret

/* clone of a child that shares our memory, with the same arguments as stub_syscall. The parent's RET leads back to the
 * caller; the child's pops stub_child from the top of its new stack. */
	.globl stub_clone_vm
stub_clone_vm:
	mov %rdi, %rax
	mov %rsi, %rdi
	mov %rdx, %rsi
	mov %rcx, %rdx
	mov %r8, %r10
	mov %r9, %r8
	mov 8(%rsp), %r9
	lea stub_child(%rip), %rcx
	mov %rcx, (%rsi)
	jmp stub_syscall_insn

/* A child finds its slot by masking its stack pointer. */
stub_child:
	xor %ebp, %ebp
	mov %rsp, %rdi
	and $-STUB_SLOT_SIZE, %rdi
	and $-16, %rsp
	call stub_child_main
	hlt

/* Leave through rt_sigreturn from the ucontext at RDI: registers, mask and alternate stack in one atomic step. */
	.globl stub_sigreturn
stub_sigreturn:
	mov %rdi, %rsp
	.globl stub_restorer, stub_sigreturn_ret
stub_restorer:
	mov $15, %eax
	syscall
stub_sigreturn_ret:
	hlt

/* Signal entry: (sig, info, uc). A guest may have left AC set: its alignment checks are not ours. */
	.globl stub_handler
stub_handler:
	pushfq
	andl $~0x40000, (%rsp)
	popfq
	mov %rsp, %rcx
	and $-STUB_SLOT_SIZE, %rcx
	jmp stub_signal

/* long stub_copy(dst, src, n): 0, or -EFAULT when a byte was not accessible. The fault handler moves RIP from the
 * guarded instructions to stub_guard_fixup. */
	.globl stub_copy
stub_copy:
	mov %rdx, %rcx
	.globl stub_guard_begin, stub_guard_end, stub_guard_fixup
stub_guard_begin:
	rep movsb
	xor %eax, %eax
	ret
	.globl stub_cmpxchg32
/* long stub_cmpxchg32(addr, cmp, new, old_out) */
stub_cmpxchg32:
	mov %esi, %eax
	lock cmpxchg %edx, (%rdi)
	mov %eax, (%rcx)
	xor %eax, %eax
	ret
	.globl stub_load32
/* long stub_load32(addr, out) */
stub_load32:
	mov (%rdi), %eax
	mov %eax, (%rsi)
	xor %eax, %eax
	ret
stub_guard_end:
stub_guard_fixup:
	mov $-14, %rax
	ret

	.section .note.GNU-stack, "", @progbits
