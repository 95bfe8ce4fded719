/*
 * /proc/PID/pagemap, clear_refs and map_files: proc_pid_pagemap(5). The host's pagemap is passed on for what belongs to
 * the guest; frame numbers it does not tell, as no unprivileged reader learns them.
 */
#include "proc.h"
#include "../../core/area.h"
#include "../../core/errno.h"
#include "../../core/uio.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PM_FLAGS (0xffull << 55 & ~(1ull << 57) & ~(1ull << 58)) /* bits 55, 56, 59 to 62 */
#define PM_PRESENT (1ull << 63)
#define ENTRIES 512 /* at once */

static void mask_entries(struct mm *m, uint64_t page, uint64_t *e, size_t n) {
  struct area *a = NULL;
  for (size_t i = 0; i < n; i++) {
    uint64_t addr = (page + i) * PAGE_SIZE;
    if (!a || addr >= a->end)
      a = mm_find_next_borrow(m, addr);
    e[i] = a && addr >= a->start ? e[i] & (PM_FLAGS | PM_PRESENT) : 0;
  }
}

static ssize_t pagemap_read(struct file *f, struct uio *u, off_t *pos) {
  struct mm *m = f->priv;
  uint64_t max = mm_addr_max() / PAGE_SIZE + 1, buf[ENTRIES];
  size_t total = 0;
  if ((*pos & 7) || (u->resid & 7))
    return -EINVAL;
  while (u->resid) {
    uint64_t page = (uint64_t)*pos / 8;
    size_t n = u->resid / 8 < ENTRIES ? u->resid / 8 : ENTRIES;
    if (page >= max)
      break;
    if (n > max - page)
      n = max - page;
    memset(buf, 0, n * 8);
    int fd = mm_look(m, PLAT_LOOK_PAGEMAP);
    if (fd == -ESRCH)
      break;
    if (fd >= 0 && pread(fd, buf, n * 8, *pos) > 0)
      mask_entries(m, page, buf, n);
    ssize_t r = uio_copy_to(u, buf, n * 8);
    if (r < 0)
      return total ? (ssize_t)total : r;
    *pos += r;
    total += (size_t)r;
    if ((size_t)r < n * 8)
      break;
  }
  return (ssize_t)total;
}

static off_t pagemap_llseek(struct file *f, off_t off, int whence) {
  if (whence == SEEK_CUR)
    off += f->pos;
  else if (whence != SEEK_SET)
    return -EINVAL;
  return f->pos = off;
}

static void pagemap_release(struct file *f) {
  mm_put(f->priv);
}

static const struct file_ops pagemap_fops = {
    .name = "proc-pagemap", .read = pagemap_read, .llseek = pagemap_llseek, .release = pagemap_release};

int proc_pagemap_open(struct inode *i, struct file *f) {
  struct mm *m = proc_mm_of(i);
  if (!m)
    return -ESRCH;
  f->ops = &pagemap_fops;
  f->priv = m;
  return 0;
}

/* 1 to 3 clear the referenced bits, 4 the soft-dirty ones, 5 the peak of resident memory: the host keeps all of them.
 */
ssize_t proc_clear_refs_store(struct inode *i, char *buf, size_t n) {
  char *end;
  long type = strtol(buf, &end, 10);
  if (*end == '\n')
    end++;
  if (end == buf || *end || type < 1 || type > 5)
    return -EINVAL;
  struct mm *m = proc_mm_of(i);
  if (!m)
    return -ESRCH;
  int fd = mm_look(m, PLAT_LOOK_CLEAR_REFS);
  ssize_t r = fd < 0 ? fd : pwrite(fd, (char[]){(char)('0' + type)}, 1, 0) == 1 ? (ssize_t)n : -errno;
  mm_put(m);
  return r;
}

/* ---- map_files: a link START-END per mapped file ---- */

static struct file *mapped_file(const struct inode *i) {
  struct task *t = proc_task_borrow(i);
  struct area *a = t && t->mm ? mm_find_borrow(t->mm, synth_num(i)) : NULL;
  return a && a->start == synth_num(i) && a->file ? file_get(a->file) : NULL;
}

static int map_alive(struct inode *i) {
  AUTO_FILE f = mapped_file(i);
  if (!f)
    return 0;
  i->mode = S_IFLNK | 0400 | (file_can_write(f) ? 0200 : 0);
  return 1;
}
static ssize_t map_link(struct inode *i, char *buf, size_t cap) {
  AUTO_FILE f = mapped_file(i);
  return f ? proc_file_text(f, buf, cap) : -ENOENT;
}
static int map_follow(struct inode *i, struct mount **m, struct dentry **d) {
  AUTO_FILE f = mapped_file(i);
  if (!f)
    return -ENOENT;
  struct task *t = task_current();
  if (!t || !(cred_has_cap(t->cred, 21 /* CAP_SYS_ADMIN */) || cred_has_cap(t->cred, 40 /* CAP_CHECKPOINT_RESTORE */)))
    return -EPERM;
  struct path p;
  int r = vfs_file_path(f, &p);
  if (!r) {
    *m = p.mnt;
    *d = p.dentry;
  }
  return r;
}

static const struct synth_ent map_ent = {
    .mode = S_IFLNK | 0400, .link = map_link, .follow = map_follow, .alive = map_alive, .allow = proc_allow};

int proc_map_files_lookup(struct inode *dir, const char *name, struct synth_child *c) {
  struct task *t = proc_task_borrow(dir);
  char *dash, *end, again[64];
  uint64_t start = strtoull(name, &dash, 16), stop = *dash == '-' ? strtoull(dash + 1, &end, 16) : 0;
  struct area *a = t && t->mm ? mm_find_borrow(t->mm, start) : NULL;
  snprintf(again, sizeof again, "%llx-%llx", (unsigned long long)start, (unsigned long long)stop);
  if (strcmp(again, name) || !a || a->start != start || a->end != stop || !a->file)
    return -ENOENT;
  c->ent = &map_ent;
  c->n = start;
  return 0;
}

int proc_map_files_next(struct inode *dir, uint64_t key, struct synth_child *c) {
  struct task *t = proc_task_borrow(dir);
  if (!t)
    return -ENOENT;
  struct area *a = t->mm ? mm_find_next_borrow(t->mm, key * PAGE_SIZE) : NULL;
  for (; a; a = RB_NEXT(area_tree, &t->mm->areas, a)) {
    if (!a->file || a->start < key * PAGE_SIZE)
      continue;
    snprintf(c->name, sizeof c->name, "%llx-%llx", (unsigned long long)a->start, (unsigned long long)a->end);
    c->ent = &map_ent;
    c->key = a->start / PAGE_SIZE;
    return 1;
  }
  return 0;
}
