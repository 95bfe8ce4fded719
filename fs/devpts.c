/* devpts: a node per pseudo-terminal, made and gone with it; and the devices that lead to terminals. */
#include "../core/errno.h"
#include "synth.h"
#include "tty_core.h"
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

#define DEVPTS_SUPER_MAGIC 0x1cd1

struct devpts_opts {
  uint32_t mode, ptmxmode, uid, gid;
  bool uid_set, gid_set;
};

/* Runtimes give the console to the user that the container runs as; here that user is known only once it runs. */
static uint32_t owner_of(const struct tty *t) {
  const struct process *leader = t->session ? t->session->process : NULL;
  return t->wire && !t->owned && leader && leader->leader && leader->leader->cred ? leader->leader->cred->uid : t->uid;
}

static int pts_alive(struct inode *i) {
  const struct tty *t = synth_ctx(i);
  if (tty_by_index_borrow(t->k, (unsigned)t->index) != t)
    return 0;
  i->rdev = makedev(PTS_MAJOR + (unsigned)t->index / 256, (unsigned)t->index % 256);
  i->mode = t->mode;
  i->uid = owner_of(t);
  i->gid = t->gid;
  i->atime = t->atime;
  i->mtime = t->mtime;
  i->ctime = t->ctime;
  return 1;
}

static int pts_open(struct inode *i, struct file *f) {
  return tty_slave_open(synth_ctx(i), f);
}
static const struct synth_ent pts_ent = {.mode = S_IFCHR | 0620, .open = pts_open, .alive = pts_alive};

static int pts_lookup(struct inode *dir, const char *name, struct synth_child *c) {
  char *end, back[24];
  unsigned long index = strtoul(name, &end, 10);
  struct tty *t = *end || index >= TTY_MAX ? NULL : tty_by_index_borrow(synth_kernel(dir), (unsigned)index);
  snprintf(back, sizeof back, "%lu", index);
  if (!t || strcmp(back, name)) /* "00" is not "0" */
    return -ENOENT;
  c->ent = &pts_ent;
  c->ctx = tty_get(t);
  return 0;
}

static int pts_next(struct inode *dir, uint64_t key, struct synth_child *c) {
  for (; key < TTY_MAX; key++) {
    if (!tty_by_index_borrow(synth_kernel(dir), (unsigned)key))
      continue;
    snprintf(c->name, sizeof c->name, "%u", (unsigned)key);
    c->ent = &pts_ent;
    c->key = key;
    return 1;
  }
  return 0;
}

static int pts_setattr(struct inode *i, struct dentry *d, const struct iattr *a) {
  vfs_setattr_copy(i, a);
  struct tty *t = synth_ctx(i);
  if (!t || !S_ISCHR(i->mode) || synth_ent_of(i) != &pts_ent)
    return 0;
  t->mode = i->mode;
  t->uid = i->uid;
  t->owned = t->owned || (a->valid & ATTR_UID);
  t->gid = i->gid;
  t->atime = i->atime;
  t->mtime = i->mtime;
  t->ctime = i->ctime;
  return 0;
}

static int ptmx_alive(struct inode *i) {
  i->rdev = makedev(5, 2);
  return 1;
}

static const struct synth_ent root_entries[] = {
    {.name = "ptmx", .mode = S_IFCHR | 0666, .open = ptmx_open, .alive = ptmx_alive},
    {0},
};
static const struct synth_ent root = {
    .mode = S_IFDIR | 0755, .children = root_entries, .lookup = pts_lookup, .next = pts_next};

static void *ctx_get(void *t) {
  return tty_get(t);
}
static void ctx_put(void *t) {
  tty_put(t);
}

