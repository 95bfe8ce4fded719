/* From a `process` object to a task: rights, limits, directory, descriptors, program. */
#include "../core/timers.h"
#include "../core/fiber.h"
#include "../core/seccomp.h"
#include "../fs/tty.h"
#include "sentry.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

void act_as(struct task *t) {
  fiber_set_local(t);
  t->fiber = fiber_self();
}

void act_as_nobody(struct task *t) {
  fiber_set_local(NULL);
  t->fiber = NULL;
}

void process_discard(struct task *t) {
  /* Never ran: the ordinary way out, on a fiber of its own, drops everything in the right order. */
  process_exit_group(t->proc, SIGKILL);
  task_start(t);
}

static const char *env_get(const struct oci_process *p, const char *name) {
  size_t n = strlen(name);
  for (size_t i = 0; i < p->env.n; i++)
    if (!strncmp(p->env.v[i], name, n) && p->env.v[i][n] == '=')
      return p->env.v[i] + n + 1;
  return NULL;
}

/* ---- rights and limits ---- */

static int set_cred(struct task *t, const struct oci_process *p, struct err *e) {
  struct cred *c = cred_new();
  uint64_t known = (1ull << (CAP_LAST + 1)) - 1;
  if (!c)
    return err_set(e, "out of memory");
  c->uid = c->euid = c->suid = c->fsuid = p->uid;
  c->gid = c->egid = c->sgid = c->fsgid = p->gid;
  c->no_new_privs = p->no_new_privileges;
  c->cap_bnd = p->cap_bounding & known;
  c->cap_inh = p->cap_inheritable & known;
  c->cap_prm = p->cap_permitted & known;
  c->cap_eff = p->cap_effective & c->cap_prm;
  c->cap_amb = p->cap_ambient & c->cap_prm & c->cap_inh;
  if (p->nadditional_gids) {
    c->groups = calloc(p->nadditional_gids, sizeof *c->groups);
    if (!c->groups) {
      cred_put(c);
      return err_set(e, "out of memory");
    }
    memcpy(c->groups, p->additional_gids, p->nadditional_gids * sizeof *c->groups);
    c->ngroups = (int)p->nadditional_gids;
  }
  task_set_cred(t, c);
  cred_put(c);
  return 0;
}

static void set_limits(struct task *t, const struct oci_process *p) {
  for (size_t i = 0; i < p->nrlimits; i++)
    t->proc->rlim[p->rlimits[i].resource] =
        (struct rlimit){.rlim_cur = p->rlimits[i].soft, .rlim_max = p->rlimits[i].hard};
  cpu_limit_update(t->proc);
  t->proc->oom_score_adj = p->oom_score_adj;
}

/* ---- directory ---- */

static int set_cwd(struct sentry *s, struct task *t, const struct oci_process *p, bool make, struct err *e) {
  struct path dir;
  int rc = vfs_lookup_kernel(&s->root, p->cwd, LOOKUP_FOLLOW | LOOKUP_DIRECTORY, &dir);
  if (rc == -ENOENT && make)
    rc = vfs_mkdir_p(s->k->vfs, &s->root, p->cwd, 0755, &dir);
  if (rc)
    return err_sys(e, -rc, "unable to start container process: chdir to cwd (\"%s\") set in config.json failed",
                   p->cwd);
  path_put(&t->fs->pwd);
  t->fs->pwd = dir; /* takes the reference over */
  return 0;
}

/* ---- descriptors ---- */

static int set_console(struct sentry *s, struct task *t, int fd, struct file **console, struct err *e) {
  int rc = tty_console_new(s->k, fd, console);
  if (rc) {
    close(fd);
    return err_sys(e, -rc, "console");
  }
  rc = tty_set_controlling(*console, t);
  for (int i = 0; i < 3 && rc >= 0; i++)
    rc = fd_dup_to(t->files, *console, i, false);
  return rc < 0 ? err_sys(e, -rc, "console") : 0;
}

static int set_stdio(struct sentry *s, struct task *t, const int fds[3], struct err *e) {
  for (int i = 0; i < 3; i++) {
    struct file *f = NULL;
    struct path null;
    int rc;
    if (fds[i] >= 0) {
      rc = hostfd_file_new(s->k, fds[i], &f);
    } else {
      rc = vfs_lookup_kernel(&s->root, "/dev/null", 0, &null);
      if (!rc) {
        rc = vfs_open_kernel(&null, O_RDWR, &f);
        path_put(&null);
      }
    }
    if (!rc)
      rc = fd_dup_to(t->files, f, i, false);
    if (f)
      file_put(f);
    if (rc < 0)
      return err_sys(e, -rc, "standard stream %d", i);
  }
  return 0;
}

int process_prepare(struct sentry *s, struct task *t, const struct oci_process *p, bool make_cwd, const int fds[3],
                    int console, struct file **console_file, struct err *e) {
  set_limits(t, p);
  if (!t->fs) {
    t->fs = fs_ctx_new(&s->root);
    if (!t->fs)
      return err_set(e, "out of memory");
  }
  t->fs->umask = p->umask >= 0 ? (uint32_t)p->umask : 022;
  if (set_cwd(s, t, p, make_cwd, e))
    return -1;
  int rc = console >= 0 ? set_console(s, t, console, console_file, e) : set_stdio(s, t, fds, e);
  return rc ? rc : set_cred(t, p, e);
}

/* ---- the program ---- */

