/*
 * linux.seccomp of the spec, compiled to a classic BPF program with libseccomp as runc does it (--oci-seccomp). The
 * Sentry enforces it on its guests: it is data to it like any filter that a guest brings.
 */
#include "spec_json.h"
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct profile {
  scmp_filter_ctx ctx;
  uint32_t default_action;
  int last_call; /* the highest number that a rule names */
};

/* ---- names ---- */

static const struct {
  const char *name;
  uint32_t action;
} actions[] = {
    {"SCMP_ACT_KILL", SCMP_ACT_KILL_THREAD},
    {"SCMP_ACT_KILL_THREAD", SCMP_ACT_KILL_THREAD},
    {"SCMP_ACT_KILL_PROCESS", SCMP_ACT_KILL_PROCESS},
    {"SCMP_ACT_TRAP", SCMP_ACT_TRAP},
    {"SCMP_ACT_ERRNO", SCMP_ACT_ERRNO(0)},
    {"SCMP_ACT_TRACE", SCMP_ACT_TRACE(0)},
    {"SCMP_ACT_LOG", SCMP_ACT_LOG},
    {"SCMP_ACT_ALLOW", SCMP_ACT_ALLOW},
};

static const struct {
  const char *name;
  enum scmp_compare op;
} operators[] = {
    {"SCMP_CMP_NE", SCMP_CMP_NE},
    {"SCMP_CMP_LT", SCMP_CMP_LT},
    {"SCMP_CMP_LE", SCMP_CMP_LE},
    {"SCMP_CMP_EQ", SCMP_CMP_EQ},
    {"SCMP_CMP_GE", SCMP_CMP_GE},
    {"SCMP_CMP_GT", SCMP_CMP_GT},
    {"SCMP_CMP_MASKED_EQ", SCMP_CMP_MASKED_EQ},
};

#define FIELD "linux.seccomp."

/* ERRNO and TRACE carry a number; EPERM if the profile gives none. */
static int read_action(json_t *o, const char *key, const char *errno_key, uint32_t *out, struct err *e) {
  const char *name = NULL;
  int64_t number = EPERM;
  if (js_str(o, key, FIELD "action", &name, e) || js_int(o, errno_key, FIELD "errnoRet", 0, 4095, &number, e))
    return -1;
  if (!name)
    return err_set(e, FIELD "%s: must be set", key);
  if (!strcmp(name, "SCMP_ACT_NOTIFY"))
    return err_set(e, FIELD "%s: SCMP_ACT_NOTIFY is not supported: there is no agent to ask", key);
  for (size_t i = 0; i < sizeof actions / sizeof *actions; i++) {
    if (strcmp(name, actions[i].name))
      continue;
    *out = actions[i].action;
    if (*out == SCMP_ACT_ERRNO(0) || *out == SCMP_ACT_TRACE(0))
      *out |= (uint32_t)number;
    return 0;
  }
  return err_set(e, FIELD "%s: action \"%s\" does not exist", key, name);
}

static int read_u64(json_t *o, const char *key, uint64_t *out, struct err *e) {
  json_t *v = json_object_get(o, key);
  *out = 0;
  if (!v || json_is_null(v))
    return 0;
  if (json_is_integer(v))
    *out = (uint64_t)json_integer_value(v);
  else if (json_is_real(v) && json_real_value(v) >= 0x1p63 && json_real_value(v) < 0x1p64)
    *out = (uint64_t)json_real_value(v);
  else
    return err_set(e, FIELD "syscalls.args.%s: must be a number", key);
  return 0;
}

static int read_arg(json_t *o, struct scmp_arg_cmp *c, struct err *e) {
  const char *op = NULL;
  int64_t index = 0;
  uint64_t value, two;
  if (js_int(o, "index", FIELD "syscalls.args.index", 0, 5, &index, e) || read_u64(o, "value", &value, e) ||
      read_u64(o, "valueTwo", &two, e) || js_str(o, "op", FIELD "syscalls.args.op", &op, e))
    return -1;
  for (size_t i = 0; i < sizeof operators / sizeof *operators; i++)
    if (op && !strcmp(op, operators[i].name)) {
      *c = SCMP_CMP64((unsigned)index, operators[i].op, value, two);
      return 0;
    }
  return err_set(e, FIELD "syscalls.args.op: operator \"%s\" does not exist", op ? op : "");
}

/* ---- rules ---- */

/* Conditions on different arguments must all hold. libseccomp takes one for each argument: with several on one, as in
 * runc, each condition is a rule of its own. */
static int add_rule(struct profile *p, uint32_t action, int nr, const struct scmp_arg_cmp *c, unsigned n) {
  unsigned seen = 0;
  bool apart = false;
  for (unsigned i = 0; i < n; i++) {
    apart |= seen & 1u << c[i].arg;
    seen |= 1u << c[i].arg;
  }
  int r = 0;
  if (!apart)
    return seccomp_rule_add_array(p->ctx, action, nr, n, c);
  for (unsigned i = 0; i < n && !r; i++)
    r = seccomp_rule_add_array(p->ctx, action, nr, 1, &c[i]);
  return r;
}

