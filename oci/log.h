/*
 * The log that engines read (--log, --log-format): every fatal error goes both there and to stderr. One process writes
 * short lines with O_APPEND, so lines of concurrent commands do not mix.
 */
#pragma once
#include <stdbool.h>

struct oci_log {
  int fd; /* -1: none */
  bool json;
  bool debug;
};

/* Creates the file at once: a missing file makes Docker report "command not found". 0, or -1 with errno. */
int oci_log_open(struct oci_log *l, const char *path, const char *format, bool debug);
/* level: "error", "warning", "info", "debug" (the last only with --debug). */
void oci_log(const struct oci_log *l, const char *level, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* An error, to the log and to stderr. */
void oci_log_fatal(const struct oci_log *l, const char *msg);
