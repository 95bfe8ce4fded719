/* The stub's image, made by notify-platform/stub/CMakeLists.txt. */
	.section .rodata
	.globl stub_blob, stub_blob_end
	.balign 64
stub_blob:
	.incbin "stub.bin"
stub_blob_end:
	.section .note.GNU-stack, "", @progbits
