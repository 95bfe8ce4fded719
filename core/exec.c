/*
 * execve(2). The new program is put together completely in a fresh host process before the old one is touched; only
 * then do the other threads end and the task moves over.
 */
#include "area.h"
#include "elf.h"
#include "errno.h"
#include "exec_stack.h"
#include "kernel.h"
#include <limits.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/random.h>

#define HEAD 4096 /* read of each file at once: nearly always holds the program headers and the interpreter's name */
#define MAX_SCRIPTS 5
#define STACK_SIZE (8ul << 20)
#define STACK_SPARE (128 * 1024ul) /* below the arguments, whatever the limits say */
#define ADDR_NO_RANDOMIZE_K 0x0040000
/* READ_IMPLIES_EXEC, ADDR_NO_RANDOMIZE, ADDR_COMPAT_LAYOUT, MMAP_PAGE_ZERO: personality(2) */
#define PER_CLEAR_ON_SETID_K (0x0400000 | ADDR_NO_RANDOMIZE_K | 0x0200000 | 0x0100000)
#ifndef AT_MINSIGSTKSZ
#define AT_MINSIGSTKSZ 51
#endif

struct exec {
  struct task *t;
  const char *filename;
  struct file *file;   /* counted: what is executed in the end, scripts resolved */
  struct file *interp; /* counted: the ELF interpreter, or NULL */
  struct elf_image img, interp_img;
  char **argv; /* own array; own strings at [0, nown) */
  int argc, nown;
  char **envp;
  int envc;
  struct cred *cred;
  bool secure, hidden;
  bool nondump;       /* a file that the caller cannot read */
  uint32_t per_clear; /* personality bits that go */
  char head[HEAD];
};

/* ---- what to execute ---- */

static ssize_t read_at(struct file *f, void *buf, size_t n, off_t pos) {
  size_t done = 0;
  while (done < n) {
    struct iovec v;
    struct uio u;
    uio_kernel(&u, &v, (char *)buf + done, n - done);
    ssize_t r = file_read(f, &u, &pos);
    if (r < 0)
      return r;
    if (!r)
      break;
    done += (size_t)r;
  }
  return (ssize_t)done;
}

/* Bytes [off, off + n) of f, of which e->head holds the first `have`. 0 or -errno. */
static int get_bytes(struct exec *e, struct file *f, size_t have, void *buf, size_t n, uint64_t off) {
  if (off <= have && n <= have - off) {
    memcpy(buf, e->head + off, n);
    return 0;
  }
  ssize_t r = read_at(f, buf, n, (off_t)off);
  return r < 0 ? (int)r : (size_t)r < n ? -ENOEXEC : 0;
}

static int parse_elf(struct exec *e, struct file *f, size_t have, struct elf_image *img) {
  int r = elf_parse_header(e->head, have, img);
  if (r < 0)
    return r;
  size_t n = (size_t)img->phnum * sizeof(Elf64_Phdr);
  void *ph = malloc(n);
  if (!ph)
    return -ENOMEM;
  r = get_bytes(e, f, have, ph, n, img->phoff);
  if (!r)
    r = elf_parse_phdrs(ph, n, img, mm_addr_max());
  free(ph);
  return r;
}

static int open_interp(struct exec *e, size_t have) {
  char path[PATH_MAX];
  int r = get_bytes(e, e->file, have, path, e->img.interp_len, e->img.interp_off);
  if (r < 0)
    return r;
  if (path[e->img.interp_len - 1])
    return -ENOEXEC;
  r = e->t->k->hooks.open_exec(e->t, path, &e->interp);
  if (r < 0)
    return r;
  ssize_t n = read_at(e->interp, e->head, HEAD, 0);
  if (n < 0)
    return (int)n;
  r = parse_elf(e, e->interp, (size_t)n, &e->interp_img);
  return r == -ENOEXEC || r == -EINVAL ? -ELIBBAD : r;
}

/* argv becomes: interpreter, its argument, the script's name, the old argv from [1] on. */
static int script_args(struct exec *e, const char *interp, const char *arg, const char *script) {
  int add = *arg ? 3 : 2, keep = e->argc > 0 ? e->argc - 1 : 0;
  char **v = calloc((size_t)(add + keep + 1), sizeof *v);
  if (!v)
    return -ENOMEM;
  int n = 0, own;
  v[n++] = strdup(interp);
  if (*arg)
    v[n++] = strdup(arg);
  v[n++] = strdup(script);
  own = n;
  for (int i = 1; i < e->argc; i++)
    v[n++] = e->argv[i];
  /* The script's own strings that stay are those behind argv[0]: of a first script's two or three. */
  int old_own = e->nown;
  if (old_own > 0)
    free(e->argv[0]);
  free(e->argv);
  e->argv = v;
  e->argc = n;
  e->nown = own + (old_own > 0 ? old_own - 1 : 0);
  for (int i = 0; i < own; i++)
    if (!v[i])
      return -ENOMEM;
  return 0;
}

