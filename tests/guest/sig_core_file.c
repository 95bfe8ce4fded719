/* Core files: when there is one, and what it holds. */
#include "guest.h"
#include <elf.h>
#include <pthread.h>
#include <sys/procfs.h>

static volatile int pattern_word = 0x13572468;
static int *bad_address = (int *)0x4321;
static char *shared;
static void *blocked(void *a) {
  int fds[2];
  char c;
  pipe(fds);
  read(fds[0], &c, 1);
  return NULL;
}
static void *spinning(void *a) {
  for (;;)
    ;
  return NULL;
}
static void crash(int threads, int kind) {
  pthread_t t;
  for (int i = 0; i < threads; i++)
    pthread_create(&t, NULL, i ? spinning : blocked, NULL);
  if (threads)
    usleep(20000);
  if (kind == 1)
    abort();
  *bad_address = 1;
}

static unsigned char *file;
static size_t size;
static int load(const char *name) {
  int fd = open(name, O_RDONLY);
  if (fd < 0)
    return -1;
  struct stat st;
  fstat(fd, &st);
  size = (size_t)st.st_size;
  file = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
  close(fd);
  say("mode %o", st.st_mode & 07777);
  return 0;
}
/* The word at a program's address, if it is in the file. */
static int word_at(void *addr, unsigned *out) {
  Elf64_Ehdr *e = (void *)file;
  Elf64_Phdr *p = (void *)(file + e->e_phoff);
  for (int i = 0; i < e->e_phnum; i++) {
    uint64_t a = (uint64_t)addr;
    if (p[i].p_type == PT_LOAD && a >= p[i].p_vaddr && a + 4 <= p[i].p_vaddr + p[i].p_filesz) {
      memcpy(out, file + p[i].p_offset + (a - p[i].p_vaddr), 4);
      return 1;
    }
  }
  return 0;
}
static void show_core(pid_t pid) {
  Elf64_Ehdr *e = (void *)file;
  Elf64_Phdr *p = (void *)(file + e->e_phoff);
  say("type %d machine %d", e->e_type, e->e_machine);
  size_t at = p[0].p_offset, end = at + p[0].p_filesz;
  int threads = 0;
  printf("notes:");
  while (at + sizeof(Elf64_Nhdr) <= end) {
    Elf64_Nhdr *n = (void *)(file + at);
    char *name = (char *)(n + 1);
    unsigned char *d = file + ((at + sizeof *n + n->n_namesz + 3) & ~3ul);
    if (n->n_type != 0x200 && n->n_type != 0x202 && n->n_type != 0x204 && n->n_type != 0x205)
      printf(" %s/%x", name, n->n_type);
    if (n->n_type == NT_PRSTATUS) {
      struct elf_prstatus *s = (void *)d;
      printf("(%zu, sig %d, first %d, fpvalid %d)", sizeof *s == n->n_descsz ? sizeof *s : 0, s->pr_cursig, s->pr_pid == pid, s->pr_fpvalid);
      threads++;
    } else if (n->n_type == NT_PRPSINFO) {
      struct elf_prpsinfo *s = (void *)d;
      printf("(pid %d, %d args)", s->pr_pid == pid, s->pr_psargs[0] != 0);
    } else if (n->n_type == NT_SIGINFO) {
      siginfo_t *s = (void *)d;
      printf("(%d %d)", s->si_signo, s->si_code);
    } else if (n->n_type == NT_FILE) {
      printf("(%d files)", *(long *)d > 3);
    } else if (n->n_type == NT_FPREGSET) {
      printf("(%d)", n->n_descsz);
    }
    at = (size_t)(d - file) + ((n->n_descsz + 3) & ~3u);
  }
  printf("\n");
  say("threads %d", threads);
  unsigned w = 0;
  say("data: %d %x", word_at((void *)&pattern_word, &w), w == 0x13572468);
  w = 0;
  int r = word_at(shared, &w);
  say("shared: %d %x", r, w);
  munmap(file, size);
}
static void run(const char *what, int threads, int kind, long limit, int look, const char *filter) {
  unlink("core");
  fflush(stdout);
  pid_t p = fork();
  if (!p) {
    struct rlimit r = {(rlim_t)limit, RLIM_INFINITY};
    setrlimit(RLIMIT_CORE, &r);
    if (kind == 2)
      prctl(PR_SET_DUMPABLE, 0);
    if (filter) {
      int fd = open("/proc/self/coredump_filter", O_RDWR);
      write(fd, filter, strlen(filter));
      char b[32] = "";
      pread(fd, b, 31, 0);
      printf("filter %s", b);
      fflush(stdout);
    }
    crash(threads, kind);
  }
  int st;
  waitpid(p, &st, 0);
  say("%s: signal %d dumped %d", what, WTERMSIG(st), WCOREDUMP(st));
  if (look && load("core") == 0)
    show_core(p);
}
int main(void) {
  setvbuf(stdout, NULL, _IONBF, 0);
  shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  *(int *)shared = 0x777;
  run("no limit", 0, 0, -1, 1, NULL);
  run("three threads", 2, 0, -1, 1, NULL);
  run("abort", 0, 1, -1, 1, NULL);
  run("limit 0", 0, 0, 0, 0, NULL);
  run("limit 1000", 0, 0, 1000, 0, NULL);
  run("limit 20000", 0, 0, 20000, 0, NULL);
  run("not dumpable", 0, 2, -1, 0, NULL);
  run("filter", 0, 0, -1, 1, "0x30");
  unlink("core");
  mkdir("core", 0700);
  pid_t p = fork();
  if (!p) {
    struct rlimit r = {RLIM_INFINITY, RLIM_INFINITY};
    setrlimit(RLIMIT_CORE, &r);
    crash(0, 0);
  }
  int st;
  waitpid(p, &st, 0);
  say("a directory in its place: dumped %d", WCOREDUMP(st));
  rmdir("core");
}
