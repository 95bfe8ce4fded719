/* All state of one sandbox. There is no other: what is not reachable from here belongs to a caller. */
#pragma once
#include "log.h"
#include "loop.h"
#include "task.h"
#include <bsd/sys/tree.h>
#include <stdarg.h>
#include <sys/queue.h>
#include <sys/utsname.h>

struct futex_table;
struct key_table;
struct user;
struct ipc_namespace;
struct net_namespace;
struct vfs;
struct net;
struct net_files;
struct plat;

struct gofer;
/* What core/ asks of the layers above it. Set once at boot. */
struct kernel_hooks {
  /* A file of the host's /proc/PID of a guest's process (enum plat_look): core/mm_look.c. A descriptor or -errno.
   * Parks. */
  int (*look_open)(struct kernel *k, int host_pid, int what);
  /* exec: open a path for execution as `t` (interpreters of ELF and #!). */
  int (*open_exec)(struct task *t, const char *path, struct file **out);
  struct fs_ctx *(*fs_ctx_dup)(struct fs_ctx *f); /* fork without CLONE_FS */
  struct fs_ctx *(*fs_ctx_get)(struct fs_ctx *f); /* CLONE_FS */
  void (*fs_ctx_put)(struct fs_ctx *f);
  int64_t (*syscall)(struct task *t, const struct plat_call *c); /* syscalls/dispatch.c */
  void (*tty_session_exit)(struct process *leader); /* the leader of a session with a terminal died: hang up */
  void (*process_reaped)(struct process *p);        /* init died or an exec'd process ended: oci/ tells who waits */
  const struct net_files *net_files; /* core/net_files.h: /proc/net, /proc/sys/net, /sys/class/net; NULL: none */
  /* The half of a network namespace that is net/'s (net_namespace.stack): made with it, ended with it. 0 or -errno. */
  int (*net_ns_init)(struct net_namespace *ns);
  void (*net_ns_fini)(struct net_namespace *ns);
  /* The namespace that a file of nsfs stands for; borrowed. NULL: no such file. */
  struct ns_common *(*file_ns_borrow)(const struct file *f);
  /* To the receive queue of a netlink socket, as from the kernel: mq_notify(3) uses one. n 0: only says whether f is
   * one: -ENOTSOCK, -EINVAL. Does not park. */
  int (*netlink_push)(struct file *f, const void *p, size_t n);
  int (*shm_file)(size_t len, const char *name, struct file **out); /* anonymous shared memory: tmpfs makes the file */
  unsigned (*file_mount_flags)(
      const struct file *f); /* MS_NOEXEC, MS_NOSUID, … of the mount f was opened through; 0 without one */
  /* Mount namespaces, fs/mount.c. dup: gives fs (not shared) a copy of its own, root and cwd moved into it. install:
   * setns(2), t's root and cwd become the root of ns. free: the last reference is gone. */
  int (*mnt_ns_dup)(struct fs_ctx *fs, struct user_namespace *owner);
  int (*mnt_ns_install)(struct fs_ctx *fs, struct ns_common *ns);
  struct ns_common *(*mnt_ns_borrow)(struct fs_ctx *fs);
  void (*mnt_ns_free)(struct ns_common *ns);
  bool (*fs_is_chrooted)(const struct fs_ctx *fs); /* its root is not its mount namespace's */
  bool (*fs_is_shared)(const struct fs_ctx *fs);
  /* A core file of t's, empty, in t's cwd. And the name of a mapped file as t sees it: its length or -errno. Park. */
  int (*core_open)(struct task *t, const char *name, struct file **out);
  ssize_t (*file_name)(struct task *t, struct file *f, char *buf, size_t cap);
  int (*file_stat)(struct file *f, struct stat *st); /* fstat(2). May park */
  void (*landlock_free)(struct landlock_domain *d);  /* the last reference is gone; d->parent is not its business */
  int (*exec_file)(struct task *t, struct file *f, struct exec_file *out); /* f is to be executed. 0 or -errno. Parks */
  bool (*file_unreadable)(struct task *t, struct file *f);                 /* t may execute f, but not read it */
};

