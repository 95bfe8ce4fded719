/*
 * Address spaces as the host's procfs shows them: a debugger's reads and writes, which no page protection stops, and
 * what is really in memory. Everything falls back on what can be known without it: a host may refuse to mount one.
 */
#include "area.h"
#include "errno.h"
#include "kernel.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int mm_look(struct mm *m, enum plat_look what) {
  struct kernel *k = kernel_current();
  int pid, fd = m && m->as ? plat_look_fd(m->as, what, &pid) : -ESRCH;
  if (fd != -ENOENT || !k || !k->hooks.look_open)
    return fd;
  struct plat_as *as = plat_as_get(m->as);
  fd = k->hooks.look_open(k, pid, what);
  if (fd >= 0)
    fd = plat_look_keep(as, what, pid, fd);
  plat_as_put(as);
  return fd;
}

/* How much of [addr, addr + len) a debugger may reach: check_vma_flags() with FOLL_FORCE. The stub is no area. */
static size_t reachable(struct mm *m, uint64_t addr, size_t len, bool write) {
  uint64_t at = addr, end = addr + len < addr ? UINT64_MAX : addr + len;
  while (at < end) {
    struct area *a = mm_find_borrow(m, at);
    if (!a || a->kind == AREA_VVAR || (a->advice & AREA_SECRET))
      break;
    /* Write into what the guest may not write: only where that makes a copy. */
    if (write && !(a->prot & PROT_WRITE) && (a->flags & MAP_SHARED))
      break;
    at = a->end;
  }
  return (at < end ? at : end) - addr;
}

ssize_t mm_force_read(struct mm *m, void *dst, uint64_t addr, size_t len) {
  if (!m || !m->as)
    return -ESRCH;
  mm_prefault(m, addr, len);
  int fd = mm_look(m, PLAT_LOOK_MEM);
  size_t n = reachable(m, addr, len, false);
  if (!n)
    return len ? -EFAULT : 0;
  if (fd < 0)
    return plat_read(m->as, dst, addr, n);
  ssize_t r = pread(fd, dst, n, (off_t)addr);
  return r > 0 ? r : r == 0 ? -ESRCH : errno == EIO ? -EFAULT : -errno;
}

ssize_t mm_force_write(struct mm *m, uint64_t addr, const void *src, size_t len) {
  if (!m || !m->as)
    return -ESRCH;
  mm_prefault(m, addr, len);
  int fd = mm_look(m, PLAT_LOOK_MEM);
  size_t n = reachable(m, addr, len, true);
  if (!n)
    return len ? -EFAULT : 0;
  if (fd < 0)
    return plat_write(m->as, addr, src, n);
  ssize_t r = pwrite(fd, src, n, (off_t)addr);
  return r > 0 ? r : r == 0 ? -ESRCH : errno == EIO ? -EFAULT : -errno;
}

static uint64_t kb_of(const char *text, const char *name) {
  const char *p = strstr(text, name);
  return p ? strtoull(p + strlen(name), NULL, 10) * 1024 : 0;
}

int mm_rss(struct mm *m, struct mm_rss *out) {
  char text[4096];
  *out = (struct mm_rss){0};
  int fd = mm_look(m, PLAT_LOOK_STATUS);
  if (fd < 0)
    return fd;
  ssize_t n = pread(fd, text, sizeof text - 1, 0);
  if (n <= 0)
    return n ? -errno : -ESRCH;
  text[n] = 0;
  *out = (struct mm_rss){.anon = kb_of(text, "\nRssAnon:"),
                         .file = kb_of(text, "\nRssFile:"),
                         .shmem = kb_of(text, "\nRssShmem:"),
                         .swap = kb_of(text, "\nVmSwap:"),
                         .hwm = kb_of(text, "\nVmHWM:")};
  return 0;
}
