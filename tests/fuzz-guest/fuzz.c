/*
 * Usage: fuzz SEED CYCLES [RING-FILE]. Must be pid 1: each cycle ends with kill(-1, SIGKILL). Prints one line per
 * cycle, and "idle" lines when nothing but itself is left, at which the driver measures the Sentry.
 */
#include "fuzz.h"
#include <sys/statvfs.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WORKERS 6
#define THREADS 4
#define CYCLE_NS 2500000000ll
#define RING_SLOTS 64
#define RING_DEPTH 64

/* What was called last, in a file that outlives the sandbox. */
struct entry {
  uint32_t seq;
  int32_t pid, nr, root;
  uint64_t a[6];
  int64_t ret; /* RUNNING: not back yet */
};
#define RUNNING 0x7eadbeef7eadbeefll
static struct ring { struct entry e[RING_DEPTH]; } * ring;
static uint32_t *counters; /* shared by all processes of a cycle: ring slots given out, calls made */

struct thread {
  uint64_t seed, cycle;
  int worker, index, depth, tid;
  struct ring *ring;
  sigjmp_buf back;
  bool filling;
};
static __thread struct thread *self;

static void on_signal(int sig) {}
void (*const signal_handler)(int) = on_signal;
__asm__(".globl signal_restorer\nsignal_restorer: mov $15,%eax\nsyscall\n");

static void on_fault(int sig) {
  if (self && self->filling)
    siglongjmp(self->back, 1);
  syscall(SYS_exit_group, 99);
}

