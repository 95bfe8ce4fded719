/*
 * What the Sentry cannot see of its guests' memory without the host's procfs: which pages are there, and what lies
 * behind page protections. The procfs shows only the pids of the sandbox; of these the guests' processes alone are
 * opened.
 */
#include "server.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static const struct {
  const char *name;
  int flags;
} files[GPROC_END] = {
    [GPROC_MEM] = {"mem", O_RDWR},
    [GPROC_STATUS] = {"status", O_RDONLY},
    [GPROC_SMAPS] = {"smaps", O_RDONLY},
    [GPROC_PAGEMAP] = {"pagemap", O_RDONLY},
    [GPROC_CLEAR_REFS] = {"clear_refs", O_WRONLY},
};

int srv_proc(struct gofer_call *c) {
  uint32_t pid = gm_get_u32(&c->in), what = gm_get_u32(&c->in);
  if (!gm_done(&c->in) || what >= GPROC_END)
    return CALL_MALFORMED;
  /* The Sentry is pid 1 of this namespace, and we are its child. */
  if (pid <= 1 || pid > INT_MAX || (int)pid == getpid() || (int)pid == getppid())
    return -EPERM;
  if (!c->s->proc_fd)
    return -EOPNOTSUPP;
  char path[32];
  snprintf(path, sizeof path, "%u/%s", pid, files[what].name);
  c->fd = srv_open_name(c->s->proc_fd, path, files[what].flags, 0);
  return c->fd < 0 ? c->fd : 0;
}
