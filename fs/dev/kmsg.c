/* The kernel's log for readers: /dev/kmsg (a record per read) and /proc/kmsg. Writers add to it. */
#include "../../core/errno.h"
#include "dev.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KMSG_LINE 1024

/* Record `seq` of the ring, which is a line of text: its length, or -1. Sequence numbers count the lines that are left.
 */
static ssize_t find_line(const struct kernel *k, off_t seq, const char **line) {
  const char *p = k->dmesg, *end = k->dmesg + k->dmesg_len;
  while (p < end) {
    const char *nl = memchr(p, '\n', (size_t)(end - p));
    size_t n = nl ? (size_t)(nl - p) : (size_t)(end - p);
    if (seq-- == 0) {
      *line = p;
      return (ssize_t)n;
    }
    p += n + 1;
  }
  return -1;
}

/* "[    1.234567] text" becomes "6,SEQ,TIMESTAMP_US,-;text", see Documentation/ABI/testing/dev-kmsg. */
static ssize_t kmsg_read(struct file *f, struct uio *u, off_t *pos) {
  struct kernel *k = kernel_current();
  const char *line;
  char out[KMSG_LINE + 64];
  unsigned long sec = 0, usec = 0;
  int skip = 0;
  ssize_t n = find_line(k, f->pos, &line);
  if (n < 0)
    return u->nonblock ? -EAGAIN : 0;
  char *copy = strndup(line, n < KMSG_LINE ? (size_t)n : KMSG_LINE);
  if (!copy)
    return -ENOMEM;
  if (sscanf(copy, "[%lu.%lu] %n", &sec, &usec, &skip) < 2)
    skip = 0;
  int len = snprintf(out, sizeof out, "6,%lld,%lu,-;%s\n", (long long)f->pos, sec * 1000000 + usec, copy + skip);
  free(copy);
  if ((size_t)len > u->resid)
    return -EINVAL;
  ssize_t r = uio_copy_to(u, out, (size_t)len);
  if (r > 0)
    f->pos++;
  return r;
}

static ssize_t kmsg_write(struct file *f, struct uio *u, off_t *pos) {
  char buf[KMSG_LINE];
  size_t n = u->resid;
  if (n >= sizeof buf)
    return -EINVAL;
  ssize_t r = uio_copy_from(u, buf, n);
  if (r < 0)
    return r;
  char *text = buf, *end;
  buf[r] = 0;
  if (*text == '<') { /* "<priority>" */
    strtoul(text + 1, &end, 10);
    if (*end == '>')
      text = end + 1;
  }
  for (char *c = text; *c; c++)
    if (*c == '\n' || *c == '\r')
      *c = c[1] ? ' ' : 0;
  klog(kernel_current(), "%s", text);
  return r;
}

static off_t kmsg_llseek(struct file *f, off_t off, int whence) {
  const char *line;
  if (off)
    return -ESPIPE;
  f->pos = 0;
  if (whence == SEEK_END)
    while (find_line(kernel_current(), f->pos, &line) >= 0)
      f->pos++;
  else if (whence != SEEK_SET && whence != SEEK_DATA)
    return -EINVAL;
  return 0;
}

static uint32_t kmsg_poll(struct file *f) {
  const char *line;
  bool more = find_line(kernel_current(), f->pos, &line) >= 0;
  return EPOLLOUT | EPOLLWRNORM | (more ? EPOLLIN | EPOLLRDNORM : 0u);
}

static const struct file_ops kmsg_fops = {
    .name = "kmsg",
    .read = kmsg_read,
    .write = kmsg_write,
    .llseek = kmsg_llseek,
    .poll = kmsg_poll,
};

int kmsg_open(struct inode *i, struct file *f) {
  f->ops = &kmsg_fops;
  return 0;
}

int kmsg_chrdev_register(void) {
  return chrdev_register(1, 11, 11, kmsg_open);
}
