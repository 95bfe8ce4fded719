/* Signals and threads: directed, to the process (any thread that does not block it), masks inherited at creation. */
#include "guest.h"
static pid_t tid[2];
static volatile int stop, hits[3];
static void h(int s) {
  pid_t t = syscall(SYS_gettid);
  hits[t == tid[0] ? 0 : t == tid[1] ? 1 : 2]++;
}
static void *body(void *arg) {
  long i = (long)arg;
  sigset_t m;
  sigprocmask(SIG_BLOCK, NULL, &m);
  if (i == 0)
    say("inherited: USR2 blocked %d", sigismember(&m, SIGUSR2));
  if (i == 1) {
    sigemptyset(&m);
    sigaddset(&m, SIGUSR2);
    pthread_sigmask(SIG_UNBLOCK, &m, NULL);
  }
  __atomic_store_n(&tid[i], syscall(SYS_gettid), __ATOMIC_SEQ_CST);
  while (!stop)
    msleep(1);
  return NULL;
}
/* expected: how many are to be waited for, so that a slow machine is not a failure; then a moment for any too many */
static void total(const char *what, int expected) {
  for (int i = 0; i < 2000 && hits[0] + hits[1] + hits[2] < expected; i++)
    msleep(1);
  msleep(5);
  say("%s: first %d, second %d, main %d", what, hits[0], hits[1], hits[2]);
  hits[0] = hits[1] = hits[2] = 0;
}
int main(void) {
  sigset_t m;
  sigemptyset(&m);
  sigaddset(&m, SIGUSR2);
  sigprocmask(SIG_BLOCK, &m, NULL);
  on_signal(SIGUSR1, h, SA_RESTART);
  on_signal(SIGUSR2, h, SA_RESTART);
  pthread_t t[2];
  for (long i = 0; i < 2; i++)
    pthread_create(&t[i], NULL, body, (void *)i);
  while (!tid[0] || !tid[1])
    msleep(1);
  for (int i = 0; i < 3; i++)
    for (pthread_kill(t[0], SIGUSR1); hits[0] <= i;)
      msleep(1);
  total("pthread_kill to the first", 3);
  syscall(SYS_tgkill, getpid(), tid[1], SIGUSR1);
  total("tgkill to the second", 1);
  kill(getpid(), SIGUSR1);
  total("kill prefers the main thread", 1);
  kill(getpid(), SIGUSR2);
  total("only the second does not block it", 1);
  raise(SIGUSR2);
  total("directed and blocked", 0);
  sigset_t p;
  sigpending(&p);
  say("pending here %d", sigismember(&p, SIGUSR2));
  sigprocmask(SIG_UNBLOCK, &m, NULL);
  total("unblocked", 1);
  stop = 1;
  pthread_join(t[0], NULL), pthread_join(t[1], NULL);
  kill(getpid(), SIGUSR1);
  total("alone", 1);
}
