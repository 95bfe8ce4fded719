#include "error.h"
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *err_text(int errnum, char *buf, size_t cap) {
  char tmp[128];
  snprintf(buf, cap, "%s", strerror_r(errnum, tmp, sizeof tmp));
  buf[0] = (char)tolower((unsigned char)buf[0]);
  return buf;
}

int err_set(struct err *e, const char *fmt, ...) {
  va_list ap;
  va_start(ap, fmt);
  vsnprintf(e->msg, sizeof e->msg, fmt, ap);
  va_end(ap);
  return -1;
}

int err_sys(struct err *e, int errnum, const char *fmt, ...) {
  char text[128];
  va_list ap;
  va_start(ap, fmt);
  vsnprintf(e->msg, sizeof e->msg, fmt, ap);
  va_end(ap);
  size_t n = strlen(e->msg);
  snprintf(e->msg + n, sizeof e->msg - n, ": %s", err_text(errnum, text, sizeof text));
  return -1;
}

int err_wrap(struct err *e, const char *fmt, ...) {
  char old[sizeof e->msg];
  va_list ap;
  memcpy(old, e->msg, sizeof old);
  va_start(ap, fmt);
  vsnprintf(e->msg, sizeof e->msg, fmt, ap);
  va_end(ap);
  size_t n = strlen(e->msg);
  snprintf(e->msg + n, sizeof e->msg - n, ": %s", old);
  return -1;
}
