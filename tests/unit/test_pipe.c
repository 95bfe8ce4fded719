#include "../../fs/pipe.h"
#include "../../core/signal.h"
#include "../../fs/vfs.h"
#include "fiber_util.h"
#include <sys/ioctl.h>

static void make(struct file *p[2], int flags) {
  fib_setup();
  ck_assert_int_eq(pipe_new(fib.k, flags, p), 0);
}

/* ---- the ring ---- */

static void wrap_body(void *arg) {
  struct file *p[2];
  static char buf[70000], out[70000]; /* a fiber's stack has no room for them */
  ck_assert_int_eq(pipe_new(fib.k, O_NONBLOCK, p), 0);
  uint8_t wr = 0, rd = 0;
  size_t in = 0;
  unsigned seed = 1;
  for (int i = 0; i < 20000; i++) {
    seed = seed * 1103515245 + 12345;
    size_t n = seed >> 16 & 1 ? (seed >> 17) % 100 : (seed >> 17) % 5000;
    if (seed >> 8 & 1) {
      for (size_t j = 0; j < n; j++)
        buf[j] = (char)(wr + j);
      ssize_t r = k_write(p[1], buf, n);
      if (n == 0)
        ck_assert_int_eq(r, 0);
      else if (in == 65536 || (n <= 4096 && in + n > 65536))
        ck_assert_int_eq(r, -EAGAIN);
      else
        ck_assert_int_eq(r, in + n > 65536 ? 65536 - in : n);
      if (r > 0) {
        wr += r;
        in += r;
      }
    } else {
      ssize_t r = k_read(p[0], out, n);
      if (n && !in)
        ck_assert_int_eq(r, -EAGAIN);
      else
        ck_assert_int_eq(r, n < in ? n : in);
      int wrong = 0; /* one assertion for all bytes: each costs a system call */
      for (ssize_t j = 0; j < r; j++)
        wrong += (uint8_t)out[j] != rd++;
      ck_assert_int_eq(wrong, 0);
      if (r > 0)
        in -= r;
    }
  }
  file_put(p[0]);
  file_put(p[1]);
}

START_TEST(random_reads_and_writes) {
  fib_setup();
  fib_do(wrap_body, NULL);
}
END_TEST

/* ---- blocking ---- */

static struct file *pp[2];
static char got[200000];
static size_t ngot;

static void reader(void *arg) {
  ssize_t r;
  while ((r = k_read(pp[0], got + ngot, 1000)) > 0)
    ngot += r;
  ck_assert_int_eq(r, 0);
  file_put(pp[0]);
}

static void writer(void *arg) {
  static char data[150000];
  for (size_t i = 0; i < sizeof data; i++)
    data[i] = (char)(i * 7);
  ck_assert_int_eq(k_write(pp[1], data, sizeof data), sizeof data);
  file_put(pp[1]);
}

START_TEST(large_write_meets_small_reads) {
  make(pp, 0);
  struct task *a = util_child(fib.init), *b = util_child(fib.init);
  fib_start(a, reader, NULL);
  fib_start(b, writer, NULL);
  fib_run();
  ck_assert_int_eq(ngot, 150000);
  int wrong = 0;
  for (size_t i = 0; i < ngot; i++)
    wrong += got[i] != (char)(i * 7);
  ck_assert_int_eq(wrong, 0);
}
END_TEST

static void edges_body(void *arg) {
  struct file *p[2];
  char c[10];
  ck_assert_int_eq(pipe_new(fib.k, 0, p), 0);
  ck_assert_int_eq(file_poll(p[0]), 0);
  ck_assert_int_eq(file_poll(p[1]), EPOLLOUT | EPOLLWRNORM);
  ck_assert_int_eq(k_read(p[1], c, 1), -EBADF);
  ck_assert_int_eq(k_write(p[0], c, 1), -EBADF);
  ck_assert_int_eq(k_write(p[1], "abc", 3), 3);
  ck_assert_int_eq(file_poll(p[0]), EPOLLIN | EPOLLRDNORM);
  file_put(p[1]);
  ck_assert_int_eq(file_poll(p[0]), EPOLLIN | EPOLLRDNORM | EPOLLHUP);
  ck_assert_int_eq(k_read(p[0], c, 10), 3);
  ck_assert_int_eq(k_read(p[0], c, 10), 0);
  ck_assert_int_eq(file_poll(p[0]), EPOLLHUP);
  file_put(p[0]);

  ck_assert_int_eq(pipe_new(fib.k, 0, p), 0);
  file_put(p[0]);
  ck_assert_int_eq(file_poll(p[1]), EPOLLOUT | EPOLLWRNORM | EPOLLERR);
  fib.init->blocked = sigbit(SIGPIPE);
  ck_assert_int_eq(k_write(p[1], "x", 1), -EPIPE);
  ck_assert(fib.init->pending.set & sigbit(SIGPIPE));
  file_put(p[1]);
}

