/* Fork bombs within limits, thread storms, signal storms, exec storms, all at once. */
#include "hostile.h"
static void bomb(void *arg) {
  struct rlimit rl = {150, 150};
  setrlimit(RLIMIT_NPROC, &rl);
  setgroups(0, NULL), setresgid(4712, 4712, 4712), setresuid(4712, 4712, 4712);
  for (;;)
    fork();
}
static void *nothing(void *a) { return a; }
static void threads(void *arg) {
  pthread_t t[64];
  for (int r = 0; r < 40; r++) {
    int n = 0;
    while (n < 64 && !pthread_create(&t[n], NULL, nothing, NULL))
      n++;
    while (n)
      pthread_join(t[--n], NULL);
  }
}
static void h(int s) {}
static void *loop(void *a) {
  for (;;)
    if (a)
      getppid();
}
static void signals(void *arg) {
  for (int s = 1; s < 65; s++)
    signal(s, h);
  pthread_t t[8];
  for (long i = 0; i < 8; i++)
    pthread_create(&t[i], NULL, loop, (void *)(i & 1));
  unsigned seed = 3;
  for (int i = 0; i < 6000; i++) {
    int s = 1 + rand_r(&seed) % 64;
    if (s == SIGKILL || s == SIGSTOP || s == 32 || s == 33 || s == SIGSEGV || s == SIGBUS)
      continue;
    if (i & 1)
      pthread_kill(t[rand_r(&seed) % 8], s);
    else
      kill(getpid(), s);
  }
}
static void stops(void *arg) {
  pid_t p[8];
  for (int i = 0; i < 8; i++)
    if (!(p[i] = fork())) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      loop((void *)(long)(i & 1));
    }
  for (int r = 0; r < 60; r++)
    for (int i = 0; i < 8; i++)
      kill(p[i], r & 1 ? SIGCONT : SIGSTOP);
  for (int i = 0; i < 8; i++)
    kill(p[i], SIGKILL), waitpid(p[i], NULL, 0);
}
static void execs(void *arg) {
  pthread_t t[4];
  for (long i = 0; i < 4; i++)
    pthread_create(&t[i], NULL, loop, (void *)(i & 1));
  execl("/proc/self/exe", "storms", "nothing", NULL);
}
static void vforks(void *arg) {
  for (int i = 0; i < 100; i++) {
    pid_t p = vfork();
    if (p == 0) {
      if (i % 4 == 0)
        kill(getpid(), SIGKILL);
      if (i % 4 == 1)
        execl("/proc/self/exe", "storms", "nothing", NULL);
      if (i % 4 == 2)
        *(volatile char *)0 = 1;
      _exit(0);
    }
    if (i % 10 == 3)
      kill(p, SIGKILL);
    waitpid(p, NULL, 0);
  }
}
static void group(void *arg) {
  for (int i = 0; i < 30; i++) {
    pid_t p = fork();
    if (p == 0) {
      pthread_t t[6];
      for (long k = 0; k < 6; k++)
        pthread_create(&t[k], NULL, loop, (void *)(k & 1));
      if (i % 3 == 0)
        _exit(0);
      if (i % 3 == 1)
        pthread_exit(NULL);
      for (;;)
        pause();
    }
    usleep(2000);
    kill(p, SIGKILL);
    waitpid(p, NULL, 0);
  }
}
int main(int argc, char **argv) {
  if (argc == 2)
    return 0;
  struct {
    const char *name;
    void (*fn)(void *);
    int times, ms;
  } all[] = {{"forks", bomb, 1, 1500}, {"threads", threads, 1, 5000}, {"signals", signals, 1, 4000}, {"stops", stops, 1, 4000}, {"execs", execs, 20, 1000}, {"vforks", vforks, 1, 4000}, {"groups", group, 1, 5000}};
  struct rlimit core = {0, 0};
  setrlimit(RLIMIT_CORE, &core);
  for (unsigned i = 0; i < sizeof all / sizeof *all; i++) {
    for (int n = 0; n < all[i].times; n++)
      attack(all[i].fn, NULL, all[i].ms, NULL);
    say("%s done", all[i].name);
  }
  return 0;
}
