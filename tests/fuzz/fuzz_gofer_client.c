/*
 * Answers as a hostile gofer would send them: every call of the client's against one fuzzed answer, whose header is
 * mended to match the request. The rest of the kernel is replaced by a few lines here: without fibers the client
 * blocks.
 */
#include "../../core/fiber.h"
#include "../../fs/gofer/client.h"
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct fiber *fiber_self(void) {
  return NULL;
}
void fiber_park(void) {
  abort();
}
void fiber_wake(struct fiber *f) {}
void waitq_init(struct waitq *q) {
  TAILQ_INIT(&q->head);
}
int waitq_wake_n(struct waitq *q, uint32_t events, int n) {
  return 0;
}
int task_wait_uninterruptible(struct waitq *q, uint32_t events, int64_t deadline) {
  abort();
}
int loop_poll_arm(struct loop *l, struct loop_poll *p) {
  return 0;
}
void loop_poll_del(struct loop *l, struct loop_poll *p) {}
void klog(struct kernel *k, const char *fmt, ...) {}
ssize_t dentry_path_in_fs(const struct dentry *d, char *buf, size_t cap) {
  memcpy(buf, "dir", 4);
  return 3;
}

static void send_answer(int sock, const uint8_t *data, size_t n, int op) {
  static uint8_t msg[GOFER_MSG_MAX];
  struct gofer_hdr h = {.op = (uint16_t)op, .tag = 1, .size = (uint32_t)(n + sizeof h)};
  memcpy(msg, &h, sizeof h);
  memcpy(msg + sizeof h, data, n);
  struct iovec iov = {msg, n + sizeof h};
  union {
    struct cmsghdr align;
    char buf[CMSG_SPACE(sizeof(int))];
  } c = {0};
  struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
  int zero = 0;
  if (op == GOFER_OPEN || op == GOFER_CREATE) {
    m.msg_control = c.buf;
    m.msg_controllen = sizeof c.buf;
    struct cmsghdr *cm = CMSG_FIRSTHDR(&m);
    *cm = (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof zero)};
    memcpy(CMSG_DATA(cm), &zero, sizeof zero);
  }
  if (sendmsg(sock, &m, 0) < 0)
    abort();
}

static void call(struct gofer_sb *s, int op) {
  struct dentry d = {0};
  struct gofer_at at = {&d, "name"};
  struct iattr ia = {0};
  struct gofer_attr a;
  struct gofer_statfs st;
  struct gofer_list *l;
  char *target, buf[256];
  int fd = -1;
  switch (op) {
  case GOFER_WALK:
    gc_lookup(s, at, &a, &target);
    free(target);
    break;
  case GOFER_OPEN:
    gc_open(s, &d, 0, &a, &fd);
    break;
  case GOFER_CREATE:
    gc_make(s, GOFER_CREATE, at, &ia, &a, &fd);
    break;
  case GOFER_READDIR:
    if (gc_readdir(s, &d, &l) == 0)
      gofer_list_put(l);
    break;
  case GOFER_STATFS:
    gc_statfs(s, &d, &st);
    break;
  case GOFER_GETXATTR:
    gc_getxattr(s, &d, "user.x", buf, sizeof buf);
    break;
  case GOFER_UNLINK:
    gc_remove(s, GOFER_UNLINK, at);
    break;
  default:
    gc_getattr(s, &d, &a);
    break;
  }
  if (fd >= 0)
    close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  static const int ops[] = {GOFER_WALK,   GOFER_OPEN,     GOFER_CREATE, GOFER_READDIR,
                            GOFER_STATFS, GOFER_GETXATTR, GOFER_UNLINK, GOFER_GETATTR};
  if (n < 1 || n > 60000)
    return 0;
  int op = ops[data[0] & 7], sv[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sv))
    abort();
  struct kernel k = {0};
  struct gofer *g;
  if (gofer_connect(&k, sv[0], NULL, NULL, &g))
    abort();
  struct gofer_sb s = {.g = g};
  send_answer(sv[1], data + 1, n - 1, op);
  shutdown(sv[1], SHUT_WR);
  call(&s, op);
  if (!g->dead)
    close(sv[0]);
  close(sv[1]);
  free(g->sbuf);
  free(g->rbuf);
  free(g);
  return 0;
}
