/* fork: private memory is copied, shared memory is shared, descriptors share their offset. */
#include "guest.h"
static int data = 1;
int main(void) {
  int stack = 2, *heap = malloc(sizeof *heap);
  *heap = 3;
  int *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  int *private = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  *shared = 4, *private = 5;
  int fd = MUST(open("f", O_RDWR | O_CREAT, 0644));
  CHILD("writer") {
    say("child sees %d %d %d %d %d", data, stack, *heap, *shared, *private);
    data = stack = *heap = *shared = *private = 100;
    write(fd, "hello", 5);
    YES(fcntl(fd, F_SETFD, FD_CLOEXEC) == 0);
  }
  say("parent sees %d %d %d %d %d", data, stack, *heap, *shared, *private);
  SHOW(lseek(fd, 0, SEEK_CUR));
  SHOW(fcntl(fd, F_GETFD));
  /* a big touched area over several generations */
  unsigned char *big = mmap(NULL, 8 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  for (int i = 0; i < 8 << 20; i += 4096)
    big[i] = i >> 12;
  for (int g = 0; g < 3; g++)
    CHILD("generation") {
      unsigned bad = 0;
      for (int i = 0; i < 8 << 20; i += 4096)
        bad += big[i] != (unsigned char)(i >> 12), big[i] = 0;
      say("pages that differ: %u", bad);
    }
}
