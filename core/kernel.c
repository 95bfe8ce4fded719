/* The sandbox's state as a whole: made at boot, torn down at the end; and the two logs. */
#include "kernel.h"
#include "ipc/ipc.h"
#include "keys/keys.h"
#include <malloc.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#define DMESG_CAP (64 * 1024)

/* There is one kernel per loop and one loop per thread. */
static _Thread_local struct kernel *the_kernel;

struct kernel *kernel_current(void) {
  return the_kernel;
}

static int64_t clock_ns(clockid_t id) {
  struct timespec ts;
  clock_gettime(id, &ts);
  return ts.tv_sec * 1000000000ll + ts.tv_nsec;
}

/* An UUID of version 4, as /proc/sys/kernel/random/boot_id has. */
static void make_boot_id(char out[37]) {
  uint8_t b[16] = {0};
  if (getrandom(b, sizeof b, GRND_NONBLOCK) != sizeof b) {
    int64_t now = clock_ns(CLOCK_REALTIME);
    memcpy(b, &now, sizeof now);
  }
  b[6] = (b[6] & 0x0f) | 0x40;
  b[8] = (b[8] & 0x3f) | 0x80;
  snprintf(out, 37, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1], b[2], b[3],
           b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
}

static int count_cpus(void) {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0)
    return CPU_COUNT(&set);
  long n = sysconf(_SC_NPROCESSORS_ONLN);
  return n > 0 ? (int)n : 1;
}

static void boot_log(struct kernel *k) {
  static const char *const lines[] = {
      "Teaching the seccomp filter good manners...",
      "Asking the host for as little as possible...",
      "Counting to one: single-threaded kernel ready.",
      "Weaving fibers, none of them optical...",
      "Politely declining CAP_SYS_ADMIN...",
      "Convincing processes that this is Linux...",
      "Hiding the host behind the sofa...",
      "Reaping zombies before they are born...",
      "Polishing the ring until all 64 entries shine...",
      "Telling the gofer where to go for files...",
  };
  enum { N = sizeof lines / sizeof lines[0] };
  klog(k, "%s version %s (%s)", k->uts.sysname, k->uts.release, k->uts.version);
  klog(k, "CPUs: %d, memory: %lluK", k->ncpus, (unsigned long long)k->mem_total / 1024);
  /* Six of them, starting anywhere: no two boots need to tell the same story. */
  unsigned from = (unsigned char)k->boot_id[0] * 7u + (unsigned char)k->boot_id[1];
  for (unsigned i = 0; i < 6; i++)
    klog(k, "%s", lines[(from + i) % N]);
  klog(k, "Setting up the container; it suspects nothing.");
}

/* ---- memory after a crowd ---- */

#define CROWD 128
#define TRIM_DELAY_NS 500000000

/* The allocator keeps what was freed between what is still used: it has to be asked for it. */
static void trim(struct timer *t) {
  struct kernel *k = t->arg;
  k->ntasks_peak = k->ntasks;
  malloc_trim(0);
}

void kernel_task_enter(struct kernel *k) {
  if (++k->ntasks > k->ntasks_peak)
    k->ntasks_peak = k->ntasks;
}

void kernel_task_leave(struct kernel *k) {
  if (--k->ntasks < k->ntasks_peak / 4 && k->ntasks_peak >= CROWD && !k->trim.armed)
    timer_arm(&k->trim, loop_now() + TRIM_DELAY_NS);
}

/* ---- begin and end ---- */

