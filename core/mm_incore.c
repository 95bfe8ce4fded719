/* mincore(2): which pages are in memory. */
#include "area.h"
#include "errno.h"
#include "kernel.h"
#include "uaccess.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PM_PRESENT (1ull << 63)
#define BATCH 4096ul /* pages at once, as many as Linux answers from one page */

/* What of the object behind an area exists: the page cache of memory files. A hole reads as zeroes and is not there. */
static void object_pages(const struct area *a, uint64_t start, uint64_t end, unsigned char *vec) {
  off_t off = a->host_off + (off_t)(start - a->start), stop = off + (off_t)(end - start), at = off;
  while (at < stop) {
    off_t data = lseek(a->host_fd, at, SEEK_DATA);
    if (data < 0 || data >= stop)
      return;
    off_t hole = lseek(a->host_fd, data, SEEK_HOLE);
    if (hole < 0 || hole > stop)
      hole = stop;
    for (off_t p = data & ~(off_t)(PAGE_SIZE - 1); p < hole; p += (off_t)PAGE_SIZE)
      vec[(p - off) / (off_t)PAGE_SIZE] = 1;
    at = hole;
  }
}

/*
 * The pages of one area: those in the page table, and those in the page cache. Of files that the caller may not write,
 * Linux says that all is there, so as not to tell what others read; of a host file the Sentry knows no more.
 */
static void area_incore(struct mm *m, const struct area *a, uint64_t start, uint64_t end, unsigned char *vec) {
  size_t n = (end - start) / PAGE_SIZE;
  uint64_t entries[512];
  int fd = mm_look(m, PLAT_LOOK_PAGEMAP);
  if (a->host_fd >= 0 && a->file && a->file->ops->may_block_mmap)
    fd = -1;
  memset(vec, fd < 0, n);
  if (fd < 0)
    return;
  if (a->host_fd >= 0)
    object_pages(a, start, end, vec);
  for (size_t i = 0; i < n; i++) {
    if (i % 512 == 0) {
      size_t want = n - i < 512 ? n - i : 512;
      memset(entries, 0, sizeof entries);
      if (pread(fd, entries, want * 8, (off_t)((start / PAGE_SIZE + i) * 8)) < 0)
        memset(entries, 0, sizeof entries); /* the process is being ended */
    }
    vec[i] |= (entries[i % 512] & PM_PRESENT) != 0;
  }
}

int mm_incore(struct mm *m, uint64_t addr, size_t n, unsigned char *vec) {
  uint64_t at = addr, end = addr + n * PAGE_SIZE;
  mm_look(m, PLAT_LOOK_PAGEMAP); /* may park; not below */
  while (at < end) {
    struct area *a = mm_find_borrow(m, at);
    if (!a)
      return -ENOMEM;
    uint64_t stop = a->end < end ? a->end : end;
    area_incore(m, a, at, stop, vec + (at - addr) / PAGE_SIZE);
    at = stop;
  }
  return 0;
}

int64_t mm_mincore(struct task *t, uint64_t addr, uint64_t len, uint64_t vec) {
  struct mm *m = t->mm;
  if (addr & (PAGE_SIZE - 1))
    return -EINVAL;
  if (!access_ok(addr, len))
    return -ENOMEM;
  uint64_t pages = PAGE_ALIGN(len) / PAGE_SIZE;
  if (!access_ok(vec, pages))
    return -EFAULT;
  unsigned char *buf = malloc(BATCH);
  int64_t r = buf ? 0 : -ENOMEM;
  while (pages && !r) {
    size_t n = pages < BATCH ? pages : BATCH;
    r = mm_incore(m, addr, n, buf);
    if (!r && copy_to_user(vec, buf, n))
      r = -EFAULT;
    addr += n * PAGE_SIZE;
    vec += n;
    pages -= n;
  }
  free(buf);
  return r;
}
