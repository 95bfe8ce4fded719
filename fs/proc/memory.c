/* /proc/PID: what needs the address space. Guest memory is read without parking while the areas are looked at. */
#include "proc.h"
#include "../../core/errno.h"
#include "../../core/uio.h"
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#define ARGS_MAX (2u << 20) /* of a command line or environment shown */
#define MEM_CHUNK 65536u

struct mm *proc_mm_of(const struct inode *i) {
  struct task *t = proc_task_borrow(i);
  return t && t->mm ? mm_get(t->mm) : NULL;
}

/* ---- arguments and environment ---- */
static int read_range(struct mm *m, struct sbuf *b, uint64_t from, uint64_t to) {
  if (to <= from)
    return 0;
  uint64_t n = to - from < ARGS_MAX ? to - from : ARGS_MAX;
  while (n) {
    size_t chunk = n < MEM_CHUNK ? n : MEM_CHUNK;
    char *dst = sb_reserve(b, chunk);
    if (!dst)
      return -ENOMEM;
    ssize_t r = mm_read(m, dst, from, chunk);
    if (r <= 0)
      return 0; /* unmapped: what there is */
    b->len += (size_t)r;
    from += (uint64_t)r;
    n -= (uint64_t)r;
  }
  return 0;
}

/* A program that overwrote the end of its arguments (setproctitle) is shown up to the first NUL, which may lie in what
 * was its environment. */
int proc_cmdline_show(struct inode *i, struct sbuf *b) {
  struct mm *m = proc_mm_of(i);
  if (!m)
    return proc_task_borrow(i) ? 0 : -ESRCH;
  int r = read_range(m, b, m->arg_start, m->arg_end);
  if (!r && b->len && b->p[b->len - 1] && m->env_start == m->arg_end) {
    r = read_range(m, b, m->env_start, m->env_end);
    b->len = b->len ? strnlen(b->p, b->len) : 0;
  }
  mm_put(m);
  return r;
}

int proc_environ_show(struct inode *i, struct sbuf *b) {
  struct mm *m = proc_mm_of(i);
  if (!m)
    return proc_task_borrow(i) ? 0 : -ESRCH;
  int r = read_range(m, b, m->env_start, m->env_end);
  mm_put(m);
  return r;
}

int proc_auxv_show(struct inode *i, struct sbuf *b) {
  struct task *t = proc_task_borrow(i);
  if (!t)
    return -ESRCH;
  if (t->mm)
    sb_put(b, t->mm->auxv, (size_t)t->mm->nauxv * sizeof t->mm->auxv[0]);
  return 0;
}

/* ---- maps ---- */
static const char *area_name(const struct area *a, const struct mm *m) {
  switch (a->kind) {
  case AREA_HEAP:
    return "[heap]";
  case AREA_STACK:
    return "[stack]";
  case AREA_VDSO:
    return "[vdso]";
  case AREA_VVAR:
    return "[vvar]";
  default:
    return a->kind == AREA_SHM && a->file && !a->file->dentry ? "/dev/zero (deleted)" : NULL;
  }
}

void proc_show_area(struct sbuf *b, const struct area *a, const struct mm *m) {
  size_t line = b->len;
  const struct inode *i = a->file && a->file->inode ? a->file->inode : NULL;
  dev_t dev = i ? i->sb->dev : 0;
  sb_printf(b, "%08llx-%08llx %c%c%c%c %08llx %02x:%02x %llu ", (unsigned long long)a->start,
            (unsigned long long)a->end, a->prot & PROT_READ ? 'r' : '-', a->prot & PROT_WRITE ? 'w' : '-',
            a->prot & PROT_EXEC ? 'x' : '-', a->flags & MAP_SHARED ? 's' : 'p', (unsigned long long)(i ? a->off : 0),
            major(dev), minor(dev), (unsigned long long)(i ? i->ino : 0));
  const char *name = area_name(a, m);
  char *buf = NULL;
  if (!name && a->file && a->file->dentry && task_current() && (buf = malloc(PATH_MAX))) {
    struct path p = {a->file->mnt, a->file->dentry};
    name = vfs_path_string(task_current(), &p, buf, PATH_MAX);
  }
  if (!name && a->file)
    name = a->file->anon_name;
  if (name) {
    while (!b->failed && b->len - line < 73)
      sb_put(b, " ", 1);
    sb_mangle(b, name, "\n");
  }
  free(buf);
  sb_put(b, "\n", 1);
}

int proc_maps_show(struct inode *i, struct sbuf *b) {
  struct mm *m = proc_mm_of(i);
  struct area *a;
  if (!m)
    return proc_task_borrow(i) ? 0 : -ESRCH;
  RB_FOREACH(a, area_tree, &m->areas)
  proc_show_area(b, a, m);
  mm_put(m);
  return 0;
}

/* ---- mem ---- */
/* The address space as it was at open, as long as the process still has it: an mm that nobody runs on cannot be read.
 */
struct mem_file {
  struct pid *pid;
  struct mm *mm;
};

static bool mem_alive(const struct mem_file *mf) {
  const struct task *t = proc_task_of_pid_borrow(mf->pid);
  return t && t->mm == mf->mm;
}

static ssize_t mem_transfer(struct file *f, struct uio *u, off_t *pos, bool write) {
  struct mem_file *mf = f->priv;
  struct mm *m = mf->mm;
  size_t total = 0;
  ssize_t r = 0;
  char *buf = malloc(MEM_CHUNK);
  if (!buf)
    return -ENOMEM;
  while (u->resid) {
    size_t n = u->resid < MEM_CHUNK ? u->resid : MEM_CHUNK;
    if (write)
      r = uio_copy_from(u, buf, n);
    else
      r = mem_alive(mf) ? mm_force_read(m, buf, (uint64_t)*pos, n) : 0;
    if (write && r > 0 && !mem_alive(mf))
      r = 0;
    if (r > 0)
      r = write ? mm_force_write(m, (uint64_t)*pos, buf, (size_t)r) : uio_copy_to(u, buf, (size_t)r);
    if (r <= 0)
      break;
    *pos += r;
    total += (size_t)r;
  }
  free(buf);
  if (total)
    return (ssize_t)total;
  return r == -EFAULT ? -EIO : r; /* nothing is mapped there */
}

static ssize_t mem_read(struct file *f, struct uio *u, off_t *pos) {
  return mem_transfer(f, u, pos, false);
}
static ssize_t mem_write(struct file *f, struct uio *u, off_t *pos) {
  return mem_transfer(f, u, pos, true);
}

/* Addresses are positions: all 64 bits are fine. */
static off_t mem_llseek(struct file *f, off_t off, int whence) {
  if (whence == SEEK_CUR)
    off += f->pos;
  else if (whence != SEEK_SET)
    return -EINVAL;
  return f->pos = off;
}

static void mem_release(struct file *f) {
  struct mem_file *mf = f->priv;
  mm_put(mf->mm);
  pid_put(mf->pid);
  free(mf);
}

static const struct file_ops mem_fops = {
    .name = "proc-mem", .read = mem_read, .write = mem_write, .llseek = mem_llseek, .release = mem_release};

int proc_mem_open(struct inode *i, struct file *f) {
  struct mem_file *mf = malloc(sizeof *mf);
  struct mm *m = proc_mm_of(i);
  if (!m || !mf) {
    mm_put(m);
    free(mf);
    return m ? -ENOMEM : -ESRCH;
  }
  *mf = (struct mem_file){pid_get(synth_ctx(i)), m};
  f->ops = &mem_fops;
  f->priv = mf;
  return 0;
}
