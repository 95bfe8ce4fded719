/* Memory devices, major 1: null(4), full(4), random(4). */
#include "../../core/errno.h"
#include "../../core/loop.h"
#include "../../core/signal.h"
#include "dev.h"
#include <string.h>
#include <sys/random.h>
#include <sys/sysmacros.h>

#define SLICE (4u << 20) /* bytes made before the loop gets a turn */

/* Long transfers let others run, and end early on a signal, as in Linux. False: stop. */
static bool breathe(size_t *since, size_t n) {
  *since += n;
  if (*since < SLICE)
    return true;
  *since = 0;
  return task_sleep(loop_now()) != -ERESTARTSYS;
}

static ssize_t null_read(struct file *f, struct uio *u, off_t *pos) {
  return 0;
}

static ssize_t null_write(struct file *f, struct uio *u, off_t *pos) {
  size_t n = u->resid;
  uio_advance(u, n);
  return (ssize_t)n;
}

static ssize_t full_write(struct file *f, struct uio *u, off_t *pos) {
  return -ENOSPC; /* whatever the length */
}

static ssize_t zero_read(struct file *f, struct uio *u, off_t *pos) {
  size_t total = 0, since = 0;
  while (u->resid) {
    size_t n = u->resid < SLICE ? u->resid : SLICE;
    ssize_t r = uio_zero(u, n);
    if (r < 0)
      return total ? (ssize_t)total : r;
    total += (size_t)r;
    if ((size_t)r < n || !breathe(&since, n))
      break;
  }
  return (ssize_t)total;
}

static ssize_t random_read(struct file *f, struct uio *u, off_t *pos) {
  unsigned char buf[4096];
  size_t total = 0, since = 0;
  while (u->resid) {
    size_t n = u->resid < sizeof buf ? u->resid : sizeof buf;
    ssize_t r = getrandom(buf, n, GRND_NONBLOCK);
    if (r < 0)
      r = -errno;
    else
      r = uio_copy_to(u, buf, (size_t)r);
    if (r <= 0)
      return total ? (ssize_t)total : r;
    total += (size_t)r;
    if ((size_t)r < n || !breathe(&since, n))
      break;
  }
  explicit_bzero(buf, sizeof buf);
  return (ssize_t)total;
}

/* Devices without positions answer 0 to every lseek (null_lseek). */
static off_t null_llseek(struct file *f, off_t off, int whence) {
  return f->pos = 0;
}

/* Private mappings of /dev/zero are anonymous memory; shared ones too, as among relatives there is nothing to tell them
 * apart but the sharing itself, which the area has. */
static int zero_mmap(struct file *f, int prot, int flags, off_t off, size_t len, off_t *host_off) {
  return MMAP_ANON;
}

static const struct file_ops null_fops = {
    .name = "null", .read = null_read, .write = null_write, .llseek = null_llseek};
static const struct file_ops zero_fops = {
    .name = "zero", .read = zero_read, .write = null_write, .llseek = null_llseek, .mmap = zero_mmap};
static const struct file_ops full_fops = {
    .name = "full", .read = zero_read, .write = full_write, .llseek = null_llseek};
/* What is written would be mixed into the pool: the host's pool needs no help from guests. */
static const struct file_ops random_fops = {
    .name = "random", .read = random_read, .write = null_write, .llseek = null_llseek};

static int mem_open(struct inode *i, struct file *f) {
  switch (minor(i->rdev)) {
  case 3:
    f->ops = &null_fops;
    return 0;
  case 5:
    f->ops = &zero_fops;
    return 0;
  case 7:
    f->ops = &full_fops;
    return 0;
  case 8:
  case 9:
    f->ops = &random_fops;
    return 0;
  default:
    return -ENXIO;
  }
}

int mem_chrdevs_register(void) {
  return chrdev_register(1, 3, 9, mem_open);
}
