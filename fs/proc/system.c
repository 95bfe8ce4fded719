/* System-wide numbers: what top, free, uptime and vmstat read. */
#include "proc.h"
#include "../../core/errno.h"
#include "../../core/timers.h"

int64_t proc_boottime(void) {
  int64_t ns = 0;
  struct task *t = task_current();
  if (!t || clock_read(t, CLOCK_BOOTTIME, &ns)) {
    struct timespec ts;
    clock_gettime(CLOCK_BOOTTIME, &ts);
    ns = timespec_ns(&ts);
  }
  return ns;
}

/* CPU time of all guests since boot: live processes, and what they have waited for. */
static struct cpu_times all_cpu_times(struct kernel *k) {
  struct cpu_times sum = {0};
  struct process *p;
  LIST_FOREACH(p, &k->processes, all) {
    struct cpu_times c = process_cpu_times(p);
    sum.utime += c.utime + p->children_acc.utime;
    sum.stime += c.stime + p->children_acc.stime;
  }
  return sum;
}

static unsigned long long hz(uint64_t ns) {
  return ns / (1000000000ull / USER_HZ);
}

static void count_tasks(struct kernel *k, int *running, int *total) {
  struct process *p;
  struct task *t;
  *running = *total = 0;
  LIST_FOREACH(p, &k->processes, all) {
    LIST_FOREACH(t, &p->threads, thread_link) {
      ++*total;
      *running += proc_state_char(t, false) == 'R';
    }
  }
  if (!*running)
    *running = 1; /* who reads this */
}

static uint64_t idle_ns(struct kernel *k, const struct cpu_times *c) {
  uint64_t all = (uint64_t)proc_boottime() * (uint64_t)k->ncpus, used = c->utime + c->stime;
  return all > used ? all - used : 0;
}

int proc_uptime_show(struct inode *i, struct sbuf *b) {
  struct kernel *k = synth_kernel(i);
  struct cpu_times c = all_cpu_times(k);
  uint64_t up = (uint64_t)proc_boottime() / 10000000, idle = idle_ns(k, &c) / 10000000;
  sb_printf(b, "%llu.%02llu %llu.%02llu\n", (unsigned long long)up / 100, (unsigned long long)up % 100,
            (unsigned long long)idle / 100, (unsigned long long)idle % 100);
  return 0;
}

/* The host does not say which CPU a guest's time was spent on: it is shown evenly spread. */
int proc_system_stat_show(struct inode *i, struct sbuf *b) {
  struct kernel *k = synth_kernel(i);
  struct cpu_times c = all_cpu_times(k);
  uint64_t idle = idle_ns(k, &c), n = (uint64_t)(k->ncpus > 0 ? k->ncpus : 1), switches = 0;
  struct process *p;
  struct task *t;
  int running, total;
  LIST_FOREACH(p, &k->processes, all) {
    switches += p->dead.nvcsw + p->dead.nivcsw;
    LIST_FOREACH(t, &p->threads, thread_link)
    switches += t->nvcsw + t->nivcsw;
  }
  count_tasks(k, &running, &total);
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  sb_printf(b, "cpu  %llu 0 %llu %llu 0 0 0 0 0 0\n", hz(c.utime), hz(c.stime), hz(idle));
  for (uint64_t cpu = 0; cpu < n; cpu++)
    sb_printf(b, "cpu%llu %llu 0 %llu %llu 0 0 0 0 0 0\n", (unsigned long long)cpu, hz(c.utime / n), hz(c.stime / n),
              hz(idle / n));
  sb_printf(b, "intr 0\nctxt %llu\nbtime %lld\nprocesses %llu\nprocs_running %d\nprocs_blocked 0\n",
            (unsigned long long)switches, (long long)(now.tv_sec - proc_boottime() / 1000000000),
            (unsigned long long)k->forks, running);
  sb_puts(b, "softirq 0 0 0 0 0 0 0 0 0 0 0\n");
  return 0;
}

/* exp(-x) without libm: (1 - x/256)^256 */
static double decay(double x) {
  double r = x < 256 ? 1 - x / 256 : 0;
  for (int i = 0; i < 8; i++)
    r *= r;
  return r;
}

/*
 * Linux samples every five seconds. Here nobody works while nobody asks: the number of running tasks now stands for the
 * time since the last look, which is good for those who look regularly.
 */
int proc_loadavg_show(struct inode *i, struct sbuf *b) {
  static const double minutes[3] = {1, 5, 15};
  struct kernel *k = synth_kernel(i);
  struct proc_state *s = synth_super_of(i)->priv;
  int64_t now = loop_current() ? loop_now_exact() : 0;
  int running, total;
  count_tasks(k, &running, &total);
  double elapsed = s->load_at ? (double)(now - s->load_at) / 1e9 : 0;
  for (int j = 0; j < 3; j++) {
    double keep = decay(elapsed / (60 * minutes[j]));
    s->load[j] = s->load[j] * keep + (running - 1) * (1 - keep); /* the reader itself does not count */
  }
  s->load_at = now;
  sb_printf(b, "%.2f %.2f %.2f %d/%d %d\n", s->load[0], s->load[1], s->load[2], running, total,
            current_pid_ns_borrow()->last_pid);
  return 0;
}

