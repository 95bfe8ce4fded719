/* /proc/PID/{uid_map,gid_map,projid_map,setgroups,timens_offsets,cgroup}: user_namespaces(7), time_namespaces(7). */
#include "proc.h"
#include "../../core/errno.h"
#include "../../core/timers.h"
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct user_namespace *user_ns_get_of(const struct inode *i) {
  struct task *t = proc_task_borrow(i);
  return t ? (struct user_namespace *)task_ns(t, NS_USER, false) : NULL;
}

/* What an extent maps to, in the numbers of the reader's user namespace; of the parent's, if it reads its own. */
static uint32_t lower_shown(const struct user_namespace *u, int which, uint32_t kid) {
  const struct user_namespace *as = current_user_ns_borrow();
  if (as == u)
    as = u->parent;
  return which == 1 ? from_kgid(as, kid) : which == 0 ? from_kuid(as, kid) : kid;
}

int proc_id_map_show(struct inode *i, struct sbuf *b) {
  int which = (int)synth_ent_of(i)->arg;
  struct user_namespace *u = user_ns_get_of(i);
  if (!u)
    return -ESRCH;
  const struct id_map *m = which == 0 ? &u->uid : which == 1 ? &u->gid : &u->projid;
  if (user_ns_is_init(u))
    sb_printf(b, "%10u %10u %10u\n", 0u, 0u, 4294967295u);
  for (int j = 0; j < m->n; j++)
    sb_printf(b, "%10u %10u %10u\n", m->e[j].first, lower_shown(u, which, m->e[j].lower), m->e[j].count);
  user_ns_put(u);
  return 0;
}

ssize_t proc_id_map_store(struct inode *i, const struct cred *opener, char *buf, size_t n) {
  struct user_namespace *u = user_ns_get_of(i);
  if (!u)
    return -ESRCH;
  int r = n >= PAGE_SIZE ? -EINVAL : user_ns_map_write(task_current(), opener, u, (int)synth_ent_of(i)->arg, buf);
  user_ns_put(u);
  return r ? r : (ssize_t)n;
}

int proc_setgroups_show(struct inode *i, struct sbuf *b) {
  struct user_namespace *u = user_ns_get_of(i);
  if (!u)
    return -ESRCH;
  sb_puts(b, u->setgroups_denied ? "deny\n" : "allow\n");
  user_ns_put(u);
  return 0;
}

ssize_t proc_setgroups_store(struct inode *i, const struct cred *opener, char *buf, size_t n) {
  struct user_namespace *u = user_ns_get_of(i);
  if (!u)
    return -ESRCH;
  int r = n >= 8 ? -EINVAL : !ns_capable(opener, u, CAP_SYS_ADMIN) ? -EACCES : user_ns_setgroups_write(u, buf);
  user_ns_put(u);
  return r ? r : (ssize_t)n;
}

/* ---- time ---- */
#define NS_PER_SEC 1000000000ll
#define OFFSET_MAX_SEC (INT64_MAX / NS_PER_SEC / 2) /* KTIME_SEC_MAX / 2 */

static void show_offset(struct sbuf *b, const char *name, int64_t ns) {
  int64_t s = ns / NS_PER_SEC, rest = ns % NS_PER_SEC;
  if (rest < 0) {
    s--;
    rest += NS_PER_SEC;
  }
  sb_printf(b, "%-10s %10lld %9lld\n", name, (long long)s, (long long)rest);
}

int proc_timens_show(struct inode *i, struct sbuf *b) {
  struct task *t = proc_task_borrow(i);
  struct time_namespace *ns = t ? (struct time_namespace *)task_ns(t, NS_TIME, true) : NULL;
  if (!ns)
    return -ESRCH;
  show_offset(b, "monotonic", ns->monotonic);
  show_offset(b, "boottime", ns->boottime);
  ns_put(&ns->ns);
  return 0;
}

struct offset { /* of one line */
  bool boottime;
  int64_t ns;
};

static int parse_offset(char *line, struct offset *o) {
  char name[16];
  long long s, n;
  int used = 0;
  if (sscanf(line, "%15s %lld %lld %n", name, &s, &n, &used) < 3 || line[used])
    return -EINVAL;
  o->boottime = !strcmp(name, "boottime") || !strcmp(name, "7");
  if (!o->boottime && strcmp(name, "monotonic") && strcmp(name, "1"))
    return -EINVAL;
  if (n < 0 || n >= NS_PER_SEC)
    return -EINVAL;
  if (s > OFFSET_MAX_SEC || s < -OFFSET_MAX_SEC)
    return -ERANGE;
  o->ns = s * NS_PER_SEC + n;
  struct timespec now;
  clock_gettime(o->boottime ? CLOCK_BOOTTIME : CLOCK_MONOTONIC, &now);
  int64_t then = timespec_ns(&now) + o->ns;
  return then < 0 || then > OFFSET_MAX_SEC * NS_PER_SEC ? -ERANGE : 0;
}

ssize_t proc_timens_store(struct inode *i, const struct cred *opener, char *buf, size_t n) {
  struct offset off[2];
  int noff = 0, r = 0;
  for (char *line; buf && *buf && !r;) {
    line = strsep(&buf, "\n");
    r = noff == 2 ? -EINVAL : parse_offset(line, &off[noff++]);
  }
  struct task *t = proc_task_borrow(i);
  struct time_namespace *ns = t ? (struct time_namespace *)task_ns(t, NS_TIME, true) : NULL;
  if (!ns)
    return -ESRCH;
  if (!r && !ns_capable(opener, ns->ns.owner, CAP_SYS_TIME))
    r = -EPERM;
  if (!r && (ns->frozen || ns->ns.ino >> 28 != 0xf))
    r = -EACCES;
  for (int j = 0; j < noff && !r; j++)
    *(off[j].boottime ? &ns->boottime : &ns->monotonic) = off[j].ns;
  ns_put(&ns->ns);
  return r ? r : (ssize_t)n;
}
