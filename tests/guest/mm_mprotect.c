/* mprotect: every protection, page by page, read-only memory as a system call's buffer, code generation. */
#include "guest.h"
static sigjmp_buf env;
static void h(int s) { siglongjmp(env, 1); }
static bool works(void (*fn)(char *), char *p) {
  if (sigsetjmp(env, 1))
    return false;
  fn(p);
  return true;
}
static void rd(char *p) { *(volatile char *)p; }
static void wr(char *p) { *(volatile char *)p = (char)0xc3; }
static void ex(char *p) { ((void (*)(void))p)(); }
static void rights(const char *what, char *p) {
  say("%s: r %d x %d w %d", what, works(rd, p), works(ex, p), works(wr, p));
}
int main(void) {
  on_signal(SIGSEGV, h, 0);
  char *p = mmap(NULL, 16 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  memset(p, 0xc3, 16 * 4096); /* ret */
  int prots[] = {PROT_NONE, PROT_READ, PROT_WRITE, PROT_READ | PROT_WRITE, PROT_EXEC | PROT_READ, PROT_READ | PROT_WRITE | PROT_EXEC};
  const char *names[] = {"none", "r", "w", "rw", "rx", "rwx"};
  for (int i = 0; i < 6; i++) {
    MUST(mprotect(p + 4096, 4096, prots[i]));
    rights(names[i], p + 4096);
  }
  rights("neighbour", p);
  for (int i = 0; i < 16; i += 2)
    MUST(mprotect(p + i * 4096, 4096, PROT_READ));
  int w = 0;
  for (int i = 0; i < 16; i++)
    w += works(wr, p + i * 4096);
  say("writable pages %d", w);
  MUST(mprotect(p, 16 * 4096, PROT_READ | PROT_WRITE));
  mprotect(p, 4096, PROT_READ);
  mprotect(p + 4096, 4096, PROT_NONE);
  int fd[2];
  pipe(fd);
  SHOW(write(fd[1], p, 10));
  SHOW(read(fd[0], p, 10));
  SHOW(write(fd[1], p + 4096, 10));
  SHOW(write(fd[1], p + 4090, 10)); /* runs into PROT_NONE */
  mprotect(p, 16 * 4096, PROT_READ | PROT_WRITE);
  /* mov eax, imm; ret: written, run, rewritten, run */
  char *code = p + 8192;
  for (int i = 1; i <= 3; i++) {
    unsigned char insn[] = {0xb8, i, 0, 0, 0, 0xc3};
    MUST(mprotect(code, 4096, PROT_READ | PROT_WRITE));
    memcpy(code, insn, sizeof insn);
    MUST(mprotect(code, 4096, PROT_READ | PROT_EXEC));
    say("generated code returns %d", ((int (*)(void))code)());
  }
  CHILD("kept over fork") {
    mprotect(code, 4096, PROT_NONE);
    CHILD("grandchild") say("readable %d", works(rd, code));
  }
  say("parent's is its own: %d", works(rd, code));
}