START_TEST(ends_and_poll) {
  fib_setup();
  fib_do(edges_body, NULL);
}
END_TEST

static void packets_body(void *arg) {
  struct file *p[2];
  char buf[9000];
  memset(buf, 'x', sizeof buf);
  ck_assert_int_eq(pipe_new(fib.k, O_DIRECT | O_NONBLOCK, p), 0);
  ck_assert_int_eq(k_write(p[1], buf, 3), 3);
  ck_assert_int_eq(k_write(p[1], buf, 9000), 9000); /* 4096, 4096, 808 */
  ck_assert_int_eq(k_read(p[0], buf, 100), 3);
  ck_assert_int_eq(k_read(p[0], buf, 10), 10); /* the rest of the packet is lost */
  ck_assert_int_eq(k_read(p[0], buf, 9000), 4096);
  p[1]->flags &= ~O_DIRECT;
  ck_assert_int_eq(k_write(p[1], buf, 5), 5);
  ck_assert_int_eq(k_write(p[1], buf, 6), 6);
  ck_assert_int_eq(k_read(p[0], buf, 9000), 808);
  ck_assert_int_eq(k_read(p[0], buf, 9000), 11);
  p[1]->flags |= O_DIRECT;
  for (int i = 0; i < 16; i++)
    ck_assert_int_eq(k_write(p[1], buf, 1), 1);
  ck_assert_int_eq(k_write(p[1], buf, 1), -EAGAIN);
  ck_assert_int_eq(file_poll(p[1]), 0);
  file_put(p[0]);
  file_put(p[1]);
}

START_TEST(packets) {
  fib_setup();
  fib_do(packets_body, NULL);
}
END_TEST

static void size_body(void *arg) {
  struct file *p[2];
  static char buf[300000];
  ck_assert_int_eq(pipe_new(fib.k, O_NONBLOCK, p), 0);
  ck_assert_int_eq(pipe_fcntl(p[0], F_GETPIPE_SZ, 0), 65536);
  ck_assert_int_eq(pipe_fcntl(p[0], F_SETPIPE_SZ, 1), 4096);
  ck_assert_int_eq(k_write(p[1], buf, 5000), 4096);
  ck_assert_int_eq(pipe_fcntl(p[0], F_SETPIPE_SZ, 200000), 262144);
  ck_assert_int_eq(k_write(p[1], buf, 300000), 262144 - 4096);
  ck_assert_int_eq(pipe_fcntl(p[0], F_SETPIPE_SZ, 65536), -EBUSY);
  ck_assert_int_eq(k_read(p[0], buf, 250000), 250000);
  ck_assert_int_eq(pipe_fcntl(p[0], F_SETPIPE_SZ, 65536), 65536);
  ck_assert_int_eq(k_read(p[0], buf, 300000), 12144);
  ck_assert_int_eq(pipe_fcntl(p[0], F_SETPIPE_SZ, 3u << 30), -EINVAL);
  file_put(p[0]);
  file_put(p[1]);
}

START_TEST(sizes) {
  fib_setup();
  fib_do(size_body, NULL);
}
END_TEST

/* ---- signals ---- */

static ssize_t interrupted;
static void blocked_reader(void *arg) {
  char c;
  interrupted = k_read(pp[0], &c, 1);
}
static void killer(void *arg) {
  send_signal_process(((struct task *)arg)->proc, SIGTERM, NULL);
}

START_TEST(signal_ends_a_read) {
  make(pp, 0);
  struct task *a = util_child(fib.init);
  a->sighand->action[SIGTERM - 1].handler = 0x1000;
  fib_start(a, blocked_reader, NULL);
  fib_start(fib.init, killer, a);
  fib_run();
  ck_assert_int_eq(interrupted, -ERESTARTSYS);
}
END_TEST

