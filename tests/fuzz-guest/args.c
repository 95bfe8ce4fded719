/*
 * Arguments: what a call takes is read from the rows of syscalls/table.def ("fd:fd, buf:b=r, count:sz"), so a new row
 * is covered at once; what a pointer points to is told by its name there.
 */
#include "fuzz.h"
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/aio_abi.h>
#include <linux/if.h>
#include <linux/netlink.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>

#define MAX_CALLS 512
struct arg {
  char name[12], type[12];
};
static struct template {
  int nr;
  const char *name;
  bool implemented;
  int nargs;
  struct arg arg[6];
}
calls[MAX_CALLS];
static int total;

enum { FULL = 1, PARTIAL = 1, ERROR = 0, NONE = 0 };
static const struct {
  int nr;
  const char *name;
  int support;
  const char *args;
} rows[] = {
#define SYSCALL(nr, name, support, args, note) {nr, #name, support, args},
#include "../../syscalls/table.def"
#undef SYSCALL
};

void args_setup(void) {
  net_setup();
  for (unsigned i = 0; i < N(rows) && total < MAX_CALLS; i++) {
    struct template *t = &calls[total++];
    *t = (struct template){.nr = rows[i].nr, .name = rows[i].name, .implemented = rows[i].support};
    const char *p = rows[i].args;
    while (*p && *p != '=' && t->nargs < 6) {
      struct arg *a = &t->arg[t->nargs];
      if (sscanf(p, " %11[^:,]:%11[^,]", a->name, a->type) < 2)
        break;
      t->nargs++;
      p += strcspn(p, ",");
      p += strspn(p, ", ");
    }
  }
}

int ncalls(void) {
  return total;
}

/* ---- numbers ---- */

static uint64_t contexts[4]; /* of io_setup(2) */
static int ipc_ids[8];
static unsigned ncontexts, nipc_ids;

static uint64_t bits(struct rng *r) {
  switch (below(r, 6)) {
  case 0:
    return 0;
  case 1:
    return 1ull << below(r, 32);
  case 2:
    return 1ull << below(r, 12) | 1ull << below(r, 12);
  case 3:
    return below(r, 64);
  case 4:
    return below(r, 4);
  default:
    return one_in(r, 4) ? rnd(r) : 0;
  }
}

static uint64_t small(struct rng *r) {
  static const int64_t odd[] = {-1, -2, INT32_MAX, INT32_MIN, UINT32_MAX, INT64_MAX, INT64_MIN, 1 << 16, 1 << 20};
  return one_in(r, 6) ? (uint64_t)PICK(r, odd) : below(r, one_in(r, 3) ? 1000 : 10);
}

