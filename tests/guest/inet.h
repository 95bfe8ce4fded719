/* For guest programs about Internet sockets that print what each call gave. */
#pragma once
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

/* A result as text: the number, or errno's name. Good for four at a time. */
__attribute__((unused)) static const char *err(long r) {
  static char b[4][32];
  static int i;
  char *p = b[i++ & 3];
  if (r >= 0)
    snprintf(p, 32, "%ld", r);
  else
    snprintf(p, 32, "%s", strerrorname_np(errno));
  return p;
}

__attribute__((unused)) static int set(int fd, int level, int opt, int v) {
  return setsockopt(fd, level, opt, &v, sizeof v);
}

/* What poll(2) says now. */
__attribute__((unused)) static void bits(const char *what, int fd) {
  struct pollfd p = {fd, POLLIN | POLLOUT | POLLRDHUP | POLLPRI, 0};
  poll(&p, 1, 0);
  printf("%s:%s%s%s%s%s%s\n", what, p.revents & POLLIN ? " IN" : "", p.revents & POLLOUT ? " OUT" : "",
         p.revents & POLLERR ? " ERR" : "", p.revents & POLLHUP ? " HUP" : "", p.revents & POLLRDHUP ? " RDHUP" : "",
         p.revents & POLLPRI ? " PRI" : "");
  fflush(stdout); /* others write(2) */
}