/* ---- FIFOs ---- */

static struct inode fifo;
static struct file *fifo_file[3];
static int order[4], norder;

static int open_fifo(int i, int flags) {
  struct file *f = file_new(NULL, flags, NULL);
  int r = fifo_open(&fifo, f);
  if (r) {
    free(f);
    return r;
  }
  fifo_file[i] = f;
  return 0;
}
static void fifo_reader(void *arg) {
  ck_assert_int_eq(open_fifo(0, O_RDONLY), 0);
  order[norder++] = 'r';
}

START_TEST(fifo_open_rules) {
  fib_setup();
  fifo = (struct inode){.mode = S_IFIFO | 0600};
  ref_init(&fifo.ref);
  ck_assert_int_eq(open_fifo(0, O_WRONLY | O_NONBLOCK), -ENXIO);
  ck_assert_ptr_null(fifo.pipe);
  ck_assert_int_eq(open_fifo(0, O_RDONLY | O_NONBLOCK), 0);
  ck_assert_int_eq(file_poll(fifo_file[0]), 0); /* no writer yet: not hung up */
  ck_assert_int_eq(open_fifo(1, O_WRONLY | O_NONBLOCK), 0);
  file_put(fifo_file[1]);
  ck_assert_int_eq(file_poll(fifo_file[0]), EPOLLHUP);
  file_put(fifo_file[0]);
  ck_assert_ptr_null(fifo.pipe);
  struct task *a = util_child(fib.init);
  fib_start(a, fifo_reader, NULL);
  ck_assert_int_eq(norder, 0);
  ck_assert_int_eq(open_fifo(1, O_WRONLY), 0);
  fib_run();
  ck_assert_int_eq(order[0], 'r');
  file_put(fifo_file[0]);
  file_put(fifo_file[1]);
  ck_assert_int_eq(open_fifo(0, O_RDWR), 0); /* never blocks */
  file_put(fifo_file[0]);
}
END_TEST

/* ---- splice ---- */

static ssize_t sink(void *arg, const void *data, size_t n) {
  size_t take = n > 1500 ? 1500 : n;
  memcpy(got + ngot, data, take);
  ngot += take;
  return take;
}
static ssize_t source(void *arg, void *buf, size_t n) {
  memset(buf, 's', n > 3000 ? 3000 : n);
  return n > 3000 ? 3000 : n;
}

static void splice_body(void *arg) {
  struct file *p[2], *q[2];
  char buf[10000];
  ck_assert_int_eq(pipe_new(fib.k, 0, p), 0);
  ck_assert_int_eq(pipe_new(fib.k, 0, q), 0);
  ck_assert_int_eq(pipe_splice_in(p[1], 10000, true, source, NULL), 3000);
  ck_assert_int_eq(pipe_tee(p[0], q[1], 100, true), 100);
  ck_assert_int_eq(pipe_splice_pipe(p[0], q[1], 1000, true), 1000);
  ck_assert_int_eq(k_read(q[0], buf, 10000), 1100);
  ck_assert_int_eq(pipe_splice_pipe(q[0], p[1], 10, true), -EAGAIN);
  ck_assert_int_eq(pipe_tee(p[0], p[1], 10, true), -EINVAL);
  ngot = 0;
  ck_assert_int_eq(pipe_splice_out(p[0], 5000, true, sink, NULL), 1500);
  ck_assert_int_eq(pipe_splice_out(p[0], 5000, true, sink, NULL), 500);
  ck_assert_int_eq(pipe_splice_out(p[0], 5000, true, sink, NULL), -EAGAIN);
  for (int i = 0; i < 2; i++) {
    file_put(p[i]);
    file_put(q[i]);
  }
}

START_TEST(splicing) {
  fib_setup();
  fib_do(splice_body, NULL);
}
END_TEST

int main(void) {
  Suite *s = suite_create("pipe");
  TCase *t = tcase_create("pipe");
  tcase_add_test(t, random_reads_and_writes);
  tcase_add_test(t, large_write_meets_small_reads);
  tcase_add_test(t, ends_and_poll);
  tcase_add_test(t, packets);
  tcase_add_test(t, sizes);
  tcase_add_test(t, signal_ends_a_read);
  tcase_add_test(t, fifo_open_rules);
  tcase_add_test(t, splicing);
  suite_add_tcase(s, t);
  return util_run(s);
}
