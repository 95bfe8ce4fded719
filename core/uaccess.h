/*
 * Access to the memory of the current task (the one whose fiber runs). All or nothing unless said so. Each call costs
 * a host system call of about 1.4 us: gather fields into one struct. May park (file pages that are not in the page
 * cache are brought in through the ring first).
 */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

int copy_from_user(void *dst, uint64_t src, size_t n); /* 0 or -EFAULT */
int copy_to_user(uint64_t dst, const void *src, size_t n);
int clear_user(uint64_t dst, size_t n);
/* Copies a NUL-terminated string into dst (cap bytes with the NUL). Its length; -EFAULT; -ENAMETOOLONG if it does not
 * fit. */
ssize_t strncpy_from_user(char *dst, uint64_t src, size_t cap);
/* The bytes that could be copied, 0 if none. */
size_t copy_from_user_partial(void *dst, uint64_t src, size_t n);
size_t copy_to_user_partial(uint64_t dst, const void *src, size_t n);

/* Pieces in different places, in one host call. How many of them, from the first on, were copied whole. */
struct ucopy {
  void *buf;
  uint64_t addr;
  size_t len; /* 0: nothing */
};
#define UCOPY_MAX 8
int copy_pieces_from_user(const struct ucopy *p, int n);
int copy_pieces_to_user(const struct ucopy *p, int n);

/* Bring in what an access to the range would park for: see uio_settle(). Says nothing of what is mapped. */
void settle_user(uint64_t addr, size_t n);
/* Does the range lie within what guests may address? Says nothing of what is mapped. */
int access_ok(uint64_t addr, size_t n);

#define get_user(dst_ptr, src) copy_from_user((dst_ptr), (src), sizeof *(dst_ptr))
#define put_user(dst, src_ptr) copy_to_user((dst), (src_ptr), sizeof *(src_ptr))
