/*
 * Micro-benchmarks of the calls that matter, for one process in one kernel: native, runc, runsc or ours. Each line is
 * "name nanoseconds": the best of several rounds, since noise only adds.
 *   micro [NAME...]
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char *self;

static double now_ns(void) {
  struct timespec ts;
  clock_gettime(CLOCK_MONOTONIC, &ts);
  return ts.tv_sec * 1e9 + ts.tv_nsec;
}
static void need(int ok, const char *what) {
  if (!ok) {
    perror(what);
    exit(1);
  }
}

static void op_getppid(long n) {
  while (n--)
    syscall(SYS_getppid);
}
static void op_clock_gettime(long n) {
  struct timespec ts;
  while (n--)
    clock_gettime(CLOCK_MONOTONIC, &ts);
}
static void op_fork_exit_wait(long n) {
  while (n--) {
    pid_t p = fork();
    if (p == 0)
      _exit(0);
    waitpid(p, NULL, 0);
  }
}
static void op_vfork_exec_wait(long n) {
  while (n--) {
    pid_t p = vfork();
    if (p == 0) {
      execl(self, self, "nothing", NULL);
      _exit(1);
    }
    waitpid(p, NULL, 0);
  }
}
static void op_posix_spawn_wait(long n) {
  char *argv[] = {(char *)self, "nothing", NULL};
  while (n--) {
    pid_t p;
    if (posix_spawn(&p, self, NULL, NULL, argv, environ) != 0)
      exit(1);
    waitpid(p, NULL, 0);
  }
}
static void *thread_body(void *arg) { return arg; }
static void op_thread_create_join(long n) {
  pthread_t t;
  while (n--) {
    pthread_create(&t, NULL, thread_body, NULL);
    pthread_join(t, NULL);
  }
}
static void op_mmap_touch_munmap(long n) {
  while (n--) {
    char *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    *(volatile char *)p = 1;
    munmap(p, 4096);
  }
}
static void op_stat(long n) {
  struct stat st;
  while (n--)
    stat(self, &st);
}
static void op_open_close(long n) {
  while (n--)
    close(open(self, O_RDONLY));
}
static void op_pread_4k(long n) {
  char buf[4096];
  int fd = open(self, O_RDONLY);
  need(fd >= 0, self);
  while (n--)
    pread(fd, buf, sizeof buf, 0);
  close(fd);
}
static void op_write_4k_tmp(long n) {
  char buf[4096] = "";
  int fd = open("/tmp/micro-file", O_RDWR | O_CREAT | O_TRUNC, 0600);
  need(fd >= 0, "/tmp/micro-file");
  while (n--)
    pwrite(fd, buf, sizeof buf, 0);
  close(fd);
  unlink("/tmp/micro-file");
}
static void op_write_dev_null(long n) {
  int fd = open("/dev/null", O_WRONLY);
  need(fd >= 0, "/dev/null");
  while (n--)
    write(fd, "x", 1);
  close(fd);
}
static void op_pipe_same_thread(long n) {
  int p[2];
  char c = 0;
  need(!pipe(p), "pipe");
  while (n--) {
    write(p[1], &c, 1);
    read(p[0], &c, 1);
  }
  close(p[0]), close(p[1]);
}
static void ping_pong(int rfd, int wfd, int rpeer, int wpeer, long n) {
  char c = 0;
  pid_t p = fork();
  if (p == 0) {
    while (n--) {
      read(rpeer, &c, 1);
      write(wpeer, &c, 1);
    }
    _exit(0);
  }
  while (n--) {
    write(wfd, &c, 1);
    read(rfd, &c, 1);
  }
  waitpid(p, NULL, 0);
}
static void op_pipe_ping_pong(long n) {
  int a[2], b[2];
  need(!pipe(a) && !pipe(b), "pipe");
  ping_pong(b[0], a[1], a[0], b[1], n);
  close(a[0]), close(a[1]), close(b[0]), close(b[1]);
}
static void op_socket_ping_pong(long n) {
  int s[2];
  need(!socketpair(AF_UNIX, SOCK_STREAM, 0, s), "socketpair");
  ping_pong(s[0], s[0], s[1], s[1], n);
  close(s[0]), close(s[1]);
}
static uint32_t turn;
static void futex_turns(uint32_t mine, long n) {
  for (long i = 0; i < n; i++) {
    uint32_t v;
    while ((v = __atomic_load_n(&turn, __ATOMIC_SEQ_CST)) % 2 != mine)
      syscall(SYS_futex, &turn, FUTEX_WAIT_PRIVATE, v, NULL);
    __atomic_add_fetch(&turn, 1, __ATOMIC_SEQ_CST);
    syscall(SYS_futex, &turn, FUTEX_WAKE_PRIVATE, 1);
  }
}
static void *futex_peer(void *arg) {
  futex_turns(1, (long)arg);
  return NULL;
}
static void op_futex_ping_pong(long n) {
  pthread_t t;
  turn = 0;
  pthread_create(&t, NULL, futex_peer, (void *)n);
  futex_turns(0, n);
  pthread_join(t, NULL);
}
static void on_signal(int s) {}
static void op_signal_self(long n) {
  signal(SIGUSR1, on_signal);
  while (n--)
    kill(getpid(), SIGUSR1);
}
static double first_touch(void) {
  const size_t size = 64 << 20;
  char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  need(p != MAP_FAILED, "mmap");
  madvise(p, size, MADV_NOHUGEPAGE);
  double t = now_ns();
  for (size_t i = 0; i < size; i += 4096)
    *(volatile char *)(p + i) = 1;
  t = (now_ns() - t) / (size / 4096);
  munmap(p, size);
  return t;
}

static const struct {
  const char *name;
  void (*fn)(long n);
} ops[] = {
    {"getppid", op_getppid},
    {"clock_gettime", op_clock_gettime},
    {"fork_exit_wait", op_fork_exit_wait},
    {"vfork_exec_wait", op_vfork_exec_wait},
    {"posix_spawn_wait", op_posix_spawn_wait},
    {"thread_create_join", op_thread_create_join},
    {"mmap_touch_munmap", op_mmap_touch_munmap},
    {"stat", op_stat},
    {"open_close", op_open_close},
    {"pread_4k", op_pread_4k},
    {"write_4k_tmp", op_write_4k_tmp},
    {"write_dev_null", op_write_dev_null},
    {"pipe_same_thread", op_pipe_same_thread},
    {"pipe_ping_pong", op_pipe_ping_pong},
    {"socket_ping_pong", op_socket_ping_pong},
    {"futex_ping_pong", op_futex_ping_pong},
    {"signal_self", op_signal_self},
};

/* Enough calls for about 60 ms, then the best of four such rounds. */
static double measure(void (*fn)(long)) {
  long n = 1;
  double t, best;
  for (;;) {
    t = now_ns();
    fn(n);
    t = now_ns() - t;
    if (t > 3e6 || n > 1 << 24)
      break;
    n *= 4;
  }
  n = n * (60e6 / t) + 1;
  best = 1e18;
  for (int round = 0; round < 4; round++) {
    t = now_ns();
    fn(n);
    t = (now_ns() - t) / n;
    best = t < best ? t : best;
  }
  return best;
}

int main(int argc, char **argv) {
  self = argv[0];
  if (argc == 2 && !strcmp(argv[1], "nothing"))
    return 0;
  for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
    int wanted = argc < 2;
    for (int a = 1; a < argc; a++)
      wanted |= !strcmp(argv[a], ops[i].name);
    if (wanted) {
      printf("%s %.0f\n", ops[i].name, measure(ops[i].fn));
      fflush(stdout);
    }
  }
  double best = 1e18;
  for (int i = 0; argc < 2 && i < 3; i++) {
    double t = first_touch();
    best = t < best ? t : best;
  }
  if (argc < 2)
    printf("first_touch %.0f\n", best);
}
