/* The mount options of procfs, and what they hide: proc(5), fs/proc/root.c of Linux. */
#include "proc.h"
#include "../../core/errno.h"
#include "../sbuf.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[] = {
    [HIDEPID_OFF] = "off",
    [HIDEPID_NO_ACCESS] = "noaccess",
    [HIDEPID_INVISIBLE] = "invisible",
    [HIDEPID_NOT_PTRACEABLE] = "ptraceable",
};

static int parse_hidepid(const char *val, int *out) {
  char *end;
  long n = strtol(val, &end, 10);
  if (end != val && !*end && n >= 0 && n < (long)(sizeof names / sizeof *names) && names[n]) {
    *out = (int)n;
    return 0;
  }
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (names[i] && !strcmp(val, names[i])) {
      *out = (int)i;
      return 0;
    }
  return -EINVAL;
}

static int parse_gid(const char *val, uint32_t *out) {
  char *end;
  unsigned long n = strtoul(val, &end, 10);
  if (end == val || *end || n >= UINT32_MAX)
    return -EINVAL;
  *out = make_kgid(current_user_ns_borrow(), (uint32_t)n);
  return *out == INVALID_ID ? -EINVAL : 0;
}

static int parse_option(struct proc_state *s, const char *key, const char *val) {
  if (!strcmp(key, "hidepid") && val)
    return parse_hidepid(val, &s->hidepid);
  if (!strcmp(key, "gid") && val)
    return parse_gid(val, &s->hide_gid);
  if (strcmp(key, "subset") || !val || strcmp(val, "pid"))
    return *key ? -EINVAL : 0;
  s->only_pids = true;
  return 0;
}

int proc_parse_options(struct proc_state *s, const char *options) {
  char *copy = strdup(options ? options : ""), *at = copy, *opt;
  int r = copy ? 0 : -ENOMEM;
  while (!r && (opt = strsep(&at, ","))) {
    char *val = strchr(opt, '=');
    if (val)
      *val++ = 0;
    r = parse_option(s, opt, val);
  }
  free(copy);
  return r;
}

char *proc_show_options(const struct proc_state *s) {
  char b[96] = "";
  int n = 0;
  if (s->hide_gid)
    n += snprintf(b + n, sizeof b - (size_t)n, ",gid=%u", s->hide_gid);
  if (s->hidepid)
    n += snprintf(b + n, sizeof b - (size_t)n, ",hidepid=%s", names[s->hidepid]);
  if (s->only_pids)
    snprintf(b + n, sizeof b - (size_t)n, ",subset=pid");
  return strdup(*b ? b + 1 : "");
}

/* has_pid_permissions() */
static bool permitted(const struct proc_state *s, struct task *t, int level) {
  struct task *me = task_current();
  if (!me || me->proc == t->proc)
    return true;
  if (s->hidepid != HIDEPID_NOT_PTRACEABLE && (s->hidepid < level || cred_in_group(me->cred, s->hide_gid)))
    return true;
  return proc_may_look(t);
}

bool proc_hides(const struct proc_state *s, struct task *t) {
  return s->hidepid >= HIDEPID_INVISIBLE && !permitted(s, t, HIDEPID_INVISIBLE);
}

int proc_pid_allow(struct inode *i) {
  const struct proc_state *s = synth_super_of(i)->priv;
  struct task *t = s->hidepid ? proc_task_borrow(i) : NULL;
  return !t || permitted(s, t, HIDEPID_NO_ACCESS) ? 0 : s->hidepid == HIDEPID_INVISIBLE ? -ENOENT : -EPERM;
}
