/* Terminals as files: pty pairs, devpts, controlling terminals, hangup, and the console over a host pty. */
#include "../../core/area.h"
#include "../../core/errno.h"
#include "../../core/fiber.h"
#include "../../core/kernel.h"
#include "../../core/signal.h"
#include "../../fs/tty_core.h"
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* <pty.h> has another struct termios than the kernel's headers */
int openpty(int *master, int *slave, char *name, const void *termios, const struct winsize *ws);

static struct kernel *k;
static struct task *init_task, *me;
static struct path root;
static int done;

static struct file *open_path(const char *name, int flags, int want) {
  struct path p;
  struct file *f = NULL;
  int r = vfs_lookup_kernel(&root, name, 0, &p);
  if (!r) {
    r = vfs_open_kernel(&p, flags, &f);
    path_put(&p);
  }
  ck_assert_msg(r == want, "%s: %d", name, r);
  return f;
}

static ssize_t rd(struct file *f, char *buf, size_t n, bool nonblock) {
  struct uio u;
  struct iovec v;
  uio_kernel(&u, &v, buf, n);
  u.nonblock = nonblock;
  ssize_t r = file_read(f, &u, NULL);
  if (r >= 0)
    buf[r] = 0;
  return r;
}

static ssize_t wr(struct file *f, const char *s) {
  struct uio u;
  struct iovec v;
  uio_kernel(&u, &v, (void *)(uintptr_t)s, strlen(s));
  u.nonblock = true;
  return file_write(f, &u, NULL);
}

static struct file *new_pair(struct file **master, int slave_flags) {
  *master = open_path("ptmx", O_RDWR, 0);
  struct tty *t = (*master)->priv;
  char name[16];
  snprintf(name, sizeof name, "%d", t->index);
  open_path(name, O_RDWR | O_NOCTTY, -EIO); /* locked */
  t->locked = false;
  return open_path(name, O_RDWR | slave_flags, 0);
}

static void body_pair(void) {
  char b[256];
  struct file *m, *s = new_pair(&m, O_NOCTTY);
  ck_assert_int_eq(rd(s, b, 100, true), -EAGAIN);
  ck_assert_int_eq(wr(m, "hello\r"), 6);
  ck_assert_uint_ne(file_poll(s) & EPOLLIN, 0);
  ck_assert_int_eq(rd(s, b, 100, true), 6);
  ck_assert_str_eq(b, "hello\n");
  ck_assert_int_eq(rd(m, b, 100, true), 7);
  ck_assert_str_eq(b, "hello\r\n");
  ck_assert_int_eq(wr(s, "out\n"), 4);
  ck_assert_int_eq(rd(m, b, 100, true), 5);
  ck_assert_uint_eq(file_poll(m) & (EPOLLIN | EPOLLHUP), 0);
  /* the slave goes and comes back */
  wr(s, "last");
  file_put(s);
  ck_assert_uint_ne(file_poll(m) & EPOLLHUP, 0);
  ck_assert_int_eq(rd(m, b, 100, true), 4);
  ck_assert_int_eq(rd(m, b, 100, true), -EIO);
  s = open_path("0", O_RDWR | O_NOCTTY, 0);
  ck_assert_int_eq(rd(m, b, 100, true), -EAGAIN);
  /* the master goes */
  file_put(m);
  ck_assert_int_eq(rd(s, b, 100, false), 0);
  ck_assert_int_eq(wr(s, "x"), -EIO);
  ck_assert_uint_ne(file_poll(s) & EPOLLHUP, 0);
  open_path("0", O_RDWR, -ENOENT);
  file_put(s);
  s = new_pair(&m, O_NOCTTY); /* the number is free again */
  ck_assert_int_eq(((struct tty *)m->priv)->index, 0);
  file_put(s);
  file_put(m);
  done++;
}

static struct file *gm, *gs;
static void late_writer(void *arg) {
  task_sleep(loop_now_exact() + 20000000);
  wr(gm, "late\n");
}
static void body_blocking(void) {
  char b[100];
  gs = new_pair(&gm, O_NOCTTY);
  fiber_spawn(late_writer, NULL);
  ck_assert_int_eq(rd(gs, b, 100, false), 5);
  struct tty *t = gm->priv;
  struct termios2 raw = t->n.tio;
  raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
  raw.c_cc[VMIN] = 0;
  raw.c_cc[VTIME] = 1;
  ntty_set_termios(&t->n, &raw);
  int64_t from = loop_now_exact();
  ck_assert_int_eq(rd(gs, b, 100, false), 0);
  ck_assert_int_ge(loop_now_exact() - from, 99000000);
  raw.c_cc[VMIN] = 3;
  ntty_set_termios(&t->n, &raw);
  wr(gm, "ab");
  ck_assert_int_eq(rd(gs, b, 100, false), 2); /* the time between two bytes ran out */
  wr(gm, "abcd");
  ck_assert_int_eq(rd(gs, b, 100, false), 4);
  file_put(gs);
  file_put(gm);
  done++;
}