static int next_script(struct exec *e, size_t have, char interp[BINPRM_BUF_SIZE]) {
  char arg[BINPRM_BUF_SIZE], script[PATH_MAX];
  size_t n = have < BINPRM_BUF_SIZE ? have : BINPRM_BUF_SIZE;
  /* The script of a nested level is the interpreter that the level above named. */
  snprintf(script, sizeof script, "%s", interp[0] ? interp : e->filename);
  int r = script_parse(e->head, n, interp, arg);
  if (!r && e->hidden)
    r = -ENOENT;
  if (!r)
    r = script_args(e, interp, arg, script);
  if (r < 0)
    return r;
  struct file *f;
  r = e->t->k->hooks.open_exec(e->t, interp, &f);
  if (r < 0)
    return r;
  file_put(e->file);
  e->file = f;
  return 0;
}

/* Follow #! lines to an ELF file and parse it, its interpreter too. */
static int resolve(struct exec *e) {
  char interp[BINPRM_BUF_SIZE] = "";
  for (int depth = 0;; depth++) {
    ssize_t n = read_at(e->file, e->head, HEAD, 0);
    if (n < 0)
      return (int)n;
    if (!script_is(e->head, (size_t)n)) {
      int r = parse_elf(e, e->file, (size_t)n, &e->img);
      return r < 0 || !e->img.interp_len ? r : open_interp(e, (size_t)n);
    }
    if (depth == MAX_SCRIPTS)
      return -ELOOP;
    int r = next_script(e, (size_t)n, interp);
    if (r < 0)
      return r;
  }
}

/* Is t's fs_struct also that of another process (CLONE_FS)? */
static bool fs_shared(const struct task *t) {
  const struct process *p;
  const struct task *o;
  if (!t->fs || !t->k->hooks.fs_is_shared || !t->k->hooks.fs_is_shared(t->fs))
    return false;
  LIST_FOREACH(p, &t->k->processes, all) {
    if (p == t->proc)
      continue;
    LIST_FOREACH(o, &p->threads, thread_link) if (o->fs == t->fs) return true;
  }
  return false;
}

static int new_cred(struct exec *e) {
  struct task *t = e->t;
  const struct kernel_hooks *h = &t->k->hooks;
  struct exec_file f = {.ncaps = -ENODATA};
  struct exec_cred c;
  int r = h->exec_file ? h->exec_file(t, e->file, &f) : 0;
  if (r < 0)
    return r;
  unsigned unsafe = fs_shared(t) ? EXEC_UNSAFE_SHARE : 0;
  if (t->ptracer && !ns_capable(t->ptracer->cred, t->cred->user_ns, CAP_SYS_PTRACE))
    unsafe |= EXEC_UNSAFE_PTRACE;
  r = cred_exec(t->cred, &f, unsafe, &c);
  if (r < 0)
    return r;
  e->cred = c.cred;
  e->secure = c.secure;
  e->per_clear = c.gained ? PER_CLEAR_ON_SETID_K : 0;
  e->nondump = f.unreadable || (e->interp && h->file_unreadable && h->file_unreadable(t, e->interp));
  return 0;
}

/* ---- putting it together ---- */

static int place_stack(struct exec_new *n, const struct exec *e, size_t used) {
  struct mm *m = n->mm;
  uint64_t size = task_rlimit(n->t, RLIMIT_STACK), need = used + STACK_SPARE;
  if (size > STACK_SIZE)
    size = STACK_SIZE;
  size = PAGE_ALIGN(size > need ? size : need);
  struct area a = {.start = m->stack_end - size,
                   .end = m->stack_end,
                   .prot = PROT_READ | PROT_WRITE | (e->img.exec_stack ? PROT_EXEC : 0),
                   .max_prot = PROT_READ | PROT_WRITE | PROT_EXEC,
                   .flags = MAP_PRIVATE | MAP_GROWSDOWN,
                   .kind = AREA_STACK,
                   .host_fd = -1};
  if (!mm_may_expand(n->t, m, used / PAGE_SIZE, false))
    return -ENOMEM;
  m->stack_start = a.start;
  return mm_place(m, n->ctx, &a, 0);
}

/* The host's vDSO knows nothing of a time namespace: its clocks come to the Sentry instead. */
static bool clock_is_shifted(const struct task *t) {
  const struct time_namespace *ns = t->nsproxy ? t->nsproxy->time_for_children : NULL;
  return ns && (ns->monotonic || ns->boottime);
}

