/* FUTEX_WAIT_REQUEUE_PI / CMP_REQUEUE_PI, LOCK_PI2, WAKE_OP, futex2 calls, robust lists: results of every kind. */
#include "guest.h"
#include <linux/futex.h>
#include <stddef.h>
#include <pthread.h>
#ifndef FUTEX_LOCK_PI2
#define FUTEX_LOCK_PI2 13
#endif
static uint32_t cond, lock, other;
static volatile int order[8], norder, tids[8];
static long fx(uint32_t *a, int op, uint32_t v, void *ts, void *b, uint32_t v3) {
  long r = syscall(SYS_futex, a, op, v, ts, b, v3);
  return r < 0 ? -errno : r;
}
static const char *res(long r) {
  static char b[8][32];
  static int i;
  char *s = b[i++ & 7];
  if (r < 0)
    snprintf(s, 32, "%s", ename((int)-r));
  else
    snprintf(s, 32, "%ld", r);
  return s;
}
static struct timespec soon(int ms, clockid_t c) {
  struct timespec ts;
  clock_gettime(c, &ts);
  ts.tv_nsec += ms * 1000000l;
  ts.tv_sec += ts.tv_nsec / 1000000000;
  ts.tv_nsec %= 1000000000;
  return ts;
}
static long results[8];
static void *waiter(void *arg) {
  int i = (int)(long)arg;
  tids[i] = gettid();
  results[i] = fx(&cond, FUTEX_WAIT_REQUEUE_PI_PRIVATE, 0, NULL, &lock, 0);
  order[norder++] = i;
  if (results[i] == 0) {
    if ((lock & FUTEX_TID_MASK) != (uint32_t)gettid())
      say("waiter %d does not own the lock", i);
    fx(&lock, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0);
  }
  return NULL;
}
static void sleeping(int i) {
  while (!tids[i])
    usleep(100);
  char p[64];
  snprintf(p, sizeof p, "/proc/self/task/%d/stat", tids[i]);
  for (;;) {
    char b[200] = "";
    int fd = open(p, O_RDONLY);
    read(fd, b, sizeof b - 1);
    close(fd);
    char *e = strrchr(b, ')');
    if (e && e[2] == 'S')
      return;
    usleep(200);
  }
}
static pthread_t th[8];
static void start(int i) {
  tids[i] = 0;
  pthread_create(&th[i], NULL, waiter, (void *)(long)i);
  sleeping(i);
}