/* Named sets of flags and commands of table.def. */
static const struct {
  const char *type;
  bool many; /* flags that are or'ed */
  int n;
  uint64_t v[40];
} sets[] = {
    {"open",
     true,
     16,
     {0, 1, 2, 0100, 0200, 01000, 02000, 04000, 010000, 0200000, 0400000, 02000000, 010000000, 020200000, 020000,
      040000}},
    {"prot", true, 5, {0, 1, 2, 4, 0x1000000}},
    {"map", true, 14, {1, 2, 3, 0x10, 0x20, 0x22, 0x21, 0x100, 0x4000, 0x8000, 0x20000, 0x100000, 0x40000, 0x32}},
    {"msg", true, 14, {0, 1, 2, 4, 0x20, 0x40, 0x80, 0x100, 0x4000, 0x8000, 0x10000, 0x40000000, 0x40, 0x2000}},
    {"atf", true, 7, {0, 0x100, 0x200, 0x400, 0x800, 0x1000, 0x2000}},
    {"clock", false, 16, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 0xfffffffa, 0xfffffffe, 16, 1, 0}},
    {"sig", false, 16, {0, 10, 12, 14, 17, 18, 23, 28, 13, 34, 40, 64, 65, 20, 10, 22}},
    {"socktype", true, 9, {1, 2, 3, 5, 0x800, 0x80000, 4, 6, 10}},
    {"rlimit", false, 17, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}},
    {"clone", true, 20, {0,         0x100,     0x200,     0x400,     0x800,      0x1000,   0x4000,
                         0x8000,    0x10000,   0x20000,   0x40000,   0x80000,    0x100000, 0x200000,
                         0x1000000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 17}},
    {"access", false, 9, {0, 1, 2, 4, 7, 6, 8, 5, 3}},
    {"wait", true, 8, {0, 1, 2, 4, 8, 0x1000000, 0x40000000, 0x20000000}},
    {"madv", false, 26, {0,  1,  2,  3,  4,  8,  9,  10, 11, 12, 13,  14,  15,
                         16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 100, 101, 102}},
    {"level", false, 9, {0, 1, 1, 1, 6, 17, 41, 263, 270}},
    {"af", false, 10, {1, 1, 2, 10, 16, 17, 0, 38, 40, 46}},
    {"whence", false, 6, {0, 1, 2, 3, 4, 5}},
    {"shut", false, 4, {0, 1, 2, 3}},
    {"rusage", false, 4, {0, 1, UINT64_MAX, 0xfffffffe}},
    {"prctl", false, 39, {1,  2,  3,  4,  5,  6,  7,  8,  13, 14, 15, 16, 21, 22, 23, 24, 25, 26, 27,        28,
                          29, 30, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 47, 52, 53, 55, 65, 66, 0x53564d41}},
    {"mremap", true, 4, {0, 1, 2, 4}},
    {"mount", true, 14, {0, 1, 2, 4, 8, 32, 1024, 4096, 4096 | 16384, 8192, 1 << 17, 1 << 18, 1 << 19, 1 << 20}},
    {"memfd", true, 6, {0, 1, 2, 4, 8, 16}},
    {"lock", true, 5, {1, 2, 4, 8, 5}},
    {"idtype", false, 5, {0, 1, 2, 3, 4}},
    {"how", false, 4, {0, 1, 2, 3}},
    {"grnd", true, 4, {0, 1, 2, 4}},
    {"futex", true, 20, {0,  1,  3,  4,   5,   6,         7,       8,       9,       10,
                         11, 12, 13, 128, 129, 128 | 256, 9 | 128, 5 | 128, 4 | 128, 265}},
    {"fcntl", false, 31, {0,  1,  2,  3,  4,  5,    6,    7,    8,    9,    10,   11,   12,   13,   14,  15,
                          16, 17, 36, 37, 38, 1024, 1025, 1026, 1030, 1031, 1032, 1033, 1034, 1036, 1035}},
    {"epollop", false, 5, {1, 2, 3, 0, 4}},
    {"epollfl", false, 3, {0, 02000000, 1}},
    {"arch", false, 8, {0x1001, 0x1003, 0x1004, 0x1011, 0x1012, 0x2001, 0x1002, 0x3001}},
};

static uint64_t from_set(struct rng *r, const char *type, bool *known) {
  for (unsigned i = 0; i < N(sets); i++) {
    if (strcmp(sets[i].type, type))
      continue;
    *known = true;
    uint64_t v = sets[i].v[below(r, (uint64_t)sets[i].n)];
    for (int more = (int)below(r, 4); sets[i].many && more > 0; more--)
      v |= sets[i].v[below(r, (uint64_t)sets[i].n)];
    if (one_in(r, 24))
      v ^= 1ull << below(r, 64);
    return v;
  }
  *known = false;
  return 0;
}