int proc_version_show(struct inode *i, struct sbuf *b) {
  const struct utsname *u = &synth_kernel(i)->uts;
  sb_printf(b, "%s version %s (runsc-notify@localhost) (gcc) %s\n", u->sysname, u->release, u->version);
  return 0;
}

static void mem_line(struct sbuf *b, const char *name, uint64_t bytes) {
  sb_printf(b, "%-15s %8llu kB\n", name, (unsigned long long)(bytes / 1024));
}

static uint64_t mem_total(const struct kernel *k) {
  return k->mem_limit && k->mem_limit < k->mem_total ? k->mem_limit : k->mem_total;
}

int proc_meminfo_show(struct inode *i, struct sbuf *b) {
  struct kernel *k = synth_kernel(i);
  uint64_t total = mem_total(k), used = proc_mem_used(k), shmem = k->shmem_bytes;
  if (used > total - total / 64)
    used = total - total / 64; /* pages that relatives share are counted for each of them */
  if (shmem > used)
    shmem = used;
  uint64_t avail = total - used, anon = used - shmem;
  const struct {
    const char *name;
    uint64_t v;
  } lines[] = {
      {"MemTotal:", total},
      {"MemFree:", avail},
      {"MemAvailable:", avail},
      {"Buffers:", 0},
      {"Cached:", shmem},
      {"SwapCached:", 0},
      {"Active:", anon},
      {"Inactive:", shmem},
      {"Active(anon):", anon},
      {"Inactive(anon):", shmem},
      {"Active(file):", 0},
      {"Inactive(file):", 0},
      {"Unevictable:", 0},
      {"Mlocked:", 0},
      {"SwapTotal:", 0},
      {"SwapFree:", 0},
      {"Dirty:", 0},
      {"Writeback:", 0},
      {"AnonPages:", anon},
      {"Mapped:", 0},
      {"Shmem:", shmem},
      {"KReclaimable:", 0},
      {"Slab:", 0},
      {"SReclaimable:", 0},
      {"SUnreclaim:", 0},
      {"KernelStack:", 0},
      {"PageTables:", 0},
      {"NFS_Unstable:", 0},
      {"Bounce:", 0},
      {"WritebackTmp:", 0},
      {"CommitLimit:", mm_commit_limit(k)},
      {"Committed_AS:", mm_committed(k)},
      {"VmallocTotal:", 34359738367ull * 1024},
      {"VmallocUsed:", 0},
      {"VmallocChunk:", 0},
      {"Percpu:", 0},
      {"AnonHugePages:", 0},
      {"ShmemHugePages:", 0},
      {"ShmemPmdMapped:", 0},
      {"FileHugePages:", 0},
      {"FilePmdMapped:", 0},
  };
  for (size_t j = 0; j < sizeof lines / sizeof *lines; j++)
    mem_line(b, lines[j].name, lines[j].v);
  sb_puts(b, "HugePages_Total:       0\nHugePages_Free:        0\nHugePages_Rsvd:        0\nHugePages_Surp:        0\n"
             "Hugepagesize:       2048 kB\nHugetlb:               0 kB\n");
  mem_line(b, "DirectMap4k:", total);
  return 0;
}

int proc_vmstat_show(struct inode *i, struct sbuf *b) {
  struct kernel *k = synth_kernel(i);
  struct process *p;
  uint64_t used = proc_mem_used(k), total = mem_total(k), minor = 0, major = 0;
  uint64_t shmem = k->shmem_bytes < used ? k->shmem_bytes : used, anon = used - shmem;
  LIST_FOREACH(p, &k->processes, all) {
    struct rusage_acc acc = {0};
    process_rusage(p, &acc);
    minor += acc.min_flt + p->children_acc.min_flt;
    major += acc.maj_flt + p->children_acc.maj_flt;
  }
  sb_printf(b, "nr_free_pages %llu\nnr_active_anon %llu\nnr_inactive_anon 0\nnr_active_file 0\nnr_inactive_file 0\n",
            (unsigned long long)(total > used ? (total - used) / PAGE_SIZE : 0),
            (unsigned long long)(anon / PAGE_SIZE));
  sb_printf(b, "nr_anon_pages %llu\nnr_mapped 0\nnr_file_pages %llu\nnr_dirty 0\nnr_writeback 0\nnr_shmem %llu\n",
            (unsigned long long)(anon / PAGE_SIZE), (unsigned long long)(shmem / PAGE_SIZE),
            (unsigned long long)(shmem / PAGE_SIZE));
  sb_printf(b, "pgpgin 0\npgpgout 0\npswpin 0\npswpout 0\npgfault %llu\npgmajfault %llu\noom_kill 0\n",
            (unsigned long long)(minor + major), (unsigned long long)major);
  return 0;
}

int proc_interrupts_show(struct inode *i, struct sbuf *b) {
  struct kernel *k = synth_kernel(i);
  sb_puts(b, "    ");
  for (int c = 0; c < k->ncpus; c++)
    sb_printf(b, "       CPU%-3d", c);
  sb_puts(b, "\n");
  return 0;
}

int proc_softirqs_show(struct inode *i, struct sbuf *b) {
  struct kernel *k = synth_kernel(i);
  sb_puts(b, "                ");
  for (int c = 0; c < k->ncpus; c++)
    sb_printf(b, "    CPU%-4d", c);
  sb_puts(b, "\n");
  return 0;
}
