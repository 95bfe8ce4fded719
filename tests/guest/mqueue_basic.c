/* POSIX message queues: mq_open(3), mq_send(3), mq_receive(3), mq_notify(3). */
#include "guest.h"
#include <mqueue.h>

static char name[64];
static volatile sig_atomic_t got, got_value, got_code;
static void on_info(int sig, siginfo_t *si, void *uc) {
  (void)uc;
  got = sig;
  got_value = si->si_value.sival_int;
  got_code = si->si_code;
}
static void handler(int sig) {
  (void)sig;
}
static void take(mqd_t q, const char *what) {
  char buf[64];
  unsigned prio = 99;
  ssize_t n = mq_receive(q, buf, sizeof buf, &prio);
  if (n < 0)
    say("%s: %s", what, ename(errno));
  else
    say("%s: \"%.*s\" %u", what, (int)n, buf, prio);
}

static void opening(void) {
  SHOW(mq_open("noslash", O_RDWR));
  SHOW(mq_open("/a/b", O_RDWR | O_CREAT, 0600, NULL));
  SHOW(mq_open("/", O_RDWR));
  SHOW(syscall(SYS_mq_open, "a/b", O_RDWR, 0, NULL));
  SHOW(syscall(SYS_mq_open, "..", O_RDWR, 0, NULL));
  SHOW(mq_open(name, O_RDWR));
  struct mq_attr bad = {.mq_maxmsg = 0, .mq_msgsize = 64};
  SHOW(mq_open(name, O_RDWR | O_CREAT, 0600, &bad));
  bad.mq_maxmsg = 70000;
  SHOW(mq_open(name, O_RDWR | O_CREAT, 0600, &bad));
  bad = (struct mq_attr){.mq_maxmsg = 60000, .mq_msgsize = 1000000};
  YES(mq_open(name, O_RDWR | O_CREAT, 0600, &bad) == -1);
  struct mq_attr attr = {.mq_maxmsg = 4, .mq_msgsize = 64};
  mqd_t q = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &attr);
  YES(q >= 0);
  SHOW(fcntl(q, F_GETFD));
  SHOW(mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &attr));
  memset(&attr, 0, sizeof attr);
  SHOW(mq_getattr(q, &attr));
  say("flags %ld max %ld size %ld cur %ld", attr.mq_flags, attr.mq_maxmsg, attr.mq_msgsize, attr.mq_curmsgs);
  struct stat st;
  SHOW(fstat(q, &st));
  say("mode %o size %ld", st.st_mode, (long)st.st_size);
  mq_close(q);
}

static void messages(void) {
  mqd_t q = mq_open(name, O_RDWR | O_NONBLOCK);
  char big[65] = {0};
  take(q, "empty");
  SHOW(mq_send(q, big, 65, 0));
  SHOW(mq_send(q, "x", 1, 32768));
  SHOW(mq_send(q, "low", 3, 1));
  SHOW(mq_send(q, "high", 4, 9));
  SHOW(mq_send(q, "low2", 4, 1));
  SHOW(mq_send(q, "", 0, 32767));
  SHOW(mq_send(q, "full", 4, 0));
  SHOW(mq_receive(q, big, 63, NULL));
  struct pollfd p = {q, POLLIN | POLLOUT, 0};
  SHOW(poll(&p, 1, 0));
  say("revents %x", p.revents);
  char text[100] = {0};
  SHOW(read(q, text, sizeof text));
  say("%.17s|", text);
  SHOW(write(q, "x", 1));
  take(q, "1");
  take(q, "2");
  take(q, "3");
  take(q, "4");
  take(q, "5");
  SHOW(poll(&p, 1, 0));
  say("revents %x", p.revents);
  struct mq_attr a = {.mq_flags = 0}, old;
  SHOW(mq_setattr(q, &a, &old));
  say("was %s", old.mq_flags & O_NONBLOCK ? "nonblock" : "block");
  a.mq_flags = O_APPEND;
  SHOW(mq_setattr(q, &a, &old));
  struct timespec past = {0}, badts = {0, -1};
  SHOW(mq_timedreceive(q, big, 64, NULL, &past));
  SHOW(mq_timedreceive(q, big, 64, NULL, &badts));
  struct timespec soon;
  clock_gettime(CLOCK_REALTIME, &soon);
  soon.tv_nsec += 20000000;
  if (soon.tv_nsec >= 1000000000)
    soon.tv_sec++, soon.tv_nsec -= 1000000000;
  SHOW(mq_timedreceive(q, big, 64, NULL, &soon));
  mqd_t r = mq_open(name, O_RDONLY), w = mq_open(name, O_WRONLY);
  SHOW(mq_send(r, "x", 1, 0));
  SHOW(mq_receive(w, big, 64, NULL));
  SHOW(mq_send(0, "x", 1, 0));
  SHOW(mq_getattr(0, &a));
  close(r), close(w), close(q);
}

