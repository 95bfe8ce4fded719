/* fsopen(2), fsconfig(2), fsmount(2), fspick(2): options are collected, each checked as it comes. */
#include "fs_context.h"
#include "anon.h"
#include "sbuf.h"
#include <stdlib.h>

#define LOG_LINES 8 /* as Linux: the oldest are dropped */
#define OPTIONS_MAX 4096

struct fs_context {
  struct fmutex lock;
  enum fs_context_phase phase;
  const struct fs_type *type;
  struct super *sb; /* counted: made, or to be changed */
  struct sbuf options;
  char *source;
  unsigned flags, flags_mask; /* MS_RDONLY and those of super.sbflags */
  char *log[LOG_LINES];
  int nlog;
};

__attribute__((format(printf, 2, 3))) static void complain(struct fs_context *c, const char *fmt, ...) {
  char *s = NULL;
  va_list ap;
  va_start(ap, fmt);
  int n = vasprintf(&s, fmt, ap);
  va_end(ap);
  if (n < 0)
    return;
  if (c->nlog == LOG_LINES) {
    free(c->log[0]);
    memmove(c->log, c->log + 1, (LOG_LINES - 1) * sizeof *c->log);
    c->nlog--;
  }
  c->log[c->nlog++] = s;
}

static ssize_t context_read(struct file *f, struct uio *u, off_t *pos) {
  struct fs_context *c = f->priv;
  (void)pos;
  if (!c->nlog)
    return -ENODATA;
  char *s = c->log[0];
  size_t n = strlen(s);
  ssize_t r = -EMSGSIZE;
  memmove(c->log, c->log + 1, (size_t)(--c->nlog) * sizeof *c->log);
  if (n <= u->resid)
    r = uio_copy_to(u, s, n) == (ssize_t)n ? (ssize_t)n : -EFAULT;
  free(s);
  return r;
}

static void context_release(struct file *f) {
  struct fs_context *c = f->priv;
  while (c->nlog)
    free(c->log[--c->nlog]);
  super_put(c->sb);
  sb_free(&c->options);
  free(c->source);
  free(c);
}

static const struct file_ops context_ops = {.name = "fscontext", .read = context_read, .release = context_release};

bool file_is_fs_context(const struct file *f) {
  return f->ops == &context_ops;
}

int fs_context_open(struct task *t, const struct fs_type *type, const struct path *at, struct file **out) {
  struct fs_context *c = calloc(1, sizeof *c);
  if (!c)
    return -ENOMEM;
  fmutex_init(&c->lock);
  c->type = type;
  c->phase = FSC_CREATE;
  if (at) {
    c->sb = at->mnt->sb;
    ref_get(&c->sb->ref);
    c->type = fs_type_find(c->sb->fstype);
    c->phase = FSC_RECONFIGURE;
  }
  *out = anon_file_new(t->k, &context_ops, O_RDWR, c, "anon_inode:[fscontext]");
  if (*out)
    return 0;
  super_put(c->sb);
  free(c);
  return -ENOMEM;
}

/* The options that every file system has. 1: taken. */
static int set_common(struct fs_context *c, const char *key) {
  static const struct {
    const char *name;
    unsigned bit;
    bool on;
  } known[] = {{"ro", MS_RDONLY, true},
               {"rw", MS_RDONLY, false},
               {"sync", MS_SYNCHRONOUS, true},
               {"async", MS_SYNCHRONOUS, false},
               {"dirsync", MS_DIRSYNC, true},
               {"lazytime", MS_LAZYTIME, true},
               {"nolazytime", MS_LAZYTIME, false},
               {"mand", 0, true},
               {"nomand", 0, false}};
  for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
    if (strcmp(known[i].name, key))
      continue;
    c->flags_mask |= known[i].bit;
    c->flags = known[i].on ? c->flags | known[i].bit : c->flags & ~known[i].bit;
    return 1;
  }
  return 0;
}

static int set_source(struct fs_context *c, const char *value) {
  if (!value) {
    complain(c, "e Non-string source");
    return -EINVAL;
  }
  if (c->source) {
    complain(c, "e Multiple sources");
    return -EINVAL;
  }
  c->source = strdup(value);
  return c->source ? 0 : -ENOMEM;
}

