/* /proc/PID/fdinfo of files that have more to tell than a position. */
#include "guest.h"
static void lines(const char *what, int fd, const char *prefix) {
  char path[64], buf[2048], *save, *l;
  snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
  MUST(read_file(path, buf, sizeof buf));
  for (l = strtok_r(buf, "\n", &save); l; l = strtok_r(NULL, "\n", &save))
    if (!strncmp(l, prefix, strlen(prefix)))
      say("%s: %.60s", what, l);
}
int main(void) {
  int e = eventfd(42, EFD_SEMAPHORE | EFD_CLOEXEC);
  lines("eventfd", e, "eventfd-count");
  lines("eventfd", e, "eventfd-sem");
  lines("eventfd", e, "flags");
  sigset_t s;
  sigemptyset(&s);
  sigaddset(&s, SIGUSR1);
  lines("signalfd", signalfd(-1, &s, 0), "sigmask");
  int t = timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK);
  struct itimerspec its = {{7, 5}, {1, 0}};
  timerfd_settime(t, TFD_TIMER_ABSTIME, &its, NULL);
  lines("timerfd", t, "clockid");
  lines("timerfd", t, "settime");
  lines("timerfd", t, "it_interval");
  int ep = epoll_create1(0);
  struct epoll_event ev = {.events = EPOLLIN | EPOLLET, .data.u64 = 0x1234};
  epoll_ctl(ep, EPOLL_CTL_ADD, e, &ev);
  char want[32];
  snprintf(want, sizeof want, "tfd: %8d events: 80000019 data:             1234", e);
  char path[64], buf[2048];
  snprintf(path, sizeof path, "/proc/self/fdinfo/%d", ep);
  read_file(path, buf, sizeof buf);
  YES(strstr(buf, want));
}
