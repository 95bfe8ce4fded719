/* Socket filters on AF_UNIX datagrams: attaching, locking, reading back, what programs may load. */
#include "guest.h"
#include <linux/filter.h>

#ifndef SO_ATTACH_BPF
#define SO_ATTACH_BPF 50
#endif

static int attach(int fd, struct sock_filter *f, int n) {
  struct sock_fprog p = {.len = n, .filter = f};
  return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &p, sizeof p);
}
#define ATTACH(fd, ...)                                                                                                \
  ({                                                                                                                   \
    struct sock_filter prog[] = {__VA_ARGS__};                                                                         \
    attach(fd, prog, sizeof prog / sizeof *prog);                                                                      \
  })
#define S BPF_STMT
#define J BPF_JUMP

static int sv[2];
static void through(const char *what, const void *msg, size_t len) {
  char buf[100];
  ssize_t s = send(sv[0], msg, len, MSG_DONTWAIT);
  ssize_t r = recv(sv[1], buf, sizeof buf, MSG_DONTWAIT);
  say("%s: sent %zd, received %zd %s", what, s, r, r < 0 ? ename(errno) : "");
  if (r > 0)
    say("  %.*s", (int)r, buf);
}

static void checker(int fd) {
  OK(ATTACH(fd, S(BPF_RET | BPF_K, 0), S(BPF_LD | BPF_IMM, 1)));
  OK(ATTACH(fd, J(BPF_JMP | BPF_JA, 5, 0, 0), S(BPF_RET | BPF_K, 0)));
  OK(ATTACH(fd, J(BPF_JMP | BPF_JEQ | BPF_K, 5, 1, 0), S(BPF_RET | BPF_K, 0)));
  OK(ATTACH(fd, S(BPF_ALU | BPF_DIV | BPF_K, 0), S(BPF_RET | BPF_A, 0)));
  OK(ATTACH(fd, S(BPF_ALU | BPF_LSH | BPF_K, 32), S(BPF_RET | BPF_A, 0)));
  OK(ATTACH(fd, S(BPF_LD | BPF_MEM, 3), S(BPF_RET | BPF_A, 0)));
  OK(ATTACH(fd, S(BPF_ST, 16), S(BPF_RET | BPF_A, 0)));
  OK(ATTACH(fd, S(BPF_LD | BPF_W | BPF_ABS, SKF_AD_OFF + SKF_AD_MAX), S(BPF_RET | BPF_A, 0)));
  OK(ATTACH(fd, S(BPF_LD | BPF_W | BPF_ABS, SKF_AD_OFF + 1), S(BPF_RET | BPF_A, 0)));
  OK(ATTACH(fd, S(0xff, 0), S(BPF_RET | BPF_A, 0)));
  struct sock_filter one = S(BPF_RET | BPF_K, 1);
  OK(attach(fd, &one, 0));
  OK(attach(fd, NULL, 1));
  OK(attach(fd, (void *)8, 1));
  OK(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &one, 4));
  OK(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &one, 3));
  struct sock_filter *many = calloc(4097, sizeof *many);
  for (int i = 0; i < 4097; i++)
    many[i] = one;
  OK(attach(fd, many, 4097));
  OK(attach(fd, many, 4096));
  OK(setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &one, 4));
  OK(setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &one, 4));
  OK(setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, NULL, 0));
  free(many);
}

static void options(int fd) {
  struct sock_filter buf[8];
  socklen_t len = 8;
  int v = 0;
  OK(ATTACH(fd, S(BPF_LD | BPF_W | BPF_LEN, 0), S(BPF_RET | BPF_A, 0)));
  SHOW(getsockopt(fd, SOL_SOCKET, SO_GET_FILTER, buf, &len));
  say("%u instructions: %x %x", len, buf[0].code, buf[1].code);
  len = 1;
  SHOW(getsockopt(fd, SOL_SOCKET, SO_GET_FILTER, buf, &len));
  len = 0;
  SHOW(getsockopt(fd, SOL_SOCKET, SO_GET_FILTER, NULL, &len));
  say("%u instructions", len);
  len = sizeof v;
  SHOW(getsockopt(fd, SOL_SOCKET, SO_LOCK_FILTER, &v, &len));
  say("locked %d %u", v, len);
  v = 0;
  OK(setsockopt(fd, SOL_SOCKET, SO_LOCK_FILTER, &v, sizeof v));
  v = 7;
  OK(setsockopt(fd, SOL_SOCKET, SO_LOCK_FILTER, &v, sizeof v));
  len = sizeof v;
  SHOW(getsockopt(fd, SOL_SOCKET, SO_LOCK_FILTER, &v, &len));
  say("locked %d", v);
  v = 0;
  OK(setsockopt(fd, SOL_SOCKET, SO_LOCK_FILTER, &v, sizeof v));
  OK(ATTACH(fd, S(BPF_RET | BPF_K, 0)));
  OK(setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &v, sizeof v));
}

