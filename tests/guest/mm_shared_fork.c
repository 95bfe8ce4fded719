/* Shared anonymous memory over fork, between many processes, after munmap in one of them. */
#include "guest.h"
int main(void) {
  int *s = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  pid_t p[8];
  for (int i = 0; i < 8; i++)
    if (!(p[i] = fork())) {
      for (int j = 0; j < 1000; j++)
        __atomic_add_fetch(&s[0], 1, __ATOMIC_SEQ_CST);
      s[1024 * (i + 1)] = i + 1;
      munmap(s, 1 << 20);
      _exit(0);
    }
  for (int i = 0; i < 8; i++)
    waitpid(p[i], NULL, 0);
  int sum = 0;
  for (int i = 0; i < 8; i++)
    sum += s[1024 * (i + 1)];
  say("count %d sum %d", s[0], sum);
  CHILD("protection is each one's own") {
    mprotect(s, 4096, PROT_READ);
    CHILD("writer") s[0] = 1;
  }
  s[0] = 2;
  say("writable here %d", s[0]);
  CHILD("madvise DONTNEED keeps shared memory") {
    madvise(s, 4096, MADV_DONTNEED);
    say("still %d", s[0]);
  }
  char *z = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, MUST(open("/dev/zero", O_RDWR)), 0);
  CHILD("/dev/zero shared") strcpy(z + 4096, "from the child");
  say("%s", z + 4096);
  z = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE, MUST(open("/dev/zero", O_RDWR)), 0);
  CHILD("/dev/zero private") strcpy(z, "lost");
  say("[%s]", z);
}