static int add_entry(struct profile *p, json_t *o, struct err *e) {
  struct oci_strv names = {0};
  struct scmp_arg_cmp c[16];
  uint32_t action;
  json_t *args, *v;
  size_t i, n = 0;
  if (read_action(o, "action", "errnoRet", &action, e) || js_list(o, "args", FIELD "syscalls.args", &args, e))
    return -1;
  json_array_foreach(args, i, v) {
    if (n == sizeof c / sizeof *c)
      return err_set(e, FIELD "syscalls.args: more than 16 conditions");
    if (read_arg(v, &c[n++], e))
      return -1;
  }
  if (js_strv(o, "names", FIELD "syscalls.names", &names, e))
    return -1;
  int r = 0;
  for (i = 0; i < names.n && !r; i++) {
    int nr = seccomp_syscall_resolve_name(names.v[i]);
    if (nr == __NR_SCMP_ERROR)
      continue; /* newer than libseccomp, or of no architecture: runc skips it */
    if (nr > p->last_call)
      p->last_call = nr;
    if (action != p->default_action)
      r = add_rule(p, action, nr, c, (unsigned)n);
    if (r)
      err_sys(e, -r, FIELD "syscalls: rule for %s", names.v[i]);
  }
  free(names.v);
  return r ? -1 : 0;
}

static int add_architectures(struct profile *p, json_t *o, struct err *e) {
  struct oci_strv v = {0};
  char name[32];
  int rc = js_strv(o, "architectures", FIELD "architectures", &v, e);
  for (size_t i = 0; i < v.n && !rc; i++) {
    uint32_t arch = 0;
    if (!strncmp(v.v[i], "SCMP_ARCH_", 10)) {
      size_t n = 0;
      for (const char *s = v.v[i] + 10; *s && n + 1 < sizeof name; s++)
        name[n++] = *s >= 'A' && *s <= 'Z' ? (char)(*s + 32) : *s;
      name[n] = 0;
      arch = seccomp_arch_resolve_name(name);
    }
    if (!arch)
      rc = err_set(e, FIELD "architectures: \"%s\" does not exist", v.v[i]);
    /* The others' calls never come: int 0x80 raises a signal. Their rules would only make the program longer. */
  }
  free(v.v);
  return rc;
}

static int check_flags(json_t *o, bool *log, struct err *e) {
  struct oci_strv v = {0};
  int rc = js_strv(o, "flags", FIELD "flags", &v, e);
  for (size_t i = 0; i < v.n && !rc; i++) {
    if (!strcmp(v.v[i], "SECCOMP_FILTER_FLAG_LOG"))
      *log = true;
    else if (strcmp(v.v[i], "SECCOMP_FILTER_FLAG_TSYNC") && strcmp(v.v[i], "SECCOMP_FILTER_FLAG_SPEC_ALLOW") &&
             strcmp(v.v[i], "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"))
      rc = err_set(e, FIELD "flags: \"%s\" does not exist", v.v[i]);
  }
  free(v.v);
  return rc;
}

/* ---- the program ---- */

/* As runc: calls newer than the profile do not exist, where it would refuse them: the C library's fall-backs need that.
 */
static unsigned not_there(const struct profile *p, struct sock_filter *f) {
  uint32_t action = p->default_action & SECCOMP_RET_ACTION_FULL;
  if (action == SECCOMP_RET_ALLOW || action == SECCOMP_RET_LOG || p->last_call <= 0)
    return 0;
  const struct sock_filter head[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, (uint32_t)p->last_call, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
  };
  memcpy(f, head, sizeof head);
  return sizeof head / sizeof *head;
}

static int export_program(const struct profile *p, struct oci_seccomp *out, struct err *e) {
  int fd = memfd_create("seccomp", MFD_CLOEXEC), rc = -1;
  if (fd < 0 || seccomp_export_bpf(p->ctx, fd)) {
    err_set(e, "linux.seccomp: the profile cannot be compiled");
    goto out;
  }
  off_t size = lseek(fd, 0, SEEK_END);
  size_t n = (size_t)size / sizeof(struct sock_filter);
  if (size <= 0 || n + 3 > BPF_MAXINSNS) {
    err_set(e, "linux.seccomp: the profile is too long: %zu instructions", n);
    goto out;
  }
  struct sock_filter *f = calloc(n + 3, sizeof *f);
  if (!f) {
    err_set(e, "out of memory");
    goto out;
  }
  unsigned head = not_there(p, f);
  if (pread(fd, f + head, (size_t)size, 0) != size) {
    free(f);
    err_set(e, "linux.seccomp: the compiled profile cannot be read");
    goto out;
  }
  out->insns = f;
  out->len = (unsigned)n + head;
  rc = 0;
out:
  if (fd >= 0)
    close(fd);
  return rc;
}

int spec_compile_seccomp(struct oci_spec *s, struct err *e) {
  json_t *o = s->seccomp, *list, *v;
  struct profile p = {.last_call = -1};
  const char *listener = NULL;
  size_t i;
  if (!o || json_is_null(o))
    return 0;
  if (js_str(o, "listenerPath", FIELD "listenerPath", &listener, e))
    return -1;
  if (listener && *listener)
    return err_set(e, FIELD "listenerPath: not supported: calls of this container do not reach the host");
  if (check_flags(o, &s->seccomp_prog.log, e) || js_list(o, "syscalls", FIELD "syscalls", &list, e) ||
      read_action(o, "defaultAction", "defaultErrnoRet", &p.default_action, e))
    return -1;
  p.ctx = seccomp_init(p.default_action);
  if (!p.ctx)
    return err_set(e, "linux.seccomp: the profile cannot be compiled");
  seccomp_attr_set(p.ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
  int rc = add_architectures(&p, o, e);
  json_array_foreach(list, i, v) {
    if (!rc)
      rc = add_entry(&p, v, e);
  }
  if (!rc)
    rc = export_program(&p, &s->seccomp_prog, e);
  seccomp_release(p.ctx);
  return rc;
}
