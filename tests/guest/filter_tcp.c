/* Socket filters on TCP over lo: of listeners, inherited by what they accept, and of connections. */
#include "packet.h"
#include <netinet/in.h>
#include <netinet/tcp.h>

static struct sockaddr_in addr;

static void attach(int fd, struct sock_filter *f, int n) {
  struct sock_fprog p = {.len = n, .filter = f};
  MUST(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &p, sizeof p));
}
#define ATTACH(fd, ...)                                                                                                \
  ({                                                                                                                   \
    struct sock_filter prog[] = {__VA_ARGS__};                                                                         \
    attach(fd, prog, sizeof prog / sizeof *prog);                                                                      \
  })

static int tcp_connect(void) {
  int fd = MUST(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
  struct pollfd p = {fd, POLLOUT, 0};
  int e = 0;
  socklen_t len = sizeof e;
  connect(fd, (struct sockaddr *)&addr, sizeof addr);
  int n = poll(&p, 1, 300);
  getsockopt(fd, SOL_SOCKET, SO_ERROR, &e, &len);
  say("connect: %s", !n ? "no answer" : ename(e));
  return fd;
}

static void got(const char *what, int fd) {
  char buf[100];
  struct pollfd p = {fd, POLLIN, 0};
  poll(&p, 1, 250);
  ssize_t n = recv(fd, buf, sizeof buf, MSG_DONTWAIT);
  say("%s: %zd %s", what, n, n < 0 ? ename(errno) : "");
}

int main(void) {
  lo_up();
  int l = MUST(socket(AF_INET, SOCK_STREAM, 0));
  socklen_t len = sizeof addr;
  addr = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  MUST(bind(l, (struct sockaddr *)&addr, sizeof addr));
  MUST(listen(l, 5));
  MUST(getsockname(l, (struct sockaddr *)&addr, &len));
  ATTACH(l, BPF_STMT(BPF_RET | BPF_K, 0));
  close(tcp_connect());
  /* Only what has no byte that is 'X' in the first place of its data. */
  ATTACH(l, BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 12), BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 4),
         BPF_STMT(BPF_ALU | BPF_MUL | BPF_K, 4), BPF_STMT(BPF_MISC | BPF_TAX, 0),
         BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0), BPF_JUMP(BPF_JMP | BPF_JGT | BPF_X, 0, 1, 0),
         BPF_STMT(BPF_RET | BPF_K, -1), BPF_STMT(BPF_LD | BPF_B | BPF_IND, 0),
         BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 'X', 0, 1), BPF_STMT(BPF_RET | BPF_K, 0), BPF_STMT(BPF_RET | BPF_K, -1));
  int c = tcp_connect(), a = MUST(accept(l, NULL, NULL));
  MUST(send(c, "hello", 5, 0));
  got("hello", a);
  MUST(send(c, "X", 1, 0));
  got("X", a);
  int one = 1;
  OK(setsockopt(a, SOL_SOCKET, SO_DETACH_FILTER, &one, sizeof one));
  poll(&(struct pollfd){a, POLLIN, 0}, 1, 2000);
  got("after a retransmission, without the filter", a);
  ATTACH(c, BPF_STMT(BPF_RET | BPF_K, 0));
  MUST(send(a, "to nobody", 9, 0));
  got("nothing", c);
  OK(setsockopt(c, SOL_SOCKET, SO_DETACH_FILTER, &one, sizeof one));
  struct pollfd p = {c, POLLIN, 0};
  poll(&p, 1, 2000);
  got("late", c);
  ATTACH(a, BPF_STMT(BPF_RET | BPF_K, 1)); /* the header at least */
  MUST(send(c, "cut", 3, 0));
  got("cut", a);
  OK(setsockopt(a, SOL_SOCKET, SO_DETACH_FILTER, &one, sizeof one));
  poll(&(struct pollfd){a, POLLIN, 0}, 1, 2000);
  got("whole", a);
  return 0;
}
