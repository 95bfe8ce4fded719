/* User namespaces: user_namespaces(7), kernel/user_namespace.c of Linux. */
#include "errno.h"
#include "kernel.h"
#include "ns.h"
#include "task.h"
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* ---- maps ---- */

/* The extents' last ids never wrap: map_parse() sees to that. */
static uint32_t map_down(const struct id_map *m, uint32_t id) {
  for (int i = 0; i < m->n; i++)
    if (id >= m->e[i].first && id - m->e[i].first < m->e[i].count)
      return m->e[i].lower + (id - m->e[i].first);
  return INVALID_ID;
}

static uint32_t map_up(const struct id_map *m, uint32_t kid) {
  for (int i = 0; i < m->n; i++)
    if (kid >= m->e[i].lower && kid - m->e[i].lower < m->e[i].count)
      return m->e[i].first + (kid - m->e[i].lower);
  return INVALID_ID;
}

uint32_t make_kuid(const struct user_namespace *u, uint32_t uid) {
  return user_ns_is_init(u) ? uid : map_down(&u->uid, uid);
}
uint32_t make_kgid(const struct user_namespace *u, uint32_t gid) {
  return user_ns_is_init(u) ? gid : map_down(&u->gid, gid);
}
uint32_t from_kuid(const struct user_namespace *u, uint32_t kuid) {
  return user_ns_is_init(u) ? kuid : map_up(&u->uid, kuid);
}
uint32_t from_kgid(const struct user_namespace *u, uint32_t kgid) {
  return user_ns_is_init(u) ? kgid : map_up(&u->gid, kgid);
}
uint32_t from_kuid_munged(const struct user_namespace *u, uint32_t kuid) {
  uint32_t id = from_kuid(u, kuid);
  return id == INVALID_ID ? OVERFLOW_ID : id;
}
uint32_t from_kgid_munged(const struct user_namespace *u, uint32_t kgid) {
  uint32_t id = from_kgid(u, kgid);
  return id == INVALID_ID ? OVERFLOW_ID : id;
}

struct user_namespace *current_user_ns_borrow(void) {
  struct task *t = task_current();
  return t && t->cred ? t->cred->user_ns : NULL;
}
uint32_t kuid_here(uint32_t kuid) {
  return from_kuid_munged(current_user_ns_borrow(), kuid);
}
uint32_t kgid_here(uint32_t kgid) {
  return from_kgid_munged(current_user_ns_borrow(), kgid);
}

struct ucred ucred_here(struct kernel *k, const struct ucred *c) {
  return (struct ucred){.pid = pid_nr_here(k, c->pid),
                        .uid = c->uid == INVALID_ID ? INVALID_ID : kuid_here(c->uid),
                        .gid = c->gid == INVALID_ID ? INVALID_ID : kgid_here(c->gid)};
}

/* ---- capabilities ---- */

bool user_ns_contains(const struct user_namespace *a, const struct user_namespace *b) {
  if (user_ns_is_init(a))
    return true;
  for (; b; b = b->parent)
    if (a == b)
      return true;
  return false;
}

bool ns_capable(const struct cred *c, const struct user_namespace *u, int cap) {
  if (cap < 0 || cap > CAP_LAST)
    return false;
  bool has = c->cap_eff >> cap & 1;
  if (user_ns_is_init(u))
    return has && user_ns_is_init(c->user_ns);
  int mine = c->user_ns ? c->user_ns->level : 0;
  for (;; u = u->parent) {
    if (u == c->user_ns || (user_ns_is_init(u) && user_ns_is_init(c->user_ns)))
      return has;
    if (u->level <= mine)
      return false;
    /* Whoever made a namespace has every right in it, seen from where he made it. */
    bool child = u->parent == c->user_ns || (user_ns_is_init(u->parent) && user_ns_is_init(c->user_ns));
    if (child && u->owner_uid == c->euid)
      return true;
  }
}

