/*
 * Peer groups and propagation: mount_namespaces(7) "SHARED SUBTREES". All mounts of a group have the same master group,
 * so that groups form trees; a mount that is a slave without being shared is a leaf of its own.
 */
#include "mount.h"
#include <stdlib.h>

static void leave_master(struct mount *m) {
  if (m->master)
    LIST_REMOVE(m, slave_link);
  m->master = NULL;
}

static void set_master(struct mount *m, struct peer_group *g) {
  m->master = g;
  if (g)
    LIST_INSERT_HEAD(&g->slaves, m, slave_link);
}

static void join_peers(struct mount *m, struct peer_group *g) {
  m->peers = g;
  LIST_INSERT_HEAD(&g->members, m, peer_link);
}

/* With the last member the group ends: its slaves become slaves of its master. */
static void leave_peers(struct mount *m) {
  struct peer_group *g = m->peers;
  if (!g)
    return;
  LIST_REMOVE(m, peer_link);
  m->peers = NULL;
  if (!LIST_EMPTY(&g->members))
    return;
  struct mount *s;
  while ((s = LIST_FIRST(&g->slaves))) {
    LIST_REMOVE(s, slave_link);
    set_master(s, m->master);
  }
  free(g);
}

static bool is_only_peer(const struct mount *m) {
  return LIST_FIRST(&m->peers->members) == m && !LIST_NEXT(m, peer_link);
}

int peers_share(struct vfs *v, struct mount *m) {
  m->unbindable = false;
  if (m->peers)
    return 0;
  struct peer_group *g = calloc(1, sizeof *g);
  if (!g)
    return -ENOMEM;
  g->id = ++v->next_peer_group;
  join_peers(m, g);
  return 0;
}

void peers_make_slave(struct mount *m) {
  struct peer_group *g = m->peers;
  if (!g)
    return;
  bool alone = is_only_peer(m);
  leave_peers(m);
  if (alone)
    return; /* of nobody but the group's own master */
  leave_master(m);
  set_master(m, g);
}

void peers_make_private(struct mount *m) {
  leave_peers(m);
  leave_master(m);
}

int peers_copy(struct vfs *v, struct mount *copy, struct mount *old, enum mount_copy how) {
  if (how == COPY_SHARED_TO_SLAVE)
    how = old->peers ? COPY_SLAVE : COPY_INHERIT;
  if (how == COPY_INHERIT) {
    if (old->peers)
      join_peers(copy, old->peers);
    set_master(copy, old->master);
    return 0;
  }
  set_master(copy, old->peers);
  return how == COPY_SLAVE_SHARED ? peers_share(v, copy) : 0;
}

/* ---- propagation ---- */

struct walk {
  unsigned long seen;
  struct peer_group *first, **last;
};

static void walk_add(struct walk *w, struct peer_group *g, struct mount *tmpl) {
  if (g->seen == w->seen)
    return;
  g->seen = w->seen;
  g->work = NULL;
  g->tmpl = tmpl;
  *w->last = g;
  w->last = &g->work;
}

static struct walk walk_start(struct vfs *v) {
  return (struct walk){.seen = ++v->propagations};
}

void peers_each_receiver(struct vfs *v, struct mount *m, bool (*fn)(void *arg, struct mount *receiver), void *arg) {
  if (!m->peers)
    return;
  struct walk w = walk_start(v);
  w.last = &w.first;
  walk_add(&w, m->peers, NULL);
  for (struct peer_group *g = w.first; g; g = g->work) {
    struct mount *r;
    LIST_FOREACH(r, &g->members, peer_link)
    if (r != m && !fn(arg, r))
      return;
    LIST_FOREACH(r, &g->slaves, slave_link)
    if (r->peers)
      walk_add(&w, r->peers, NULL);
    else if (!fn(arg, r))
      return;
  }
}

