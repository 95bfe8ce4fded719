/* /proc/sysvipc/{sem,msg,shm}, kernel.{sem,msg*,shm*} and fs.mqueue.*: of the reader's IPC namespace. proc(5),
 * sysvipc(7). */
#include "../../core/errno.h"
#include "../../core/ipc/ipc.h"
#include "../mqueue/mqueue.h"
#include "proc.h"
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define STAT_ANY_SEM 20
#define STAT_ANY_MSG 13
#define STAT_ANY_SHM 15
typedef unsigned long long ull;

static int sem_show(struct inode *i, struct sbuf *b) {
  struct task *t = task_current();
  struct semid_ds d;
  sb_puts(b, "       key      semid perms      nsems   uid   gid  cuid  cgid      otime      ctime\n");
  for (int at = 0; t && at <= t->ipc->ids[IPC_SEM].max_idx; at++) {
    int id = ipc_sem_stat(t, at, STAT_ANY_SEM, &d);
    if (id >= 0)
      sb_printf(b, "%10d %10d  %4o %10lu %5u %5u %5u %5u %10llu %10llu\n", d.sem_perm.__key, id, d.sem_perm.mode,
                d.sem_nsems, d.sem_perm.uid, d.sem_perm.gid, d.sem_perm.cuid, d.sem_perm.cgid, (ull)d.sem_otime,
                (ull)d.sem_ctime);
  }
  return 0;
}

static int msg_show(struct inode *i, struct sbuf *b) {
  struct task *t = task_current();
  struct msqid_ds d;
  sb_puts(b, "       key      msqid perms      cbytes       qnum lspid lrpid   uid   gid  cuid  cgid      stime"
             "      rtime      ctime\n");
  for (int at = 0; t && at <= t->ipc->ids[IPC_MSG].max_idx; at++) {
    int id = ipc_msg_stat(t, at, STAT_ANY_MSG, &d);
    if (id >= 0)
      sb_printf(b, "%10d %10d  %4o  %10lu %10lu %5u %5u %5u %5u %5u %5u %10llu %10llu %10llu\n", d.msg_perm.__key, id,
                d.msg_perm.mode, d.__msg_cbytes, d.msg_qnum, d.msg_lspid, d.msg_lrpid, d.msg_perm.uid, d.msg_perm.gid,
                d.msg_perm.cuid, d.msg_perm.cgid, (ull)d.msg_stime, (ull)d.msg_rtime, (ull)d.msg_ctime);
  }
  return 0;
}

static int shm_show(struct inode *i, struct sbuf *b) {
  struct task *t = task_current();
  struct shmid_ds d;
  sb_puts(b, "       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid  cgid      atime"
             "      dtime      ctime                   rss                  swap\n");
  for (int at = 0; t && at <= t->ipc->ids[IPC_SHM].max_idx; at++) {
    int id = ipc_shm_stat(t, at, STAT_ANY_SHM, &d);
    if (id < 0)
      continue;
    struct ipc_object *o = ipc_object_get(ipc_at_borrow(t->ipc, IPC_SHM, at));
    ull rss = ipc_shm_resident(o) * PAGE_SIZE;
    ipc_object_put(o);
    sb_printf(b, "%10d %10d  %4o %21lu %5u %5u  %5lu %5u %5u %5u %5u %10llu %10llu %10llu %21llu %21llu\n",
              d.shm_perm.__key, id, d.shm_perm.mode, d.shm_segsz, d.shm_cpid, d.shm_lpid, d.shm_nattch, d.shm_perm.uid,
              d.shm_perm.gid, d.shm_perm.cuid, d.shm_perm.cgid, (ull)d.shm_atime, (ull)d.shm_dtime, (ull)d.shm_ctime,
              rss, 0ull);
  }
  return 0;
}

const struct synth_ent proc_sysvipc_entries[] = {
    {.name = "msg", .mode = S_IFREG | 0444, .show = msg_show},
    {.name = "sem", .mode = S_IFREG | 0444, .show = sem_show},
    {.name = "shm", .mode = S_IFREG | 0444, .show = shm_show},
    {0},
};

/* ---- limits ---- */
static const struct {
  size_t at;
  int max;
} int_limits[] = {
    [PROC_IPC_MSGMAX] = {offsetof(struct ipc_namespace, msg_max), INT_MAX},
    [PROC_IPC_MSGMNB] = {offsetof(struct ipc_namespace, msg_mnb), INT_MAX},
    [PROC_IPC_MSGMNI] = {offsetof(struct ipc_namespace, msg_mni), IPC_MNI},
    [PROC_IPC_SHMMNI] = {offsetof(struct ipc_namespace, shm_mni), IPC_MNI},
    [PROC_IPC_RMID_FORCED] = {offsetof(struct ipc_namespace, shm_rmid_forced), 1},
};

