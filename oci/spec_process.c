/* The `process` object: who runs, what, where and with which rights. */
#include "spec_json.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>

#ifndef ARRAY_SIZE
#define ARRAY_SIZE(a) (sizeof(a) / sizeof *(a))
#endif

static const char *const cap_names[] = {
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
};

int spec_cap_number(const char *name) {
  for (size_t i = 0; i < ARRAY_SIZE(cap_names); i++)
    if (!strcasecmp(name, cap_names[i]) || !strcasecmp(name, cap_names[i] + 4))
      return (int)i;
  return -1;
}

const char *spec_cap_name(int cap) {
  return cap >= 0 && (size_t)cap < ARRAY_SIZE(cap_names) ? cap_names[cap] : NULL;
}

static const char *const rlimit_names[RLIM_NLIMITS] = {
    [RLIMIT_CPU] = "RLIMIT_CPU",           [RLIMIT_FSIZE] = "RLIMIT_FSIZE",
    [RLIMIT_DATA] = "RLIMIT_DATA",         [RLIMIT_STACK] = "RLIMIT_STACK",
    [RLIMIT_CORE] = "RLIMIT_CORE",         [RLIMIT_RSS] = "RLIMIT_RSS",
    [RLIMIT_NPROC] = "RLIMIT_NPROC",       [RLIMIT_NOFILE] = "RLIMIT_NOFILE",
    [RLIMIT_MEMLOCK] = "RLIMIT_MEMLOCK",   [RLIMIT_AS] = "RLIMIT_AS",
    [RLIMIT_LOCKS] = "RLIMIT_LOCKS",       [RLIMIT_SIGPENDING] = "RLIMIT_SIGPENDING",
    [RLIMIT_MSGQUEUE] = "RLIMIT_MSGQUEUE", [RLIMIT_NICE] = "RLIMIT_NICE",
    [RLIMIT_RTPRIO] = "RLIMIT_RTPRIO",     [RLIMIT_RTTIME] = "RLIMIT_RTTIME",
};

int spec_rlimit_number(const char *name) {
  for (int i = 0; i < (int)RLIM_NLIMITS; i++)
    if (!strcasecmp(name, rlimit_names[i]))
      return i;
  return -1;
}

/* Like runc, a capability that this build does not know is left out rather than refused: newer engines list newer ones.
 */
static int parse_caps(json_t *o, const char *key, const char *prefix, uint64_t *out, struct err *e) {
  struct oci_strv names = {0};
  char path[128];
  snprintf(path, sizeof path, "%s.capabilities.%s", prefix, key);
  int rc = js_strv(o, key, path, &names, e);
  *out = 0;
  for (size_t i = 0; !rc && i < names.n; i++) {
    int cap = spec_cap_number(names.v[i]);
    if (cap >= 0)
      *out |= 1ull << cap;
  }
  free(names.v);
  return rc;
}

static int parse_capabilities(struct oci_process *p, json_t *process, const char *prefix, struct err *e) {
  char path[128];
  json_t *o;
  snprintf(path, sizeof path, "%s.capabilities", prefix);
  if (js_obj(process, "capabilities", path, &o, e))
    return -1;
  if (!o)
    return 0;
  p->have_caps = true;
  return parse_caps(o, "bounding", prefix, &p->cap_bounding, e) ||
                 parse_caps(o, "effective", prefix, &p->cap_effective, e) ||
                 parse_caps(o, "inheritable", prefix, &p->cap_inheritable, e) ||
                 parse_caps(o, "permitted", prefix, &p->cap_permitted, e) ||
                 parse_caps(o, "ambient", prefix, &p->cap_ambient, e)
             ? -1
             : 0;
}

static int parse_user(struct oci_process *p, json_t *process, const char *prefix, struct err *e) {
  char path[128];
  json_t *o, *gids, *g;
  int64_t uid = 0, gid = 0, umask = -1;
  size_t i;
  snprintf(path, sizeof path, "%s.user", prefix);
  if (js_obj(process, "user", path, &o, e))
    return -1;
  if (!o)
    return 0;
  snprintf(path, sizeof path, "%s.user.uid", prefix);
  if (js_int(o, "uid", path, 0, UINT32_MAX - 1, &uid, e))
    return -1;
  snprintf(path, sizeof path, "%s.user.gid", prefix);
  if (js_int(o, "gid", path, 0, UINT32_MAX - 1, &gid, e))
    return -1;
  snprintf(path, sizeof path, "%s.user.umask", prefix);
  if (js_int(o, "umask", path, 0, 0777, &umask, e))
    return -1;
  p->uid = (uint32_t)uid;
  p->gid = (uint32_t)gid;
  p->umask = (int)umask;
  snprintf(path, sizeof path, "%s.user.additionalGids", prefix);
  if (js_list(o, "additionalGids", path, &gids, e))
    return -1;
  if (!gids)
    return 0;
  if (json_array_size(gids) > 65536) /* NGROUPS_MAX */
    return err_set(e, "%s: holds more than 65536 groups", path);
  p->additional_gids = calloc(json_array_size(gids) + 1, sizeof *p->additional_gids);
  if (!p->additional_gids)
    return err_set(e, "%s: out of memory", path);
  json_array_foreach(gids, i, g) {
    int64_t n = json_is_integer(g) ? json_integer_value(g) : -1;
    if (n < 0 || n >= UINT32_MAX)
      return err_set(e, "%s[%zu]: must be a group id", path, i);
    p->additional_gids[p->nadditional_gids++] = (uint32_t)n;
  }
  return 0;
}

