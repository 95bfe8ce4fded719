/*
 * Pid 1 of the sandbox: runs one hostile program with a time limit, then shows that the kernel still serves.
 *   driver SECONDS PROGRAM [ARG]
 */
#include "hostile.h"
static void *adder(void *p) {
  for (int i = 0; i < 1000; i++)
    __atomic_add_fetch((int *)p, 1, __ATOMIC_SEQ_CST);
  return NULL;
}
static volatile int got;
static void h(int s) { got++; }
static bool canary(void) {
  /* processes, pipes */
  int p[2], st = 0, sum = 0;
  char b[64] = "";
  if (pipe(p))
    return say("canary: pipe: %s", ename(errno)), false;
  pid_t c = fork();
  if (c == 0) {
    write(p[1], "from the child", 14);
    _exit(42);
  }
  if (c < 0 || read(p[0], b, 14) != 14 || strcmp(b, "from the child") || waitpid(c, &st, 0) != c || WEXITSTATUS(st) != 42)
    return say("canary: fork or pipe"), false;
  /* exec */
  c = vfork();
  if (c == 0) {
    execl("/proc/self/exe", "driver", "exec-canary", NULL);
    _exit(1);
  }
  if (waitpid(c, &st, 0) != c || !WIFEXITED(st) || WEXITSTATUS(st) != 43)
    return say("canary: exec"), false;
  /* memory, threads */
  int *m = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (m == MAP_FAILED)
    return say("canary: mmap: %s", ename(errno)), false;
  pthread_t t[4];
  for (int i = 0; i < 4; i++)
    if (pthread_create(&t[i], NULL, adder, m))
      return say("canary: thread"), false;
  for (int i = 0; i < 4; i++)
    pthread_join(t[i], NULL);
  for (int i = 0; i < 1 << 18; i += 1024)
    sum += m[i];
  if (sum != 4000 || munmap(m, 1 << 20))
    return say("canary: memory %d", sum), false;
  /* signals, files, time */
  signal(SIGUSR1, h);
  kill(getpid(), SIGUSR1);
  int fd = open("/tmp/canary", O_RDWR | O_CREAT | O_TRUNC, 0600);
  if (got != 1 || fd < 0 || write(fd, "abc", 3) != 3 || pread(fd, b, 3, 0) != 3 || close(fd) || unlink("/tmp/canary"))
    return say("canary: signal %d or file: %s", got, ename(errno)), false;
  int64_t t0 = now_ms();
  msleep(5);
  return now_ms() - t0 >= 5;
}
int main(int argc, char **argv) {
  if (argc == 2 && !strcmp(argv[1], "exec-canary"))
    return 43;
  if (argc < 3)
    return 2;
  signal(SIGHUP, SIG_IGN);
  pid_t p = fork();
  if (p == 0) {
    setsid();
    execv(argv[2], argv + 2);
    _exit(127);
  }
  int st = 0;
  int64_t end = now_ms() + atoi(argv[1]) * 1000LL;
  bool late = false;
  for (;;) {
    pid_t r = waitpid(-1, &st, WNOHANG);
    if (r == p || (r < 0 && errno == ECHILD))
      break;
    if (r == 0 && now_ms() > end && !late) {
      late = true;
      kill(p, SIGKILL);
    }
    if (r == 0)
      msleep(5);
  }
  say_status(late ? "out of time" : "program", st);
  if (getpid() == 1) /* never on a host */
    kill(-1, SIGKILL); /* all it has left */
  while (waitpid(-1, NULL, WNOHANG) > 0)
    ;
  int64_t give_up = now_ms() + 10000;
  while (now_ms() < give_up && (waitpid(-1, NULL, WNOHANG) >= 0 || errno != ECHILD))
    msleep(5);
  if (waitpid(-1, NULL, WNOHANG) == 0)
    say("HANG: processes survive SIGKILL");
  say(canary() ? "CANARY OK" : "CANARY FAILED");
  return 0;
}
