#include "net_files.h"
#include "../core/errno.h"
#include "proc/proc.h"
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>

#define WINDOW 65536 /* bytes of a table that are kept at a time */
#define STORE_MAX 65536u

/* ---- inodes ---- */

struct net_namespace *net_files_ns_borrow(const struct inode *i) {
  struct task *t = task_current();
  switch (synth_ent_of(i)->arg) {
  case NET_TREE_PROC:
    t = proc_task_borrow(i);
    return t && t->nsproxy ? t->nsproxy->net : NULL;
  case NET_TREE_CLASS:
    return synth_super_of(i)->priv;
  default:
    return (t && t->nsproxy ? t->nsproxy : synth_kernel(i)->init_nsproxy)->net;
  }
}

uint64_t net_files_id(const struct inode *i) {
  return synth_ent_of(i)->name ? synth_ent_of(i)->arg : synth_num(i);
}

static const struct net_files *files_of(const struct inode *i) {
  return synth_kernel(i)->hooks.net_files;
}

/* Settings belong to root of the user namespace that owns the network, and to whoever may administer it. */
static void set_owner(struct inode *i, const struct net_namespace *ns) {
  struct task *t = task_current();
  uint32_t uid = make_kuid(ns->ns.owner, 0), gid = make_kgid(ns->ns.owner, 0);
  i->uid = uid == INVALID_ID ? 0 : uid;
  i->gid = gid == INVALID_ID ? 0 : gid;
  if (t && t->cred->euid != i->uid && ns_capable(t->cred, ns->ns.owner, CAP_NET_ADMIN))
    i->mode |= (i->mode >> 6 & 7) * 0111;
}

int net_files_alive(struct inode *i) {
  struct net_namespace *ns = net_files_ns_borrow(i);
  uint32_t mode = ns && files_of(i) ? files_of(i)->mode(ns, net_files_id(i), NULL) : 0;
  if (!mode)
    return 0;
  if (S_ISLNK(i->mode)) /* /sys/class/net/DEV stands for a directory */
    return 1;
  i->mode = mode;
  if (synth_ent_of(i)->arg == NET_TREE_SYSCTL && S_ISREG(mode))
    set_owner(i, ns);
  return 1;
}

/* A device's directory is another's when names change, and in another namespace. */
bool net_files_named(struct inode *i, const char *name) {
  struct net_namespace *ns = net_files_ns_borrow(i);
  return ns && files_of(i)->mode(ns, net_files_id(i), name);
}

ssize_t net_files_link(struct inode *i, char *buf, size_t cap) {
  struct net_namespace *ns = net_files_ns_borrow(i);
  return ns ? files_of(i)->link(ns, net_files_id(i), buf, cap) : -ENOENT;
}

static int node_open(struct inode *i, struct file *f);

#define ENTS(tree)                                                                                                     \
  [tree] = {                                                                                                           \
      {.mode = S_IFDIR | 0555, .alive = net_files_alive, .named = net_files_named, NET_FILES_ROOT(tree)},              \
      {.mode = S_IFREG | 0444, .alive = net_files_alive, .named = net_files_named, .open = node_open, .arg = tree},    \
      {.mode = S_IFLNK | 0777,                                                                                         \
       .alive = net_files_alive,                                                                                       \
       .named = net_files_named,                                                                                       \
       .link = net_files_link,                                                                                         \
       .arg = tree}}
static const struct synth_ent ents[][3] = {ENTS(NET_TREE_PROC), ENTS(NET_TREE_SYSCTL), ENTS(NET_TREE_CLASS)};

static void fill_child(const struct inode *dir, const struct net_node *n, struct synth_child *c) {
  c->ent = &ents[synth_ent_of(dir)->arg][S_ISDIR(n->mode) ? 0 : S_ISLNK(n->mode) ? 2 : 1];
  c->n = n->id;
  c->key = n->key;
  memcpy(c->name, n->name, sizeof c->name);
}

int net_files_lookup(struct inode *dir, const char *name, struct synth_child *c) {
  struct net_namespace *ns = net_files_ns_borrow(dir);
  struct net_node n = {0};
  int r = ns && files_of(dir) ? files_of(dir)->lookup(ns, net_files_id(dir), name, &n) : -ENOENT;
  if (!r)
    fill_child(dir, &n, c);
  return r;
}

int net_files_next(struct inode *dir, uint64_t key, struct synth_child *c) {
  struct net_namespace *ns = net_files_ns_borrow(dir);
  struct net_node n = {0};
  int r = ns && files_of(dir) ? files_of(dir)->next(ns, net_files_id(dir), key, &n) : 0;
  if (r > 0)
    fill_child(dir, &n, c);
  return r;
}

