/* For the trace on the host: a little of everything that an ordinary guest does, and then attacks on the stub's syscall. */
#include "hostile.h"
static struct stub st;
static long nr;
static void h(int s) {}
static void *t_body(void *a) {
  getppid();
  return a;
}
static void jump(void *arg) { jump6(st.syscall_insn, nr, (long)"/etc/passwd", 0, 0, 0, 0, 0); }
int main(void) {
  signal(SIGUSR1, h);
  for (int i = 0; i < 20; i++) {
    pid_t p = fork();
    if (p == 0) {
      char *m = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      m[5000] = 1;
      mprotect(m, 4096, PROT_READ), mremap(m, 1 << 20, 2 << 20, MREMAP_MAYMOVE), syscall(SYS_brk, 0);
      kill(getpid(), SIGUSR1);
      pthread_t t;
      pthread_create(&t, NULL, t_body, NULL), pthread_join(t, NULL);
      int f = open("/proc/self/exe", O_RDONLY);
      mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, f, 0);
      close(socket(AF_INET, SOCK_STREAM, 0)), close(socket(AF_UNIX, SOCK_STREAM, 0));
      mkdir("/tmp/w", 0700), rmdir("/tmp/w"), chmod("/tmp", 01777);
      _exit(0);
    }
    waitpid(p, NULL, 0);
  }
  if (find_stub(&st))
    for (nr = 0; nr < 470; nr += 3)
      attack(jump, NULL, 60, NULL);
  say("workload done");
  return 0;
}
