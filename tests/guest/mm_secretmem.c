/* memfd_secret(2), mseal(2), cachestat(2). */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define P 4096ul
static void say(const char *what, long r) {
  printf("%s: %s\n", what, r < 0 ? strerrorname_np(errno) : "ok");
}
static long mseal_(void *p, size_t n, unsigned long flags) {
  return syscall(462, p, n, flags);
}

static void secret(void) {
  char link[64];
  struct stat st;
  errno = 0;
  say("flags", syscall(447, 1));
  int fd = (int)syscall(447, O_CLOEXEC);
  say("memfd_secret", fd);
  say("cloexec", fcntl(fd, F_GETFD) == FD_CLOEXEC ? 0 : -1);
  fstat(fd, &st);
  ssize_t n = readlink("/proc/self/fd/3", link, sizeof link - 1);
  printf("mode %o nlink %d size %d link %.*s\n", st.st_mode, (int)st.st_nlink, (int)st.st_size, (int)n, link);
  say("read", read(fd, link, 1));
  say("write", write(fd, link, 1));
  say("lseek", lseek(fd, 0, SEEK_SET));
  say("seals", fcntl(fd, F_ADD_SEALS, F_SEAL_GROW));
  say("reopen", open("/proc/self/fd/3", O_RDWR));
  say("truncate", ftruncate(fd, 2 * P));
  say("truncate again", ftruncate(fd, 3 * P));
  say("private", mmap(NULL, P, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0) == MAP_FAILED ? -1 : 0);
  char *m = mmap(NULL, 2 * P, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  say("map", m == MAP_FAILED ? -1 : 0);
  strcpy(m, "secret");
  char *again = mmap(NULL, P, PROT_READ, MAP_SHARED, fd, 0);
  printf("%s\n", again);
  /* The caller's own buffers may lie there; another process's view of it may not. */
  int p[2];
  pipe(p);
  say("write from it", write(p[1], m, 7));
  say("read into it", read(p[0], m + 100, 7));
  printf("%s\n", m + 100);
  char buf[16] = "", *heap = "plain";
  struct iovec l = {buf, 7}, r = {m, 7}, h = {heap, 6};
  say("process_vm_readv", process_vm_readv(getpid(), &l, 1, &r, 1, 0));
  say("process_vm_writev", process_vm_writev(getpid(), &l, 1, &r, 1, 0));
  say("elsewhere", process_vm_readv(getpid(), &l, 1, &h, 1, 0));
  int mem = open("/proc/self/mem", O_RDWR);
  say("/proc/self/mem", pread(mem, buf, 7, (off_t)(uintptr_t)m));
  say("/proc/self/mem write", pwrite(mem, buf, 7, (off_t)(uintptr_t)m));
  pid_t c = fork();
  if (!c) {
    printf("child: %s\n", m);
    fflush(stdout);
    ptrace(PTRACE_TRACEME, 0, 0, 0);
    raise(SIGSTOP);
    _exit(0);
  }
  waitpid(c, NULL, 0);
  errno = 0;
  long word = ptrace(PTRACE_PEEKDATA, c, m, 0);
  say("peek", errno ? -1 : word);
  ptrace(PTRACE_CONT, c, 0, 0);
  waitpid(c, NULL, 0);
  say("munmap", munmap(m, 2 * P));
  close(fd);
  munmap(again, P);
}

static void seal(void) {
  char *m = mmap(NULL, 6 * P, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  m[2 * P] = 'x';
  say("flags", mseal_(m, P, 1));
  say("unaligned", mseal_(m + 1, P, 0));
  say("wraps", mseal_(m, -P, 0));
  say("nothing", mseal_(m, 0, 0));
  munmap(m + 5 * P, P);
  say("hole", mseal_(m + 4 * P, 2 * P, 0));
  say("seal", mseal_(m + 2 * P, 2 * P, 0));
  say("again", mseal_(m + 2 * P, 2 * P, 0));
  say("munmap", munmap(m + 2 * P, P));
  say("munmap over", munmap(m, 5 * P));
  say("mprotect", mprotect(m + 3 * P, P, PROT_READ));
  say("map over", mmap(m + 2 * P, P, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED ? -1 : 0);
  say("mremap", mremap(m + 2 * P, 2 * P, 4 * P, MREMAP_MAYMOVE) == MAP_FAILED ? -1 : 0);
  say("shrink", mremap(m + 2 * P, 2 * P, P, 0) == MAP_FAILED ? -1 : 0);
  char *o = mmap(NULL, P, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  say("mremap onto", mremap(o, P, P, MREMAP_MAYMOVE | MREMAP_FIXED, m + 2 * P) == MAP_FAILED ? -1 : 0);
  say("discard writable", madvise(m + 3 * P, P, MADV_DONTNEED));
  say("below", mprotect(m, 2 * P, PROT_READ));
  say("seal read-only", mseal_(m, P, 0));
  say("discard read-only", madvise(m, P, MADV_DONTNEED));
  say("hint", madvise(m, P, MADV_WILLNEED));
  printf("%c\n", m[2 * P]);
  pid_t c = fork();
  if (!c) {
    say("child", munmap(m + 2 * P, P));
    fflush(stdout);
    _exit(0);
  }
  waitpid(c, NULL, 0);
}

static void cached(void) {
  struct {
    uint64_t off, len;
  } r = {0, 0};
  uint64_t out[5] = {9, 9, 9, 9, 9};
  char page[P] = "x";
  int fd = memfd_create("x", 0);
  for (int i = 0; i < 40; i++)
    write(fd, page, sizeof page);
  say("cachestat", syscall(451, fd, &r, out, 0));
  printf("%d %d %d\n", (int)out[0], (int)out[1], (int)out[2]);
  r.off = 2 * P + 5, r.len = P;
  syscall(451, fd, &r, out, 0);
  printf("%d\n", (int)out[0]);
  ftruncate(fd, 3 * P);
  r.len = 0;
  syscall(451, fd, &r, out, 0);
  printf("%d\n", (int)out[0]);
  say("flags", syscall(451, fd, &r, out, 1));
  say("range", syscall(451, fd, NULL, out, 0));
  say("result", syscall(451, fd, &r, NULL, 0));
  say("descriptor", syscall(451, -1, &r, out, 0));
}

int main(void) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  secret();
  seal();
  cached();
  return 0;
}