static void body_control(void) {
  struct file *m, *s = new_pair(&m, 0);
  struct tty *t = m->priv;
  struct process *p = me->proc;
  char b[16];
  for (int i = 0; i < NSIG_GUEST; i++) /* without a handler, signals end the process */
    me->sighand->action[i].handler = 0x1000;
  ck_assert_ptr_eq(p->ctty, t);
  ck_assert_ptr_eq(t->session, p->session);
  ck_assert_ptr_eq(t->pgrp, p->pgrp);
  /* ^C reaches the foreground group */
  wr(m, "\003");
  ck_assert_uint_ne(p->pending.set & sigbit(SIGINT), 0);
  signal_flush(p, ~0ull);
  /* in the background: SIGTTIN, or EIO if that is ignored or nobody could continue us */
  struct task *other;
  ck_assert_int_eq(task_new_process(k, init_task->proc, &other), 0);
  pid_put(t->pgrp);
  t->pgrp = pid_get(other->proc->pid);
  me->blocked = sigbit(SIGTTIN);
  ck_assert_int_eq(rd(s, b, 10, false), -EIO);
  me->blocked = 0;
  ck_assert_int_eq(rd(s, b, 10, false), -EIO); /* orphaned: the parent is in another session */
  t->n.tio.c_lflag |= TOSTOP;
  ck_assert_int_eq(wr(s, "x"), -EIO);
  t->n.tio.c_lflag &= ~(tcflag_t)TOSTOP;
  ck_assert_int_eq(wr(s, "x"), 1);
  /* hangup */
  file_put(m);
  ck_assert_uint_ne(p->pending.set & sigbit(SIGHUP), 0);
  ck_assert_ptr_null(p->ctty);
  file_put(s);
  signal_flush(p, ~0ull);
  /* the leader's end frees the terminal */
  s = new_pair(&m, 0);
  t = m->priv;
  ck_assert_ptr_eq(p->ctty, t);
  tty_session_exit(p);
  ck_assert_ptr_null(p->ctty);
  ck_assert_ptr_null(t->session);
  signal_flush(p, ~0ull);
  file_put(s);
  file_put(m);
  done++;
}

static void body_packet(void) {
  char b[100];
  struct file *m, *s = new_pair(&m, O_NOCTTY);
  struct tty *t = m->priv;
  t->packet = true;
  wr(s, "data");
  ck_assert_int_eq(rd(m, b, 100, true), 5);
  ck_assert_int_eq(b[0], TIOCPKT_DATA);
  ck_assert_str_eq(b + 1, "data");
  wr(m, "\023");
  ck_assert_uint_ne(file_poll(m) & EPOLLPRI, 0);
  ck_assert_int_eq(rd(m, b, 100, true), 1);
  ck_assert_int_eq(b[0], TIOCPKT_STOP);
  ck_assert_int_eq(wr(s, "x"), -EAGAIN);
  file_put(s);
  file_put(m);
  done++;
}

static int host_master;
static void body_console(void) {
  char b[8192];
  struct file *f;
  int slave;
  struct winsize ws = {24, 80, 0, 0};
  ck_assert_int_eq(openpty(&host_master, &slave, NULL, NULL, &ws), 0);
  ck_assert_int_eq(tty_console_new(k, slave, &f), 0);
  ck_assert_ptr_nonnull(f->dentry);
  ck_assert_int_eq(tty_set_controlling(f, me), 0);
  struct tty *t = f->priv;
  ck_assert_int_eq(t->ws.ws_col, 80);
  ck_assert_int_eq(write(host_master, "typed\r", 6), 6);
  ck_assert_int_eq(rd(f, b, 100, false), 6);
  ck_assert_str_eq(b, "typed\n");
  ck_assert_int_eq(wr(f, "out\n"), 4);
  task_sleep(loop_now_exact() + 50000000);
  ssize_t n = read(host_master, b, sizeof b);
  ck_assert_int_gt(n, 0);
  b[n] = 0;
  ck_assert_str_eq(b, "typed\r\nout\r\n");
  /* much output, with the host reading slowly */
  static char big[30000];
  memset(big, 'x', sizeof big - 1);
  struct uio u;
  struct iovec v;
  uio_kernel(&u, &v, big, sizeof big - 1);
  u.nonblock = true;
  n = file_write(f, &u, NULL);
  ck_assert_int_gt(n, 4000);
  ck_assert_int_lt(n, 29999);
  size_t got = 0;
  while (got < (size_t)n) {
    task_sleep(loop_now_exact() + 5000000);
    ssize_t r = read(host_master, b, sizeof b);
    ck_assert_int_gt(r, 0);
    got += (size_t)r;
  }
  ws.ws_col = 132;
  ioctl(host_master, TIOCSWINSZ, &ws);
  tty_console_resized(f);
  ck_assert_int_eq(t->ws.ws_col, 132);
  close(host_master);
  ck_assert_int_eq(rd(f, b, 100, false), 0);
  ck_assert_uint_ne(me->proc->pending.set & sigbit(SIGHUP), 0);
  ck_assert_ptr_null(me->proc->ctty);
  signal_flush(me->proc, ~0ull);
  file_put(f);
  done++;
}

