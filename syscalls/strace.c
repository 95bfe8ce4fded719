#include "strace.h"
#include "../core/errno.h"
#include "../core/kernel.h"
#include "../core/task.h"
#include "../core/uaccess.h"
#include "strace_names.h"
#include "table.h"
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define STRING_MAX 96 /* of a path; of other buffers a third, as strace's default of 32 */
#define BUFFER_MAX 32

struct out { /* text into a fixed buffer, cut at its end */
  char *p;
  size_t left;
};

__attribute__((format(printf, 2, 3))) static void put(struct out *o, const char *fmt, ...) {
  va_list ap;
  va_start(ap, fmt);
  int n = vsnprintf(o->p, o->left, fmt, ap);
  va_end(ap);
  if (n < 0)
    return;
  size_t used = (size_t)n < o->left ? (size_t)n : o->left - 1;
  o->p += used;
  o->left -= used;
}

static void put_quoted(struct out *o, const char *s, size_t n, bool cut) {
  put(o, "\"");
  for (size_t i = 0; i < n; i++) {
    unsigned char c = (unsigned char)s[i];
    if (c == '\n')
      put(o, "\\n");
    else if (c == '\t')
      put(o, "\\t");
    else if (c == '\r')
      put(o, "\\r");
    else if (c == '"' || c == '\\')
      put(o, "\\%c", c);
    else if (c < 0x20 || c >= 0x7f)
      put(o, "\\%o", c);
    else
      put(o, "%c", c);
  }
  put(o, cut ? "\"..." : "\"");
}

static void put_string(struct out *o, uint64_t addr) {
  char buf[STRING_MAX];
  if (!addr) {
    put(o, "NULL");
    return;
  }
  size_t n = copy_from_user_partial(buf, addr, sizeof buf);
  if (!n) {
    put(o, "%#lx", (unsigned long)addr);
    return;
  }
  size_t len = strnlen(buf, n);
  put_quoted(o, buf, len, len == n);
}

static void put_buffer(struct out *o, uint64_t addr, uint64_t len) {
  char buf[BUFFER_MAX];
  if (!addr) {
    put(o, "NULL");
    return;
  }
  size_t want = len < sizeof buf ? len : sizeof buf;
  size_t n = want ? copy_from_user_partial(buf, addr, want) : 0;
  if (n < want)
    put(o, "%#lx", (unsigned long)addr);
  else
    put_quoted(o, buf, n, len > n);
}

static void put_set(struct out *o, const struct strace_set *s, uint64_t v) {
  bool first = true;
  uint64_t rest = v;
  if (!s->flags || s->mask) {
    uint64_t num = s->flags ? v & s->mask : v;
    const struct strace_name *n = s->names;
    while (n->name && (s->flags ? n->value : n->value & 0xffffffff) != (s->flags ? num : num & 0xffffffff))
      n++;
    if (n->name)
      put(o, "%s", n->name);
    else
      put(o, "%#lx", (unsigned long)num);
    if (!s->flags)
      return;
    first = false;
    rest &= ~s->mask;
  }
  for (const struct strace_name *n = s->names; n->name; n++) {
    bool zero = n->value == 0 && v == 0 && !s->mask;
    if (!zero && (!n->value || (s->mask && !(n->value & ~s->mask)) || (rest & n->value) != n->value))
      continue;
    put(o, first ? "%s" : "|%s", n->name);
    rest &= ~n->value;
    first = false;
  }
  if (rest || first)
    put(o, first ? "%#lx" : "|%#lx", (unsigned long)rest);
}

/* One argument by its type. */
static void put_arg(struct out *o, const char *type, unsigned len, const uint64_t *arg, int i, int64_t ret) {
  uint64_t v = arg[i];
  if (len > 1 && type[0] == 'b' && type[1] == '=') {
    bool by_result = type[2] == 'r';
    int64_t n = by_result ? ret : type[2] >= '0' && type[2] <= '5' ? (int64_t)arg[type[2] - '0'] : 0;
    if (n < 0)
      put(o, "%#lx", (unsigned long)v);
    else
      put_buffer(o, v, (uint64_t)n);
    return;
  }
  const struct strace_set *set = strace_set_find(type, len);
  if (set)
    put_set(o, set, v);
  else if (len == 1 && *type == 's')
    put_string(o, v);
  else if (len == 1 && *type == 'o')
    put(o, "0%o", (unsigned)v);
  else if (len == 1 && *type == 'p')
    v ? put(o, "%#lx", (unsigned long)v) : put(o, "NULL");
  else if (len == 1 && *type == 'u')
    put(o, "%u", (unsigned)v);
  else if (len == 1 && *type == 'x')
    put(o, "%#lx", (unsigned long)v);
  else if (len == 2 && !memcmp(type, "at", 2))
    (int)v == AT_FDCWD ? put(o, "AT_FDCWD") : put(o, "%d", (int)v);
  else if (len == 2 && !memcmp(type, "sz", 2))
    put(o, "%lu", (unsigned long)v);
  else if (len == 3 && !memcmp(type, "off", 3))
    put(o, "%ld", (long)v);
  else
    put(o, "%d", (int)v);
}