static uint64_t ioctl_request(struct rng *r) {
  static const uint32_t list[] = {
      0x5401,     0x5402,     0x5403,     0x5404,     0x5405,     0x5406,     0x5407,     0x5408,     0x5409,
      0x540a,     0x540b,     0x540c,     0x540d,     0x540e,     0x540f,     0x5410,     0x5411,     0x5412,
      0x5413,     0x5414,     0x5415,     0x541b,     0x541c,     0x541d,     0x5420,     0x5421,     0x5422,
      0x5423,     0x5424,     0x5425,     0x5427,     0x5428,     0x5429,     0x80045430, 0x40045431, 0x80045438,
      0x5441,     0x5450,     0x5451,     0x5452,     0x545e,     0x8901,     0x8902,     0x8903,     0x8904,
      0x8905,     0x8906,     0x8907,     0x8910,     0x8912,     0x8913,     0x8914,     0x8915,     0x8916,
      0x8919,     0x891b,     0x8921,     0x8922,     0x8927,     0x8933,     0x8942,     0x8943,     0x894c,
      0x8970,     0x80086601, 0x40086602, 0x40049409, 0x4020940d, 0x801c581f, 0x80085202, 0x80045200, 0x40045201,
      0xc0502100, 0xc0182101, 0x40082102, 0x40182103, 0x40086604, 0xb701,     0xb702,     0xb703,     0x8004b704,
      0x2000,     0x8008ff00, 0x1260,     0x80041272, 0x5600,     0x4b33,     0x80087601, 0xc020660b};
  return one_in(r, 20) ? rnd(r) : PICK(r, list);
}

static uint64_t number(struct rng *r, const struct template *t, const struct arg *a) {
  static const uint64_t ids[] = {0, 0, 65534, 1000, 1, UINT32_MAX, 65535, 100000};
  const char *n = a->name;
  if (strstr(n, "pid") || !strcmp(n, "tid") || !strcmp(n, "pgid") || !strcmp(n, "target") || !strcmp(n, "who"))
    return (uint64_t)process_id(r);
  if (strstr(n, "uid") || strstr(n, "gid"))
    return PICK(r, ids);
  static const uint16_t ptrace_ops[] = {0,      1,      2,      3,      4,      5,      7,      8,      9,
                                        12,     13,     14,     15,     16,     17,     24,     0x4200, 0x4201,
                                        0x4202, 0x4203, 0x4204, 0x4205, 0x4206, 0x4207, 0x4208, 0x4209, 0x420a,
                                        0x420b, 0x420c, 0x420d, 0x420e, 0x420f, 0x4210};
  if (!strcmp(n, "op") && !strcmp(t->name, "ptrace"))
    return PICK(r, ptrace_ops);
  if (!strncmp(n, "ctx", 3))
    return one_in(r, 10) ? address(r) : PICK(r, contexts);
  if (!strcmp(n, "id") && !one_in(r, 3))
    return (uint64_t)PICK(r, ipc_ids);
  if (!strcmp(n, "timeout"))
    return one_in(r, 10) ? small(r) : below(r, 4);
  if (!strcmp(n, "max") || !strcmp(n, "n") || !strcmp(n, "m"))
    return one_in(r, 10) ? size_value(r) : below(r, 9);
  if (!strcmp(n, "len") || !strcmp(n, "alen") || !strcmp(n, "size"))
    return size_value(r);
  if (!strcmp(n, "cmd"))
    return below(r, 22);
  if (!strcmp(n, "name"))
    return below(r, 80);
  if (!strcmp(n, "key"))
    return below(r, 4);
  if (!strcmp(n, "arg") || !strcmp(n, "data") || !strcmp(t->name, "prctl"))
    return one_in(r, 2) ? small(r) : address(r);
  return one_in(r, 3) ? bits(r) : small(r);
}

/* ---- what calls have given ---- */

void remember_result(const struct call *c, long ret) {
  static const char *const makers[] = {"open",         "openat",     "openat2",     "creat",        "socket",
                                       "accept",       "accept4",    "dup",         "fcntl",        "epoll_create",
                                       "eventfd",      "eventfd2",   "signalfd4",   "inotify_init", "timerfd_create",
                                       "memfd_create", "pidfd_open", "pidfd_getfd", "open_tree",    "fsopen",
                                       "fsmount",      "fspick",     "seccomp",     "mq_open",      "userfaultfd",
                                       "epoll_create1"};
  if (!strcmp(c->name, "io_setup")) {
    uint64_t v;
    memcpy(&v, (void *)c->a[1], sizeof v); /* it has just been written; a race is caught as a fault */
    contexts[ncontexts++ % N(contexts)] = v;
    return;
  }
  if (!strcmp(c->name, "shmget") || !strcmp(c->name, "semget") || !strcmp(c->name, "msgget"))
    ipc_ids[nipc_ids++ % N(ipc_ids)] = (int)ret;
  for (unsigned i = 0; i < N(makers) && ret > 2; i++)
    if (!strcmp(c->name, makers[i]) && (strcmp(makers[i], "fcntl") || c->a[1] == 0 || c->a[1] == 1030))
      remember_fd((int)ret);
}

