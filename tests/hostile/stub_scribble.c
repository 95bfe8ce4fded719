/* Threads scribble over every slot of the stub (it is the guest's own memory) while others make trapped calls. */
#include "hostile.h"
static struct stub st;
static volatile bool stop;
static void *scribbler(void *arg) {
  unsigned seed = (unsigned)(long)arg;
  while (!stop)
    for (char *p = st.low; p < st.text; p += 0x1000) {
      uint64_t v[] = {0, ~0ULL, (uint64_t)st.syscall_insn, (uint64_t)p, SYS_execve, SYS_open, 9, (uint64_t)rand_r(&seed) << 20};
      volatile uint64_t *w = (void *)(p + (rand_r(&seed) % 512) * 8);
      *w = v[rand_r(&seed) % 8];
    }
  return NULL;
}
static void h(int s) {}
static void victim(void *arg) {
  signal(SIGUSR1, h);
  pthread_t t;
  pthread_create(&t, NULL, scribbler, arg);
  for (int i = 0; i < 300; i++) {
    char *p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p != MAP_FAILED) {
      *p = 1;
      mprotect(p, 4096, PROT_READ);
      munmap(p, 8192);
    }
    kill(getpid(), SIGUSR1);
    pid_t c = fork();
    if (c == 0)
      _exit(0);
    if (c > 0)
      waitpid(c, NULL, 0);
  }
  stop = true;
}
int main(void) {
  if (!find_stub(&st) || !st.low) {
    say("no stub or slots found");
    return 0;
  }
  signal(SIGSEGV, SIG_DFL), signal(SIGBUS, SIG_DFL);
  int by_itself = 0;
  for (long i = 0; i < 25; i++)
    by_itself += attack(victim, (void *)(i + 1), 400, NULL);
  say("rounds that ended by themselves %s", by_itself >= 0 ? "counted" : "");
  return 0;
}
