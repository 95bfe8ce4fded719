/* Errors of commands: one sentence for the user, as the engines read it. Functions that fail with one return -1. */
#pragma once
#include <stddef.h>

struct err {
  char msg[2048];
};

/* Both return -1. err_sys appends ": " and the text of errnum, in lower case as Go's runtimes print it (engines match
 * on it). */
int err_set(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int err_sys(struct err *e, int errnum, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* Put a prefix in front of the message: "prefix: message". Returns -1. */
int err_wrap(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* strerror in lower case, into buf; returns buf. */
const char *err_text(int errnum, char *buf, size_t cap);
