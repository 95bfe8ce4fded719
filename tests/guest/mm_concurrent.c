/* Threads mapping, touching and unmapping at once: nobody loses another's memory. */
#include "guest.h"
static int bad;
static void *body(void *arg) {
  unsigned seed = (unsigned)(long)arg;
  char *mine[16] = {0};
  int tag[16] = {0};
  for (int i = 0; i < 600; i++) {
    int k = rand_r(&seed) % 16;
    if (mine[k]) {
      if (mine[k][0] != (char)tag[k] || mine[k][3 * 4096] != (char)tag[k])
        __atomic_add_fetch(&bad, 1, __ATOMIC_SEQ_CST);
      munmap(mine[k], 4 * 4096);
      mine[k] = NULL;
    } else {
      mine[k] = mmap(NULL, 4 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      tag[k] = 1 + rand_r(&seed) % 100;
      if (mine[k][0] || mine[k][3 * 4096])
        __atomic_add_fetch(&bad, 1, __ATOMIC_SEQ_CST);
      mine[k][0] = mine[k][3 * 4096] = tag[k];
    }
    if (i % 50 == 0) {
      mprotect(mine[k] ? mine[k] : (char *)0, mine[k] ? 4096 : 0, PROT_READ);
      if (mine[k])
        mprotect(mine[k], 4096, PROT_READ | PROT_WRITE);
    }
  }
  return NULL;
}
int main(void) {
  pthread_t t[4];
  for (long i = 0; i < 4; i++)
    pthread_create(&t[i], NULL, body, (void *)(i + 1));
  for (int i = 0; i < 3; i++)
    CHILD("fork meanwhile") _exit(0);
  for (int i = 0; i < 4; i++)
    pthread_join(t[i], NULL);
  say("bad %d", bad);
}
