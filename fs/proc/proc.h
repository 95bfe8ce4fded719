/*
 * procfs: proc(5). Inodes of /proc/PID refer to a struct pid, not to a task: it outlives the process, and tells when
 * that is gone. Borrowed tasks are good until the next park.
 */
#pragma once
#include "../../core/kernel.h"
#include "../synth.h"

#define PROC_SUPER_MAGIC 0x9fa0
#define USER_HZ 100

/* synth_ent.arg of entries of /proc/PID: what they speak of. */
#define PROC_WHOLE 0  /* the process */
#define PROC_THREAD 1 /* one thread: /proc/PID/task/TID */

struct proc_state {         /* synth_super.priv */
  struct pid_namespace *ns; /* whose processes it shows; counted */
  int hidepid;              /* HIDEPID_* */
  uint32_t hide_gid;        /* whose members see all */
  bool only_pids;           /* subset=pid */
  double load[3];
  int64_t load_at; /* CLOCK_MONOTONIC ns of the last look, 0: never */
};

/* Whose processes are not shown to whom: proc(5). hidepid.c */
enum { HIDEPID_OFF, HIDEPID_NO_ACCESS, HIDEPID_INVISIBLE, HIDEPID_NOT_PTRACEABLE = 4 };
/* Into *s; -EINVAL for what is not known. What the instance's options look like, to be freed. */
int proc_parse_options(struct proc_state *s, const char *options);
char *proc_show_options(const struct proc_state *s);
/* Is t's directory as good as not there for the current task? */
bool proc_hides(const struct proc_state *s, struct task *t);
int proc_pid_allow(struct inode *i); /* synth_ent.allow of /proc/PID */

/* The pid namespace that the instance of i shows. */
static inline struct pid_namespace *proc_ns_borrow(const struct inode *i) {
  return ((struct proc_state *)synth_super_of(i)->priv)->ns;
}
/* The task of an inode, or NULL if it has been reaped. */
struct task *proc_task_borrow(const struct inode *i);
struct task *proc_task_of_pid_borrow(const struct pid *p);
/* The pid that an open /proc/PID speaks of, borrowed while f is held; NULL: f is not such a directory. */
struct pid *proc_pid_of_dir_borrow(const struct file *f);
/* ptrace_may_access() for the current task; one's own process always. 0 or -EACCES, -ESRCH. */
int proc_allow(struct inode *i);
bool proc_may_look(struct task *t); /* the same, asked of a task */
static inline bool proc_is_thread(const struct inode *i) {
  return synth_ent_of(i)->arg == PROC_THREAD;
}

/* Tables of entries, and generators, by file. */
extern const struct synth_ent proc_pid_entries[], proc_tid_entries[]; /* pid.c */
extern const struct synth_ent proc_sys_entries[];                     /* sysctl.c */
extern const struct synth_ent proc_vm_entries[];                      /* sysctl_vm.c */

extern const struct synth_ent proc_sysvipc_entries[], proc_mqueue_entries[]; /* sysvipc.c */
/* kernel.sem and its relatives, of the reader's IPC namespace; synth_ent.arg says which. */
enum {
  PROC_IPC_SEM,
  PROC_IPC_MSGMAX,
  PROC_IPC_MSGMNB,
  PROC_IPC_MSGMNI,
  PROC_IPC_SHMMNI,
  PROC_IPC_RMID_FORCED,
  PROC_IPC_SHMMAX,
  PROC_IPC_SHMALL
};
int proc_ipc_limit_show(struct inode *i, struct sbuf *b);
ssize_t proc_ipc_limit_store(struct inode *i, char *buf, size_t n);

