/* Linux AIO: io_setup(2), io_submit(2), io_getevents(2), io_cancel(2), io_destroy(2). */
#include "guest.h"
#include <linux/aio_abi.h>

static aio_context_t ctx;
static int setup(unsigned n, aio_context_t *c) {
  return (int)syscall(SYS_io_setup, n, c);
}
static int submit1(struct iocb *cb) {
  return (int)syscall(SYS_io_submit, ctx, 1L, &cb);
}
static int events(long min, long nr, struct io_event *ev, struct timespec *ts) {
  return (int)syscall(SYS_io_getevents, ctx, min, nr, ev, ts);
}
static struct timespec none;
static void one(const char *what, struct iocb *cb) {
  struct io_event ev;
  int r = submit1(cb);
  if (r != 1) {
    say("%s: submit %s", what, r < 0 ? ename(errno) : "0");
    return;
  }
  r = events(1, 1, &ev, NULL);
  say("%s: %d event, res %s%lld, data %llu, obj ok %d", what, r, ev.res < 0 ? "-" : "",
      ev.res < 0 ? -(long long)ev.res : (long long)ev.res, (unsigned long long)ev.data, ev.obj == (uintptr_t)cb);
}
static struct iocb rw(int op, int fd, void *buf, size_t n, off_t off) {
  return (struct iocb){
      .aio_lio_opcode = op, .aio_fildes = fd, .aio_buf = (uintptr_t)buf, .aio_nbytes = n, .aio_offset = off, .aio_data = 7};
}
static void handler(int sig) {
  (void)sig;
}

static void contexts(void) {
  aio_context_t c = 1;
  SHOW(setup(1, &c));
  c = 0;
  SHOW(setup(0, &c));
  SHOW(setup(1, (void *)8));
  SHOW(setup(0x7fffffff, &c));
  SHOW(setup(64, &ctx));
  unsigned *ring = (unsigned *)ctx;
  say("head %u tail %u magic %x compat %u incompat %u header %u", ring[2], ring[3], ring[4], ring[5], ring[6], ring[7]);
  YES(ring[1] >= 64);
  SHOW(syscall(SYS_io_destroy, 12345L));
  SHOW(syscall(SYS_io_submit, 12345L, 0L, NULL));
  SHOW(syscall(SYS_io_submit, ctx, -1L, NULL));
  SHOW(syscall(SYS_io_submit, ctx, 0L, NULL));
  SHOW(syscall(SYS_io_submit, ctx, 1L, NULL));
}

