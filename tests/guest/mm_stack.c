/* The stack grows by itself to its limit; threads' stacks have guards. */
#include "guest.h"
#include <alloca.h>
__attribute__((noinline)) static long use(int kb) {
  volatile char *p = alloca(kb * 1024);
  long sum = 0;
  for (int i = kb * 1024 - 1; i >= 0; i -= 4096)
    p[i] = 1, sum += p[i];
  return sum;
}
static void *thread(void *a) { return (void *)use(100); }
static void *over(void *a) { return (void *)use(600); }
int main(void) {
  say("1 MiB: %ld", use(1024));
  say("6 MiB: %ld", use(6 * 1024));
  struct rlimit core = {0, 0};
  setrlimit(RLIMIT_CORE, &core);
  CHILD("beyond") use(9 * 1024);
  pthread_attr_t at;
  pthread_attr_init(&at);
  pthread_attr_setstacksize(&at, 256 * 1024);
  pthread_t t;
  void *r;
  pthread_create(&t, &at, thread, NULL);
  pthread_join(t, &r);
  say("thread %ld", (long)r);
  CHILD("thread beyond") {
    pthread_create(&t, &at, over, NULL);
    pthread_join(t, &r);
  }
  char *big = alloca(100000);
  int p[2];
  pipe(p);
  write(p[1], "below the touched part", 23);
  SHOW(read(p[0], big, 23)); /* the call's own write must grow it too */
  say("%s", big);
}
