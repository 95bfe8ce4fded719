/* Rulesets and domains of Landlock. */
#include "landlock.h"
#include "../core/errno.h"
#include "anon.h"
#include "namei.h"
#include "landlock_rules.h"
#include <stdlib.h>

#define RULES_MAX 16384

struct landlock_ruleset {
  struct landlock_rules *rules; /* counted; shared with domains: copied before it is changed */
};

/* ---- rules ---- */

static void rules_put(struct landlock_rules *r) {
  if (!r || !ref_put(&r->ref))
    return;
  for (int i = 0; i < r->n; i++) {
    struct super *sb = r->v[i].dentry->sb;
    dentry_put(r->v[i].dentry);
    super_put(sb);
  }
  free(r->v);
  free(r);
}

static struct landlock_rules *rules_copy(const struct landlock_rules *from) {
  struct landlock_rules *r = malloc(sizeof *r);
  struct landlock_rule *v = r ? malloc((size_t)(from->n + 1) * sizeof *v) : NULL;
  if (!v) {
    free(r);
    return NULL;
  }
  *r = *from;
  ref_init(&r->ref);
  r->v = v;
  r->cap = from->n + 1;
  for (int i = 0; i < from->n; i++) {
    v[i] = from->v[i];
    dentry_get(v[i].dentry);
    ref_get(&v[i].dentry->sb->ref);
  }
  return r;
}

/* Where the rule of i is, or belongs. */
static int rules_place(const struct landlock_rules *r, const struct inode *i) {
  int lo = 0, hi = r->n;
  while (lo < hi) {
    int mid = lo + (hi - lo) / 2;
    if ((uintptr_t)r->v[mid].inode < (uintptr_t)i)
      lo = mid + 1;
    else
      hi = mid;
  }
  return lo;
}

uint64_t landlock_rules_find(const struct landlock_rules *r, const struct inode *i) {
  int at = rules_place(r, i);
  return at < r->n && r->v[at].inode == i ? r->v[at].allowed : 0;
}

static int rules_add(struct landlock_rules *r, struct dentry *d, uint64_t allowed) {
  int at = rules_place(r, d->inode);
  if (at < r->n && r->v[at].inode == d->inode) {
    r->v[at].allowed |= allowed;
    return 0;
  }
  if (r->n >= RULES_MAX)
    return -E2BIG;
  if (r->n >= r->cap) {
    int cap = r->cap ? 2 * r->cap : 8;
    struct landlock_rule *v = realloc(r->v, (size_t)cap * sizeof *v);
    if (!v)
      return -ENOMEM;
    r->v = v;
    r->cap = cap;
  }
  memmove(r->v + at + 1, r->v + at, (size_t)(r->n - at) * sizeof *r->v);
  /* The entry keeps the inode the same one for all who come by; the super must not go before it. */
  ref_get(&d->sb->ref);
  r->v[at] = (struct landlock_rule){.inode = d->inode, .dentry = dentry_get(d), .allowed = allowed};
  r->n++;
  return 0;
}

/* ---- rulesets ---- */

static ssize_t no_read(struct file *f, struct uio *u, off_t *pos) {
  return -EINVAL;
}

static void ruleset_release(struct file *f) {
  struct landlock_ruleset *r = f->priv;
  rules_put(r->rules);
  free(r);
}

static const struct file_ops ruleset_ops = {
    .name = "landlock-ruleset", .read = no_read, .write = no_read, .release = ruleset_release};

int landlock_ruleset_file_new(struct kernel *k, uint64_t handled, struct file **out) {
  struct landlock_ruleset *r = calloc(1, sizeof *r);
  struct landlock_rules *rules = calloc(1, sizeof *rules);
  struct file *f = r && rules ? anon_file_new(k, &ruleset_ops, O_RDWR, r, "anon_inode:[landlock-ruleset]") : NULL;
  if (!f) {
    free(r);
    free(rules);
    return -ENOMEM;
  }
  ref_init(&rules->ref);
  rules->handled = handled;
  r->rules = rules;
  *out = f;
  return 0;
}

struct landlock_ruleset *landlock_ruleset_borrow(const struct file *f) {
  return f->ops == &ruleset_ops ? f->priv : NULL;
}

uint64_t landlock_handled(const struct landlock_ruleset *r) {
  return r->rules->handled;
}

int landlock_add_path(struct landlock_ruleset *r, const struct file *f, uint64_t allowed) {
  if (!f->dentry || !f->mnt || !f->inode || landlock_internal_mount(f->mnt))
    return -EBADFD;
  if (!S_ISDIR(f->inode->mode) && (allowed & ~LANDLOCK_ACCESS_FILE))
    return -EINVAL;
  if (r->rules->ref.n > 1) {
    struct landlock_rules *own = rules_copy(r->rules);
    if (!own)
      return -ENOMEM;
    rules_put(r->rules);
    r->rules = own;
  }
  return rules_add(r->rules, f->dentry, allowed);
}

/* ---- domains ---- */

int landlock_restrict(struct task *t, const struct landlock_ruleset *r) {
  struct landlock_domain *old = t->cred->landlock;
  if (old && old->layers >= LANDLOCK_LAYERS_MAX)
    return -E2BIG;
  struct landlock_layer *l = calloc(1, sizeof *l);
  struct cred *c = cred_dup(t->cred);
  if (!l || !c) {
    free(l);
    cred_put(c);
    return -ENOMEM;
  }
  ref_init(&l->d.ref);
  l->d.parent = c->landlock; /* with its reference */
  l->d.layers = old ? old->layers + 1 : 1;
  l->rules = r->rules;
  ref_get(&l->rules->ref);
  c->landlock = &l->d;
  task_set_cred(t, c);
  cred_put(c);
  return 0;
}

static void domain_free(struct landlock_domain *d) {
  struct landlock_layer *l = (struct landlock_layer *)d;
  rules_put(l->rules);
  free(l);
}

void landlock_install_hooks(struct kernel *k) {
  k->hooks.landlock_free = domain_free;
}