static int make_auxv(const struct exec_new *n, const struct exec *e, uint64_t (*v)[2]) {
  const struct cred *c = e->cred;
  const uint64_t pairs[][2] = {
      {AT_SYSINFO_EHDR, clock_is_shifted(n->t) ? 0 : plat_layout(n->t->k->plat)->vdso},
      {AT_MINSIGSTKSZ, getauxval(AT_MINSIGSTKSZ)},
      {AT_HWCAP, getauxval(AT_HWCAP)},
      {AT_PAGESZ, PAGE_SIZE},
      {AT_CLKTCK, 100},
      {AT_PHDR, n->phdr},
      {AT_PHENT, sizeof(Elf64_Phdr)},
      {AT_PHNUM, (uint64_t)n->phnum},
      {AT_BASE, n->base},
      {AT_FLAGS, 0},
      {AT_ENTRY, n->prog_entry},
      {AT_UID, c->uid},
      {AT_EUID, c->euid},
      {AT_GID, c->gid},
      {AT_EGID, c->egid},
      {AT_SECURE, e->secure},
      {AT_RANDOM, 0},
      {AT_HWCAP2, getauxval(AT_HWCAP2)},
      {AT_EXECFN, 0},
      {AT_PLATFORM, 0},
  };
  int k = 0;
  for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
    if ((pairs[i][0] == AT_MINSIGSTKSZ || pairs[i][0] == AT_SYSINFO_EHDR) && !pairs[i][1])
      continue;
    memcpy(v[k++], pairs[i], sizeof pairs[i]);
  }
  return k;
}

static int write_batch(struct mm *m, struct iovec *local, struct iovec *remote, int n) {
  size_t want = 0;
  for (int i = 0; i < n; i++) {
    mm_prefault(m, (uint64_t)remote[i].iov_base, remote[i].iov_len);
    want += remote[i].iov_len;
  }
  ssize_t r = plat_writev(m->as, local, n, remote, n);
  return r < 0 || (size_t)r != want ? -EFAULT : 0;
}

/* The stack and the zeros behind the data segments, in one host call. */
static int write_memory(struct exec_new *n, const struct stack_out *s) {
  static const char zeros[PAGE_SIZE];
  int total = n->nzero + 1;
  struct iovec *local = calloc(2 * (size_t)total, sizeof *local), *remote = local + total;
  if (!local)
    return -ENOMEM;
  for (int i = 0; i < n->nzero; i++) {
    remote[i] = n->zero[i];
    local[i] = (struct iovec){(void *)zeros, n->zero[i].iov_len};
  }
  remote[n->nzero] = (struct iovec){(void *)s->sp, s->len};
  local[n->nzero] = (struct iovec){s->buf, s->len};
  int r = write_batch(n->mm, local, remote, total);
  free(local);
  return r;
}

static int build_stack(struct exec_new *n, const struct exec *e, struct stack_out *s) {
  struct mm *m = n->mm;
  uint64_t auxv[24][2];
  struct stack_in in = {.argv = e->argv, .argc = e->argc, .envp = e->envp, .envc = e->envc, .execfn = e->filename};
  memcpy(in.random, n->rnd, sizeof in.random);
  in.top = m->stack_end;
  in.jitter = m->aslr_off ? 0 : (n->rnd[2] ^ n->rnd[3]) & 0x1ff0;
  in.auxv = auxv;
  in.nauxv = make_auxv(n, e, auxv);
  int r = stack_build(&in, s);
  if (r < 0)
    return r;
  memcpy(m->auxv, auxv, sizeof auxv[0] * (size_t)in.nauxv);
  m->auxv[2 * in.nauxv] = m->auxv[2 * in.nauxv + 1] = AT_NULL;
  m->nauxv = 2 * (in.nauxv + 1);
  m->arg_start = s->arg_start;
  m->arg_end = s->arg_end;
  m->env_start = s->env_start;
  m->env_end = s->env_end;
  return 0;
}

static int build(struct exec_new *n, const struct exec *e, uint64_t *sp) {
  struct stack_out s = {0};
  if (getrandom(n->rnd, sizeof n->rnd, 0) != sizeof n->rnd)
    return -EAGAIN;
  n->mm = mm_new();
  if (!n->mm)
    return -ENOMEM;
  n->mm->aslr_off = n->t->personality & ~e->per_clear & ADDR_NO_RANDOMIZE_K;
  int r = plat_spawn(n->t->k->plat, &n->ctx);
  if (r < 0)
    return r;
  mm_set_as(n->mm, n->ctx);
  r = elf_place(n, e->file, &e->img, e->interp, &e->interp_img);
  if (!r)
    r = build_stack(n, e, &s);
  if (!r)
    r = place_stack(n, e, s.len);
  if (!r)
    r = plat_flush(n->ctx);
  if (!r)
    r = write_memory(n, &s);
  *sp = s.sp;
  free(s.buf);
  n->mm->exe = file_get(e->file);
  return r;
}