/* ---- what pointers point to ---- */

static void fill_random(struct rng *r, void *p, size_t n) {
  uint64_t *w = p;
  unsigned kind = (unsigned)below(r, 4);
  for (size_t i = 0; i < n / 8; i++)
    w[i] = kind == 0 ? 0 : kind == 1 ? below(r, 8) : kind == 2 ? rnd(r) : below(r, 4) ? below(r, 300) : address(r);
}
static void fill_iov(struct rng *r, void *p, size_t n) {
  struct iovec *v = p;
  for (int i = 0; i < 12; i++)
    v[i] = (struct iovec){(void *)address(r), one_in(r, 6) ? size_value(r) : below(r, 9000)};
}
static void fill_time(struct rng *r, void *p, size_t n) {
  int64_t *v = p;
  for (int i = 0; i < 4; i++) {
    v[2 * i] = one_in(r, 8) ? (int64_t)small(r) : 0;
    v[2 * i + 1] = one_in(r, 10) ? (int64_t)rnd(r) : (int64_t)below(r, 3000000);
  }
}
static size_t fill_sockaddr(struct rng *r, void *p) {
  memset(p, 0, 128);
  struct sockaddr_un *un = p;
  struct sockaddr_in *in = p;
  struct sockaddr_in6 *in6 = p;
  switch (below(r, 6)) {
  case 0:
    un->sun_family = AF_UNIX;
    snprintf(un->sun_path, sizeof un->sun_path, WORK_DIR "/sock%d", (int)below(r, 3));
    return one_in(r, 3) ? sizeof *un : 2 + strlen(un->sun_path) + 1;
  case 1:
    un->sun_family = AF_UNIX;
    snprintf(un->sun_path + 1, 50, "fz%d", (int)below(r, 4));
    return 7;
  case 2:
    *in = (struct sockaddr_in){AF_INET, htons(7000 + below(r, 4)), {htonl(INADDR_LOOPBACK)}};
    return sizeof *in;
  case 3:
    in6->sin6_family = AF_INET6;
    in6->sin6_port = htons(7000 + below(r, 4));
    in6->sin6_addr = in6addr_loopback;
    return sizeof *in6;
  case 4:
    ((struct sockaddr_nl *)p)->nl_family = AF_NETLINK;
    return sizeof(struct sockaddr_nl);
  default:
    *(uint16_t *)p = (uint16_t)below(r, 46);
    return below(r, 128);
  }
}
static void fill_addr(struct rng *r, void *p, size_t n) {
  fill_sockaddr(r, p);
}
static size_t fill_control(struct rng *r, char *p) {
  struct cmsghdr *h = (void *)p;
  size_t total = 0;
  for (int i = 0; i < 2; i++) {
    int nfd = 1 + (int)below(r, 3);
    *h = (struct cmsghdr){CMSG_LEN((size_t)nfd * 4), SOL_SOCKET, one_in(r, 4) ? SCM_CREDENTIALS : SCM_RIGHTS};
    for (int k = 0; k < nfd; k++)
      ((int *)CMSG_DATA(h))[k] = descriptor(r);
    if (h->cmsg_type == SCM_CREDENTIALS) {
      h->cmsg_len = CMSG_LEN(12);
      nfd = 3;
    }
    if (one_in(r, 12))
      h->cmsg_len = size_value(r);
    total += CMSG_SPACE((size_t)nfd * 4);
    h = (void *)(p + total);
    if (one_in(r, 2))
      break;
  }
  return total;
}
static void fill_msg1(struct rng *r, struct msghdr *m) {
  char *name = scratch(r, 128), *control = scratch(r, 128);
  struct iovec *iov = scratch(r, 12 * sizeof *iov);
  fill_iov(r, iov, 0);
  *m = (struct msghdr){.msg_iov = iov, .msg_iovlen = one_in(r, 12) ? size_value(r) : below(r, 4)};
  if (one_in(r, 3)) {
    m->msg_name = name;
    m->msg_namelen = (socklen_t)fill_sockaddr(r, name);
  }
  if (one_in(r, 2)) {
    m->msg_control = control;
    m->msg_controllen = one_in(r, 8) ? size_value(r) : fill_control(r, control);
  }
}
static void fill_msg(struct rng *r, void *p, size_t n) {
  fill_msg1(r, p);
}
static void fill_mmsg(struct rng *r, void *p, size_t n) {
  struct mmsghdr *m = p;
  for (int i = 0; i < 4; i++)
    fill_msg1(r, &m[i].msg_hdr);
}
static void fill_poll(struct rng *r, void *p, size_t n) {
  struct pollfd *f = p;
  for (int i = 0; i < 12; i++)
    f[i] = (struct pollfd){descriptor(r), (short)rnd(r), 0};
}
static void fill_fdset(struct rng *r, void *p, size_t n) {
  uint64_t *w = p;
  for (int i = 0; i < 16; i++)
    w[i] = one_in(r, 2) ? 0 : rnd(r) & rnd(r) & rnd(r);
}
static void fill_event(struct rng *r, void *p, size_t n) {
  struct epoll_event *e = p;
  e->events = (uint32_t)rnd(r);
  e->data.u64 = rnd(r);
}
static void fill_action(struct rng *r, void *p, size_t n) {
  uint64_t *w = p, handlers[] = {0, 1, (uint64_t)signal_handler, (uint64_t)signal_handler, address(r)};
  static const uint64_t flags[] = {0x04000000, 0x14000000, 0x0c000000, 0x44000000,
                                   0x84000000, 0,          0x04000004, 0x04000002};
  extern void signal_restorer(void);
  w[0] = PICK(r, handlers);
  w[1] = PICK(r, flags);
  w[2] = one_in(r, 8) ? address(r) : (uint64_t)signal_restorer;
  w[3] = bits(r);
}
static void fill_limits(struct rng *r, void *p, size_t n) {
  static const uint64_t v[] = {0, 1, 64, 256, 4096, 1 << 16, 1 << 20, 1 << 24};
  uint64_t *w = p;
  w[0] = PICK(r, v);
  w[1] = PICK(r, v);
}
static void fill_futexes(struct rng *r, void *p, size_t n) {
  uint32_t *w = p;
  for (int i = 0; i < 16; i++)
    w[i] = one_in(r, 3) ? (uint32_t)process_id(r) | (uint32_t)below(r, 4) << 30 : (uint32_t)below(r, 3);
}
static void fill_waitv(struct rng *r, void *p, size_t n) {
  struct futex_waitv *w = p;
  for (int i = 0; i < 8; i++)
    w[i] = (struct futex_waitv){below(r, 2), address(r), one_in(r, 8) ? (uint32_t)bits(r) : 2, 0};
}
static void fill_lens(struct rng *r, void *p, size_t n) {
  uint32_t *w = p;
  w[0] = (uint32_t)size_value(r);
  w[1] = 0;
}
static void fill_strings(struct rng *r, void *p, size_t n) {
  uint64_t *w = p;
  int k = (int)below(r, 6);
  for (int i = 0; i < k; i++)
    w[i] = one_in(r, 10) ? address(r) : (uint64_t)path(r);
  w[k] = 0;
}
static void fill_clone(struct rng *r, void *p, size_t n) {
  struct clone_args *a = p;
  bool known;
  memset(a, 0, sizeof *a);
  a->flags = from_set(r, "clone", &known) & ~0x1ffull;
  a->exit_signal = one_in(r, 3) ? small(r) : SIGCHLD;
  a->pidfd = address(r);
  a->parent_tid = address(r);
  a->child_tid = address(r);
  if (one_in(r, 4)) {
    a->stack = address(r);
    a->stack_size = size_value(r);
  }
}
static void fill_sembuf(struct rng *r, void *p, size_t n) {
  struct sembuf *s = p;
  for (int i = 0; i < 8; i++)
    s[i] =
        (struct sembuf){(unsigned short)below(r, 5), (short)(below(r, 5) - 2), (short)(below(r, 2) ? 04000 : 010000)};
}
static void fill_program(struct rng *r, void *p, size_t n) {
  struct sock_filter *f = scratch(r, 256);
  struct sock_fprog *prog = p;
  static const uint32_t verdicts[] = {0x7fff0000, 0x7fff0000, 0x00050001, 0x00030000,
                                      0x7fc00000, 0x7ff00000, 0x7ffc0000};
  f[0] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0);
  f[1] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)below(r, 460), 0, 1);
  f[2] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, PICK(r, verdicts));
  f[3] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, 0x7fff0000);
  if (one_in(r, 3))
    fill_random(r, f, 256);
  prog->len = one_in(r, 8) ? (unsigned short)rnd(r) : 4;
  prog->filter = one_in(r, 10) ? (void *)address(r) : f;
}
static void fill_iocbs(struct rng *r, void *p, size_t n) {
  struct iocb *cb = scratch(r, 4 * sizeof *cb);
  uint64_t *list = p;
  static const uint16_t ops[] = {0, 1, 2, 3, 5, 7, 8};
  for (int i = 0; i < 4; i++) {
    cb[i] = (struct iocb){.aio_data = rnd(r), .aio_lio_opcode = PICK(r, ops), .aio_fildes = (uint32_t)descriptor(r)};
    cb[i].aio_buf = address(r);
    cb[i].aio_nbytes = cb[i].aio_lio_opcode == 5 ? below(r, 32) : one_in(r, 2) ? size_value(r) : below(r, 4);
    cb[i].aio_offset = (int64_t)below(r, 20000);
    if (one_in(r, 3)) {
      cb[i].aio_flags = 1;
      cb[i].aio_resfd = (uint32_t)descriptor(r);
    }
    list[i] = one_in(r, 16) ? address(r) : (uint64_t)&cb[i];
  }
}
static void fill_ifreq(struct rng *r, void *p, size_t n) {
  fill_random(r, p, 64);
  strcpy(p, one_in(r, 2) ? "lo" : "eth0");
}
static void fill_string(struct rng *r, void *p, size_t n) {
  snprintf(p, n, "%s", path(r));
}

