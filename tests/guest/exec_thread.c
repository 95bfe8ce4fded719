/* exec from a thread that is not the leader: same pid, other threads gone, files still shared until then. */
#include "guest.h"
static pid_t pid;
static void *idle(void *a) {
  for (;;)
    pause();
}
static void *worker(void *a) {
  char want[16];
  snprintf(want, sizeof want, "%d", pid);
  setenv("G_T", "from thread", 1);
  execl("/bin/sh", "sh", "-c", "test $$ = $1 && echo same pid; ls /proc/self/task | wc -l; exit 9", "sh", want, NULL);
  return NULL;
}
int main(void) {
  CHILD("thread exec") {
    pid = getpid();
    pthread_t t[5];
    for (int i = 0; i < 4; i++)
      pthread_create(&t[i], NULL, idle, NULL);
    pthread_create(&t[4], NULL, worker, NULL);
    pthread_join(t[4], NULL);
    say("not reached");
  }
  CHILD("leader has exited") {
    pid = getpid();
    pthread_t t;
    pthread_create(&t, NULL, worker, NULL);
    pthread_exit(NULL);
  }
  CHILD("failed exec in a thread leaves the others alone") {
    pthread_t t;
    pthread_create(&t, NULL, idle, NULL);
    SHOW(execl("/nonexistent", "x", NULL));
    SHOW(pthread_kill(t, 0));
  }
}
