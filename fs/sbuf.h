/* Growing text buffers for generated files. An allocation that fails is remembered, and reported once at the end. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sbuf {
  char *p; /* not NUL-terminated */
  size_t len, cap;
  bool failed;
};

void sb_put(struct sbuf *b, const void *src, size_t n);
void sb_puts(struct sbuf *b, const char *s);
void sb_printf(struct sbuf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Characters of `special`, and those below the space, come out as \ooo, as in /proc/mounts and /proc/PID/maps. */
void sb_mangle(struct sbuf *b, const char *s, const char *special);
/* Room for n more bytes, to be filled by the caller, who then adds to len. NULL: no memory. */
char *sb_reserve(struct sbuf *b, size_t n);
void sb_free(struct sbuf *b);
