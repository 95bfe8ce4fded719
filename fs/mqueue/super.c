/* The file system of queues: a flat directory, whose files are made by open(2) or mq_open(3). */
#include "../../core/errno.h"
#include "mqueue.h"
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>

struct mq_entry { /* a name */
  struct mq_entry *next;
  struct inode *inode; /* counted */
  uint64_t cookie;
  char name[];
};
struct mq_dir {           /* the root inode's priv */
  struct mq_entry *first; /* by cookie */
  uint64_t next_cookie;
};

static const struct inode_ops mq_inode_ops;

static struct mq_ns *ns_of(const struct inode *i) {
  return i->sb->priv;
}

static struct mq_entry **find(struct inode *dir, const char *name) {
  struct mq_entry **e = &((struct mq_dir *)dir->priv)->first;
  while (*e && strcmp((*e)->name, name))
    e = &(*e)->next;
  return e;
}

static int dir_lookup(struct inode *dir, struct dentry *parent, const char *name, struct inode **out) {
  struct mq_entry *e = *find(dir, name);
  if (!e)
    return -ENOENT;
  *out = inode_get(e->inode);
  return 0;
}

static void dir_changed(struct inode *dir, int entries) {
  dir->size += entries * MQ_DIRENT_SIZE;
  dir->mtime = dir->ctime = vfs_now();
}

/* The tree of a queue in Linux is charged, too: a message and a priority cost 48 bytes each. */
static uint64_t bytes_of(const struct mq_attr *a) {
  uint64_t n = (uint64_t)a->mq_maxmsg, levels = n < MQ_PRIO_LIMIT ? n : MQ_PRIO_LIMIT;
  return n * (uint64_t)a->mq_msgsize + n * 48 + levels * 48;
}

static int check_attr(const struct mq_ns *m, const struct cred *c, const struct mq_attr *a) {
  bool free_hand = !c || cred_has_cap(c, CAP_SYS_RESOURCE);
  if (a->mq_maxmsg <= 0 || a->mq_msgsize <= 0)
    return -EINVAL;
  if (a->mq_maxmsg > (free_hand ? MQ_HARD_MSGMAX : m->msg_max) ||
      a->mq_msgsize > (free_hand ? MQ_HARD_MSGSIZE : m->msgsize_max))
    return -EINVAL;
  return 0;
}

static uint64_t charged(const struct mq_ns *m, uint32_t uid) {
  const struct mqueue *q;
  uint64_t n = 0;
  LIST_FOREACH(q, &m->queues, all)
  n += q->uid == uid ? q->bytes : 0;
  return n;
}

static int queue_new(struct mq_ns *m, const struct iattr *a, const struct mq_attr *want, struct inode **out) {
  struct task *t = task_current();
  const struct cred *c = t ? t->cred : NULL;
  struct mq_attr attr = {.mq_maxmsg = m->msg_default < m->msg_max ? m->msg_default : m->msg_max,
                         .mq_msgsize = m->msgsize_default < m->msgsize_max ? m->msgsize_default : m->msgsize_max};
  if (want)
    attr = *want;
  if (m->nnamed >= m->queues_max && c && !cred_has_cap(c, CAP_SYS_RESOURCE))
    return -ENOSPC;
  int r = check_attr(m, c, &attr);
  if (r)
    return r;
  uint64_t bytes = bytes_of(&attr), lim = t ? task_rlimit(t, RLIMIT_MSGQUEUE) : RLIM_INFINITY;
  uint32_t uid = c ? c->uid : 0;
  uint64_t used = charged(m, uid);
  if (lim != RLIM_INFINITY && (bytes > lim || used > lim - bytes))
    return -EMFILE;
  struct mqueue *q = calloc(1, sizeof *q);
  struct inode *i = q ? inode_new(m->sb, &mq_inode_ops, a->mode) : NULL;
  if (!i) {
    free(q);
    return -ENOMEM;
  }
  *q = (struct mqueue){
      .ns = m, .inode = i, .uid = uid, .bytes = bytes, .maxmsg = attr.mq_maxmsg, .msgsize = attr.mq_msgsize};
  TAILQ_INIT(&q->senders);
  TAILQ_INIT(&q->receivers);
  waitq_init(&q->wq);
  LIST_INSERT_HEAD(&m->queues, q, all);
  i->ino = ++m->next_ino;
  i->uid = a->uid;
  i->gid = a->gid;
  i->size = MQ_FILENT_SIZE;
  i->priv = q;
  *out = i;
  return 0;
}

static int make(struct inode *dir, const char *name, const struct iattr *a, const struct mq_attr *want,
                struct inode **out) {
  struct mq_entry **at = find(dir, name), *e;
  struct mq_dir *d = dir->priv;
  if (*at)
    return -EEXIST;
  size_t n = strlen(name) + 1;
  e = malloc(sizeof *e + n);
  if (!e)
    return -ENOMEM;
  int r = queue_new(ns_of(dir), a, want, &e->inode);
  if (r) {
    free(e);
    return r;
  }
  memcpy(e->name, name, n);
  e->next = NULL;
  e->cookie = d->next_cookie++;
  *at = e;
  ns_of(dir)->nnamed++;
  dir_changed(dir, 1);
  *out = inode_get(e->inode);
  return 0;
}

static int dir_create(struct inode *dir, struct dentry *parent, const char *name, const struct iattr *a,
                      struct inode **out) {
  return make(dir, name, a, NULL, out);
}