static void requeue_pi(void) {
  say("no waiters: %s", res(fx(&cond, FUTEX_CMP_REQUEUE_PI_PRIVATE, 1, (void *)5, &lock, 0)));
  start(0);
  say("wrong value: %s", res(fx(&cond, FUTEX_CMP_REQUEUE_PI_PRIVATE, 1, (void *)5, &lock, 1)));
  say("nr_wake 2: %s", res(fx(&cond, FUTEX_CMP_REQUEUE_PI_PRIVATE, 2, (void *)5, &lock, 0)));
  say("same word: %s", res(fx(&cond, FUTEX_CMP_REQUEUE_PI_PRIVATE, 1, (void *)5, &cond, 0)));
  say("another lock: %s", res(fx(&cond, FUTEX_CMP_REQUEUE_PI_PRIVATE, 1, (void *)5, &other, 0)));
  say("FUTEX_WAKE: %s", res(fx(&cond, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0)));
  say("FUTEX_REQUEUE: %s", res(fx(&cond, FUTEX_REQUEUE_PRIVATE, 0, (void *)1, &other, 0)));
  say("requeue, lock free: %s", res(fx(&cond, FUTEX_CMP_REQUEUE_PI_PRIVATE, 1, (void *)0, &lock, 0)));
  pthread_join(th[0], NULL);
  say("waiter: %s; lock %x", res(results[0]), lock);

  say("lock %s", res(fx(&lock, FUTEX_LOCK_PI2, 0, NULL, NULL, 0)));
  say("again %s", res(fx(&lock, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0)));
  say("unlock %s", res(fx(&lock, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0)));
  say("not mine %s", res(fx(&lock, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0)));
  say("lock %s", res(fx(&lock, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0)));
  norder = 0;
  for (int i = 0; i < 4; i++)
    start(i);
  say("requeue of four, lock held: %s", res(fx(&cond, FUTEX_CMP_REQUEUE_PI_PRIVATE, 1, (void *)10, &lock, 0)));
  say("WAITERS %d", !!(lock & FUTEX_WAITERS));
  say("FUTEX_WAKE of the lock: %s", res(fx(&lock, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0)));
  say("unlock %s", res(fx(&lock, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0)));
  for (int i = 0; i < 4; i++)
    pthread_join(th[i], NULL);
  say("order %d %d %d %d, results %ld %ld %ld %ld, lock %x", order[0], order[1], order[2], order[3], results[0], results[1], results[2], results[3], lock);

  lock = 0;
  say("lock free, four: start");
  for (int i = 0; i < 4; i++)
    start(i);
  say("requeue: %s", res(fx(&cond, FUTEX_CMP_REQUEUE_PI_PRIVATE, 1, (void *)1, &lock, 0)));
  pthread_join(th[0], NULL);
  pthread_join(th[1], NULL);
  say("two more: %s", res(fx(&cond, FUTEX_CMP_REQUEUE_PI_PRIVATE, 1, (void *)10, &lock, 0)));
  pthread_join(th[2], NULL);
  pthread_join(th[3], NULL);
  say("lock %x", lock);
  struct timespec ts = soon(20, CLOCK_MONOTONIC);
  say("timeout: %s", res(fx(&cond, FUTEX_WAIT_REQUEUE_PI_PRIVATE, 0, &ts, &lock, 0)));
  say("value: %s", res(fx(&cond, FUTEX_WAIT_REQUEUE_PI_PRIVATE, 7, &ts, &lock, 0)));
  say("same: %s", res(fx(&cond, FUTEX_WAIT_REQUEUE_PI_PRIVATE, 0, &ts, &cond, 0)));
  say("odd: %s", res(fx((void *)((char *)&cond + 1), FUTEX_WAIT_REQUEUE_PI_PRIVATE, 0, &ts, &lock, 0)));
}

static void wake_op(void) {
  uint32_t w = 0, v;
  static const char *n[] = {"set", "add", "or", "andn", "xor"};
  for (int op = 0; op < 7; op++) {
    v = 0xff;
    long r = fx(&w, FUTEX_WAKE_OP_PRIVATE, 1, (void *)1, &v, FUTEX_OP(op, 0x7f3, FUTEX_OP_CMP_EQ, 0xff));
    say("%s: %s, %x", op < 5 ? n[op] : "bad op", res(r), v);
    v = 0xf0;
    r = fx(&w, FUTEX_WAKE_OP_PRIVATE, 1, (void *)1, &v, FUTEX_OP((op | 8), 5, FUTEX_OP_CMP_LT, 0));
    say("shifted %s: %s, %x", op < 5 ? n[op] : "bad op", res(r), v);
  }
  v = 1;
  say("bad comparison: %s, %x", res(fx(&w, FUTEX_WAKE_OP_PRIVATE, 1, (void *)1, &v, FUTEX_OP(FUTEX_OP_ADD, 1, 9, 0))), v);
  say("bad address: %s", res(fx(&w, FUTEX_WAKE_OP_PRIVATE, 1, (void *)1, (void *)8, FUTEX_OP(FUTEX_OP_ADD, 1, 1, 0))));
  say("odd address: %s", res(fx(&w, FUTEX_WAKE_OP_PRIVATE, 1, (void *)1, (char *)&v + 1, FUTEX_OP(FUTEX_OP_ADD, 1, 1, 0))));
}