static void blocking(void) {
  mqd_t q = mq_open(name, O_RDWR);
  pid_t c = child_fork();
  if (!c) {
    take(q, "child got");
    _exit(0);
  }
  wait_state(c, 'S');
  MUST(mq_send(q, "hello", 5, 3));
  reap("receiver", c);
  for (int i = 0; i < 4; i++)
    MUST(mq_send(q, "fill", 4, 0));
  c = child_fork();
  if (!c) {
    int r = mq_send(q, "late", 4, 5);
    show("child sent", r);
    _exit(0);
  }
  wait_state(c, 'S');
  char b[64];
  MUST(mq_receive(q, b, 64, NULL));
  reap("sender", c);
  take(q, "the late one first");
  c = child_fork();
  if (!c) {
    on_signal(SIGUSR1, handler, 0);
    MUST(mq_send(q, "fill", 4, 0));
    show("interrupted", mq_send(q, "x", 1, 0));
    _exit(0);
  }
  wait_state(c, 'S');
  kill(c, SIGUSR1);
  reap("sender", c);
  while (mq_timedreceive(q, b, 64, NULL, &(struct timespec){0}) >= 0)
    ;
  c = child_fork();
  if (!c) {
    on_signal(SIGUSR1, handler, SA_RESTART);
    take(q, "restarted");
    _exit(0);
  }
  wait_state(c, 'S');
  kill(c, SIGUSR1);
  wait_state(c, 'S');
  MUST(mq_send(q, "again", 5, 0));
  reap("receiver", c);
  close(q);
}

static void notifying(void) {
  mqd_t q = mq_open(name, O_RDWR | O_NONBLOCK);
  struct sigevent ev = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR2, .sigev_value.sival_int = 77};
  on_siginfo(SIGUSR2, on_info, 0);
  SHOW(mq_notify(q, &ev));
  SHOW(mq_notify(q, &ev));
  char text[100] = {0};
  MUST(pread(q, text, sizeof text, 0));
  int size, how, signo, pid;
  YES(sscanf(text, "QSIZE:%d NOTIFY:%d SIGNO:%d NOTIFY_PID:%d", &size, &how, &signo, &pid) == 4);
  say("size %d how %d signo %d", size, how, signo);
  YES(pid == getpid());
  CHILD("another process") {
    SHOW(mq_notify(q, &ev));
    SHOW(mq_notify(q, NULL));
    SHOW(mq_send(q, "n", 1, 0));
  }
  say("signal %s value %d code %s", signame(got), (int)got_value, got_code == SI_MESGQ ? "SI_MESGQ" : "other");
  got = 0;
  take(q, "what came");
  MUST(mq_send(q, "n", 1, 0));
  say("told once: %d", (int)got);
  SHOW(mq_notify(q, &ev));
  MUST(mq_send(q, "m", 1, 0));
  say("not when it was not empty: %d", (int)got);
  SHOW(mq_notify(q, NULL));
  SHOW(mq_notify(q, &ev));
  close(dup(q));
  ev.sigev_notify = SIGEV_NONE;
  SHOW(mq_notify(q, &ev));
  ev.sigev_notify = 77;
  SHOW(mq_notify(q, &ev));
  ev.sigev_notify = SIGEV_SIGNAL;
  ev.sigev_signo = 65;
  SHOW(mq_notify(q, &ev));
  SHOW(mq_notify(0, NULL));
  close(q);
}

static pthread_barrier_t told;
static void thread_fn(union sigval v) {
  say("thread told %d", v.sival_int);
  pthread_barrier_wait(&told);
}
static void thread_notify(void) {
  mqd_t q = mq_open(name, O_RDWR | O_NONBLOCK);
  char b[64];
  while (mq_receive(q, b, 64, NULL) >= 0)
    ;
  pthread_barrier_init(&told, NULL, 2);
  struct sigevent ev = {
      .sigev_notify = SIGEV_THREAD, .sigev_notify_function = thread_fn, .sigev_value.sival_int = 5};
  SHOW(mq_notify(q, &ev));
  MUST(mq_send(q, "t", 1, 0));
  pthread_barrier_wait(&told);
  SHOW(mq_notify(q, &ev));
  SHOW(mq_notify(q, NULL));
  SHOW(mq_notify(q, &ev));
  close(q);
}

int main(void) {
  snprintf(name, sizeof name, "/mqb-%d", getpid());
  mq_unlink(name);
  opening();
  messages();
  blocking();
  notifying();
  thread_notify();
  mqd_t q = mq_open(name, O_RDWR | O_NONBLOCK);
  SHOW(mq_unlink(name));
  SHOW(mq_unlink(name));
  SHOW(mq_open(name, O_RDWR));
  SHOW(mq_send(q, "still there", 11, 0));
  take(q, "a queue without a name");
}
