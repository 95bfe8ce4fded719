/* /proc/PID/mem: page protections do not bind it, as they do not bind a debugger; shared memory keeps its rules. */
#include "guest.h"
#include <sys/mman.h>
#include <sys/wait.h>

static int answer(void) {
  return 42;
}

int main(void) {
  int fd = open("/proc/self/mem", O_RDWR);
  char *none = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), buf[64];
  strcpy(none, "hidden");
  mprotect(none, 4096, PROT_NONE);
  memset(buf, 0, sizeof buf);
  ssize_t r = pread(fd, buf, 7, (off_t)none);
  printf("read PROT_NONE: %zd %s\n", r, buf);
  r = pwrite(fd, "forced", 7, (off_t)none);
  mprotect(none, 4096, PROT_READ);
  printf("write PROT_NONE: %zd %s\n", r, none);
  r = pwrite(fd, "readonly", 9, (off_t)none);
  printf("write PROT_READ: %zd %s\n", r, none);

  /* text: a private file mapping gets a copy */
  volatile unsigned char *p = (unsigned char *)answer;
  int off = -1;
  for (int i = 0; i < 32 && off < 0; i++)
    if (p[i] == 0xb8 && p[i + 1] == 42)
      off = i + 1;
  r = pwrite(fd, "\x07", 1, (off_t)(p + off));
  int (*volatile f)(void) = answer;
  printf("text: %zd %d\n", r, f());

  /* shared and not writable: refused */
  int m = memfd_create("x", 0);
  ftruncate(m, 4096);
  char *sh = mmap(NULL, 4096, PROT_READ, MAP_SHARED, m, 0);
  r = pwrite(fd, "x", 1, (off_t)sh);
  printf("shared read-only: %zd %s\n", r, r < 0 ? strerror(errno) : "");
  char *prv = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, m, 0);
  r = pwrite(fd, "y", 1, (off_t)prv);
  printf("private of it: %zd %c file %d\n", r, prv[0], sh[0]);

  /* holes */
  munmap(none + 4096, 4096);
  r = pread(fd, buf, 64, (off_t)(none + 4096 - 16));
  printf("into a hole: %zd\n", r);
  r = pread(fd, buf, 64, (off_t)(none + 4096));
  printf("hole: %zd %s\n", r, strerror(errno));
  r = pwrite(fd, buf, 64, (off_t)(none + 4096));
  printf("hole: %zd %s\n", r, strerror(errno));

  /* another process, running and stopped */
  pid_t c = fork();
  if (!c) {
    volatile char *w = none;
    while (w[0] != 'G')
      usleep(1000);
    _exit(w[1]);
  }
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/mem", c);
  int cf = open(path, O_RDWR);
  r = pwrite(cf, "GO", 2, (off_t)none);
  int st;
  waitpid(c, &st, 0);
  printf("child: %zd exit %c own %c\n", r, WEXITSTATUS(st), none[0]);
  r = pread(cf, buf, 1, (off_t)none);
  printf("dead: %zd\n", r);
  return 0;
}