struct waitv {
  uint64_t val, uaddr;
  uint32_t flags, res;
};
static long sc(long r) { return r < 0 ? -errno : r; }
static void *wait2(void *arg) {
  tids[0] = gettid();
  results[0] = sc(syscall(455, &other, 0ul, 0xf0ul, 2 | 128, NULL, 0));
  return NULL;
}
static void futex2(void) {
  struct waitv w[2] = {{0, (uint64_t)&other, 2 | 128, 0}, {0, (uint64_t)&cond, 2 | 128, 0}};
  struct timespec ts = soon(10, CLOCK_MONOTONIC);
  tids[0] = 0;
  pthread_create(&th[0], NULL, wait2, NULL);
  sleeping(0);
  say("wake other mask: %s", res(sc(syscall(454, &other, 0x0ful, 1, 2 | 128))));
  say("wake none: %s", res(sc(syscall(454, &other, ~0u, 0, 2 | 128))));
  say("wake mask 0: %s", res(sc(syscall(454, &other, 0ul, 1, 2 | 128))));
  say("wake flags 0: %s", res(sc(syscall(454, &other, 1ul, 1, 0))));
  say("wake: %s", res(sc(syscall(454, &other, 0x10ul, 1, 2 | 128))));
  pthread_join(th[0], NULL);
  say("waiter %s", res(results[0]));
  tids[0] = 0;
  pthread_create(&th[0], NULL, wait2, NULL);
  sleeping(0);
  say("requeue: %s", res(sc(syscall(456, w, 0, 0, 5))));
  say("wake from: %s", res(sc(syscall(454, &other, ~0u, 1, 2 | 128))));
  say("wake to: %s", res(sc(syscall(454, &cond, ~0u, 1, 2 | 128))));
  pthread_join(th[0], NULL);
  say("value: %s", res(sc(syscall(455, &other, 5ul, ~0u, 2 | 128, NULL, 0))));
  say("big value: %s", res(sc(syscall(455, &other, 1ul << 33, ~0u, 2 | 128, NULL, 0))));
  say("timeout: %s", res(sc(syscall(455, &other, 0ul, ~0u, 2 | 128, &ts, CLOCK_MONOTONIC))));
  say("bad clock: %s", res(sc(syscall(455, &other, 0ul, ~0u, 2 | 128, &ts, CLOCK_BOOTTIME))));
  w[0].val = 3;
  say("requeue value: %s", res(sc(syscall(456, w, 0, 0, 5))));
  say("requeue flags: %s", res(sc(syscall(456, w, 1, 0, 5))));
}

/* ---- robust lists ---- */
struct node {
  struct node *next;
  uint32_t word;
};
static struct {
  struct node *next;
  long off;
  struct node *pending;
} *head;
static struct node *nodes;
static void robust(void) {
  char *m = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  head = (void *)m;
  nodes = (void *)(m + 256);
  for (int kind = 0; kind < 6; kind++) {
    memset(m, 0, 4096);
    pid_t p = fork();
    if (!p) {
      uint32_t me = (uint32_t)gettid();
      head->off = offsetof(struct node, word);
      for (int i = 0; i < 4; i++) {
        nodes[i].word = me;
        nodes[i].next = i < 3 ? &nodes[i + 1] : (void *)head;
      }
      head->next = nodes;
      switch (kind) {
      case 1: /* died before it was in the list */
        nodes[5].word = me;
        head->pending = &nodes[5];
        break;
      case 2: /* pending, in the list too */
        head->pending = &nodes[2];
        break;
      case 3: /* unlocked, not yet woken; somebody else's; waiters */
        nodes[0].word = me | FUTEX_WAITERS;
        nodes[1].word = 0;
        nodes[2].word = 1;
        head->pending = &nodes[6];
        break;
      case 4: /* a loop */
        nodes[3].next = nodes;
        break;
      case 5: /* a bad pointer */
        nodes[1].next = (void *)8;
        break;
      }
      syscall(SYS_set_robust_list, head, 24);
      if (kind == 4)
        kill(getpid(), SIGKILL);
      _exit(0);
    }
    waitpid(p, NULL, 0);
    printf("robust %d:", kind);
    for (int i = 0; i < 7; i++)
      printf(" %x", (nodes[i].word & ~FUTEX_TID_MASK) | !!(nodes[i].word & FUTEX_TID_MASK));
    printf("\n");
  }
  void *h;
  size_t len;
  int r = (int)syscall(SYS_get_robust_list, 0, &h, &len);
  say("get_robust_list: %d %zu", r, len);
  say("bad length: %s", res(sc(syscall(SYS_set_robust_list, head, 23))));
}

int main(void) {
  setvbuf(stdout, NULL, _IONBF, 0);
  requeue_pi();
  wake_op();
  futex2();
  robust();
}