static struct ipc_namespace *our_ns(const struct inode *i) {
  struct task *t = task_current();
  return t ? t->ipc : synth_kernel(i)->ipc;
}

static uint64_t *big_limit(struct ipc_namespace *ns, uint64_t which) {
  return which == PROC_IPC_SHMMAX ? &ns->shm_max : &ns->shm_all;
}

int proc_ipc_limit_show(struct inode *i, struct sbuf *b) {
  struct ipc_namespace *ns = our_ns(i);
  uint64_t which = synth_ent_of(i)->arg;
  if (which == PROC_IPC_SEM)
    sb_printf(b, "%d\t%d\t%d\t%d\n", ns->sem_msl, ns->sem_mns, ns->sem_opm, ns->sem_mni);
  else if (which >= PROC_IPC_SHMMAX)
    sb_printf(b, "%llu\n", (ull)*big_limit(ns, which));
  else
    sb_printf(b, "%d\n", *(int *)((char *)ns + int_limits[which].at));
  return 0;
}

static ssize_t store_sem(struct ipc_namespace *ns, const char *buf, size_t n) {
  long v[4] = {ns->sem_msl, ns->sem_mns, ns->sem_opm, ns->sem_mni};
  for (int j = 0; j < 4; j++) {
    char *end;
    long x = strtol(buf, &end, 10);
    if (end == buf)
      break; /* fewer than four: the others stay */
    if (x < 0 || x > INT_MAX)
      return -EINVAL;
    v[j] = x;
    buf = end;
  }
  if (buf[strspn(buf, " \t\n")] || v[3] > IPC_MNI || v[2] > 1 << 16 || v[0] > 1 << 20)
    return -EINVAL; /* semopm and semmsl size the Sentry's own buffers */
  ns->sem_msl = (int)v[0];
  ns->sem_mns = (int)v[1];
  ns->sem_opm = (int)v[2];
  ns->sem_mni = (int)v[3];
  return (ssize_t)n;
}

ssize_t proc_ipc_limit_store(struct inode *i, char *buf, size_t n) {
  struct ipc_namespace *ns = our_ns(i);
  uint64_t which = synth_ent_of(i)->arg;
  if (which == PROC_IPC_SEM)
    return store_sem(ns, buf, n);
  char *end;
  errno = 0;
  bool big = which >= PROC_IPC_SHMMAX;
  unsigned long long v = strtoull(buf, &end, 10);
  if (end == buf || errno || end[strspn(end, " \t\n")] || (strchr(buf, '-') && v))
    return -EINVAL;
  if (big) {
    *big_limit(ns, which) = v;
    return (ssize_t)n;
  }
  if (v > (unsigned)int_limits[which].max)
    return -EINVAL;
  *(int *)((char *)ns + int_limits[which].at) = (int)v;
  if (which == PROC_IPC_RMID_FORCED && v)
    ipc_shm_rmid_forced(ns);
  return (ssize_t)n;
}

/* ---- fs.mqueue ---- */
static const struct {
  size_t at;
  int min, max;
} mq_limits[] = {
    {offsetof(struct mq_ns, msg_default), 1, MQ_HARD_MSGMAX},
    {offsetof(struct mq_ns, msg_max), 1, MQ_HARD_MSGMAX},
    {offsetof(struct mq_ns, msgsize_default), 128, MQ_HARD_MSGSIZE},
    {offsetof(struct mq_ns, msgsize_max), 128, MQ_HARD_MSGSIZE},
    {offsetof(struct mq_ns, queues_max), 0, INT_MAX},
};

static int *mq_limit(const struct inode *i) {
  struct mq_ns *m = mq_ns_borrow(our_ns(i));
  return m ? (int *)((char *)m + mq_limits[synth_ent_of(i)->arg].at) : NULL;
}

static int mq_limit_show(struct inode *i, struct sbuf *b) {
  const int *v = mq_limit(i);
  if (!v)
    return -ENOMEM;
  sb_printf(b, "%d\n", *v);
  return 0;
}

static ssize_t mq_limit_store(struct inode *i, char *buf, size_t n) {
  int *v = mq_limit(i);
  char *end;
  long x = strtol(buf, &end, 10);
  if (!v)
    return -ENOMEM;
  if (end == buf || end[strspn(end, " \t\n")] || x < mq_limits[synth_ent_of(i)->arg].min ||
      x > mq_limits[synth_ent_of(i)->arg].max)
    return -EINVAL;
  *v = (int)x;
  return (ssize_t)n;
}

const struct synth_ent proc_mqueue_entries[] = {
#define LIMIT(n, which)                                                                                                \
  { .name = n, .mode = S_IFREG | 0644, .show = mq_limit_show, .store = mq_limit_store, .arg = which }
    LIMIT("msg_default", 0), LIMIT("msg_max", 1),    LIMIT("msgsize_default", 2),
    LIMIT("msgsize_max", 3), LIMIT("queues_max", 4), {0},
#undef LIMIT
};
