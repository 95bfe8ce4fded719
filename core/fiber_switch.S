/*
 * void fiber_switch(void **save_sp, void *load_sp): keep what the System V ABI says a callee keeps, swap stacks.
 * Floating-point control words are the same on every fiber, so they stay.
 */
	.text
	.globl fiber_switch
	.hidden fiber_switch
	.type fiber_switch, @function
fiber_switch:
	push %rbp
	push %rbx
	push %r12
	push %r13
	push %r14
	push %r15
	mov %rsp, (%rdi)
	mov %rsi, %rsp
	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %rbx
	pop %rbp
	ret
	.size fiber_switch, . - fiber_switch
	.section .note.GNU-stack,"",@progbits
