#include "title.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

/* The only mutable globals of oci/: where the kernel put the arguments is a fact of the process. */
static char *title_start;
static size_t title_len;

void title_init(int argc, char **argv) {
  char *end = argv[0];
  for (int i = 0; i < argc; i++)
    if (argv[i] == end)
      end += strlen(end) + 1;
  int n = 0;
  while (environ[n]) {
    if (environ[n] == end)
      end += strlen(end) + 1;
    n++;
  }
  char **env = calloc((size_t)n + 1, sizeof *env);
  if (!env)
    return;
  for (int i = 0; i < n; i++)
    if (!(env[i] = strdup(environ[i])))
      return;
  /* The arguments are still in use by the command: they move too. */
  for (int i = 0; i < argc; i++) {
    char *copy = strdup(argv[i]);
    if (!copy)
      return;
    if (i == 0)
      title_start = argv[0];
    argv[i] = copy;
  }
  environ = env;
  title_len = (size_t)(end - title_start);
}

void title_set(const char *comm, const char *fmt, ...) {
  va_list ap;
  prctl(PR_SET_NAME, comm);
  if (!title_start || title_len < 2)
    return;
  memset(title_start, 0, title_len);
  va_start(ap, fmt);
  vsnprintf(title_start, title_len - 1, fmt, ap);
  va_end(ap);
}