static int try_open(struct task *t, const char *path) {
  struct file *f = NULL;
  int rc = vfs_open(t, AT_FDCWD, path, &(struct open_how_k){.flags = O_RDONLY, .exec = true}, &f);
  if (rc)
    return rc;
  bool regular = f->inode && S_ISREG(f->inode->mode);
  file_put(f);
  return regular ? 0 : -EACCES;
}

static int found(char **path, const char *name, struct err *e) {
  *path = strdup(name);
  return *path ? 0 : err_set(e, "out of memory");
}

/* Engines match these texts (OCI_ENGINES, section 6): they are runc's. */
int process_find_program(struct task *t, const struct oci_process *p, char **path, struct err *e) {
  const char *name = p->args.v[0], *dirs = env_get(p, "PATH");
  char try[4096];
  int worst = -ENOENT;
  if (strchr(name, '/')) {
    int rc = try_open(t, name);
    if (!rc)
      return found(path, name, e);
    if (rc == -EACCES || rc == -EISDIR)
      return err_set(e, "unable to start container process: exec: \"%s\": permission denied", name);
    return err_sys(e, -rc, "unable to start container process: exec: \"%s\": stat %s", name, name);
  }
  for (const char *d = dirs ? dirs : DEFAULT_PATH;; d++) {
    size_t n = strcspn(d, ":");
    if (snprintf(try, sizeof try, "%.*s%s%s", (int)n, d, n ? "/" : "", name) < (int)sizeof try) {
      int rc = try_open(t, try);
      if (!rc)
        return found(path, try, e);
      if (rc == -EACCES)
        worst = rc;
    }
    d += n;
    if (!*d)
      break;
  }
  if (worst == -EACCES)
    return err_set(e, "unable to start container process: exec: \"%s\": permission denied", name);
  return err_set(e, "unable to start container process: exec: \"%s\": executable file not found in $PATH", name);
}

/* ---- HOME ---- */

/* The home directory of uid by a line "name:pw:uid:gid:gecos:dir:shell"; into buf. */
static bool passwd_home(char *text, uint32_t uid, char *buf, size_t cap) {
  char *save = NULL;
  for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
    char *field[7] = {0};
    int n = 0;
    for (char *p = line; p && n < 7; n++) {
      field[n] = p;
      p = strchr(p, ':');
      if (p)
        *p++ = 0;
    }
    char *end;
    if (n < 6 || strtoul(field[2], &end, 10) != uid || *end || !*field[2] || *field[5] != '/')
      continue;
    snprintf(buf, cap, "%s", field[5]);
    return true;
  }
  return false;
}

static void find_home(struct sentry *s, uint32_t uid, char *buf, size_t cap) {
  struct path p;
  struct file *f = NULL;
  const size_t max = 256 * 1024; /* a hostile image's file is not read for ever */
  snprintf(buf, cap, "/");
  if (vfs_lookup_kernel(&s->root, "/etc/passwd", LOOKUP_FOLLOW, &p))
    return;
  if (!S_ISREG(p.dentry->inode->mode) || vfs_open_kernel(&p, O_RDONLY, &f)) {
    path_put(&p);
    return;
  }
  path_put(&p);
  char *text = malloc(max + 1);
  size_t n = 0;
  while (text && n < max) {
    struct uio u;
    struct iovec iov;
    uio_kernel(&u, &iov, text + n, max - n);
    ssize_t r = file_read(f, &u, NULL);
    if (r <= 0)
      break;
    n += (size_t)r;
  }
  if (text) {
    text[n] = 0;
    passwd_home(text, uid, buf, cap);
  }
  free(text);
  file_put(f);
}

/* As runc: the last thing before the program's first instruction. No rights are needed, unlike for seccomp(2). */
static int set_seccomp(struct sentry *s, struct task *t) {
  const struct oci_seccomp *p = &s->a->spec->seccomp_prog;
  struct seccomp_filter *f;
  if (!p->insns)
    return 0;
  int rc = seccomp_filter_new(p->insns, p->len, &f);
  if (rc)
    return rc;
  rc = seccomp_attach(t, f, p->log ? SECCOMP_FILTER_FLAG_LOG : 0);
  seccomp_filter_put(f);
  return rc;
}

int process_load(struct sentry *s, struct task *t, const struct oci_process *p, const char *path, struct err *e) {
  char home[1024 + 8] = "HOME=";
  char **env = calloc(p->env.n + 2, sizeof *env);
  struct file *f = NULL;
  if (!env)
    return err_set(e, "out of memory");
  int envc = 0;
  for (size_t i = 0; i < p->env.n; i++)
    env[envc++] = (char *)p->env.v[i];
  if (!env_get(p, "HOME")) {
    find_home(s, p->uid, home + 5, sizeof home - 5);
    env[envc++] = home;
  }
  int64_t rc = vfs_open(t, AT_FDCWD, path, &(struct open_how_k){.flags = O_RDONLY, .exec = true}, &f);
  if (!rc)
    rc = exec_program(t, &(struct exec_args){.file = f,
                                             .filename = path,
                                             .argv = (char **)p->args.v,
                                             .envp = env,
                                             .argc = (int)p->args.n,
                                             .envc = envc});
  if (f)
    file_put(f);
  free(env);
  if (rc == EXEC_DONE) {
    int bad = set_seccomp(s, t);
    return bad ? err_sys(e, -bad, "linux.seccomp") : 0;
  }
  return err_sys(e, rc < 0 ? (int)-rc : EIO, "exec %s", path);
}
