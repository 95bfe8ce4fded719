/*
 * Namespaces: namespaces(7), user_namespaces(7), pid_namespaces(7), time_namespaces(7). Every kind begins with struct
 * ns_common, so that nsfs, setns(2) and the bookkeeping need not know the kind. A task's are in its nsproxy, shared by
 * tasks and replaced as a whole, never edited; its user namespace is in its credentials, its pid namespace that of its
 * number, its mount namespace in its fs_ctx (hooks.mnt_ns_*), its IPC namespace is task.ipc (core/ipc/ipc.h).
 *
 * Ids: credentials, inodes and objects hold the numbers of the initial user namespace ("kuid"). They are mapped where
 * the ABI shows or takes them, by the namespace of whoever looks. A NULL user namespace stands for the initial one.
 */
#pragma once
#include "ref.h"
#include <bsd/sys/tree.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct cred;
struct kernel;
struct pid;
struct process;
struct task;
struct user_namespace;

enum ns_kind { NS_CGROUP, NS_IPC, NS_MNT, NS_NET, NS_PID, NS_TIME, NS_USER, NS_UTS, NS_KINDS };

struct ns_common {
  ref_t ref;
  enum ns_kind kind;
  uint32_t ino; /* what /proc/PID/ns shows */
  struct kernel *k;
  struct user_namespace *owner; /* counted; of a user namespace: its parent. NULL only for the initial one */
};
/* Start the head of a new namespace: number, reference, its place under `owner`'s limits. -ENOSPC. */
int ns_init(struct ns_common *ns, struct kernel *k, enum ns_kind kind, struct user_namespace *owner);
void ns_fini(struct ns_common *ns); /* the opposite: by the kind's free function */
struct ns_common *ns_get(struct ns_common *ns);
void ns_put(struct ns_common *ns); /* NULL is fine */
const char *ns_name(enum ns_kind kind);
int ns_clone_flag(enum ns_kind kind); /* CLONE_NEW* */

/* ---- user namespaces: core/user_ns.c ---- */
#define USER_NS_LEVEL_MAX 32
#define ID_EXTENTS_MAX 340
#define OVERFLOW_ID 65534u
#define INVALID_ID ((uint32_t)-1)
struct id_extent {
  uint32_t first, lower, count; /* lower: a kuid, not the parent's number */
};
struct id_map {
  int n;
  struct id_extent *e; /* NULL and n 0: not written yet */
};
struct user_namespace {
  struct ns_common ns;
  struct user_namespace *parent; /* borrowed from ns.owner */
  int level;
  uint32_t owner_uid, owner_gid; /* kuid of the creator: he has every capability in it */
  struct id_map uid, gid, projid;
  bool setgroups_denied;
  bool parent_could_setfcap; /* the creator had CAP_SETFCAP: who maps id 0 must */
  int count[NS_KINDS];       /* namespaces of each kind that it or its descendants own */
  int max[NS_KINDS];         /* /proc/sys/user/max_*_namespaces */
  struct user_ns_keys *keys; /* core/keys/: names and registers of keyrings; NULL until the first */
};
static inline bool user_ns_is_init(const struct user_namespace *u) {
  return !u || !u->parent;
}
int user_ns_new(struct task *t, const struct cred *creator, struct user_namespace **out);
static inline struct user_namespace *user_ns_get(struct user_namespace *u) {
  return u ? (struct user_namespace *)ns_get(&u->ns) : NULL;
}
static inline void user_ns_put(struct user_namespace *u) {
  ns_put(u ? &u->ns : NULL);
}
/* Numbers of `u` to kernel-wide ones: INVALID_ID when there is no mapping. */
uint32_t make_kuid(const struct user_namespace *u, uint32_t uid);
uint32_t make_kgid(const struct user_namespace *u, uint32_t gid);
/* And back: INVALID_ID, or the overflow id with _munged. */
uint32_t from_kuid(const struct user_namespace *u, uint32_t kuid);
uint32_t from_kgid(const struct user_namespace *u, uint32_t kgid);
uint32_t from_kuid_munged(const struct user_namespace *u, uint32_t kuid);
uint32_t from_kgid_munged(const struct user_namespace *u, uint32_t kgid);
/* The same for the caller's own user namespace (task_current()'s; the initial one outside of tasks). */
uint32_t kuid_here(uint32_t kuid); /* munged */
uint32_t kgid_here(uint32_t kgid);
struct user_namespace *current_user_ns_borrow(void);
struct ucred;
/* Kernel-wide ids (and the initial pid namespace's number) as the caller sees them. */
struct ucred ucred_here(struct kernel *k, const struct ucred *c);
/* Is a the same as, or an ancestor of, b? */
bool user_ns_contains(const struct user_namespace *a, const struct user_namespace *b);
/* Writing /proc/PID/{uid,gid,projid}_map of `u`: text ends with NUL. which: 0 uid, 1 gid, 2 projid. 0 or -errno.
 * opener: the credentials that the file was opened with. */
int user_ns_map_write(struct task *t, const struct cred *opener, struct user_namespace *u, int which, char *text);
int user_ns_setgroups_write(struct user_namespace *u, const char *text);
bool user_ns_may_setgroups(const struct user_namespace *u);

