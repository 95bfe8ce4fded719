#include "uaccess.h"
#include "area.h"
#include "errno.h"
#include "kernel.h"
#include <limits.h>
#include <string.h>
#include <sys/uio.h>

int access_ok(uint64_t addr, size_t n) {
  uint64_t max = mm_addr_max();
  return n <= max && addr <= max - n;
}

static struct mm *current_mm(void) {
  struct task *t = task_current();
  return t && t->mm && t->mm->as ? t->mm : NULL;
}

/*
 * A copy ended short at `addr`. If that lies where a stack may grow to, grow it, as the kernel's own accesses do in
 * Linux. True: try again.
 */
static bool grow_for_copy(uint64_t addr) {
  struct task *t = task_current();
  struct area *a = t->mm ? mm_find_next_borrow(t->mm, addr) : NULL;
  if (!t->ctx || !a || a->start <= addr || !area_is_stack(a) || plat_ctx_as(t->ctx) != t->mm->as)
    return false;
  fmutex_lock(&t->mm->lock);
  bool grew = mm_stack_grow(t, t->mm, t->ctx, addr) && !plat_flush(t->ctx);
  fmutex_unlock(&t->mm->lock);
  return grew;
}

void settle_user(uint64_t addr, size_t n) {
  struct mm *m = current_mm();
  if (!m || !n || !access_ok(addr, n))
    return;
  mm_prefault(m, addr, n);
  grow_for_copy(addr);
}

size_t copy_from_user_partial(void *dst, uint64_t src, size_t n) {
  struct mm *m = current_mm();
  size_t done = 0;
  if (!m || !n || !access_ok(src, n))
    return 0;
  mm_prefault(m, src, n);
  do {
    ssize_t r = plat_read(m->as, (char *)dst + done, src + done, n - done);
    if (r > 0)
      done += (size_t)r;
  } while (done < n && grow_for_copy(src + done));
  return done;
}

size_t copy_to_user_partial(uint64_t dst, const void *src, size_t n) {
  struct mm *m = current_mm();
  size_t done = 0;
  if (!m || !n || !access_ok(dst, n))
    return 0;
  mm_prefault(m, dst, n);
  do {
    ssize_t r = plat_write(m->as, dst + done, (const char *)src + done, n - done);
    if (r > 0)
      done += (size_t)r;
  } while (done < n && grow_for_copy(dst + done));
  return done;
}

int copy_from_user(void *dst, uint64_t src, size_t n) {
  return copy_from_user_partial(dst, src, n) == n ? 0 : -EFAULT;
}

int copy_to_user(uint64_t dst, const void *src, size_t n) {
  return copy_to_user_partial(dst, src, n) == n ? 0 : -EFAULT;
}

/* False: not all of it, or nothing. */
static bool copy_pieces(const struct ucopy *p, int n, bool to_user) {
  struct iovec local[UCOPY_MAX], user[UCOPY_MAX];
  struct mm *m = current_mm();
  size_t total = 0;
  int k = 0;
  if (!m || n > UCOPY_MAX)
    return false;
  for (int i = 0; i < n; i++) {
    if (!access_ok(p[i].addr, p[i].len))
      return false;
    if (!p[i].len)
      continue;
    mm_prefault(m, p[i].addr, p[i].len);
    local[k] = (struct iovec){p[i].buf, p[i].len};
    user[k++] = (struct iovec){(void *)p[i].addr, p[i].len};
    total += p[i].len;
  }
  if (!k)
    return true;
  ssize_t r = to_user ? plat_writev(m->as, local, k, user, k) : plat_readv(m->as, local, k, user, k);
  return r == (ssize_t)total;
}

/* One after the other: finds the bad piece, and grows stacks. */
static int copy_one_by_one(const struct ucopy *p, int n, bool to_user) {
  int i = 0;
  while (i < n &&
         !(to_user ? copy_to_user(p[i].addr, p[i].buf, p[i].len) : copy_from_user(p[i].buf, p[i].addr, p[i].len)))
    i++;
  return i;
}

int copy_pieces_from_user(const struct ucopy *p, int n) {
  return copy_pieces(p, n, false) ? n : copy_one_by_one(p, n, false);
}

int copy_pieces_to_user(const struct ucopy *p, int n) {
  return copy_pieces(p, n, true) ? n : copy_one_by_one(p, n, true);
}

static const char zeros[64 * 1024];

int clear_user(uint64_t dst, size_t n) {
  while (n) {
    size_t c = n < sizeof zeros ? n : sizeof zeros;
    if (copy_to_user_partial(dst, zeros, c) != c)
      return -EFAULT;
    dst += c;
    n -= c;
  }
  return 0;
}

/* Up to the end of a page at a time: what lies behind the string need not be mapped. */
ssize_t strncpy_from_user(char *dst, uint64_t src, size_t cap) {
  struct mm *m = current_mm();
  size_t got = 0;
  if (!m)
    return -EFAULT;
  while (got < cap) {
    uint64_t at = src + got;
    if (!access_ok(at, 1))
      return -EFAULT;
    size_t n = PAGE_SIZE - (at & (PAGE_SIZE - 1));
    if (n < 128) /* short strings across a page in one host call; a short copy is fine */
      n += PAGE_SIZE;
    if (n > cap - got)
      n = cap - got;
    if (n > mm_addr_max() - at)
      n = mm_addr_max() - at;
    mm_prefault(m, at, n);
    ssize_t r = plat_read(m->as, dst + got, at, n);
    if (r <= 0) {
      if (grow_for_copy(at))
        continue;
      return -EFAULT;
    }
    const char *nul = memchr(dst + got, 0, (size_t)r);
    if (nul)
      return nul - dst;
    got += (size_t)r;
  }
  return -ENAMETOOLONG;
}
