/* Many threads: 64 at once, and 500 one after another. */
#include "guest.h"
static pthread_barrier_t bar;
static int count;
static void *meet(void *arg) {
  pthread_barrier_wait(&bar);
  __atomic_add_fetch(&count, 1, __ATOMIC_SEQ_CST);
  return arg;
}
static void *quick(void *arg) { return count++, arg; }
int main(void) {
  pthread_t t[64];
  pthread_barrier_init(&bar, NULL, 64);
  for (long i = 0; i < 64; i++)
    if (pthread_create(&t[i], NULL, meet, (void *)i))
      say("create %ld failed", i);
  long sum = 0;
  for (long i = 0; i < 64; i++) {
    void *r;
    pthread_join(t[i], &r);
    sum += (long)r;
  }
  say("met %d, sum %ld", count, sum);
  count = 0;
  for (int i = 0; i < 500; i++) {
    pthread_create(&t[0], NULL, quick, NULL);
    pthread_join(t[0], NULL);
  }
  say("one after another %d", count);
  char buf[4096];
  char *p = NULL;
  for (int i = 0; i < 500 && !(p && !strncmp(p, "Threads:\t1\n", 11)); i++) {
    if (i)
      msleep(2); /* the last one may still be on its way out */
    read_file("/proc/self/status", buf, sizeof buf);
    p = strstr(buf, "Threads:");
  }
  say("%s", p ? strtok(p, "\n") : "no Threads line");
}
