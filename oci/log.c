#include "log.h"
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

int oci_log_open(struct oci_log *l, const char *path, const char *format, bool debug) {
  *l = (struct oci_log){.fd = -1, .json = format && !strcmp(format, "json"), .debug = debug};
  if (format && strcmp(format, "json") && strcmp(format, "text")) {
    errno = EINVAL;
    return -1;
  }
  if (!path || !*path)
    return 0;
  l->fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  return l->fd < 0 ? -1 : 0;
}

static void rfc3339(char *buf, size_t cap) {
  time_t now = time(NULL);
  struct tm tm;
  strftime(buf, cap, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &tm));
}

static void log_line(const struct oci_log *l, const char *level, const char *msg) {
  char when[40];
  if (l->fd < 0)
    return;
  rfc3339(when, sizeof when);
  json_t *text = json_stringn_nocheck(msg, strlen(msg));
  char *quoted = text ? json_dumps(text, JSON_ENCODE_ANY | JSON_ENSURE_ASCII) : NULL;
  /* Text that is not UTF-8 cannot be dumped; a line without it is still a line that engines can parse. */
  const char *q = quoted ? quoted : "\"(message is not valid UTF-8)\"";
  if (l->json)
    dprintf(l->fd, "{\"level\":\"%s\",\"msg\":%s,\"time\":\"%s\"}\n", level, q, when);
  else
    dprintf(l->fd, "time=\"%s\" level=%s msg=%s\n", when, level, q);
  free(quoted);
  json_decref(text);
}

void oci_log(const struct oci_log *l, const char *level, const char *fmt, ...) {
  char msg[2048];
  va_list ap;
  if (l->fd < 0 || (!l->debug && !strcmp(level, "debug")))
    return;
  va_start(ap, fmt);
  vsnprintf(msg, sizeof msg, fmt, ap);
  va_end(ap);
  log_line(l, level, msg);
}

void oci_log_fatal(const struct oci_log *l, const char *msg) {
  log_line(l, "error", msg);
  /* podman may have closed its end already: main() ignores SIGPIPE. */
  dprintf(STDERR_FILENO, "%s\n", msg);
}