int main(void) {
  MUST(socketpair(AF_UNIX, SOCK_DGRAM, 0, sv));
  checker(sv[1]);
  through("no filter", "hello", 5);
  OK(ATTACH(sv[1], S(BPF_RET | BPF_K, 0)));
  through("none", "hello", 5);
  OK(ATTACH(sv[1], S(BPF_RET | BPF_K, 3)));
  through("three", "hello", 5);
  OK(ATTACH(sv[1], S(BPF_LD | BPF_W | BPF_LEN, 0), S(BPF_ALU | BPF_SUB | BPF_K, 1), S(BPF_RET | BPF_A, 0)));
  through("length less one", "hello", 5);
  OK(ATTACH(sv[1], S(BPF_LD | BPF_B | BPF_ABS, 0), J(BPF_JMP | BPF_JEQ | BPF_K, 'h', 0, 1), S(BPF_RET | BPF_K, -1),
            S(BPF_RET | BPF_K, 0)));
  through("h", "hello", 5);
  through("not h", "jello", 5);
  through("empty", "", 0);
  OK(ATTACH(sv[1], S(BPF_LD | BPF_H | BPF_ABS, 1), J(BPF_JMP | BPF_JEQ | BPF_K, 'e' << 8 | 'l', 0, 1),
            S(BPF_RET | BPF_K, -1), S(BPF_RET | BPF_K, 0)));
  through("el", "hello", 5);
  through("too short", "he", 2);
  OK(ATTACH(sv[1], S(BPF_LDX | BPF_IMM, 3), S(BPF_LD | BPF_B | BPF_IND, 1), J(BPF_JMP | BPF_JEQ | BPF_K, 'o', 0, 1),
            S(BPF_RET | BPF_K, -1), S(BPF_RET | BPF_K, 0)));
  through("index", "hello", 5);
  through("index not", "hellx", 5);
  through("index beyond", "hell", 4);
  OK(ATTACH(sv[1], S(BPF_LDX | BPF_B | BPF_MSH, 0), S(BPF_MISC | BPF_TXA, 0), S(BPF_RET | BPF_A, 0)));
  through("header length", "\x41" "bcdefgh", 8);
  OK(ATTACH(sv[1], S(BPF_LD | BPF_IMM, 7), S(BPF_LDX | BPF_IMM, 0), S(BPF_ALU | BPF_DIV | BPF_X, 0),
            S(BPF_RET | BPF_K, -1)));
  through("division by zero", "hello", 5);
  OK(ATTACH(sv[1], S(BPF_LD | BPF_IMM, 6), S(BPF_LDX | BPF_IMM, 4), S(BPF_LD | BPF_W | BPF_ABS, SKF_AD_OFF + SKF_AD_ALU_XOR_X),
            S(BPF_RET | BPF_A, 0)));
  through("xor", "hello", 5);
  OK(ATTACH(sv[1], S(BPF_LD | BPF_W | BPF_ABS, SKF_AD_OFF + SKF_AD_IFINDEX), S(BPF_RET | BPF_K, -1)));
  through("no device", "hello", 5);
  OK(ATTACH(sv[1], S(BPF_LD | BPF_IMM, 9), S(BPF_ST, 3), S(BPF_LD | BPF_IMM, 2), S(BPF_LDX | BPF_MEM, 3),
            S(BPF_ALU | BPF_MOD | BPF_X, 0), S(BPF_RET | BPF_A, 0)));
  through("memory, modulo", "hello", 5);
  options(sv[1]);
  through("locked", "hello", 5);

  int st[2];
  MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, st));
  OK(ATTACH(st[1], S(BPF_RET | BPF_K, 0)));
  char b[8];
  SHOW(send(st[0], "hello", 5, 0));
  SHOW(recv(st[1], b, sizeof b, MSG_DONTWAIT));
  MUST(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, st));
  OK(ATTACH(st[1], S(BPF_RET | BPF_K, 2)));
  SHOW(send(st[0], "hello", 5, 0));
  SHOW(recv(st[1], b, sizeof b, MSG_DONTWAIT));
  return 0;
}
