#include "sbuf.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *sb_reserve(struct sbuf *b, size_t n) {
  if (b->failed)
    return NULL;
  if (b->cap - b->len >= n)
    return b->p + b->len;
  size_t cap = b->cap ? b->cap : 512;
  while (cap - b->len < n)
    cap *= 2;
  char *p = realloc(b->p, cap);
  if (!p) {
    b->failed = true;
    return NULL;
  }
  b->p = p;
  b->cap = cap;
  return p + b->len;
}

void sb_put(struct sbuf *b, const void *src, size_t n) {
  char *to = n ? sb_reserve(b, n) : NULL;
  if (!to)
    return;
  memcpy(to, src, n);
  b->len += n;
}

void sb_puts(struct sbuf *b, const char *s) {
  sb_put(b, s, strlen(s));
}

void sb_printf(struct sbuf *b, const char *fmt, ...) {
  size_t room = 160;
  for (;;) {
    char *to = sb_reserve(b, room);
    if (!to)
      return;
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(to, room, fmt, ap);
    va_end(ap);
    if (n < 0) {
      b->failed = true;
      return;
    }
    if ((size_t)n < room) {
      b->len += (size_t)n;
      return;
    }
    room = (size_t)n + 1;
  }
}

void sb_mangle(struct sbuf *b, const char *s, const char *special) {
  for (; *s; s++) {
    unsigned char c = (unsigned char)*s;
    if (strchr(special, c))
      sb_printf(b, "\\%03o", c);
    else
      sb_put(b, s, 1);
  }
}

void sb_free(struct sbuf *b) {
  free(b->p);
  *b = (struct sbuf){0};
}
