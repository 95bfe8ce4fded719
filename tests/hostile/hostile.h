/*
 * What the hostile guests share: finding the stub, attacking in a child that may come to any end, shared notes.
 * Each program prints what it saw; what decides is that the sandbox serves afterwards (driver.c, run.py).
 */
#pragma once
#include "../guest/guest.h"

/* The first words of the stub's code (notify-platform/stub/stub_abi.h): that is what an attacker would look for too. */
struct stub_header {
  uint32_t magic, handler, syscall_ret, sigreturn_ret, restorer, zygote;
};
#define STUB_MAGIC 0x42555453
struct stub {
  char *text;                    /* the code, readable and executable */
  size_t text_len;
  char *low;                     /* the lowest mapped page found below it, where the slots are */
  char *syscall_insn, *sigreturn_insn;
};

static sigjmp_buf probe_env;
static inline void probe_fault(int s) { siglongjmp(probe_env, 1); }
/* Can this address be read? By trying, since /proc/self/maps need not tell the truth. */
static inline bool readable(const volatile char *p) {
  if (sigsetjmp(probe_env, 1))
    return false;
  (void)*p;
  return true;
}
static inline bool writable(volatile char *p) {
  signal(SIGSEGV, probe_fault), signal(SIGBUS, probe_fault);
  if (sigsetjmp(probe_env, 1))
    return false;
  *p = *p;
  return true;
}

/* The lowest address, page by page, at which the kernel refuses a mapping for being too high: the stub is above it. */
static inline uintptr_t end_of_user_space(void) {
  uintptr_t ok = 0x10000, bad = 0x800000000000;
  while (bad - ok > 4096) {
    uintptr_t mid = (ok + (bad - ok) / 2) & ~4095UL;
    void *p = mmap((void *)mid, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    if (p != MAP_FAILED)
      munmap(p, 4096);
    if (p != MAP_FAILED || errno == EEXIST)
      ok = mid;
    else
      bad = mid;
  }
  return bad;
}

/* Looks for the stub's code above what may be mapped, page by page, by touching. */
static inline bool find_stub(struct stub *st) {
  signal(SIGSEGV, probe_fault);
  signal(SIGBUS, probe_fault);
  memset(st, 0, sizeof *st);
  const uintptr_t from = end_of_user_space(), range = 512UL << 20;
  for (uintptr_t p = from; p < from + range && p < 0x7ffffffff000 && !st->text; p += 0x1000) {
    const struct stub_header *h = (void *)p;
    if (!readable((char *)p) || h->magic != STUB_MAGIC || h->syscall_ret >= 0x10000)
      continue;
    st->text = (char *)p;
    st->syscall_insn = (char *)p + h->syscall_ret - 2;
    st->sigreturn_insn = (char *)p + h->sigreturn_ret - 2;
    while (st->text_len < 0x10000 && readable(st->text + st->text_len))
      st->text_len += 0x1000;
  }
  /* The slots lie below the code, in a row. */
  for (uintptr_t a = (uintptr_t)st->text - 0x1000; st->text && a > (uintptr_t)st->text - (160UL << 20); a -= 0x1000) {
    if (readable((char *)a))
      st->low = (char *)a;
    else if (st->low && (uintptr_t)st->low - a > (1 << 20))
      break;
  }
  return st->text != NULL;
}

static long attack_number; /* what a program is at, for messages */
/* Runs fn in a child that is killed after ms; true if it ended by itself. The child may do anything to itself. */
static inline bool attack(void (*fn)(void *), void *arg, int ms, int *status) {
  int st = 0;
  pid_t p = fork();
  if (p == 0) {
    setpgid(0, 0);
    signal(SIGSEGV, SIG_DFL), signal(SIGBUS, SIG_DFL); /* the probe's handler would jump into a frame that is gone */
    fn(arg);
    _exit(0);
  }
  if (p < 0)
    return false;
  setpgid(p, p);
  bool by_itself = true;
  int64_t end = now_ms() + ms;
  int r;
  while ((r = waitpid(p, &st, WNOHANG | WUNTRACED)) == 0 || (r == p && WIFSTOPPED(st))) {
    if (now_ms() > end || (r == p && WIFSTOPPED(st))) {
      by_itself = false;
      kill(-p, SIGKILL);
      kill(p, SIGKILL);
      /* SIGKILL must end it, whatever it has done to itself: at the latest when the platform's own deadline for threads that
       * answer no host signal has passed. */
      int64_t dead = now_ms() + 15000;
      while (waitpid(p, &st, WNOHANG) == 0)
        if (now_ms() > dead) {
          say("HANG: a child survives SIGKILL (attack %ld)", attack_number);
          _exit(77);
        } else
          msleep(1);
      break;
    }
    usleep(300);
  }
  kill(-p, SIGKILL);
  if (status)
    *status = st;
  return by_itself;
}

static inline long raw6(long nr, long a, long b, long c, long d, long e, long f) {
  long r;
  register long r10 asm("r10") = d, r8 asm("r8") = e, r9 asm("r9") = f;
  asm volatile("syscall" : "=a"(r) : "0"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9) : "rcx", "r11", "memory");
  return r;
}
/* Jumps to an address with a system call's registers set up; does not come back if the code there does not return. */
static inline long jump6(void *where, long nr, long a, long b, long c, long d, long e, long f) {
  long r;
  register long r10 asm("r10") = d, r8 asm("r8") = e, r9 asm("r9") = f;
  asm volatile("call *%[w]" : "=a"(r) : "0"(nr), [w] "b"(where), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9) : "rcx", "r11", "r12", "r13", "r14", "r15", "memory");
  return r;
}

/* Values that break careless checks. */
static inline long hostile_value(unsigned i, void *page, void *ro) {
  const long v[] = {0, 1, -1, 2, 3, 4, 7, 8, 15, 16, 64, 255, 256, 1023, 4095, 4096, 4097, 65535, 65536, INT_MAX, INT_MIN, 0x7fffffffffffffff, (long)0x8000000000000000UL,
                    0x7fffffffe000, 0x7ffffffff000, 0x7fffffffffff, 0x800000000000, (long)0xffff800000000000UL, (long)0xffffffffff600000UL, (long)0xfffffffffffff000UL, 0x1000, 0x400000,
                    -4096, -100, -22, 0xffffffff, 0x100000000, 0x100000001, (long)page, (long)page + 4090, (long)page + 4096 - 8, (long)page + 1, (long)ro, (long)ro + 8, 1L << 40, 1L << 46, 1L << 62, 0x5555555555555555};
  return v[i % (sizeof v / sizeof *v)];
}
