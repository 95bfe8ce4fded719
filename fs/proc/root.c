/* The root of procfs: system-wide files, processes by number, self and thread-self. */
#include "proc.h"
#include "../mount.h"
#include "../../core/errno.h"
#include "../dev/dev.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static ssize_t self_link(struct inode *i, char *buf, size_t cap) {
  struct task *t = task_current();
  int nr = t ? pid_nr_ns(t->proc->pid, proc_ns_borrow(i)) : 0;
  return nr ? snprintf(buf, cap, "%d", nr) : -ENOENT;
}

static ssize_t thread_self_link(struct inode *i, char *buf, size_t cap) {
  struct task *t = task_current();
  struct pid_namespace *ns = proc_ns_borrow(i);
  int nr = t ? pid_nr_ns(t->proc->pid, ns) : 0;
  return nr ? snprintf(buf, cap, "%d/task/%d", nr, pid_nr_ns(t->tid, ns)) : -ENOENT;
}

static const struct synth_ent pid_ent = {.mode = S_IFDIR | 0555, .children = proc_pid_entries, .allow = proc_pid_allow};

struct pid *proc_pid_of_dir_borrow(const struct file *f) {
  const struct inode *i = f->inode;
  return i && i->ops == &synth_inode_ops && synth_ent_of(i) == &pid_ent ? synth_ctx(i) : NULL;
}

/* Threads other than leaders can be looked up, too, but are not listed. */
static int pid_lookup(struct inode *dir, const char *name, struct synth_child *c) {
  if (*name < '1' || *name > '9' || strlen(name) > 9)
    return -ENOENT;
  char *end;
  long nr = strtol(name, &end, 10);
  struct pid *p = *end ? NULL : pid_find_ns_borrow(proc_ns_borrow(dir), (int)nr);
  struct task *t = p ? proc_task_of_pid_borrow(p) : NULL;
  if (!t || proc_hides(synth_super_of(dir)->priv, t))
    return -ENOENT;
  c->ent = &pid_ent;
  c->ctx = pid_get(p);
  return 0;
}

static int pid_next(struct inode *dir, uint64_t key, struct synth_child *c) {
  struct pid_namespace *ns = proc_ns_borrow(dir);
  struct process *p;
  int best = 0;
  LIST_FOREACH(p, &synth_kernel(dir)->processes, all) {
    int nr = pid_nr_ns(p->pid, ns);
    if (nr && (uint64_t)nr >= key && (!best || nr < best) &&
        !(p->leader && proc_hides(synth_super_of(dir)->priv, p->leader)))
      best = nr;
  }
  if (!best)
    return 0;
  snprintf(c->name, sizeof c->name, "%d", best);
  c->ent = &pid_ent;
  c->key = (uint64_t)best;
  return 1;
}

static int kmsg_show(struct inode *i, struct sbuf *b) {
  const struct kernel *k = synth_kernel(i);
  sb_put(b, k->dmesg, k->dmesg_len);
  return 0;
}

static int consoles_show(struct inode *i, struct sbuf *b) {
  sb_puts(b, "tty0                 -WU (EC  p  )    4:7\n");
  return 0;
}

/* Those that can be mounted, and the two that only the kernel mounts. */
static int filesystems_show(struct inode *i, struct sbuf *b) {
  const struct fs_type *ft;
  (void)i;
  for (unsigned n = 0; (ft = fs_type_at(n)); n++)
    sb_printf(b, "nodev\t%s\n", ft->name);
  sb_puts(b, "nodev\tsockfs\nnodev\tpipefs\n");
  return 0;
}

static const char devices[] = "Character devices:\n  1 mem\n  5 /dev/tty\n  5 /dev/console\n  5 /dev/ptmx\n"
                              "136 pts\n\nBlock devices:\n";
static const char cgroups[] = "#subsys_name\thierarchy\tnum_cgroups\tenabled\n"
                              "cpuset\t0\t1\t1\ncpu\t0\t1\t1\ncpuacct\t0\t1\t1\nmemory\t0\t1\t1\npids\t0\t1\t1\n";

static const struct synth_ent empty_dir[] = {{0}};

