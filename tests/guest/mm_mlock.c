/* mlock, munlock, mlockall and their limit. */
#include "guest.h"
int main(void) {
  char *p = mmap(NULL, 16 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  SHOW(mlock(p, 4 * 4096));
  SHOW(munlock(p, 4 * 4096));
  SHOW(mlock(p + 1, 4096));
  SHOW(mlock((void *)0x10000, 4096));
  SHOW(mlock2(p, 4096, 0x80));
  SHOW(mlockall(0));
  SHOW(mlockall(0x100));
  SHOW(munlockall());
  CHILD("limit for users") {
    struct rlimit rl = {8192, 8192};
    setrlimit(RLIMIT_MEMLOCK, &rl);
    become_user(1000);
    SHOW(mlock(p, 8192));
    SHOW(mlock(p + 8192, 4096));
    SHOW(munlock(p, 8192));
    SHOW(mlock(p + 8192, 4096));
  }
  CHILD("limit of nothing") {
    struct rlimit rl = {0, 0};
    setrlimit(RLIMIT_MEMLOCK, &rl);
    become_user(1000);
    SHOW(mlock(p, 4096));
  }
}