/* ---- the point of no return ---- */

/* CLONE_FILES and CLONE_SIGHAND end with exec. */
static int unshare(struct task *t) {
  if (t->files && t->files->ref.n > 1) {
    struct fdtable *own = fdtable_dup(t->files);
    if (!own)
      return -ENOMEM;
    fdtable_put(t->files);
    t->files = own;
  }
  if (t->sighand && t->sighand->ref.n > 1) {
    struct sighand *own = sighand_dup(t->sighand);
    if (!own)
      return -ENOMEM;
    sighand_put(t->sighand);
    t->sighand = own;
  }
  return 0;
}

static void set_comm(struct task *t, const char *filename) {
  const char *slash = strrchr(filename, '/');
  memset(t->comm, 0, sizeof t->comm);
  memcpy(t->comm, slash ? slash + 1 : filename, strnlen(slash ? slash + 1 : filename, sizeof t->comm - 1));
}

static void move_over(struct exec *e, struct exec_new *n, uint64_t sp) {
  struct task *t = e->t;
  struct plat_ctx *old_ctx = t->ctx;
  struct mm *old_mm = t->mm;
  if (old_mm)
    futex_exit(t);
  if (old_ctx)
    task_account_host(t);
  t->ctx = n->ctx;
  t->mm = n->mm;
  n->ctx = NULL;
  n->mm = NULL;
  plat_set_task(t->ctx, t);
  if (old_ctx)
    plat_kill(old_ctx); /* a vfork child's own process; else all that is left of the old program */
  task_enter_time_ns(t);
  t->entry_ip = n->entry;
  t->entry_sp = sp;
  set_comm(t, e->filename);
  /* begin_new_exec() goes by the old ids; what the new ones gain is task_set_cred()'s business. */
  t->dumpable_off = e->nondump || t->cred->euid != t->cred->uid || t->cred->egid != t->cred->gid;
  t->personality &= ~e->per_clear;
  task_set_cred(t, e->cred);
  int r = unshare(t);
  task_exec_reset(t);
  if (e->secure)
    t->pdeath_signal = 0;
  mm_put(old_mm);
  if (r < 0)
    process_exit_group(t->proc, SIGKILL);
  else if (t->files)
    fdtable_close_cloexec(t->files);
}

static void discard(struct exec_new *n) {
  if (n->ctx)
    plat_kill(n->ctx);
  mm_put(n->mm);
}

static int run(struct exec *e) {
  struct exec_new n = {.t = e->t};
  uint64_t sp = 0;
  int r = build(&n, e, &sp);
  if (!r && e->t->killed)
    r = -EAGAIN;
  if (!r)
    r = task_dethread(e->t);
  if (!r)
    move_over(e, &n, sp);
  else
    discard(&n);
  free(n.zero);
  return r;
}

static int copy_vectors(struct exec *e, const struct exec_args *a) {
  int n = a->argc > 0 ? a->argc : 1;
  e->argv = calloc((size_t)n + 1, sizeof *e->argv);
  if (!e->argv)
    return -ENOMEM;
  for (int i = 0; i < a->argc; i++)
    e->argv[i] = a->argv[i];
  e->argc = n;
  e->envp = a->envp;
  e->envc = a->envc;
  if (a->argc > 0)
    return 0;
  e->argv[0] = strdup(""); /* a program never sees argc 0 (Linux 5.18) */
  e->nown = 1;
  return e->argv[0] ? 0 : -ENOMEM;
}

int64_t exec_program(struct task *t, const struct exec_args *a) {
  struct exec *e = calloc(1, sizeof *e);
  if (!e)
    return -ENOMEM;
  e->t = t;
  e->filename = a->filename;
  e->hidden = a->hidden;
  e->file = file_get(a->file);
  int64_t r = copy_vectors(e, a);
  uint64_t limit = task_rlimit(t, RLIMIT_STACK);
  if (!r)
    r = stack_check_size(e->argv, e->argc, e->envp, e->envc, e->filename, limit);
  if (!r)
    r = resolve(e);
  if (!r) /* again: #! lines have added to it */
    r = stack_check_size(e->argv, e->argc, e->envp, e->envc, e->filename, limit);
  if (!r)
    r = new_cred(e);
  if (!r)
    r = run(e);
  for (int i = 0; e->argv && i < e->nown; i++)
    free(e->argv[i]);
  free(e->argv);
  cred_put(e->cred);
  file_put(e->file);
  if (e->interp)
    file_put(e->interp);
  free(e);
  return r < 0 ? r : EXEC_DONE;
}