static int pend(struct pending_mounts *p, struct mount *copy, struct mount *parent) {
  if (p->n == p->cap) {
    unsigned cap = p->cap ? 2 * p->cap : 16;
    struct pending_mount *v = realloc(p->v, cap * sizeof *v);
    if (!v)
      return -ENOMEM;
    p->v = v;
    p->cap = cap;
  }
  p->v[p->n++] = (struct pending_mount){copy, parent};
  return 0;
}

struct spread { /* one propagation */
  struct vfs *v;
  struct mount *source;
  struct dentry *at;
  struct pending_mounts *out;
  unsigned size;
};

static bool receives(const struct spread *s, const struct mount *r) {
  return r->ns && !r->ns->anon && dentry_is_below(s->at, r->root);
}

static int copy_for(struct spread *s, struct mount *tmpl, enum mount_copy how, struct mount *receiver,
                    struct mount **out) {
  /* What was promised already is not counted in the namespaces: the bound holds for all of it together. */
  if ((unsigned)receiver->ns->nmounts + s->size > MOUNTS_MAX ||
      (unsigned)s->v->nmounts + (s->out->n + 2) * s->size > MOUNTS_MAX_ALL)
    return -ENOSPC;
  int r = mount_copy_tree(s->v, tmpl, tmpl->root, true, true, how, out);
  if (r)
    return r;
  r = pend(s->out, *out, receiver);
  if (r)
    mount_free_tree(*out);
  return r;
}

/* One group: its first copy is a slave of the template, the others are peers of that. The source's own group has the
 * source. */
static int spread_group(struct spread *s, struct peer_group *g, bool first, struct walk *w) {
  struct mount *r, *tmpl = g->tmpl, *copy;
  bool have = first;
  int err;
  LIST_FOREACH(r, &g->members, peer_link) {
    if (r == s->source || !receives(s, r))
      continue;
    err = copy_for(s, tmpl, have ? COPY_INHERIT : COPY_SLAVE_SHARED, r, &copy);
    if (err)
      return err;
    tmpl = have ? tmpl : copy;
    have = true;
  }
  LIST_FOREACH(r, &g->slaves, slave_link) {
    if (r->peers)
      walk_add(w, r->peers, tmpl);
    else if (receives(s, r) && (err = copy_for(s, tmpl, COPY_SLAVE, r, &copy)))
      return err;
  }
  return 0;
}

int peers_propagate(struct vfs *v, struct mount *parent, struct dentry *d, struct mount *top,
                    struct pending_mounts *p) {
  struct spread s = {.v = v, .source = parent, .at = d, .out = p, .size = mount_count_tree(top)};
  struct walk w = walk_start(v);
  int r = 0;
  w.last = &w.first;
  walk_add(&w, parent->peers, top);
  for (struct peer_group *g = w.first; g && !r; g = g->work)
    r = spread_group(&s, g, g == parent->peers, &w);
  while (r && p->n)
    mount_free_tree(p->v[--p->n].copy);
  return r;
}

/* ---- for mountinfo ---- */

int peers_master_id(const struct mount *m) {
  return m->master ? m->master->id : 0;
}

static bool group_visible(const struct peer_group *g, const struct mount_ns *ns, const struct path *root) {
  struct mount *m;
  LIST_FOREACH(m, &g->members, peer_link) {
    if (m->ns != ns)
      continue;
    const struct mount *up = m;
    const struct dentry *d = m->root;
    while (up != root->mnt && up->parent) {
      d = up->mountpoint;
      up = up->parent;
    }
    if (up == root->mnt && dentry_is_below(d, root->dentry))
      return true;
  }
  return false;
}

int peers_dominating_id(const struct mount *m, const struct mount_ns *ns, const struct path *root) {
  for (const struct peer_group *g = m->master; g;) {
    if (group_visible(g, ns, root))
      return g->id;
    const struct mount *member = LIST_FIRST(&g->members);
    g = member ? member->master : NULL;
  }
  return 0;
}