bool user_ns_root_is(const struct user_namespace *u, uint32_t kuid) {
  for (;; u = u->parent) {
    if (from_kuid(u, kuid) == 0)
      return true;
    if (user_ns_is_init(u))
      return false;
  }
}

bool cred_own_cap(const struct cred *c, int cap) {
  return cap >= 0 && cap <= CAP_LAST && (c->cap_eff >> cap & 1);
}

bool cred_inode_cap(const struct cred *c, uint32_t kuid, uint32_t kgid, int cap) {
  return cred_own_cap(c, cap) && from_kuid(c->user_ns, kuid) != INVALID_ID && from_kgid(c->user_ns, kgid) != INVALID_ID;
}

/* ---- making ---- */

int user_ns_new(struct task *t, const struct cred *creator, struct user_namespace **out) {
  struct user_namespace *parent = creator->user_ns ? creator->user_ns : t->k->init_user_ns;
  if (parent->level > USER_NS_LEVEL_MAX)
    return -ENOSPC;
  if (t->fs && t->k->hooks.fs_is_chrooted && t->k->hooks.fs_is_chrooted(t->fs))
    return -EPERM;
  if (from_kuid(parent, creator->euid) == INVALID_ID || from_kgid(parent, creator->egid) == INVALID_ID)
    return -EPERM;
  struct user_namespace *u = calloc(1, sizeof *u);
  if (!u)
    return -ENOMEM;
  int err = ns_init(&u->ns, t->k, NS_USER, parent);
  if (err) {
    free(u);
    return err;
  }
  u->parent = parent;
  u->level = parent->level + 1;
  u->owner_uid = creator->euid;
  u->owner_gid = creator->egid;
  u->setgroups_denied = parent->setgroups_denied;
  u->parent_could_setfcap = cred_own_cap(creator, CAP_SETFCAP);
  for (int i = 0; i < NS_KINDS; i++)
    u->max[i] = INT32_MAX;
  *out = u;
  return 0;
}

bool user_ns_may_setgroups(const struct user_namespace *u) {
  return user_ns_is_init(u) || (u->gid.n && !u->setgroups_denied);
}

int user_ns_setgroups_write(struct user_namespace *u, const char *text) {
  bool allow = !strncmp(text, "allow", 5), deny = !strncmp(text, "deny", 4);
  if (!allow && !deny)
    return -EINVAL;
  text += allow ? 5 : 4;
  if (text[strspn(text, " \t\n\r\v\f")])
    return -EINVAL;
  if (allow)
    return u->setgroups_denied ? -EPERM : 0;
  if (u->gid.n)
    return -EPERM; /* groups were mapped on the understanding that they can be dropped */
  u->setgroups_denied = true;
  return 0;
}

/* ---- uid_map and relatives ---- */

static int parse_number(char **at, uint32_t *out) {
  char *end;
  *at += strspn(*at, " \t");
  if (**at < '0' || **at > '9')
    return -EINVAL;
  unsigned long long v = strtoull(*at, &end, 10);
  if (end - *at > 10)
    return -EINVAL;
  *out = (uint32_t)v; /* as simple_strtoul() into an u32 */
  *at = end;
  return 0;
}

static bool overlaps(uint32_t a, uint32_t na, uint32_t b, uint32_t nb) {
  return a <= b + (nb - 1) && b <= a + (na - 1);
}

static int parse_line(struct id_map *m, char *line) {
  struct id_extent x;
  if (parse_number(&line, &x.first) || (*line != ' ' && *line != '\t') || parse_number(&line, &x.lower) ||
      (*line != ' ' && *line != '\t') || parse_number(&line, &x.count))
    return -EINVAL;
  if (line[strspn(line, " \t\r")])
    return -EINVAL;
  if (x.first == INVALID_ID || x.lower == INVALID_ID || x.first + x.count <= x.first || x.lower + x.count <= x.lower)
    return -EINVAL;
  for (int i = 0; i < m->n; i++)
    if (overlaps(x.first, x.count, m->e[i].first, m->e[i].count) ||
        overlaps(x.lower, x.count, m->e[i].lower, m->e[i].count))
      return -EINVAL;
  if (m->n == ID_EXTENTS_MAX)
    return -EINVAL;
  m->e[m->n++] = x;
  return 0;
}