static void catch_signals(void) {
  struct sigaction a = {.sa_handler = on_fault, .sa_flags = SA_NODEFER};
  sigaction(SIGSEGV, &a, NULL);
  sigaction(SIGBUS, &a, NULL);
  a = (struct sigaction){.sa_handler = on_signal};
  for (int i = 1; i < 65; i++)
    if (i != SIGSEGV && i != SIGBUS && i != SIGCHLD)
      sigaction(i, &a, NULL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
}

/* ---- one call ---- */

/* A child that shares our stack must not return on it: it ends in the instruction after the call. */
static long raw_call(int nr, const uint64_t *a, bool shared_stack) {
  register long r10 __asm__("r10") = (long)a[3], r8 __asm__("r8") = (long)a[4], r9 __asm__("r9") = (long)a[5];
  long ret;
  if (shared_stack)
    __asm__ volatile("syscall\n"
                     "test %%rax,%%rax\n"
                     "jnz 1f\n"
                     "mov $60,%%eax\n"
                     "xor %%edi,%%edi\n"
                     "syscall\n"
                     "1:"
                     : "=a"(ret)
                     : "a"((long)nr), "D"(a[0]), "S"(a[1]), "d"(a[2]), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
  else
    __asm__ volatile("syscall"
                     : "=a"(ret)
                     : "a"((long)nr), "D"(a[0]), "S"(a[1]), "d"(a[2]), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
  return ret;
}

/* Not worth a process each time, or the end of the fun. */
static bool leave_out(struct rng *r, struct call *c) {
  switch (c->nr) {
  case SYS_exit:
  case SYS_exit_group:
  case SYS_rt_sigreturn:
  case SYS_close_range:
    return !one_in(r, 60);
  case SYS_execve:
  case SYS_execveat:
    return !one_in(r, 12);
  case SYS_seccomp:
    return !one_in(r, 8);
  case SYS_fork:
  case SYS_vfork:
  case SYS_clone:
  case SYS_clone3:
    return !one_in(r, 6);
  case SYS_tkill:
  case SYS_tgkill:
  case SYS_rt_sigqueueinfo:
  case SYS_rt_tgsigqueueinfo:
  case SYS_prlimit64:
  case SYS_process_vm_writev:
    return (int)c->a[0] == 1 || (int)c->a[1] == 1;
  case SYS_arch_prctl: /* without its FS base a thread is lost */
    return c->a[0] == 0x1002 && !one_in(r, 30);
  case SYS_reboot:
    c->a[0] = 0;
    return false;
  case SYS_kill:
    return (int)c->a[0] == 1 || (int)c->a[0] == -1 || (c->a[0] & 0x80000000u) || !one_in(r, 4);
  case SYS_pause:
  case SYS_rt_sigsuspend:
  case SYS_alarm:
    return !one_in(r, 10);
  case SYS_chroot:
  case SYS_pivot_root:
  case SYS_setrlimit:
    return !one_in(r, 10);
  }
  return false;
}

static void in_child(struct rng *r) {
  self->depth++;
  if (self->depth > 1)
    syscall(SYS_exit_group, 0);
  struct rng own = rng_from(rnd(r), 77, 0, 0);
  run_calls(&own, 40);
  syscall(SYS_exit_group, 0);
}

static void one_call(struct rng *r, unsigned seq) {
  struct call c;
  self->filling = true;
  if (sigsetjmp(self->back, 1)) {
    self->filling = false;
    return;
  }
  make_call_args(r, &c);
  self->filling = false;
  if (leave_out(r, &c))
    return;
  bool shares = c.nr == SYS_vfork, forks = c.nr == SYS_fork;
  if (c.nr == SYS_clone) {
    shares = c.a[0] & 0x100;
    forks = !shares;
    if (forks)
      c.a[1] = 0;
  } else if (c.nr == SYS_clone3) {
    shares = true; /* its structure may change under us */
  }
  struct entry *e = &self->ring->e[seq % RING_DEPTH];
  *e = (struct entry){seq, getpid(), c.nr, !geteuid(), {0}, RUNNING};
  memcpy(e->a, c.a, sizeof e->a);
  long ret = raw_call(c.nr, c.a, shares);
  if (!ret && forks)
    in_child(r);
  e->ret = ret;
  __atomic_fetch_add(&counters[1], 1, __ATOMIC_RELAXED);
  if ((forks || shares) && ret > 0)
    remember_pid((int)ret);
  else if (ret >= 0)
    remember_result(&c, ret);
}

void run_calls(struct rng *r, int n) {
  for (unsigned i = 0; n < 0 || i < (unsigned)n; i++) {
    one_call(r, i);
    if (one_in(r, 40))
      make_object(r);
    if (n < 0 && one_in(r, 150))
      scene(r);
    if (one_in(r, 60))
      catch_signals();
    if (one_in(r, 50))
      while (waitpid(-1, NULL, WNOHANG | __WALL) > 0)
        ;
  }
}

/* ---- threads and workers ---- */

static void thread_begin(struct thread *t) {
  self = t;
  t->ring = &ring[__atomic_fetch_add(&counters[0], 1, __ATOMIC_RELAXED) % RING_SLOTS];
  t->tid = gettid();
  remember_pid(t->tid);
}

static void *thread_main(void *arg) {
  struct thread *t = arg;
  thread_begin(t);
  struct rng r = rng_from(t->seed, t->cycle, (uint64_t)t->worker, (uint64_t)t->index);
  run_calls(&r, -1);
  return NULL;
}

/* Memory changes under the calls of the others, and signals get them out of those that block. */
static void *disturber(void *arg) {
  struct thread *t = arg, *first = t - THREADS;
  struct rng r = rng_from(t->seed, t->cycle, (uint64_t)t->worker, 1000);
  static const int sigs[] = {SIGUSR1, SIGUSR2, SIGALRM, SIGIO};
  self = t;
  for (;;) {
    memory_race(&r);
    int tid = first[below(&r, THREADS)].tid;
    if (tid)
      syscall(SYS_tkill, tid, PICK(&r, sigs));
    struct timespec ts = {0, (long)below(&r, 600000)};
    nanosleep(&ts, NULL);
  }
}

static void limit(int what, uint64_t v) {
  setrlimit(what, &(struct rlimit){v, v});
}

static void become_worker(const struct thread *t) {
  for (int i = 1; i < 65; i++)
    signal(i, SIG_DFL);
  setpgid(0, 0);
  int null = open("/dev/null", O_RDWR);
  for (int i = 0; i < 3; i++)
    dup2(null, i);
  limit(RLIMIT_AS, 1ull << 31);
  limit(RLIMIT_FSIZE, 16 << 20);
  limit(RLIMIT_CORE, 0);
  limit(RLIMIT_NOFILE, 512);
  limit(RLIMIT_MEMLOCK, 1 << 20);
  limit(RLIMIT_STACK, 8 << 20);
  unshare(CLONE_NEWNS); /* so that its mounts end with it */
  mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL);
  if (t->worker % 2) {
    setgroups(0, NULL);
    if (setresgid(65534, 65534, 65534) || setresuid(65534, 65534, 65534))
      _exit(1);
    limit(RLIMIT_NPROC, 60);
    if (t->worker % 4 == 3)
      prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  }
}

static void fuzz_process(struct thread base) {
  static struct thread t[THREADS + 1];
  struct rng r = rng_from(base.seed, base.cycle, (uint64_t)base.worker, 99);
  pthread_t p;
  if (base.worker % 3 == 0)
    setsid();
  memory_setup(&r);
  objects_setup(&r);
  catch_signals();
  for (int i = 0; i <= THREADS; i++) {
    t[i] = base;
    t[i].index = i;
  }
  for (int i = 1; i < THREADS; i++)
    pthread_create(&p, NULL, thread_main, &t[i]);
  pthread_create(&p, NULL, disturber, &t[THREADS]);
  thread_main(&t[0]);
}

/* Starts a new one whenever its process has ended. */
static void worker(uint64_t seed, uint64_t cycle, int index) {
  struct thread t = {.seed = seed, .cycle = cycle, .worker = index};
  become_worker(&t);
  for (int again = 0;; again++) {
    pid_t p = fork();
    if (!p) {
      t.seed += (uint64_t)again << 32;
      fuzz_process(t);
      _exit(0);
    }
    int st;
    if (p < 0)
      usleep(10000);
    while (p > 0 && waitpid(p, &st, 0) < 0 && errno == EINTR)
      ;
    while (waitpid(-1, NULL, WNOHANG) > 0)
      ;
  }
}

/* ---- cleaning up ---- */

/* No more than a few thousand names: somebody may have moved all of /usr here. */
static int removals;
static void remove_tree(int dir, const char *name) {
  if (--removals < 0)
    return;
  int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
  struct dirent *e;
  while (d && --removals > 0 && (e = readdir(d)))
    if (strcmp(e->d_name, ".") && strcmp(e->d_name, "..") && unlinkat(fd, e->d_name, 0))
      remove_tree(fd, e->d_name);
  if (d)
    closedir(d);
  unlinkat(dir, name, AT_REMOVEDIR);
}

static void remove_ipc(void) {
  static const int removers[] = {SYS_shmctl, SYS_msgctl, SYS_semctl};
  static const char *const lists[] = {"/proc/sysvipc/shm", "/proc/sysvipc/msg", "/proc/sysvipc/sem"};
  for (unsigned i = 0; i < N(lists); i++) {
    FILE *f = fopen(lists[i], "re");
    char line[512];
    int key, id, ids[256], n = 0;
    while (f && fgets(line, sizeof line, f))
      if (sscanf(line, "%d %d", &key, &id) == 2 && n < 256)
        ids[n++] = id;
    if (f)
      fclose(f);
    while (n > 0)
      syscall(removers[i], ids[--n], i == 2 ? 0 : IPC_RMID, i == 2 ? IPC_RMID : 0, 0);
  }
}

static int64_t now(void) {
  struct timespec ts;
  clock_gettime(CLOCK_MONOTONIC, &ts);
  return ts.tv_sec * 1000000000ll + ts.tv_nsec;
}

/* Everybody else is killed and reaped; who does not go is a finding. */
static bool end_all(void) {
  int64_t deadline = now() + 20000000000ll;
  for (;;) {
    kill(-1, SIGKILL);
    pid_t p;
    while ((p = waitpid(-1, NULL, WNOHANG | __WALL)) > 0)
      ;
    if (p < 0 && errno == ECHILD)
      return true;
    if (now() > deadline)
      return false;
    usleep(2000);
  }
}

static void print_stuck(void) {
  DIR *d = opendir("/proc");
  struct dirent *e;
  while ((e = readdir(d))) {
    char file[300], line[256];
    if (atoi(e->d_name) < 2)
      continue;
    snprintf(file, sizeof file, "/proc/%s/status", e->d_name);
    FILE *f = fopen(file, "re");
    while (f && fgets(line, sizeof line, f))
      if (!strncmp(line, "State", 5) || !strncmp(line, "Tgid", 4) || !strncmp(line, "Name", 4) ||
          !strncmp(line, "Threads", 7))
        printf("stuck %s: %s", e->d_name, line);
    if (f)
      fclose(f);
  }
  closedir(d);
  fflush(stdout);
}

static void *shared_page(size_t size, const char *file) {
  int fd = file ? open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0666) : -1;
  if (fd >= 0 && ftruncate(fd, (off_t)size))
    fd = -1;
  size_t guard = 4 << 20; /* on both sides: calls that write too far must not count */
  char *p = mmap(NULL, size + 2 * guard, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  int flags = fd >= 0 ? MAP_SHARED | MAP_FIXED : MAP_SHARED | MAP_FIXED | MAP_ANONYMOUS;
  void *at = p == MAP_FAILED ? p : mmap(p + guard, size, PROT_READ | PROT_WRITE, flags, fd, 0);
  if (at == MAP_FAILED)
    abort();
  if (fd >= 0)
    close(fd);
  return at;
}

static bool cycle(uint64_t seed, uint64_t n) {
  mkdir(WORK_DIR, 0777);
  chmod(WORK_DIR, 0777);
  counters[0] = 0;
  for (int i = 0; i < WORKERS; i++)
    if (!fork())
      worker(seed, n, i);
  int64_t end = now() + CYCLE_NS;
  while (now() < end)
    usleep(50000);
  bool ok = end_all();
  removals = 3000;
  remove_tree(AT_FDCWD, WORK_DIR);
  remove_ipc();
  unlink("/dev/shm/fz");
  printf("cycle %lu calls %u%s\n", n, counters[1], ok ? "" : " STUCK");
  if (!ok)
    print_stuck();
  fflush(stdout);
  return ok;
}

/* Inodes in use, also of files without a name: what stays in memory for a reason. */
static unsigned long inodes(const char *where) {
  struct statvfs v;
  return statvfs(where, &v) ? 0 : v.f_files - v.f_ffree;
}

int main(int argc, char **argv) {
  uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 0) : 1, cycles = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
  uint64_t first = argc > 4 ? strtoull(argv[4], NULL, 0) : 0;
  if (getpid() != 1) {
    fprintf(stderr, "fuzz: must be pid 1\n");
    return 2;
  }
  for (int i = 1; i < 65; i++)
    if (i != SIGCHLD && i != SIGSEGV && i != SIGBUS)
      signal(i, SIG_IGN);
  args_setup();
  ring = shared_page(sizeof *ring * RING_SLOTS, argc > 3 && *argv[3] ? argv[3] : NULL);
  counters = shared_page(4096, NULL);
  printf("seed %lu calls known %d\n", seed, ncalls());
  fflush(stdout);
  for (uint64_t n = first; n < first + cycles; n++) {
    if (!cycle(seed, n))
      return 3;
    if (n % 8 == 7 || n + 1 == first + cycles) {
      printf("inodes / %lu /dev/shm %lu /dev/mqueue %lu\nidle %lu\n", inodes("/"), inodes("/dev/shm"),
             inodes("/dev/mqueue"), n);
      fflush(stdout);
      usleep(1500000);
    }
  }
  printf("done\n");
  return 0;
}