/* The next field of an args spec: name:type. Returns its type, *len long, and moves *spec on; NULL at the end. */
static const char *next_field(const char **spec, unsigned *len) {
  const char *p = *spec;
  while (*p == ' ' || *p == ',')
    p++;
  if (!*p || *p == '=')
    return NULL;
  size_t n = strcspn(p, ",");
  const char *colon = memchr(p, ':', n);
  const char *type = colon ? colon + 1 : p;
  *len = (unsigned)(p + n - type);
  *spec = p + n;
  return type;
}

static const struct syscall_desc *desc(const struct plat_call *c) {
  return (uint64_t)c->nr < NR_SYSCALLS && syscall_table[c->nr].name ? &syscall_table[c->nr] : NULL;
}

static bool returns_address(const struct syscall_desc *d) {
  return d && strstr(d->args, "=x");
}

void strace_enter(struct strace_line *l, struct task *t, const struct plat_call *c) {
  const struct syscall_desc *d = desc(c);
  snprintf(l->who, sizeof l->who, "[%d %s]", t->tid->nr, t->comm);
  l->n = 0;
  memset(l->deferred, 0, sizeof l->deferred);
  const char *spec = d ? d->args : "", *type;
  unsigned len;
  bool described = d && (*spec || d->support != SUP_NONE);
  while (l->n < 6 && (type = next_field(&spec, &len))) {
    struct out o = {l->arg[l->n], STRACE_ARG_LEN};
    l->deferred[l->n] = len == 3 && !memcmp(type, "b=r", 3);
    *o.p = '\0';
    if (!l->deferred[l->n])
      put_arg(&o, type, len, c->arg, l->n, 0);
    l->n++;
  }
  for (; !described && l->n < 6; l->n++)
    snprintf(l->arg[l->n], STRACE_ARG_LEN, "%#lx", (unsigned long)c->arg[l->n]);
  if (d && (!strcmp(d->name, "exit") || !strcmp(d->name, "exit_group") || !strcmp(d->name, "execve")))
    debug_log("%s %s(%s%s%s) ...", l->who, d->name, l->arg[0], l->n > 1 ? ", " : "", l->n > 1 ? l->arg[1] : "");
}

static void put_result(struct out *o, const struct syscall_desc *d, int64_t ret) {
  if (ret == EXEC_DONE)
    put(o, "0");
  else if (ret <= -ERESTARTSYS && ret >= -ERESTART_RESTARTBLOCK)
    put(o, "? (to be restarted)");
  else if (ret < 0 && ret >= -4095)
    put(o, "-1 %s (%s)", strerrorname_np((int)-ret) ? strerrorname_np((int)-ret) : "E?", strerrordesc_np((int)-ret));
  else if (returns_address(d))
    put(o, "%#lx", (unsigned long)ret);
  else
    put(o, "%ld", (long)ret);
}

void strace_exit(struct strace_line *l, struct task *t, const struct plat_call *c, int64_t ret) {
  const struct syscall_desc *d = desc(c);
  char line[1600];
  struct out o = {line, sizeof line};
  if (d)
    put(&o, "%s %s(", l->who, d->name);
  else
    put(&o, "%s syscall_%ld(", l->who, (long)c->nr);
  const char *spec = d ? d->args : "", *type = NULL;
  unsigned len;
  for (int i = 0; i < l->n; i++) {
    if (*spec)
      type = next_field(&spec, &len);
    put(&o, "%s", i ? ", " : "");
    if (l->deferred[i] && type)
      put_arg(&o, type, len, c->arg, i, ret == EXEC_DONE ? -1 : ret);
    else
      put(&o, "%s", l->arg[i]);
  }
  put(&o, ") = ");
  put_result(&o, d, ret);
  debug_log("%s", line);
  (void)t;
}