static int parse_options(const char *options, struct devpts_opts *o) {
  char *copy = strdup(options ? options : ""), *save = NULL;
  if (!copy)
    return -ENOMEM;
  for (char *w = strtok_r(copy, ",", &save); w; w = strtok_r(NULL, ",", &save)) {
    char *eq = strchr(w, '='), *end = eq;
    if (!eq && strcmp(w, "newinstance")) /* that one Linux ignores too */
      goto bad;
    if (!eq)
      continue;
    *eq = 0;
    bool octal = !strcmp(w, "mode") || !strcmp(w, "ptmxmode");
    unsigned long v = strtoul(eq + 1, &end, octal ? 8 : 10);
    if (*end || end == eq + 1 || v > UINT32_MAX)
      goto bad;
    if (!strcmp(w, "mode"))
      o->mode = (uint32_t)v & 0777;
    else if (!strcmp(w, "ptmxmode"))
      o->ptmxmode = (uint32_t)v & 0777;
    else if (!strcmp(w, "gid"))
      o->gid = make_kgid(current_user_ns_borrow(), (uint32_t)v), o->gid_set = true;
    else if (!strcmp(w, "uid"))
      o->uid = make_kuid(current_user_ns_borrow(), (uint32_t)v), o->uid_set = true;
    else if (strcmp(w, "max"))
      goto bad;
    if ((o->uid_set && o->uid == INVALID_ID) || (o->gid_set && o->gid == INVALID_ID))
      goto bad;
  }
  free(copy);
  return 0;
bad:
  free(copy);
  return -EINVAL;
}

int devpts_check(struct kernel *k, const char *option) {
  struct devpts_opts o = {0};
  (void)k;
  return parse_options(option, &o);
}

static char *show_options(const struct devpts_opts *o) {
  char *s = NULL, gid[32] = "";
  if (o->gid_set)
    snprintf(gid, sizeof gid, "gid=%u,", kgid_here(o->gid));
  return asprintf(&s, "%smode=%o,ptmxmode=%03o", gid, o->mode, o->ptmxmode) < 0 ? NULL : s;
}

int devpts_mount(struct kernel *k, const char *options, struct super **out) {
  static const struct synth_super tmpl = {.ctx_get = ctx_get, .ctx_put = ctx_put, .setattr = pts_setattr};
  struct devpts_opts o = {.mode = 0600};
  struct tty_table *tab = tty_table(k);
  int r = tab ? parse_options(options, &o) : -ENOMEM;
  if (!r)
    r = synth_mount(k, "devpts", DEVPTS_SUPER_MAGIC, &root, &tmpl, out);
  if (r)
    return r;
  free((*out)->options);
  (*out)->options = show_options(&o);
  tab->pts_mode = o.mode;
  tab->pts_gid = o.gid;
  tab->pts_gid_set = o.gid_set;
  return 0;
}

/* ---- the devices ---- */
static int open_tty(struct inode *i, struct file *f) {
  struct task *me = task_current();
  if (!me || !me->proc->ctty)
    return -ENXIO;
  f->flags |= O_NOCTTY;
  int r = tty_slave_open(me->proc->ctty, f);
  f->flags &= ~O_NOCTTY;
  return r;
}

static int open_console(struct inode *i, struct file *f) {
  struct tty_table *tab = kernel_current()->ttys;
  if (!tab || !tab->console)
    return -EIO;
  f->flags |= O_NOCTTY;
  int r = tty_slave_open(tab->console, f);
  f->flags &= ~O_NOCTTY;
  return r;
}

static int open_pts_node(struct inode *i, struct file *f) {
  struct tty *t = tty_by_index_borrow(kernel_current(), (major(i->rdev) - PTS_MAJOR) * 256 + minor(i->rdev));
  return t ? tty_slave_open(t, f) : -EIO;
}

int tty_chrdevs_register(void) {
  static const struct {
    unsigned major, first, last;
    chrdev_open_fn *open;
  } devs[] = {
      {5, 0, 0, open_tty},
      {5, 1, 1, open_console},
      {5, 2, 2, ptmx_open},
  };
  int r = 0;
  for (size_t i = 0; !r && i < sizeof devs / sizeof *devs; i++)
    r = chrdev_register(devs[i].major, devs[i].first, devs[i].last, devs[i].open);
  for (unsigned m = 0; !r && m < TTY_MAX / 256; m++)
    r = chrdev_register(PTS_MAJOR + m, 0, 255, open_pts_node);
  return r;
}
