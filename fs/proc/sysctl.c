/* /proc/sys: what programs look up. Values are the sandbox's own; what can be changed says so by its mode. */
#include "proc.h"
#include "../net_files.h"
#include "../../core/errno.h"
#include "../tty_core.h"
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define RO S_IFREG | 0444
#define RW S_IFREG | 0644
#define DIR_MODE S_IFDIR | 0555
#define TEXT(n, t)                                                                                                     \
  { .name = n, .mode = RO, .text = t "\n" }
#define SHOW(n, f)                                                                                                     \
  { .name = n, .mode = RO, .show = f }
#define DIR(n, t)                                                                                                      \
  { .name = n, .mode = DIR_MODE, .children = t }

#define IPC_LIMIT(n, which)                                                                                            \
  { .name = n, .mode = RW, .show = proc_ipc_limit_show, .store = proc_ipc_limit_store, .arg = which }

/* ---- kernel ---- */
static struct uts_namespace *uts_here(const struct inode *i) {
  struct task *t = task_current();
  return (t && t->nsproxy ? t->nsproxy : synth_kernel(i)->init_nsproxy)->uts;
}
static int hostname_show(struct inode *i, struct sbuf *b) {
  sb_printf(b, "%s\n", uts_here(i)->nodename);
  return 0;
}
static int domainname_show(struct inode *i, struct sbuf *b) {
  sb_printf(b, "%s\n", uts_here(i)->domainname);
  return 0;
}
static ssize_t set_name(char *to, size_t cap, const char *buf, size_t n) {
  size_t len = strcspn(buf, "\n");
  if (len >= cap)
    return -EINVAL;
  memcpy(to, buf, len);
  to[len] = 0;
  return (ssize_t)n;
}
static ssize_t hostname_store(struct inode *i, char *buf, size_t n) {
  struct uts_namespace *u = uts_here(i);
  return set_name(u->nodename, sizeof u->nodename, buf, n);
}
static ssize_t domainname_store(struct inode *i, char *buf, size_t n) {
  struct uts_namespace *u = uts_here(i);
  return set_name(u->domainname, sizeof u->domainname, buf, n);
}
/* A pattern that starts with a pipe is kept, and no core is written: there is no place to run the helper in. */
static int core_pattern_show(struct inode *i, struct sbuf *b) {
  sb_printf(b, "%s\n", synth_kernel(i)->core_pattern);
  return 0;
}
static ssize_t core_pattern_store(struct inode *i, char *buf, size_t n) {
  struct kernel *k = synth_kernel(i);
  return set_name(k->core_pattern, sizeof k->core_pattern, buf, n);
}
static int core_uses_pid_show(struct inode *i, struct sbuf *b) {
  sb_printf(b, "%d\n", synth_kernel(i)->core_uses_pid);
  return 0;
}
static ssize_t core_uses_pid_store(struct inode *i, char *buf, size_t n) {
  synth_kernel(i)->core_uses_pid = strtol(buf, NULL, 10) != 0;
  return (ssize_t)n;
}
static int osrelease_show(struct inode *i, struct sbuf *b) {
  sb_printf(b, "%s\n", synth_kernel(i)->uts.release);
  return 0;
}
static int ostype_show(struct inode *i, struct sbuf *b) {
  sb_printf(b, "%s\n", synth_kernel(i)->uts.sysname);
  return 0;
}
static int version_show(struct inode *i, struct sbuf *b) {
  sb_printf(b, "%s\n", synth_kernel(i)->uts.version);
  return 0;
}
static int pid_max_show(struct inode *i, struct sbuf *b) {
  sb_printf(b, "%d\n", synth_kernel(i)->init_pid_ns->pid_max);
  return 0;
}
static ssize_t pid_max_store(struct inode *i, char *buf, size_t n) {
  long v = strtol(buf, NULL, 10);
  if (v < 301 || v > 4194304)
    return -EINVAL;
  synth_kernel(i)->init_pid_ns->pid_max = (int)v;
  return (ssize_t)n;
}
static int last_pid_show(struct inode *i, struct sbuf *b) {
  sb_printf(b, "%d\n", current_pid_ns_borrow()->last_pid);
  return 0;
}
static int boot_id_show(struct inode *i, struct sbuf *b) {
  sb_printf(b, "%s\n", synth_kernel(i)->boot_id);
  return 0;
}
static int uuid_show(struct inode *i, struct sbuf *b) {
  uint8_t u[16];
  if (getrandom(u, sizeof u, GRND_NONBLOCK) != sizeof u)
    return -EAGAIN;
  u[6] = (u[6] & 0x0f) | 0x40; /* RFC 9562, version 4 */
  u[8] = (u[8] & 0x3f) | 0x80;
  for (int j = 0; j < 16; j++)
    sb_printf(b, "%s%02x", j == 4 || j == 6 || j == 8 || j == 10 ? "-" : "", u[j]);
  sb_puts(b, "\n");
  return 0;
}
static int pty_nr_show(struct inode *i, struct sbuf *b) {
  int n = 0;
  for (unsigned j = 0; j < TTY_MAX; j++)
    n += tty_by_index_borrow(synth_kernel(i), j) != NULL;
  sb_printf(b, "%d\n", n);
  return 0;
}

