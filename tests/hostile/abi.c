/* Other doors to the kernel: int 0x80, x32 numbers, number -1, high bits, vsyscall page, sysenter, 32-bit code segments. */
#include "hostile.h"
static int variant;
static long nr;
static char *low; /* under 4 GiB, for 32-bit code */
static long int80(long n, long b, long c, long d) {
  long r;
  asm volatile("int $0x80" : "=a"(r) : "0"(n), "b"(b), "c"(c), "d"(d) : "memory", "r8", "r9", "r10", "r11");
  return r;
}
static void try(void *arg) {
  long r = -12345;
  switch (variant) {
  case 0: r = int80(nr, (long)low, (long)low + 64, 64); break;
  case 1: r = raw6(nr | 0x40000000, (long)low, (long)low + 64, 64, 0, 0, 0); break;
  case 2: r = raw6(nr | 0x7fffffff00000000, (long)low, 0, 0, 0, 0, 0); break;
  case 3: r = raw6(-nr - 1, (long)low, 0, 0, 0, 0, 0); break;
  case 4: { /* 32-bit code by a far return: mov eax, nr; int 0x80 | sysenter | syscall; then nothing sane */
    unsigned char code[] = {0xb8, (unsigned char)nr, (unsigned char)(nr >> 8), 0, 0, 0xcd, 0x80, 0x0f, 0x34, 0x0f, 0x05, 0xeb, 0xfe};
    memcpy(low, code, sizeof code);
    asm volatile("pushq $0x23; pushq %0; lretq" ::"r"(low) : "memory");
    break;
  }
  case 5: asm volatile("mov %0, %%eax; sysenter" ::"r"((int)nr) : "rax", "memory"); break;
  case 6: { /* the vsyscall page */
    long (*vs)(void *, void *) = (void *)(0xffffffffff600000 + (nr % 4) * 0x400);
    struct timeval tv;
    r = vs(&tv, NULL);
    break;
  }
  }
  _exit(r == -ENOSYS ? 1 : r == -12345 ? 2 : r < 0 ? 3 : 4);
}
int main(void) {
  low = mmap(NULL, 8192, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
  static const char *names[] = {"int 0x80", "x32", "high bits", "negative", "32-bit segment", "sysenter", "vsyscall"};
  static const int counts[] = {450, 470, 40, 40, 20, 20, 8};
  for (variant = 0; variant < 7; variant++) {
    int worked = 0, dead = 0, refused = 0;
    for (nr = 0; nr < counts[variant]; nr++) {
      int status = 0;
      bool by_itself = attack(try, NULL, 60, &status);
      if (!by_itself || WIFSIGNALED(status))
        dead++;
      else if (WEXITSTATUS(status) == 4)
        worked++;
      else
        refused++;
    }
    /* int 0x80 and x32 must never work; the others are ordinary numbers with garbage, or the vsyscall emulation */
    say("%s: %s", names[variant], variant < 2 ? (worked ? "WORKED" : "refused or killed") : "done");
    if (variant < 2 && worked)
      return 1;
  }
  return 0;
}
