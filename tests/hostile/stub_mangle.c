/* Overwrites, unmaps, remaps, protects, discards the stub's pages and slots, by every call that could. */
#include "hostile.h"
static struct stub st;
static char *target;
static size_t len;
static int how;
static void *idle(void *a) { return a; }
static void mangle(void *arg) {
  char junk[4096];
  memset(junk, 0xcc, sizeof junk);
  struct iovec l = {junk, sizeof junk}, r = {target, sizeof junk};
  int fd;
  char *elsewhere = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  switch (how) {
  case 0: munmap(target, len); break;
  case 1: mprotect(target, len, PROT_READ | PROT_WRITE | PROT_EXEC); break;
  case 2: mprotect(target, len, PROT_NONE); break;
  case 3: mmap(target, len, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0); break;
  case 4: mmap(target, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0); break;
  case 5: mremap(target, len, len, MREMAP_MAYMOVE | MREMAP_FIXED, elsewhere); break;
  case 6: mremap(elsewhere, 1 << 20, len, MREMAP_MAYMOVE | MREMAP_FIXED, target); break;
  case 7: mremap(target, 0, len, MREMAP_MAYMOVE); break;
  case 8: madvise(target, len, MADV_DONTNEED); break;
  case 9: madvise(target, len, MADV_WIPEONFORK); break;
  case 10: madvise(target, len, MADV_DONTFORK); break;
  case 11: madvise(target, len, MADV_REMOVE); break;
  case 12: madvise(target, len, MADV_FREE); break;
  case 13: process_vm_writev(getpid(), &l, 1, &r, 1, 0); break;
  case 14:
    fd = open("/proc/self/mem", O_RDWR);
    pwrite(fd, junk, sizeof junk, (off_t)(uintptr_t)target);
    break;
  case 15: read(open("/dev/zero", O_RDONLY), target, len); break;
  case 16: syscall(SYS_pkey_mprotect, target, len, PROT_READ | PROT_WRITE, -1); break;
  case 17: syscall(SYS_remap_file_pages, target, len, 0, 1, 0); break;
  case 18: syscall(SYS_brk, target + len); break;
  case 19: munmap((void *)0x10000, 0x7ffffffff000 - 0x10000); break;
  case 20: mprotect((void *)0x10000, 0x7ffffffff000 - 0x10000, PROT_NONE); break;
  case 21: mmap(target - 4096, len + 8192, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0); break;
  case 22: syscall(SYS_shmat, syscall(SYS_shmget, 0, len, 01600), target, 040000); break;
  case 23: mlock(target, len), munlock(target, len), msync(target, len, MS_SYNC); break;
  case 24: if (writable(target)) memset(target, 0, len); break;
  case 25: if (writable(target)) memset(target, 0xff, len); break;
  case 26: if (writable(target)) for (size_t i = 0; i < len / 8; i++) ((uint64_t *)target)[i] = (uint64_t)st.syscall_insn; break;
  default: _exit(99);
  }
  /* and now every kind of call: plain, trapped, with orders, signals */
  getppid();
  char *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p != MAP_FAILED)
    *p = 1, munmap(p, 4096);
  signal(SIGUSR1, SIG_DFL), signal(SIGUSR1, SIG_IGN);
  kill(getpid(), SIGUSR1);
  pid_t c = fork();
  if (c == 0)
    _exit(0);
  waitpid(c, NULL, 0);
  pthread_t t;
  if (!pthread_create(&t, NULL, idle, NULL))
    pthread_join(t, NULL);
  execl("/proc/self/exe", "stub_mangle", "harmless", NULL);
}
int main(int argc, char **argv) {
  if (argc == 2)
    return 55;
  if (!find_stub(&st)) {
    say("no stub found");
    return 0;
  }
  say("slots found below the code: %s", st.low ? "yes" : "no");
  int ended = 0, killed = 0, survived = 0;
  for (how = 0; how < 27; how++)
    for (int where = 0; where < 4; where++) {
      target = where == 0 ? st.text : where == 1 && st.low ? st.low : where == 2 && st.low ? (char *)(((uintptr_t)st.low + 0x8000) & ~0x7fffUL) : st.text - 0x8000;
      len = where == 0 ? st.text_len : where == 3 ? 0x8000 + st.text_len : 0x8000;
      int status;
      bool by_itself = attack(mangle, NULL, 400, &status);
      ended += by_itself, killed += !by_itself;
      survived += by_itself && WIFEXITED(status) && WEXITSTATUS(status) == 55;
    }
  say("attacks that ended by themselves %d, killed %d; unharmed afterwards %d", ended, killed, survived);
  return 0;
}