static const struct synth_ent random_entries[] = {
    SHOW("boot_id", boot_id_show),
    TEXT("entropy_avail", "256"),
    TEXT("poolsize", "256"),
    TEXT("urandom_min_reseed_secs", "60"),
    SHOW("uuid", uuid_show),
    TEXT("write_wakeup_threshold", "256"),
    {0},
};
static const struct synth_ent pty_entries[] = {TEXT("max", "2048"), SHOW("nr", pty_nr_show), TEXT("reserve", "0"), {0}};

/* actions_logged is fixed: what is logged goes to the container's own dmesg only. */
static const struct synth_ent seccomp_entries[] = {
    TEXT("actions_avail", "kill_process kill_thread trap errno user_notif trace log allow"),
    TEXT("actions_logged", "kill_process kill_thread log"),
    {0},
};

static const struct synth_ent kernel_entries[] = {
    TEXT("acct", "4\t2\t30"),
    TEXT("cad_pid", "1"),
    TEXT("cap_last_cap", "40"),
    {.name = "core_pattern", .mode = RW, .show = core_pattern_show, .store = core_pattern_store},
    {.name = "core_uses_pid", .mode = RW, .show = core_uses_pid_show, .store = core_uses_pid_store},
    {.name = "domainname", .mode = RW, .show = domainname_show, .store = domainname_store},
    TEXT("dmesg_restrict", "0"),
    {.name = "hostname", .mode = RW, .show = hostname_show, .store = hostname_store},
    TEXT("io_uring_disabled", "2"),
    DIR("keys", proc_sys_keys_entries),
    TEXT("kptr_restrict", "1"),
    IPC_LIMIT("msgmax", PROC_IPC_MSGMAX),
    IPC_LIMIT("msgmnb", PROC_IPC_MSGMNB),
    IPC_LIMIT("msgmni", PROC_IPC_MSGMNI),
    TEXT("ngroups_max", "65536"),
    SHOW("ns_last_pid", last_pid_show),
    TEXT("numa_balancing", "0"),
    SHOW("osrelease", osrelease_show),
    SHOW("ostype", ostype_show),
    TEXT("overflowgid", "65534"),
    TEXT("overflowuid", "65534"),
    TEXT("panic", "0"),
    TEXT("perf_event_paranoid", "4"),
    {.name = "pid_max", .mode = RW, .show = pid_max_show, .store = pid_max_store},
    TEXT("printk", "4\t4\t1\t7"),
    DIR("pty", pty_entries),
    DIR("random", random_entries),
    TEXT("randomize_va_space", "2"),
    TEXT("sched_child_runs_first", "0"),
    TEXT("sched_rt_period_us", "1000000"),
    TEXT("sched_rt_runtime_us", "950000"),
    DIR("seccomp", seccomp_entries),
    IPC_LIMIT("sem", PROC_IPC_SEM),
    IPC_LIMIT("shmall", PROC_IPC_SHMALL),
    IPC_LIMIT("shmmax", PROC_IPC_SHMMAX),
    IPC_LIMIT("shmmni", PROC_IPC_SHMMNI),
    IPC_LIMIT("shm_rmid_forced", PROC_IPC_RMID_FORCED),
    TEXT("sysrq", "0"),
    TEXT("tainted", "0"),
    TEXT("threads-max", "127000"),
    TEXT("unprivileged_bpf_disabled", "2"),
    SHOW("version", version_show),
    {0},
};