/* By "call.argument" or ".argument", the first that fits. */
static const struct {
  const char *where;
  void (*fill)(struct rng *, void *, size_t);
} fillers[] = {
    {"sendmmsg.vec", fill_mmsg},
    {"recvmmsg.vec", fill_mmsg},
    {".iov", fill_iov},
    {".vec", fill_iov},
    {".local", fill_iov},
    {".remote", fill_iov},
    {"msgsnd.msg", fill_random},
    {"msgrcv.msg", fill_random},
    {".msg", fill_msg},
    {"ptrace.addr", fill_random},
    {"mmap.addr", NULL},
    {"munmap.addr", NULL},
    {"mprotect.addr", NULL},
    {"mremap.old", NULL},
    {"mremap.new", NULL},
    {"madvise.addr", NULL},
    {"mlock.addr", NULL},
    {"msync.addr", NULL},
    {"mincore.addr", NULL},
    {"shmat.addr", NULL},
    {"shmdt.addr", NULL},
    {"brk.brk", NULL},
    {"clone.stack", NULL},
    {".addr", fill_addr},
    {".len", fill_lens},
    {".alen", fill_lens},
    {".timeout", fill_time},
    {".times", fill_time},
    {".ts", fill_time},
    {".tv", fill_time},
    {".req", fill_time},
    {".rem", fill_time},
    {".value", fill_time},
    {"prlimit64.new", fill_limits},
    {".rlim", fill_limits},
    {"sigaltstack.new", fill_iov},
    {".new", fill_time},
    {".act", fill_action},
    {"ppoll.fds", fill_poll},
    {"poll.fds", fill_poll},
    {".r", fill_fdset},
    {".w", fill_fdset},
    {".x", fill_fdset},
    {".event", fill_event},
    {".uaddr", fill_futexes},
    {".uaddr2", fill_futexes},
    {".waiters", fill_waitv},
    {".argv", fill_strings},
    {".envp", fill_strings},
    {"clone3.args", fill_clone},
    {"seccomp.args", fill_program},
    {".ops", fill_sembuf},
    {".head", fill_iov},
    {".val", fill_random},
    {"mount.data", fill_string},
    {"io_submit.iocbs", fill_iocbs},
    {"io_submit.list", fill_iocbs},
    {"fsconfig.value", fill_string},
    {"ioctl.arg", fill_ifreq},
    {".mask", fill_fdset},
    {".set", fill_fdset},
};