static int dir_unlink(struct inode *dir, struct dentry *victim) {
  struct mq_entry **at = find(dir, victim->name), *e = *at;
  if (!e)
    return -ENOENT;
  *at = e->next;
  ns_of(dir)->nnamed--;
  e->inode->nlink--;
  e->inode->ctime = vfs_now();
  dir_changed(dir, -1);
  inode_put(e->inode);
  free(e);
  return 0;
}

static int dir_iterate(struct file *f, struct dir_ctx *d) {
  struct mq_dir *dir = f->inode->priv;
  if (!vfs_emit_dots(f, d))
    return 0;
  for (struct mq_entry *e = dir->first; e; e = e->next) {
    if ((int64_t)e->cookie < f->pos)
      continue;
    int64_t next = (int64_t)e->cookie + 1;
    if (!d->emit(d, e->name, strlen(e->name), next, e->inode->ino, DT_REG))
      return 0;
    f->pos = next;
  }
  return 0;
}

static const struct file_ops mq_dir_fops = {.name = "mqueue-dir", .iterate = dir_iterate};

static int dir_open(struct inode *i, struct file *f) {
  f->ops = &mq_dir_fops;
  return 0;
}

static int set_attr(struct inode *i, struct dentry *d, const struct iattr *a) {
  struct iattr some = *a;
  some.valid &= ~ATTR_SIZE; /* O_TRUNC and truncate(2) do nothing to a queue */
  vfs_setattr_copy(i, &some);
  return 0;
}

static void dir_evict(struct inode *i) {
  struct mq_dir *d = i->priv;
  struct mq_entry *e;
  while (d && (e = d->first)) {
    d->first = e->next;
    inode_put(e->inode);
    free(e);
  }
  free(d);
}

static void queue_evict(struct inode *i) {
  mq_free(i->priv);
}

static const struct inode_ops mq_inode_ops = {.open = mq_open_inode, .setattr = set_attr, .evict = queue_evict};
static const struct inode_ops mq_dir_ops = {.lookup = dir_lookup,
                                            .create = dir_create,
                                            .unlink = dir_unlink,
                                            .open = dir_open,
                                            .setattr = set_attr,
                                            .evict = dir_evict};

int mq_create_in(struct inode *dir, const char *name, const struct iattr *a, const struct mq_attr *want,
                 struct inode **out) {
  return make(dir, name, a, want, out);
}

/* ---- the super ---- */

static int mq_statfs(struct super *sb, struct statfs *st) {
  st->f_type = MQUEUE_MAGIC;
  st->f_bsize = st->f_frsize = 4096;
  st->f_namelen = NAME_MAX;
  return 0;
}
static void mq_kill(struct super *sb) {
  free(sb->priv);
}
static const struct super_ops mq_super_ops = {.statfs = mq_statfs, .kill = mq_kill};

static int make_root(struct super *sb) {
  struct mq_dir *d = calloc(1, sizeof *d);
  struct inode *i = d ? inode_new(sb, &mq_dir_ops, S_IFDIR | 01777) : NULL;
  if (!i) {
    free(d);
    return -ENOMEM;
  }
  d->next_cookie = 2; /* behind the dots */
  i->priv = d;
  i->ino = 1;
  i->nlink = 2;
  i->size = 2 * MQ_DIRENT_SIZE;
  sb->root = dentry_new_root(sb, i);
  inode_put(i);
  return sb->root ? 0 : -ENOMEM;
}

static struct mount *internal_mount(struct super *sb) {
  struct mount *m = calloc(1, sizeof *m);
  if (!m)
    return NULL;
  ref_init(&m->ref);
  m->sb = sb;
  ref_get(&sb->ref);
  m->root = dentry_get(sb->root);
  m->flags = MS_NOSUID | MS_NODEV | MS_NOEXEC;
  return m;
}

/* The IPC namespace ends; the file system may stay mounted. */
static void ns_gone(void *mq) {
  struct mq_ns *m = mq;
  struct super *sb = m->sb;
  struct mount *mnt = m->mnt;
  m->mnt = NULL;
  mount_put(mnt);
  super_put(sb);
}

struct mq_ns *mq_ns_borrow(struct ipc_namespace *ns) {
  if (ns->mq)
    return ns->mq;
  struct mq_ns *m = calloc(1, sizeof *m);
  struct super *sb = m ? super_new(ns->ns.k, "mqueue", &mq_super_ops, MQUEUE_MAGIC) : NULL;
  if (!sb) {
    free(m);
    return NULL;
  }
  *m = (struct mq_ns){.sb = sb,
                      .next_ino = 1,
                      .queues_max = 256,
                      .msg_max = 10,
                      .msgsize_max = 8192,
                      .msg_default = 10,
                      .msgsize_default = 8192};
  sb->priv = m;
  if (make_root(sb) || !(m->mnt = internal_mount(sb))) {
    super_put(sb);
    return NULL;
  }
  ns->mq = m;
  ns->mq_free = ns_gone;
  return m;
}

int mqueue_mount(struct kernel *k, struct super **out) {
  struct task *t = task_current();
  struct mq_ns *m = mq_ns_borrow(t ? t->ipc : k->ipc);
  if (!m)
    return -ENOMEM;
  ref_get(&m->sb->ref);
  *out = m->sb;
  return 0;
}
