/* Robust mutexes: the owner thread or process dies holding one. */
#include "guest.h"
static pthread_mutex_t *m;
static void *die_holding(void *a) {
  pthread_mutex_lock(m);
  return NULL;
}
static void make(int pshared) {
  pthread_mutexattr_t at;
  pthread_mutexattr_init(&at);
  pthread_mutexattr_setrobust(&at, PTHREAD_MUTEX_ROBUST);
  pthread_mutexattr_setpshared(&at, pshared);
  pthread_mutex_init(m, &at);
}
static void after(const char *what, bool mend) {
  int r = pthread_mutex_lock(m);
  say("%s: %s", what, ename(r));
  if (r == EOWNERDEAD && mend)
    say("  consistent %s", ename(pthread_mutex_consistent(m)));
  if (r == 0 || r == EOWNERDEAD)
    pthread_mutex_unlock(m);
}
int main(void) {
  m = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  pthread_t t;
  make(PTHREAD_PROCESS_PRIVATE);
  pthread_create(&t, NULL, die_holding, NULL);
  pthread_join(t, NULL);
  after("thread died", true);
  after("mended", true);
  pthread_create(&t, NULL, die_holding, NULL);
  pthread_join(t, NULL);
  after("died again", false);
  after("not mended", false);
  make(PTHREAD_PROCESS_SHARED);
  CHILD("process") pthread_mutex_lock(m);
  after("process died", true);
  pid_t p = fork();
  if (!p) {
    pthread_mutex_lock(m);
    for (;;)
      pause();
  }
  wait_state(p, 'S');
  say("held: %s", ename(pthread_mutex_trylock(m)));
  kill(p, SIGKILL);
  after("killed while waited for", true);
  reap("owner", p);
  p = fork();
  if (!p) {
    pthread_mutex_lock(m);
    execl("/bin/true", "true", NULL);
  }
  reap("exec", p);
  after("owner executed another program", true);
  void *head;
  size_t len;
  SHOW(syscall(SYS_get_robust_list, 0, &head, &len));
  YES(head != NULL && len == 24);
  SHOW(syscall(SYS_get_robust_list, 1 << 20, &head, &len));
  SHOW(syscall(SYS_set_robust_list, head, 23));
}