/* Does c have the capability over what `u` owns? (ns_capable()) cred_has_cap() asks it of the initial one. */
bool ns_capable(const struct cred *c, const struct user_namespace *u, int cap);
/* … in its own user namespace: for what belongs to the caller alone. */
bool cred_own_cap(const struct cred *c, int cap);
/* … over an inode: in its own namespace, if that maps the inode's owner and group. */
bool cred_inode_cap(const struct cred *c, uint32_t kuid, uint32_t kgid, int cap);

/* ---- pid namespaces: core/pid.c, core/pid_ns.c ---- */
#define PID_NS_LEVEL_MAX 32
struct upid { /* one of the numbers of a struct pid */
  int nr;
  struct pid_namespace *ns; /* counted */
  struct pid *pid;
  RB_ENTRY(upid) link;
};
RB_HEAD(upid_tree, upid);
struct pid_namespace {
  struct ns_common ns;
  struct pid_namespace *parent; /* counted */
  unsigned level;
  struct upid_tree pids;
  int last_pid, pid_max;
  struct process *reaper; /* its init, borrowed; NULL before the first process and after the end */
  bool dying;             /* its init has ended: nobody is born in it */
  int reboot;             /* the signal that reboot(2) has its init end with, or 0 */
};
int pid_ns_new(struct user_namespace *owner, struct pid_namespace *parent, struct pid_namespace **out);
static inline struct pid_namespace *pid_ns_get(struct pid_namespace *p) {
  return (struct pid_namespace *)ns_get(&p->ns);
}
static inline void pid_ns_put(struct pid_namespace *p) {
  ns_put(p ? &p->ns : NULL);
}
/* The pid namespace a task lives in (that of its number), and the caller's; borrowed, never NULL. */
struct pid_namespace *task_pid_ns_borrow(const struct task *t);
struct pid_namespace *process_pid_ns_borrow(const struct process *p);
struct pid_namespace *current_pid_ns_borrow(void);
bool pid_ns_contains(const struct pid_namespace *a, const struct pid_namespace *b); /* a is b or above it */
/* The number as seen in ns, 0: not visible there. pid NULL gives 0. */
int pid_nr_ns(const struct pid *p, const struct pid_namespace *ns);
int pid_vnr(const struct pid *p);          /* as the caller sees it */
int pid_nr_here(struct kernel *k, int nr); /* … of a number in the initial namespace */
struct pid *pid_find_ns_borrow(struct pid_namespace *ns, int nr);
/* Processes in ns or below, `but` aside. */
int pid_ns_count(struct pid_namespace *ns, const struct process *but);

/* ---- the smaller ones: core/ns.c ---- */
struct uts_namespace {
  struct ns_common ns;
  char nodename[65], domainname[65];
};
struct net_namespace {
  struct ns_common ns;
  int unix_dgram_qlen;  /* net.unix.max_dgram_qlen */
  void *abstract_names; /* net/unix.c's: sockets by abstract name, each of which holds the namespace */
  void *stack;          /* net/stack.h's: devices, addresses, routes, …; NULL: there is none (a unit test) */
};
struct time_namespace {
  struct ns_common ns;
  int64_t monotonic, boottime; /* ns, added to the host's */
  bool frozen;                 /* a task lives in it: the offsets stay */
};
struct cgroup_namespace {
  struct ns_common ns;
  char *root; /* path of the control group that it shows as "/"; NULL: the sandbox's own root */
};

struct nsproxy {
  ref_t ref;
  struct uts_namespace *uts; /* all counted */
  struct net_namespace *net;
  struct pid_namespace *pid_for_children;
  struct time_namespace *time, *time_for_children;
  struct cgroup_namespace *cgroup;
};
/* The namespaces of the sandbox's init: kernel.init_*. 0 or -ENOMEM. */
int ns_boot(struct kernel *k);
void ns_shutdown(struct kernel *k);
struct nsproxy *nsproxy_get(struct nsproxy *p);
void nsproxy_put(struct nsproxy *p);
/* A new one: t's, with new namespaces of the kinds in `flags` (CLONE_NEW*), owned by `owner`. */
int nsproxy_unshare(struct task *t, uint64_t flags, struct user_namespace *owner, struct nsproxy **out);
void task_switch_namespaces(struct task *t, struct nsproxy *p); /* takes its own reference; p NULL: t exits */
/* The namespace of a task's, counted; NULL when it has none any more. children: *_for_children. */
struct ns_common *task_ns(struct task *t, enum ns_kind kind, bool children);
/* unshare(2) and setns(2) for everything but files, fs and semaphores. */
int task_unshare_ns(struct task *t, uint64_t flags);
int task_setns(struct task *t, struct ns_common *ns);
int task_setns_pid(struct task *t, struct pid *target, uint64_t flags); /* setns() with a pidfd */
/* After fork and at exec: from time_for_children to time. */
void task_enter_time_ns(struct task *t);
/* clone(2): user namespace and nsproxy of c, a child of t that is being made. */
int task_clone_ns(struct task *t, struct task *c, uint64_t flags);
struct nsproxy *nsproxy_dup(const struct nsproxy *old);