/* The last user goes: what was written still reaches the host, then the host sees the end. */
static void body_console_close(void) {
  char b[100];
  struct file *f;
  int slave;
  ck_assert_int_eq(openpty(&host_master, &slave, NULL, NULL, NULL), 0);
  ck_assert_int_eq(tty_console_new(k, slave, &f), 0);
  wr(f, "bye\n");
  file_put(f);
  task_sleep(loop_now_exact() + 50000000);
  ck_assert_int_eq(read(host_master, b, sizeof b), 5);
  ck_assert_int_eq(read(host_master, b, sizeof b), -1);
  close(host_master);
  done++;
}

static void body_hostfd(void) {
  char b[100];
  int in[2], out[2];
  struct file *r, *w;
  ck_assert_int_eq(pipe(in), 0);
  ck_assert_int_eq(pipe(out), 0);
  ck_assert_int_eq(hostfd_file_new(k, in[0], &r), 0);
  ck_assert_int_eq(hostfd_file_new(k, out[1], &w), 0);
  ck_assert_int_eq(rd(r, b, 100, true), -EAGAIN);
  ck_assert_uint_eq(file_poll(r) & EPOLLIN, 0);
  ck_assert_int_eq(write(in[1], "data", 4), 4);
  ck_assert_uint_ne(file_poll(r) & EPOLLIN, 0);
  ck_assert_int_eq(rd(r, b, 100, false), 4);
  ck_assert_uint_ne(file_poll(w) & EPOLLOUT, 0);
  ck_assert_int_eq(wr(w, "out"), 3);
  ck_assert_int_eq(read(out[0], b, 100), 3);
  struct stat st;
  ck_assert_int_eq(vfs_fgetattr(r, &st, NULL), 0);
  ck_assert(S_ISFIFO(st.st_mode));
  ck_assert(!strncmp(r->anon_name, "pipe:[", 6));
  struct file *again;
  ck_assert_int_eq(w->ops->reopen(w, O_WRONLY, &again), 0);
  ck_assert_int_eq(wr(again, "more"), 4);
  file_put(again);
  ck_assert_int_eq(read(out[0], b, 100), 4);
  close(in[1]);
  ck_assert_int_eq(rd(r, b, 100, false), 0);
  close(out[0]);
  ck_assert_int_eq(wr(w, "x"), -EPIPE);
  ck_assert_uint_ne(me->pending.set & sigbit(SIGPIPE), 0);
  signal_flush(me->proc, ~0ull);
  file_put(r);
  file_put(w);
  done++;
}

static void on_fiber(void *body) {
  fiber_set_local(me);
  me->fiber = fiber_self();
  ((void (*)(void))(uintptr_t)body)();
  loop_stop(k->loop);
}

static void run(void (*body)(void)) {
  struct super *sb;
  struct mount *m;
  signal(SIGPIPE, SIG_IGN);
  struct loop *l = loop_new();
  k = kernel_new(l);
  ck_assert_int_eq(vfs_init(k), 0);
  ck_assert_int_eq(devpts_mount(k, "newinstance,ptmxmode=0666,mode=0620,gid=5", &sb), 0);
  ck_assert_int_eq(vfs_mount(k->vfs, k->vfs->init_ns, sb, NULL, 0, "devpts", &m), 0);
  root = (struct path){m, m->root};
  ck_assert_int_eq(task_new_process(k, NULL, &init_task), 0);
  ck_assert_int_eq(task_new_process(k, init_task->proc, &me), 0);
  struct task *both[2] = {init_task, me};
  for (int i = 0; i < 2; i++) {
    if (!both[i]->cred)
      both[i]->cred = cred_new();
    both[i]->fs = fs_ctx_new(&root);
  }
  ck_assert_int_eq(fiber_spawn(on_fiber, (void *)(uintptr_t)body), 0);
  if (!done)
    loop_run(l);
  ck_assert_int_eq(done, 1);
}

START_TEST(pair) {
  run(body_pair);
}
END_TEST
START_TEST(blocking) {
  run(body_blocking);
}
END_TEST
START_TEST(control) {
  run(body_control);
}
END_TEST
START_TEST(packet) {
  run(body_packet);
}
END_TEST
START_TEST(console) {
  run(body_console);
}
END_TEST
START_TEST(console_close) {
  run(body_console_close);
}
END_TEST
START_TEST(hostfd) {
  run(body_hostfd);
}
END_TEST

int main(void) {
  Suite *s = suite_create("tty");
  TCase *t = tcase_create("tty");
  tcase_add_test(t, pair);
  tcase_add_test(t, blocking);
  tcase_add_test(t, control);
  tcase_add_test(t, packet);
  tcase_add_test(t, console);
  tcase_add_test(t, console_close);
  tcase_add_test(t, hostfd);
  suite_add_tcase(s, t);
  SRunner *r = srunner_create(s);
  srunner_run_all(r, CK_NORMAL);
  int failed = srunner_ntests_failed(r);
  srunner_free(r);
  return failed ? 1 : 0;
}