/* ---- fs ---- */
static int file_nr_show(struct inode *i, struct sbuf *b) {
  struct process *p;
  unsigned long n = 0;
  LIST_FOREACH(p, &synth_kernel(i)->processes, all) {
    const struct fdtable *t = p->leader ? p->leader->files : NULL;
    for (int j = 0; t && j < t->cap; j++)
      n += t->ent[j].file != NULL;
  }
  sb_printf(b, "%lu\t0\t9223372036854775807\n", n);
  return 0;
}

static const struct synth_ent inotify_entries[] = {
    TEXT("max_queued_events", "16384"), TEXT("max_user_instances", "128"), TEXT("max_user_watches", "65536"), {0}};
static const struct synth_ent epoll_entries[] = {TEXT("max_user_watches", "1048576"), {0}};
static int aio_max_show(struct inode *i, struct sbuf *b) {
  sb_printf(b, "%llu\n", (unsigned long long)synth_kernel(i)->aio_max_nr);
  return 0;
}
static ssize_t aio_max_store(struct inode *i, char *buf, size_t n) {
  char *end;
  long v = strtol(buf, &end, 10);
  if (end == buf || v < 0 || v > 1 << 20) /* every request costs the Sentry memory */
    return -EINVAL;
  synth_kernel(i)->aio_max_nr = (uint64_t)v;
  return (ssize_t)n;
}
static int aio_nr_show(struct inode *i, struct sbuf *b) {
  sb_printf(b, "%llu\n", (unsigned long long)synth_kernel(i)->aio_nr);
  return 0;
}