static int set_own(struct task *t, struct fs_context *c, const char *key, const char *value) {
  char option[600];
  const char *name = c->type ? c->type->name : c->sb->fstype;
  if (strpbrk(key, ",=") || (value && strchr(value, ',')))
    return -EINVAL;
  snprintf(option, sizeof option, value ? "%s=%s" : "%s", key, value);
  if (!c->type || !c->type->check || c->type->check(t->k, option)) {
    /* Told from a bad value by whether the name alone is known: one message serves. */
    complain(c, "e %s: Unknown parameter '%s'", name, key);
    return -EINVAL;
  }
  if (c->options.len + strlen(option) > OPTIONS_MAX)
    return -EINVAL;
  if (c->options.len)
    sb_put(&c->options, ",", 1);
  sb_puts(&c->options, option);
  return c->options.failed ? -ENOMEM : 0;
}

int fs_context_set(struct task *t, struct file *f, const char *key, const char *value) {
  struct fs_context *c = f->priv;
  if (c->phase != FSC_CREATE && c->phase != FSC_RECONFIGURE)
    return -EBUSY;
  if (set_common(c, key))
    return 0;
  return strcmp(key, "source") ? set_own(t, c, key, value) : set_source(c, value);
}

static const char *options_text(struct fs_context *c) {
  sb_put(&c->options, "", 1);
  if (c->options.failed)
    return NULL;
  c->options.len--;
  return c->options.p;
}

/* What it may show is asked when it is mounted. */
static int may_make(const struct task *t, const struct fs_type *ft) {
  if (!may_mount(t))
    return -EPERM;
  return user_ns_is_init(t->fs->ns->ns.owner) || (ft->flags & FS_USERNS_MOUNT) ? 0 : -EPERM;
}

int fs_context_create(struct task *t, struct file *f, bool exclusive) {
  struct fs_context *c = f->priv;
  fmutex_lock(&c->lock);
  const char *options = options_text(c);
  int r = c->phase != FSC_CREATE ? -EBUSY : !options ? -ENOMEM : may_make(t, c->type);
  if (!r) {
    r = c->type->mount(t->k, *options || c->type->check ? options : NULL, &c->sb);
    if (!r && exclusive && c->sb->nmounts) {
      super_put(c->sb);
      c->sb = NULL;
      r = -EBUSY;
    }
    if (!r && !c->sb->nmounts) {
      c->sb->readonly = c->sb->readonly || (c->flags & MS_RDONLY);
      c->sb->sbflags = c->flags & ~(unsigned)MS_RDONLY;
      super_own(c->sb, t);
    }
    c->phase = r ? FSC_FAILED : FSC_MADE;
  }
  fmutex_unlock(&c->lock);
  return r;
}

int fs_context_reconfigure(struct task *t, struct file *f) {
  struct fs_context *c = f->priv;
  fmutex_lock(&c->lock);
  const char *options = options_text(c);
  int r = c->phase != FSC_RECONFIGURE ? -EBUSY : options ? 0 : -ENOMEM;
  if (!r) {
    unsigned have = (c->sb->readonly ? MS_RDONLY : 0) | c->sb->sbflags;
    unsigned want = (have & ~c->flags_mask) | (c->flags & c->flags_mask);
    r = super_reconfigure(t, c->sb, options, want & MS_RDONLY, want & ~(unsigned)MS_RDONLY);
    c->options.len = 0;
    c->flags = c->flags_mask = 0;
    if (r)
      c->phase = FSC_FAILED;
  }
  fmutex_unlock(&c->lock);
  return r;
}

int fs_context_mount(struct task *t, struct file *f, unsigned mount_flags, struct file **out) {
  struct fs_context *c = f->priv;
  fmutex_lock(&c->lock);
  int r = !c->sb ? -EINVAL : c->phase != FSC_MADE ? -EBUSY : fs_type_allowed(t, c->type, mount_flags);
  if (!r)
    r = vfs_open_detached(t, c->sb, mount_flags, c->source ? c->source : "none", out);
  if (!r) { /* what follows would be a change */
    c->phase = FSC_RECONFIGURE;
    c->options.len = 0;
    c->flags = c->flags_mask = 0;
  }
  fmutex_unlock(&c->lock);
  return r;
}