/* keys.c */
extern const struct synth_ent proc_sys_keys_entries[];
int proc_keys_show(struct inode *i, struct sbuf *b);
int proc_key_users_show(struct inode *i, struct sbuf *b);
/* stat.c, status.c */
int proc_stat_show(struct inode *i, struct sbuf *b);
int proc_statm_show(struct inode *i, struct sbuf *b);
int proc_status_show(struct inode *i, struct sbuf *b);
int proc_schedstat_show(struct inode *i, struct sbuf *b);
int proc_sched_show(struct inode *i, struct sbuf *b);
int proc_io_show(struct inode *i, struct sbuf *b);
int proc_limits_show(struct inode *i, struct sbuf *b);
char proc_state_char(const struct task *t, bool whole);
/* memory.c */
/* The address space of an inode's process, counted; NULL: it has none. */
struct mm *proc_mm_of(const struct inode *i);
/* A line of /proc/PID/maps */
void proc_show_area(struct sbuf *b, const struct area *a, const struct mm *m);
/* figures.c */
struct proc_mem { /* bytes */
  uint64_t size, peak, rss, shared, text, data, stack;
  struct mm_rss in;
};
void proc_mem_figures(struct mm *m, struct proc_mem *out); /* parks */
/* Of all processes: what is private to them, and what tmpfs, shared memory and memfds hold. Parks. */
uint64_t proc_mem_used(struct kernel *k);
/* smaps.c, pagemap.c, map_files.c */
int proc_numa_maps_show(struct inode *i, struct sbuf *b);
int proc_pagemap_open(struct inode *i, struct file *f);
ssize_t proc_clear_refs_store(struct inode *i, char *buf, size_t n);
int proc_map_files_lookup(struct inode *dir, const char *name, struct synth_child *c);
int proc_map_files_next(struct inode *dir, uint64_t key, struct synth_child *c);
int proc_cmdline_show(struct inode *i, struct sbuf *b);
int proc_environ_show(struct inode *i, struct sbuf *b);
int proc_auxv_show(struct inode *i, struct sbuf *b);
int proc_maps_show(struct inode *i, struct sbuf *b);
int proc_smaps_show(struct inode *i, struct sbuf *b);
int proc_smaps_rollup_show(struct inode *i, struct sbuf *b);
int proc_mem_open(struct inode *i, struct file *f);
/* links.c: fd, fdinfo, exe, cwd, root, ns */
ssize_t proc_file_text(struct file *f, char *buf, size_t cap); /* what a link to an open file says */
int proc_fd_lookup(struct inode *dir, const char *name, struct synth_child *c);
int proc_fd_next(struct inode *dir, uint64_t key, struct synth_child *c);
int proc_fdinfo_lookup(struct inode *dir, const char *name, struct synth_child *c);
int proc_fdinfo_next(struct inode *dir, uint64_t key, struct synth_child *c);
ssize_t proc_exe_link(struct inode *i, char *buf, size_t cap);
int proc_exe_follow(struct inode *i, struct mount **m, struct dentry **d);
ssize_t proc_cwd_link(struct inode *i, char *buf, size_t cap);
int proc_cwd_follow(struct inode *i, struct mount **m, struct dentry **d);
ssize_t proc_root_link(struct inode *i, char *buf, size_t cap);
int proc_root_follow(struct inode *i, struct mount **m, struct dentry **d);
extern const struct synth_ent proc_ns_entries[];
/* userns.c */
int proc_id_map_show(struct inode *i, struct sbuf *b); /* arg: 0 uid, 1 gid, 2 projid */
ssize_t proc_id_map_store(struct inode *i, const struct cred *opener, char *buf, size_t n);
int proc_setgroups_show(struct inode *i, struct sbuf *b);
ssize_t proc_setgroups_store(struct inode *i, const struct cred *opener, char *buf, size_t n);
int proc_timens_show(struct inode *i, struct sbuf *b);
ssize_t proc_timens_store(struct inode *i, const struct cred *opener, char *buf, size_t n);
/* mounts.c */
int proc_mounts_show(struct inode *i, struct sbuf *b);
int proc_mountinfo_show(struct inode *i, struct sbuf *b);
int proc_mountstats_show(struct inode *i, struct sbuf *b);
/* system.c, cpuinfo.c */
int proc_cpuinfo_show(struct inode *i, struct sbuf *b);
int proc_meminfo_show(struct inode *i, struct sbuf *b);
int proc_vmstat_show(struct inode *i, struct sbuf *b);
int proc_system_stat_show(struct inode *i, struct sbuf *b);
int proc_uptime_show(struct inode *i, struct sbuf *b);
int proc_loadavg_show(struct inode *i, struct sbuf *b);
int proc_version_show(struct inode *i, struct sbuf *b);
int proc_interrupts_show(struct inode *i, struct sbuf *b);
int proc_softirqs_show(struct inode *i, struct sbuf *b);
/* CLOCK_BOOTTIME of the guests, ns */
int64_t proc_boottime(void);