/* Go writes RLIM_INFINITY as an unsigned number that jansson cannot hold; such text reaches us as a real. */
static int rlimit_value(json_t *o, const char *key, const char *path, uint64_t *out, struct err *e) {
  json_t *v = json_object_get(o, key);
  if (json_is_integer(v)) {
    *out = (uint64_t)json_integer_value(v);
    return 0;
  }
  if (json_is_real(v) && json_real_value(v) >= 9.2e18) {
    *out = UINT64_MAX;
    return 0;
  }
  return err_set(e, "%s.%s: must be an integer", path, key);
}

static int parse_rlimits(struct oci_process *p, json_t *process, const char *prefix, struct err *e) {
  char path[128];
  json_t *list, *o;
  size_t i;
  snprintf(path, sizeof path, "%s.rlimits", prefix);
  if (js_list(process, "rlimits", path, &list, e))
    return -1;
  if (!list || !json_array_size(list))
    return 0;
  p->rlimits = calloc(json_array_size(list), sizeof *p->rlimits);
  if (!p->rlimits)
    return err_set(e, "%s: out of memory", path);
  json_array_foreach(list, i, o) {
    struct oci_rlimit *r = &p->rlimits[i];
    const char *type = NULL;
    snprintf(path, sizeof path, "%s.rlimits[%zu].type", prefix, i);
    if (js_str(o, "type", path, &type, e))
      return -1;
    r->resource = type ? spec_rlimit_number(type) : -1;
    if (r->resource < 0)
      return err_set(e, "%s: \"%s\" is no known limit", path, type ? type : "");
    snprintf(path, sizeof path, "%s.rlimits[%zu]", prefix, i);
    if (rlimit_value(o, "soft", path, &r->soft, e) || rlimit_value(o, "hard", path, &r->hard, e))
      return -1;
    if (r->soft > r->hard)
      return err_set(e, "%s.soft: is above the hard limit", path);
    for (size_t j = 0; j < i; j++)
      if (p->rlimits[j].resource == r->resource)
        return err_set(e, "%s.type: %s is given twice", path, type);
    p->nrlimits++;
  }
  return 0;
}

static int parse_console_size(struct oci_process *p, json_t *process, const char *prefix, struct err *e) {
  char path[128];
  json_t *o;
  int64_t rows = 0, cols = 0;
  snprintf(path, sizeof path, "%s.consoleSize", prefix);
  if (js_obj(process, "consoleSize", path, &o, e) || js_int(o, "height", path, 0, UINT16_MAX, &rows, e) ||
      js_int(o, "width", path, 0, UINT16_MAX, &cols, e))
    return -1;
  p->rows = (uint16_t)rows;
  p->cols = (uint16_t)cols;
  return 0;
}

static int parse_strings(struct oci_process *p, json_t *o, const char *prefix, struct err *e) {
  char path[128];
  snprintf(path, sizeof path, "%s.args", prefix);
  if (js_strv(o, "args", path, &p->args, e))
    return -1;
  if (!p->args.n)
    return err_set(e, "%s: must not be empty", path);
  if (!*p->args.v[0])
    return err_set(e, "%s[0]: must not be empty", path);
  snprintf(path, sizeof path, "%s.env", prefix);
  if (js_strv(o, "env", path, &p->env, e))
    return -1;
  snprintf(path, sizeof path, "%s.cwd", prefix);
  if (js_str(o, "cwd", path, &p->cwd, e))
    return -1;
  if (!p->cwd || p->cwd[0] != '/')
    return err_set(e, "%s: must be an absolute path", path);
  return 0;
}

int spec_parse_process(struct oci_process *p, json_t *o, const char *prefix, struct err *e) {
  char path[128];
  int64_t oom = INT64_MIN;
  *p = (struct oci_process){.umask = -1};
  if (!json_is_object(o))
    return err_set(e, "%s: must be an object", prefix);
  snprintf(path, sizeof path, "%s.terminal", prefix);
  if (js_bool(o, "terminal", path, &p->terminal, e))
    goto bad;
  snprintf(path, sizeof path, "%s.noNewPrivileges", prefix);
  if (js_bool(o, "noNewPrivileges", path, &p->no_new_privileges, e))
    goto bad;
  snprintf(path, sizeof path, "%s.oomScoreAdj", prefix);
  if (js_int(o, "oomScoreAdj", path, -1000, 1000, &oom, e))
    goto bad;
  p->have_oom_score_adj = oom != INT64_MIN;
  p->oom_score_adj = p->have_oom_score_adj ? (int)oom : 0;
  if (parse_strings(p, o, prefix, e) || parse_console_size(p, o, prefix, e) || parse_user(p, o, prefix, e) ||
      parse_capabilities(p, o, prefix, e) || parse_rlimits(p, o, prefix, e))
    goto bad;
  return 0;
bad:
  spec_free_process(p);
  return -1;
}

void spec_free_process(struct oci_process *p) {
  free(p->args.v);
  free(p->env.v);
  free(p->additional_gids);
  free(p->rlimits);
  *p = (struct oci_process){.umask = -1};
}
