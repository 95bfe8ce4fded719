/* MSG_OOB on AF_UNIX streams: SIGURG, POLLPRI, SIOCATMARK, SO_OOBINLINE. */
#include "guest.h"
#include <linux/sockios.h>

static int s[2];
static volatile sig_atomic_t urged;
static void on_urg(int sig) {
  (void)sig;
  urged++;
}
static void get(const char *what, int flags) {
  char b[32];
  ssize_t n = recv(s[1], b, sizeof b, flags | MSG_DONTWAIT);
  if (n < 0)
    say("%s: %s", what, ename(errno));
  else
    say("%s: \"%.*s\"", what, (int)n, b);
}
static void state(const char *what) {
  int at = -1;
  struct pollfd p = {s[1], POLLIN | POLLPRI, 0};
  ioctl(s[1], SIOCATMARK, &at);
  poll(&p, 1, 0);
  say("%s: mark %d%s%s", what, at, p.revents & POLLIN ? " in" : "", p.revents & POLLPRI ? " pri" : "");
}
static void fresh(void) {
  if (s[0])
    close(s[0]), close(s[1]);
  MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
}

int main(void) {
  fresh();
  on_signal(SIGURG, on_urg, 0);
  SHOW(fcntl(s[1], F_SETOWN, getpid()) == 0);
  get("nothing", MSG_OOB);
  SHOW(send(s[0], "", 0, MSG_OOB));
  SHOW(send(s[0], "hello", 5, MSG_OOB));
  say("urged %d", (int)urged);
  state("hell|o");
  get("peek the urgent one", MSG_OOB | MSG_PEEK);
  get("peek", MSG_PEEK);
  get("urgent", MSG_OOB);
  get("again", MSG_OOB);
  state("hell|");
  get("the rest", 0);
  state("at the mark");
  get("nothing", 0);
  state("nothing");

  fresh();
  MUST(send(s[0], "ab", 2, 0));
  MUST(send(s[0], "c", 1, MSG_OOB));
  MUST(send(s[0], "de", 2, 0));
  state("ab|c|de");
  get("up to the mark", 0);
  state("|c|de");
  get("the byte is passed over", 0);
  get("and lost", MSG_OOB);
  state("empty");

  fresh();
  MUST(send(s[0], "a", 1, MSG_OOB));
  MUST(send(s[0], "b", 1, MSG_OOB));
  state("two");
  get("the first is data now", 0);
  get("the second", MSG_OOB);

  fresh();
  int on = 1;
  SHOW(setsockopt(s[1], SOL_SOCKET, SO_OOBINLINE, &on, sizeof on));
  MUST(send(s[0], "ab", 2, 0));
  MUST(send(s[0], "c", 1, MSG_OOB));
  MUST(send(s[0], "de", 2, 0));
  get("inline", MSG_OOB);
  get("before", 0);
  state("|c|de");
  get("with the byte", 0);
  state("empty");

  MUST(close(s[0]) | close(s[1]));
  MUST(socketpair(AF_UNIX, SOCK_DGRAM, 0, s));
  SHOW(send(s[0], "x", 1, MSG_OOB));
  get("datagrams", MSG_OOB);
}