static uint64_t pointer(struct rng *r, const struct template *t, const struct arg *a) {
  if (one_in(r, 7))
    return address(r);
  if (one_in(r, 8))
    return 0;
  void (*fill)(struct rng *, void *, size_t) = fill_random;
  for (unsigned i = 0; i < N(fillers); i++) {
    const char *dot = strchr(fillers[i].where, '.');
    size_t n = (size_t)(dot - fillers[i].where);
    if ((!n || (strlen(t->name) == n && !strncmp(t->name, fillers[i].where, n))) && !strcmp(dot + 1, a->name)) {
      fill = fillers[i].fill;
      break;
    }
  }
  if (!fill)
    return address(r);
  void *p = scratch(r, 512);
  fill(r, p, 512);
  return (uint64_t)p + (one_in(r, 40) ? below(r, 8) : 0);
}

static uint64_t value(struct rng *r, const struct template *t, const struct arg *a) {
  const char *type = a->type;
  bool known;
  uint64_t v = from_set(r, type, &known);
  if (known)
    return v;
  if (!strcmp(type, "fd"))
    return (uint64_t)descriptor(r);
  if (!strcmp(type, "at"))
    return one_in(r, 2) ? (uint64_t)-100 : (uint64_t)descriptor(r);
  if (!strcmp(type, "s"))
    return one_in(r, 20) ? address(r) : (uint64_t)path(r);
  if (!strcmp(type, "p"))
    return pointer(r, t, a);
  if (type[0] == 'b')
    return address(r);
  if (!strcmp(type, "sz"))
    return size_value(r);
  if (!strcmp(type, "off"))
    return one_in(r, 3) ? size_value(r) : below(r, 100000);
  if (!strcmp(type, "o"))
    return below(r, 010000) | (one_in(r, 4) ? 0010000u << below(r, 4) : 0);
  if (!strcmp(type, "ioctl"))
    return ioctl_request(r);
  if (!strcmp(t->name, "ioctl"))
    return one_in(r, 4) ? small(r) : pointer(r, t, &(struct arg){"arg", "p"});
  if (!strcmp(t->name, "semctl") || !strcmp(t->name, "fcntl"))
    return one_in(r, 2) ? small(r) : pointer(r, t, &(struct arg){"iov", "p"});
  if (type[0] == 'x')
    return !strcmp(a->name, "flags") ? bits(r) : number(r, t, a);
  return number(r, t, a);
}

void make_call_args(struct rng *r, struct call *c) {
  if (net_turn(r)) {
    make_net_call(r, c);
    return;
  }
  const struct template *t;
  do {
    t = &calls[below(r, (uint64_t)total)];
  } while (!t->implemented && !one_in(r, 20));
  c->nr = t->nr;
  c->name = t->name;
  for (int i = 0; i < 6; i++)
    c->a[i] = i < t->nargs ? value(r, t, &t->arg[i]) : one_in(r, 4) ? rnd(r) : 0;
  if (one_in(r, 50)) /* what the table does not say about it */
    c->a[below(r, 6)] = one_in(r, 2) ? rnd(r) : small(r);
}
