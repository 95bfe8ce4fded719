/*
 * Paused: guests are stopped on the host, and the Sentry's one thread serves control requests here, synchronously, and
 * nothing else: no timer fires, no call is answered, so that to the guests no time has passed but the clocks'. The
 * freezer cgroup cannot do this: guests with a received notification never freeze (PLATFORM_RULES).
 */
#include "../core/loop.h"
#include "control.h"
#include "sentry.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

/* Every process of our pid namespace but ourselves: zygote and guests. The gofer has another uid, or waits on its
 * socket anyway. */
static void signal_guests(int sig) {
  if (getpid() == 1) /* anywhere else, -1 would be the whole machine */
    kill(-1, sig);
}

static void answer(int fd, json_t *msg) {
  struct err e;
  control_send(fd, msg, NULL, 0, &e);
  json_decref(msg);
}

static json_t *kill_while_paused(struct sentry *s, json_t *req, bool *resume) {
  json_int_t sig = json_integer_value(json_object_get(req, "signal"));
  bool all = json_is_true(json_object_get(req, "all"));
  if (sig < 0 || sig > NSIG_GUEST)
    return control_error("invalid signal");
  /* What would end a frozen process thaws it. */
  if (sig == SIGKILL) {
    *resume = true;
    return control_kill(s, (int)sig, all);
  }
  if (sig)
    s->pending_signals |= sigbit((int)sig);
  return control_ok();
}

static json_t *handle(struct sentry *s, json_t *req, bool *resume) {
  const char *op = json_string_value(json_object_get(req, "op"));
  if (!op)
    return control_error("the request has no \"op\"");
  if (!strcmp(op, "resume")) {
    *resume = true;
    return control_ok();
  }
  if (!strcmp(op, "kill"))
    return kill_while_paused(s, req, resume);
  if (!strcmp(op, "ps"))
    return control_ps(s);
  if (!strcmp(op, "state"))
    return json_pack("{s:b,s:s,s:i}", "ok", 1, "status", "paused", "processes", s->k->nprocesses);
  if (!strcmp(op, "shutdown")) {
    *resume = true;
    sentry_end(s, SIGKILL);
    return control_ok();
  }
  if (!strcmp(op, "exec"))
    return control_error("cannot exec in a paused container");
  return control_error("container is paused");
}

/* One connection at a time; one that says nothing for a second is dropped. */
static bool serve_one(struct sentry *s) {
  struct err e;
  struct timeval limit = {.tv_sec = 1};
  bool resume = false;
  int fd = accept4(s->a->control_sock, NULL, NULL, SOCK_CLOEXEC);
  if (fd < 0)
    return false;
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  json_t *req = control_recv(fd, &e);
  if (req) {
    json_t *msg = handle(s, req, &resume);
    if (resume)
      signal_guests(SIGCONT);
    if (resume)
      sentry_set_status(s, "running");
    answer(fd, msg);
    json_decref(req);
  }
  close(fd);
  return resume;
}

static void deliver_pending(struct sentry *s) {
  for (int sig = 1; sig <= NSIG_GUEST; sig++)
    if (s->pending_signals & sigbit(sig))
      json_decref(control_kill(s, sig, false));
  s->pending_signals = 0;
}

void pause_serve(struct conn *c) {
  struct sentry *s = c->s;
  signal_guests(SIGSTOP);
  sentry_set_status(s, "paused");
  answer(c->fd, control_ok());
  for (bool resumed = false; !resumed;) {
    struct pollfd p[2] = {{.fd = s->a->control_sock, .events = POLLIN}, {.fd = s->a->monitor_sock, .events = 0}};
    if (poll(p, 2, -1) < 0 && errno != EINTR)
      break;
    if (p[1].revents & POLLHUP) /* P is dead, and so are we in a moment */
      break;
    if (p[0].revents)
      resumed = serve_one(s);
  }
  deliver_pending(s);
}