#define PID_MAX_LIMIT 4194304 /* of 64-bit machines, and what systemd sets */

/* Values of /proc/sys that can be changed, and that somebody obeys. */
struct kernel_sysctl {
  int overcommit_memory, overcommit_ratio, overcommit_kbytes; /* vm.*: core/mm_commit.c */
  int max_map_count;                                          /* vm.max_map_count, as far as it lies below MAX_AREAS */
  int protected_symlinks, protected_hardlinks, protected_fifos, protected_regular; /* fs.*: as Debian sets them */
  int lease_break_time, leases_enable; /* fs.*: seconds, on or off; set by kernel_new() */
};
#define KERNEL_SYSCTL_DEFAULTS                                                                                         \
  { 0, 50, 0, 65530, 1, 1, 1, 2 }

struct kernel {
  struct loop *loop;
  struct plat *plat;
  struct kernel_hooks hooks;
  struct vfs *vfs;
  struct net *net;
  void *sentry;                /* oci/sentry.h's: who asked for what from outside */
  struct tty_table *ttys;      /* fs/tty_core.c: terminals by number; NULL until the first */
  struct key_table *keys;      /* core/keys/keys.h */
  struct user *users;          /* core/user.h: hash by uid */
  struct futex_table *futexes; /* core/futex.c; made at the first wait */
  struct inotify *inotifies;   /* fs/inotify.c's: all instances, for unmount */
  struct gofer *gofer;         /* fs/gofer/client.c's: the connection */
  struct ipc_namespace *ipc;   /* the first one, which programs put in from outside get; counted */
  struct unix_net *unix_net;   /* net/unix.c's: abstract names, descriptors in flight */

  struct user_namespace *init_user_ns; /* counted */
  struct pid_namespace *init_pid_ns;
  struct nsproxy *init_nsproxy;
  bool ns_booted;
  uint32_t next_ns_ino;
  LIST_HEAD(, process) processes;
  int nprocesses, ntasks;
  int ntasks_peak; /* since the last trim */
  struct timer trim;
  struct process *init;
  bool shutting_down;
  uint64_t forks; /* since boot, for /proc/stat */

  struct utsname uts;                    /* but for nodename and domainname: those are a uts_namespace's */
  int64_t boot_monotonic, boot_realtime; /* ns */
  char boot_id[37];

  char *dmesg; /* ring of text; klog() appends */
  size_t dmesg_len, dmesg_cap;

  struct kernel_sysctl sysctl;
  char core_pattern[128]; /* kernel.core_pattern */
  bool core_uses_pid;
  uint64_t aio_nr, aio_max_nr; /* requests that io_setup(2) promised room for; fs.aio-max-nr */

  int ncpus;
  uint64_t mem_total, mem_limit; /* bytes; limit of the cgroup or total */
  uint64_t shmem_bytes;          /* in files of tmpfs, memfds and shared memory */
  uint64_t next_anon_ino;

  uint64_t nosys_logged[8], nosys_logged_other; /* system calls that were missed already: said once */
  bool strace;
  int log_fd; /* debug log or -1 */
  int debug;
};

/* The kernel of this thread's loop (there is one; set by kernel_new). */
struct kernel *kernel_current(void);
struct kernel *kernel_new(struct loop *l);
void kernel_free(struct kernel *k);
/* A task begins or ends to be counted in ntasks. The memory of a crowd goes back to the host soon after it has left. */
void kernel_task_enter(struct kernel *k);
void kernel_task_leave(struct kernel *k);

/* dmesg: "[    0.123456] text". No newline at the end. */
void klog(struct kernel *k, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Entered by the platform for every event. core/task_run.c. */
void task_event(void *task, struct plat_ctx *c, const struct plat_event *ev);