/* ---- open files ---- */

struct net_file {
  struct net_namespace *ns; /* counted */
  struct cred *cred;        /* of the opener; counted, NULL: the kernel itself */
  uint64_t id;
  struct net_text text; /* what lies at [base, base + text.len) */
  off_t base;
  bool valid;
};

static void forget(struct net_file *nf) {
  free(nf->text.p);
  nf->text = (struct net_text){0};
  nf->valid = false;
}

/* The window that begins at `base`, with row number `skip`. */
static int fill(struct file *f, struct net_file *nf, off_t base, uint64_t skip) {
  const struct net_files *files = files_of(f->inode);
  forget(nf);
  nf->text =
      (struct net_text){.ns = nf->ns, .user_ns = nf->cred ? nf->cred->user_ns : NULL, .skip = skip, .limit = WINDOW};
  int r = files ? files->show(nf->ns, nf->id, &nf->text) : -EIO;
  if (!r && nf->text.failed)
    r = -ENOMEM;
  if (r) {
    forget(nf);
    return r;
  }
  nf->base = base;
  nf->valid = true;
  return 0;
}

/* The window that holds `pos`, or the last one. */
static int seek_to(struct file *f, struct net_file *nf, off_t pos) {
  int r = !nf->valid || !pos || pos < nf->base ? fill(f, nf, 0, 0) : 0;
  while (!r && pos >= nf->base + (off_t)nf->text.len && nf->text.more)
    r = fill(f, nf, nf->base + (off_t)nf->text.len, nf->text.at);
  return r;
}

static ssize_t node_read(struct file *f, struct uio *u, off_t *pos) {
  struct net_file *nf = f->priv;
  if (*pos < 0)
    return -EINVAL;
  int r = seek_to(f, nf, *pos);
  if (r)
    return r;
  if (*pos >= nf->base + (off_t)nf->text.len) {
    forget(nf);
    return 0;
  }
  size_t n = nf->text.len - (size_t)(*pos - nf->base);
  if (n > u->resid)
    n = u->resid;
  char *copy = malloc(n ? n : 1); /* the copy to the guest may park, and another reader come here meanwhile */
  if (!copy)
    return -ENOMEM;
  memcpy(copy, nf->text.p + (*pos - nf->base), n);
  ssize_t got = uio_copy_to(u, copy, n);
  free(copy);
  if (got > 0)
    *pos += got;
  return got;
}

static ssize_t node_write(struct file *f, struct uio *u, off_t *pos) {
  struct net_file *nf = f->priv;
  size_t n = u->resid;
  bool setting = synth_ent_of(f->inode)->arg == NET_TREE_SYSCTL;
  if (synth_ent_of(f->inode)->arg == NET_TREE_PROC || !files_of(f->inode))
    return -EIO;
  if (n > STORE_MAX)
    return -EINVAL;
  if (setting && *pos) /* kernel.sysctl_writes_strict: only what begins at 0 counts */
    return (ssize_t)n;
  char *buf = malloc(n + 1);
  if (!buf)
    return -ENOMEM;
  ssize_t r = uio_copy_from(u, buf, n);
  if (r >= 0) {
    buf[r] = 0;
    r = files_of(f->inode)->store(nf->ns, nf->id, nf->cred, buf, (size_t)r);
  }
  free(buf);
  if (r > 0)
    *pos += r;
  return r;
}

static void node_release(struct file *f) {
  struct net_file *nf = f->priv;
  forget(nf);
  cred_put(nf->cred);
  ns_put(&nf->ns->ns);
  free(nf);
}

static const struct file_ops node_fops = {
    .name = "net-file", .read = node_read, .write = node_write, .llseek = no_seek_end_llseek, .release = node_release};

static int node_open(struct inode *i, struct file *f) {
  struct net_namespace *ns = net_files_ns_borrow(i);
  struct task *t = task_current();
  int want = f->flags & O_ACCMODE;
  if (!ns)
    return -ENOENT;
  /* sysctl_perm() knows no CAP_DAC_OVERRIDE. */
  if (synth_ent_of(i)->arg == NET_TREE_SYSCTL &&
      ((want != O_WRONLY && !(i->mode & 0444)) || (want != O_RDONLY && !(i->mode & 0222))))
    return -EACCES;
  struct net_file *nf = calloc(1, sizeof *nf);
  if (!nf)
    return -ENOMEM;
  nf->cred = t ? cred_get(t->cred) : NULL; /* the boot's, which may everything */
  nf->ns = (struct net_namespace *)ns_get(&ns->ns);
  nf->id = net_files_id(i);
  f->ops = &node_fops;
  f->priv = nf;
  return 0;
}