/* What namei and open look at: fs.protected_*. */
static int *protected_value(struct inode *i) {
  return (int *)((char *)&synth_kernel(i)->sysctl + synth_ent_of(i)->arg);
}
static int protected_show(struct inode *i, struct sbuf *b) {
  sb_printf(b, "%d\n", *protected_value(i));
  return 0;
}
static ssize_t protected_store(struct inode *i, char *buf, size_t n) {
  const struct synth_ent *e = synth_ent_of(i);
  bool three = e->arg == offsetof(struct kernel_sysctl, protected_fifos) ||
               e->arg == offsetof(struct kernel_sysctl, protected_regular);
  char *end;
  long v = strtol(buf, &end, 10);
  if (end == buf || end[strspn(end, " \t\n")] || v < 0 || v > (three ? 2 : 1))
    return -EINVAL;
  *protected_value(i) = (int)v;
  return (ssize_t)n;
}
#define PROTECTED(n, field)                                                                                            \
  {                                                                                                                    \
    .name = n, .mode = S_IFREG | 0600, .show = protected_show, .store = protected_store,                               \
    .arg = offsetof(struct kernel_sysctl, protected_##field)                                                           \
  }
/* ---- values that somebody obeys: one or two integers of struct kernel_sysctl ---- */
struct int_rule {
  size_t offset;
  int count, min, max;
};
static const struct int_rule int_rules[] = {
#define RULE(field, count, min, max)                                                                                   \
  { offsetof(struct kernel_sysctl, field), count, min, max }
    RULE(lease_break_time, 1, 0, INT32_MAX),
    RULE(leases_enable, 1, 0, 1),
#undef RULE
};
enum { R_LEASE_TIME, R_LEASES };

static int *int_value(struct inode *i, const struct int_rule **r) {
  *r = &int_rules[synth_ent_of(i)->arg];
  return (int *)((char *)&synth_kernel(i)->sysctl + (*r)->offset);
}

static int int_show(struct inode *i, struct sbuf *b) {
  const struct int_rule *r;
  const int *v = int_value(i, &r);
  sb_printf(b, "%d", v[0]);
  if (r->count == 2)
    sb_printf(b, "\t%d", v[1]);
  sb_puts(b, "\n");
  return 0;
}

static ssize_t int_store(struct inode *i, char *buf, size_t n) {
  const struct int_rule *r;
  int *v = int_value(i, &r);
  long in[2] = {0, 0};
  char *at = buf, *end;
  for (int j = 0; j < r->count; j++, at = end) {
    in[j] = strtol(at, &end, 10);
    if (end == at || in[j] < r->min || in[j] > r->max)
      return -EINVAL;
  }
  if (at[strspn(at, " \t\n")] || (r->count == 2 && in[1] < in[0]))
    return -EINVAL;
  for (int j = 0; j < r->count; j++)
    v[j] = (int)in[j];
  return (ssize_t)n;
}

#define INTS(n, rule)                                                                                                  \
  { .name = n, .mode = RW, .show = int_show, .store = int_store, .arg = rule }

static const struct synth_ent fs_entries[] = {
    {.name = "aio-max-nr", .mode = RW, .show = aio_max_show, .store = aio_max_store},
    SHOW("aio-nr", aio_nr_show),
    DIR("epoll", epoll_entries),
    TEXT("file-max", "9223372036854775807"),
    SHOW("file-nr", file_nr_show),
    TEXT("dir-notify-enable", "1"),
    DIR("inotify", inotify_entries),
    INTS("lease-break-time", R_LEASE_TIME),
    INTS("leases-enable", R_LEASES),
    TEXT("mount-max", "100000"),
    DIR("mqueue", proc_mqueue_entries),
    TEXT("nr_open", "1048576"),
    TEXT("overflowgid", "65534"),
    TEXT("overflowuid", "65534"),
    TEXT("pipe-max-size", "1048576"),
    TEXT("pipe-user-pages-hard", "0"),
    TEXT("pipe-user-pages-soft", "16384"),
    PROTECTED("protected_fifos", fifos),
    PROTECTED("protected_hardlinks", hardlinks),
    PROTECTED("protected_regular", regular),
    PROTECTED("protected_symlinks", symlinks),
    TEXT("suid_dumpable", "0"),
    {0},
};

/* ---- user: limits of the caller's user namespace; who has CAP_SYS_RESOURCE there may change them ---- */
static struct user_namespace *user_ns_here(const struct inode *i) {
  struct user_namespace *u = current_user_ns_borrow();
  return u ? u : synth_kernel(i)->init_user_ns;
}
static int ns_max_alive(struct inode *i) {
  struct task *t = task_current();
  i->mode = S_IFREG | (t && !cred_own_cap(t->cred, 24 /* CAP_SYS_RESOURCE */) ? 0444 : 0666);
  return 1;
}
static int ns_max_show(struct inode *i, struct sbuf *b) {
  sb_printf(b, "%d\n", user_ns_here(i)->max[synth_ent_of(i)->arg]);
  return 0;
}
static ssize_t ns_max_store(struct inode *i, char *buf, size_t n) {
  char *end;
  long v = strtol(buf, &end, 10);
  struct task *t = task_current();
  if (end == buf || v < 0 || v > INT32_MAX)
    return -EINVAL;
  if (!t || !cred_own_cap(t->cred, 24 /* CAP_SYS_RESOURCE */))
    return -EPERM;
  user_ns_here(i)->max[synth_ent_of(i)->arg] = (int)v;
  return (ssize_t)n;
}
#define USER_NS(n, kind)                                                                                               \
  { .name = n, .mode = RW, .show = ns_max_show, .store = ns_max_store, .alive = ns_max_alive, .arg = kind }

static const struct synth_ent user_entries[] = {USER_NS("max_cgroup_namespaces", NS_CGROUP),
                                                TEXT("max_inotify_instances", "128"),
                                                TEXT("max_inotify_watches", "65536"),
                                                USER_NS("max_ipc_namespaces", NS_IPC),
                                                USER_NS("max_mnt_namespaces", NS_MNT),
                                                USER_NS("max_net_namespaces", NS_NET),
                                                USER_NS("max_pid_namespaces", NS_PID),
                                                USER_NS("max_time_namespaces", NS_TIME),
                                                USER_NS("max_user_namespaces", NS_USER),
                                                USER_NS("max_uts_namespaces", NS_UTS),
                                                {0}};
static const struct synth_ent tty_entries[] = {TEXT("ldisc_autoload", "0"), TEXT("legacy_tiocsti", "0"), {0}};
static const struct synth_ent dev_entries[] = {DIR("tty", tty_entries), {0}};

const struct synth_ent proc_sys_entries[] = {
    DIR("dev", dev_entries),
    DIR("fs", fs_entries),
    DIR("kernel", kernel_entries),
    {.name = "net", .mode = DIR_MODE, NET_FILES_ROOT(NET_TREE_SYSCTL)},
    DIR("user", user_entries),
    DIR("vm", proc_vm_entries),
    {0},
};