static int map_parse(struct id_map *m, char *text) {
  m->e = calloc(ID_EXTENTS_MAX, sizeof *m->e);
  if (!m->e)
    return -ENOMEM;
  for (char *line; text && *text;) {
    line = strsep(&text, "\n");
    int err = parse_line(m, line);
    if (err)
      return err;
  }
  return m->n ? 0 : -EINVAL;
}

/* Who maps the parent's id 0 could write file capabilities that count there: CAP_SETFCAP (Linux 5.12). */
static bool may_map_root(const struct cred *opener, const struct user_namespace *u, const struct id_map *m) {
  bool root = false;
  for (int i = 0; i < m->n; i++)
    root |= m->e[i].lower == 0;
  if (!root)
    return true;
  return opener->user_ns == u ? u->parent_could_setfcap : ns_capable(opener, u->parent, CAP_SETFCAP);
}

static bool map_permitted(struct task *t, const struct cred *opener, const struct user_namespace *u, int which,
                          const struct id_map *m) {
  if (which == 0 && !may_map_root(opener, u, m))
    return false;
  if (m->n == 1 && m->e[0].count == 1 && u->owner_uid == opener->euid) {
    uint32_t id = m->e[0].lower;
    if (which == 0 && make_kuid(u->parent, id) == opener->euid)
      return true;
    if (which == 1 && u->setgroups_denied && make_kgid(u->parent, id) == opener->egid)
      return true;
  }
  if (which == 2)
    return true;
  int cap = which == 0 ? CAP_SETUID : CAP_SETGID;
  return ns_capable(t->cred, u->parent, cap) && ns_capable(opener, u->parent, cap);
}

/* The parent's numbers become kernel-wide ones: a range must lie in one extent of the parent's. */
static int map_lower(const struct user_namespace *parent, int which, struct id_map *m) {
  if (user_ns_is_init(parent))
    return 0;
  const struct id_map *pm = which == 0 ? &parent->uid : which == 1 ? &parent->gid : &parent->projid;
  for (int i = 0; i < m->n; i++) {
    struct id_extent *x = &m->e[i];
    int j = 0;
    while (j < pm->n && !(x->lower >= pm->e[j].first && x->lower - pm->e[j].first < pm->e[j].count &&
                          x->count <= pm->e[j].count - (x->lower - pm->e[j].first)))
      j++;
    if (j == pm->n)
      return -EPERM;
    x->lower = pm->e[j].lower + (x->lower - pm->e[j].first);
  }
  return 0;
}

int user_ns_map_write(struct task *t, const struct cred *opener, struct user_namespace *u, int which, char *text) {
  struct id_map *to = which == 0 ? &u->uid : which == 1 ? &u->gid : &u->projid;
  struct id_map m = {0};
  if (user_ns_is_init(u) || (opener->user_ns != u && opener->user_ns != u->parent &&
                             !(user_ns_is_init(opener->user_ns) && user_ns_is_init(u->parent))))
    return -EPERM;
  if (to->n || (which != 2 && !ns_capable(opener, u, CAP_SYS_ADMIN)))
    return -EPERM;
  int err = map_parse(&m, text);
  if (!err && !map_permitted(t, opener, u, which, &m))
    err = -EPERM;
  if (!err)
    err = map_lower(u->parent, which, &m);
  if (err) {
    free(m.e);
    return err;
  }
  struct id_extent *fit = realloc(m.e, (size_t)m.n * sizeof *m.e);
  m.e = fit ? fit : m.e;
  *to = m;
  return 0;
}
