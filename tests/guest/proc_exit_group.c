/* exit and exit_group: which threads end, and with what status. */
#include "guest.h"
static void *idle(void *a) {
  for (;;)
    pause();
}
static void *spin(void *a) {
  for (volatile unsigned i = 0;; i++)
    ;
}
static void *ender(void *a) {
  msleep(20);
  exit(23);
}
static void *last(void *a) {
  msleep(40);
  say("last thread");
  return NULL;
}
static void *raw_exit(void *a) { return syscall(SYS_exit, 5), NULL; }
int main(void) {
  pthread_t t;
  CHILD("exit_group with sleepers") {
    for (int i = 0; i < 5; i++)
      pthread_create(&t, NULL, idle, NULL);
    _exit(21);
  }
  CHILD("exit_group with a spinning thread") {
    pthread_create(&t, NULL, spin, NULL);
    msleep(5);
    _exit(22);
  }
  CHILD("exit from a thread") {
    pthread_create(&t, NULL, ender, NULL);
    for (;;)
      pause();
  }
  CHILD("main thread leaves first") {
    pthread_create(&t, NULL, last, NULL);
    pthread_exit(NULL);
  }
  CHILD("SYS_exit in a thread ends only it") {
    pthread_create(&t, NULL, raw_exit, NULL);
    pthread_join(t, NULL);
    _exit(24);
  }
  CHILD("signal kills all") {
    pthread_create(&t, NULL, spin, NULL);
    pthread_create(&t, NULL, idle, NULL);
    raise(SIGTERM);
  }
  CHILD("status of the leader's SYS_exit while a thread lives") {
    pthread_create(&t, NULL, last, NULL);
    syscall(SYS_exit, 25);
  }
}