static void files(void) {
  char path[] = "aioXXXXXX", buf[32] = {0};
  int fd = MUST(mkstemp(path));
  unlink(path);
  struct iocb w = rw(IOCB_CMD_PWRITE, fd, "hello world", 11, 0), r = rw(IOCB_CMD_PREAD, fd, buf, 5, 6);
  one("pwrite", &w);
  one("pread", &r);
  say("%s", buf);
  struct iovec v[2] = {{"AB", 2}, {"CD", 2}};
  struct iocb wv = rw(IOCB_CMD_PWRITEV, fd, v, 2, 2);
  one("pwritev", &wv);
  memset(buf, 0, sizeof buf);
  struct iovec rv[2] = {{buf, 1}, {buf + 10, 10}};
  struct iocb r2 = rw(IOCB_CMD_PREADV, fd, rv, 2, 2);
  one("preadv", &r2);
  say("%s %s", buf, buf + 10);
  SHOW(lseek(fd, 0, SEEK_CUR));
  struct iocb s = rw(IOCB_CMD_FSYNC, fd, NULL, 0, 0), d = rw(IOCB_CMD_FDSYNC, fd, NULL, 0, 0);
  one("fsync", &s);
  one("fdsync", &d);
  s.aio_nbytes = 1;
  one("fsync with a length", &s);
  struct iocb bad = rw(99, fd, buf, 1, 0);
  one("no such operation", &bad);
  bad = rw(IOCB_CMD_PREAD, 999, buf, 1, 0);
  one("bad descriptor", &bad);
  bad = rw(IOCB_CMD_PREAD, fd, buf, 1, -1);
  one("negative offset", &bad);
  bad = rw(IOCB_CMD_PREAD, fd, (void *)8, 1, 0);
  one("bad buffer", &bad);
  bad = rw(IOCB_CMD_PREAD, fd, buf, (size_t)-1, 0);
  one("bad length", &bad);
  bad = rw(IOCB_CMD_PREAD, fd, buf, 1, 0);
  bad.aio_reserved2 = 1;
  one("reserved", &bad);
  bad.aio_reserved2 = 0;
  bad.aio_flags = IOCB_FLAG_RESFD;
  bad.aio_resfd = (unsigned)fd;
  one("no eventfd", &bad);
  bad.aio_flags = 0;
  bad.aio_rw_flags = 0x1000000;
  one("bad flags", &bad);
  int ro = open("/dev/null", O_RDONLY);
  bad = rw(IOCB_CMD_PWRITE, ro, buf, 1, 0);
  one("not for writing", &bad);
  bad = rw(IOCB_CMD_PREAD, fd, buf, 10, 100);
  one("end of file", &bad);
  /* several at once; the last one is refused */
  struct iocb a = rw(IOCB_CMD_PREAD, fd, buf, 1, 0), b = rw(IOCB_CMD_PREAD, fd, buf, 2, 0), *list[] = {&a, &b, &b};
  struct iocb no = rw(99, fd, buf, 1, 0);
  list[2] = &no;
  SHOW(syscall(SYS_io_submit, ctx, 3L, list));
  struct io_event ev[4];
  SHOW(events(5, 4, ev, &none));
  SHOW(events(-1, 4, ev, &none));
  SHOW(events(2, 4, ev, NULL));
  say("%lld %lld", (long long)ev[0].res, (long long)ev[1].res);
  SHOW(events(0, 4, ev, NULL));
  SHOW(events(1, 4, ev, &none));
  SHOW(events(1, 4, ev, &(struct timespec){0, 10000000}));
  int e = eventfd(0, 0);
  a.aio_flags = IOCB_FLAG_RESFD;
  a.aio_resfd = (unsigned)e;
  one("with eventfd", &a);
  uint64_t n = 0;
  SHOW(read(e, &n, 8));
  say("counter %lu", (unsigned long)n);
  /* The program takes an event by itself. */
  a.aio_flags = 0;
  MUST(submit1(&a));
  unsigned *ring = (unsigned *)ctx;
  YES(ring[2] != ring[3]);
  ring[2] = (ring[2] + 1) % ring[1];
  SHOW(events(0, 4, ev, &none));
  close(e);
  close(fd);
  close(ro);
}

static void polls(void) {
  int p[2];
  MUST(pipe(p));
  struct io_event ev;
  struct iocb cb = rw(IOCB_CMD_POLL, p[0], (void *)POLLIN, 0, 0);
  SHOW(submit1(&cb));
  SHOW(events(0, 1, &ev, &none));
  MUST(write(p[1], "x", 1));
  SHOW(events(1, 1, &ev, NULL));
  say("res %llx", (unsigned long long)ev.res);
  one("ready at once", &cb);
  char c;
  MUST(read(p[0], &c, 1));
  SHOW(submit1(&cb));
  SHOW(syscall(SYS_io_cancel, ctx, &cb, &ev));
  SHOW(events(1, 1, &ev, NULL));
  say("cancelled: res %lld obj ok %d", (long long)ev.res, ev.obj == (uintptr_t)&cb);
  SHOW(syscall(SYS_io_cancel, ctx, &cb, &ev));
  cb.aio_nbytes = 1;
  SHOW(submit1(&cb));
  cb.aio_nbytes = 0;
  SHOW(submit1(&cb));
  close(p[1]);
  SHOW(events(1, 1, &ev, NULL));
  say("hung up %x", (unsigned)ev.res & POLLHUP);
  close(p[0]);
  CHILD("not inherited") {
    SHOW(syscall(SYS_io_submit, ctx, 0L, NULL));
  }
  pid_t k = child_fork();
  if (!k) {
    ctx = 0;
    MUST(setup(1, &ctx));
    on_signal(SIGUSR1, handler, SA_RESTART);
    show("interrupted", events(1, 1, &ev, NULL));
    _exit(0);
  }
  wait_state(k, 'S');
  kill(k, SIGUSR1);
  reap("waiter", k);
}

int main(void) {
  contexts();
  files();
  polls();
  aio_context_t old = ctx;
  SHOW(syscall(SYS_io_destroy, ctx));
  SHOW(syscall(SYS_io_destroy, old));
  SHOW(msync((void *)old, 4096, MS_ASYNC));
}