struct kernel *kernel_new(struct loop *l) {
  struct kernel *k = calloc(1, sizeof *k);
  if (!k)
    return NULL;
  k->loop = l;
  k->trim = (struct timer){.fn = trim, .arg = k};
  LIST_INIT(&k->processes);
  k->sysctl = (struct kernel_sysctl)KERNEL_SYSCTL_DEFAULTS;
  k->aio_max_nr = 65536;
  k->sysctl.lease_break_time = 45;
  k->sysctl.leases_enable = 1;
  k->log_fd = -1;
  k->next_anon_ino = 1;
  k->dmesg_cap = DMESG_CAP;
  k->dmesg = malloc(k->dmesg_cap);
  if (!k->dmesg) {
    free(k->dmesg);
    free(k);
    return NULL;
  }
  k->ncpus = count_cpus();
  long pages = sysconf(_SC_PHYS_PAGES);
  k->mem_total = pages > 0 ? (uint64_t)pages * PAGE_SIZE : 1ull << 30;
  k->mem_limit = k->mem_total;
  k->boot_monotonic = clock_ns(CLOCK_MONOTONIC);
  k->boot_realtime = clock_ns(CLOCK_REALTIME);
  make_boot_id(k->boot_id);
  strcpy(k->uts.sysname, "Linux");
  strcpy(k->uts.release, "6.1.0-runsc-notify");
  strcpy(k->uts.version, "#1 SMP PREEMPT_DYNAMIC runsc-notify");
  strcpy(k->uts.machine, "x86_64");
  if (keys_boot(k) || ns_boot(k) || !(k->ipc = ipc_ns_new(k->init_user_ns))) {
    kernel_free(k);
    return NULL;
  }
  strcpy(k->init_nsproxy->uts->nodename, "localhost");
  strcpy(k->init_nsproxy->uts->domainname, "(none)");
  strcpy(k->core_pattern, "core");
  the_kernel = k;
  boot_log(k);
  return k;
}

void kernel_free(struct kernel *k) {
  if (!k)
    return;
  timer_disarm(&k->trim);
  if (the_kernel == k)
    the_kernel = NULL;
  ipc_ns_put(k->ipc);
  ns_shutdown(k);
  keys_shutdown(k);
  free(k->dmesg);
  free(k);
}

/* Forget the oldest lines until n more bytes fit. */
static void dmesg_make_room(struct kernel *k, size_t n) {
  if (k->dmesg_len + n <= k->dmesg_cap)
    return;
  size_t drop = k->dmesg_len + n - k->dmesg_cap + k->dmesg_cap / 8;
  if (drop > k->dmesg_len)
    drop = k->dmesg_len;
  char *nl = memchr(k->dmesg + drop, '\n', k->dmesg_len - drop);
  size_t from = nl ? (size_t)(nl + 1 - k->dmesg) : k->dmesg_len;
  memmove(k->dmesg, k->dmesg + from, k->dmesg_len - from);
  k->dmesg_len -= from;
}

void klog(struct kernel *k, const char *fmt, ...) {
  char line[1024];
  int64_t us = (clock_ns(CLOCK_MONOTONIC) - k->boot_monotonic) / 1000;
  int n = snprintf(line, sizeof line, "[%5lld.%06lld] ", (long long)(us / 1000000), (long long)(us % 1000000));
  va_list ap;
  va_start(ap, fmt);
  int m = vsnprintf(line + n, sizeof line - n - 1, fmt, ap);
  va_end(ap);
  if (m < 0)
    return;
  size_t len = (size_t)n + (size_t)m;
  if (len > sizeof line - 2)
    len = sizeof line - 2;
  line[len++] = '\n';
  dmesg_make_room(k, len);
  memcpy(k->dmesg + k->dmesg_len, line, len);
  k->dmesg_len += len;
}

void debug_log(const char *fmt, ...) {
  struct kernel *k = the_kernel;
  if (!k || k->log_fd < 0)
    return;
  char line[2048];
  struct timespec ts;
  struct tm tm;
  clock_gettime(CLOCK_REALTIME, &ts);
  gmtime_r(&ts.tv_sec, &tm);
  int n = snprintf(line, sizeof line, "%02d:%02d:%02d.%06ld ", tm.tm_hour, tm.tm_min, tm.tm_sec, ts.tv_nsec / 1000);
  va_list ap;
  va_start(ap, fmt);
  int m = vsnprintf(line + n, sizeof line - n - 1, fmt, ap);
  va_end(ap);
  if (m < 0)
    return;
  size_t len = (size_t)n + (size_t)m;
  if (len > sizeof line - 2)
    len = sizeof line - 2;
  line[len++] = '\n';
  /* A full or broken log must not stop the Sentry: what does not go at once is lost. */
  ssize_t w = write(k->log_fd, line, len);
  (void)w;
}