static const struct synth_ent root_entries[] = {
    {.name = "bus", .mode = S_IFDIR | 0555, .children = empty_dir},
    {.name = "cgroups", .mode = S_IFREG | 0444, .text = cgroups},
    {.name = "cmdline", .mode = S_IFREG | 0444, .text = "quiet\n"},
    {.name = "consoles", .mode = S_IFREG | 0444, .show = consoles_show},
    {.name = "cpuinfo", .mode = S_IFREG | 0444, .show = proc_cpuinfo_show},
    {.name = "devices", .mode = S_IFREG | 0444, .text = devices},
    {.name = "diskstats", .mode = S_IFREG | 0444, .text = ""},
    {.name = "filesystems", .mode = S_IFREG | 0444, .show = filesystems_show},
    {.name = "fs", .mode = S_IFDIR | 0555, .children = empty_dir},
    {.name = "interrupts", .mode = S_IFREG | 0444, .show = proc_interrupts_show},
    {.name = "kmsg", .mode = S_IFREG | 0400, .show = kmsg_show},
    {.name = "loadavg", .mode = S_IFREG | 0444, .show = proc_loadavg_show},
    {.name = "locks", .mode = S_IFREG | 0444, .text = ""},
    {.name = "meminfo", .mode = S_IFREG | 0444, .show = proc_meminfo_show},
    {.name = "misc", .mode = S_IFREG | 0444, .text = ""},
    {.name = "modules", .mode = S_IFREG | 0444, .text = ""},
    {.name = "key-users", .mode = S_IFREG | 0444, .show = proc_key_users_show},
    {.name = "keys", .mode = S_IFREG | 0444, .show = proc_keys_show},
    {.name = "mounts", .mode = S_IFLNK | 0777, .text = "self/mounts"},
    {.name = "net", .mode = S_IFLNK | 0777, .text = "self/net"},
    {.name = "partitions", .mode = S_IFREG | 0444, .text = "major minor  #blocks  name\n\n"},
    {.name = "self", .mode = S_IFLNK | 0777, .link = self_link},
    {.name = "softirqs", .mode = S_IFREG | 0444, .show = proc_softirqs_show},
    {.name = "stat", .mode = S_IFREG | 0444, .show = proc_system_stat_show},
    {.name = "swaps", .mode = S_IFREG | 0444, .text = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"},
    {.name = "sys", .mode = S_IFDIR | 0555, .children = proc_sys_entries},
    {.name = "sysvipc", .mode = S_IFDIR | 0555, .children = proc_sysvipc_entries},
    {.name = "thread-self", .mode = S_IFLNK | 0777, .link = thread_self_link},
    {.name = "tty", .mode = S_IFDIR | 0555, .children = empty_dir},
    {.name = "uptime", .mode = S_IFREG | 0444, .show = proc_uptime_show},
    {.name = "version", .mode = S_IFREG | 0444, .show = proc_version_show},
    {.name = "vmstat", .mode = S_IFREG | 0444, .show = proc_vmstat_show},
    {0},
};
static const struct synth_ent root = {
    .mode = S_IFDIR | 0555, .children = root_entries, .lookup = pid_lookup, .next = pid_next};

/* subset=pid */
static const struct synth_ent pids_entries[] = {
    {.name = "self", .mode = S_IFLNK | 0777, .link = self_link},
    {.name = "thread-self", .mode = S_IFLNK | 0777, .link = thread_self_link},
    {0},
};
static const struct synth_ent pids_root = {
    .mode = S_IFDIR | 0555, .children = pids_entries, .lookup = pid_lookup, .next = pid_next};

static void *ctx_get(void *p) {
  return pid_get(p);
}
static void ctx_put(void *p) {
  pid_put(p);
}

/* task_dump_owner(): the effective ids own what is theirs to see; root owns what is not dumpable. Directories that all
 * may read keep their owner. */
static int proc_alive(struct inode *i) {
  struct pid *p = synth_ctx(i);
  if (!p)
    return 1;
  struct task *t = proc_task_of_pid_borrow(p);
  if (!t || proc_hides(synth_super_of(i)->priv, t))
    return 0;
  bool hidden = t->dumpable_off && i->mode != (S_IFDIR | 0555);
  i->uid = hidden || !t->cred ? 0 : t->cred->euid;
  i->gid = hidden || !t->cred ? 0 : t->cred->egid;
  return 1;
}

static void proc_kill(struct synth_super *ss) {
  struct proc_state *s = ss->priv;
  pid_ns_put(s->ns);
  free(s);
}

static int proc_remount(struct super *sb, const char *options) {
  struct synth_super *ss = sb->priv;
  struct proc_state *s = ss->priv, want = *s;
  int r = proc_parse_options(&want, options);
  char *shown = r ? NULL : proc_show_options(&want);
  if (!shown)
    return r ? r : -ENOMEM;
  s->hidepid = want.hidepid;
  s->hide_gid = want.hide_gid; /* which entries there are is decided when it is mounted */
  free(sb->options);
  sb->options = shown;
  return 0;
}

int proc_check(struct kernel *k, const char *option) {
  struct proc_state s = {0};
  (void)k;
  return proc_parse_options(&s, option);
}

int proc_mount(struct kernel *k, const char *options, struct super **out) {
  struct synth_super tmpl = {.ctx_get = ctx_get, .ctx_put = ctx_put, .alive = proc_alive, .create_errno = -ENOENT};
  struct proc_state *s = calloc(1, sizeof *s);
  int r = s ? proc_parse_options(s, options) : -ENOMEM;
  char *shown = r ? NULL : proc_show_options(s);
  if (!shown) {
    free(s);
    return r ? r : -ENOMEM;
  }
  struct task *t = task_current();
  s->ns = pid_ns_get(t ? task_pid_ns_borrow(t) : k->init_pid_ns);
  tmpl.priv = s;
  tmpl.remount = proc_remount;
  tmpl.kill = proc_kill;
  r = synth_mount(k, "proc", PROC_SUPER_MAGIC, s->only_pids ? &pids_root : &root, &tmpl, out);
  if (r) {
    proc_kill(&tmpl);
    free(shown);
    return r;
  }
  free((*out)->options);
  (*out)->options = shown;
  return 0;
}
