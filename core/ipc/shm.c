/*
 * System V shared memory: shmop(2), shmctl(2). A segment is a file of anonymous shared memory; every area that maps it
 * counts as an attachment, also the ones that come of fork, mremap and of unmapping a part.
 */
#include "shm.h"
#include "../errno.h"
#include "../kernel.h"
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef SHM_STAT_ANY
#define SHM_STAT_ANY 15
#endif
#define SHM_HUGETLB_K 04000
#define SHM_DEST_K 01000u
#define SHM_LOCKED_K 02000u

static struct shm_segment *seg_of(struct ipc_object *o) {
  return (struct shm_segment *)o;
}

static uint64_t seg_pages(const struct shm_segment *s) {
  return PAGE_ALIGN(s->size) / PAGE_SIZE;
}

/* ---- making and ending ---- */

void ipc_object_put(struct ipc_object *o) {
  if (!o || !ref_put(&o->ref))
    return;
  if (o->kind == IPC_SHM) {
    struct shm_segment *s = seg_of(o);
    if (s->file)
      file_put(s->file);
    pid_put(s->creator);
  }
  free(o);
}

void shm_rmid(struct ipc_namespace *ns, struct ipc_object *o) {
  ns->shm_pages -= seg_pages(seg_of(o));
  ipc_remove(ns, o);
}

/* Gone once nobody has it attached, if it was removed or belongs to nobody. */
static bool may_go(const struct shm_segment *s) {
  return !s->nattch && !s->obj.deleted && (s->ns->shm_rmid_forced || (s->obj.mode & SHM_DEST_K));
}

static int our_pid(void) {
  struct task *t = task_current();
  return t ? pid_vnr(t->proc->pid) : 0;
}

static void attached(struct area_owner *w) {
  struct shm_segment *s = w->object;
  ipc_object_get(&s->obj);
  ipc_ns_get(s->ns);
  s->nattch++;
  s->atime = ipc_now();
  s->lpid = our_pid();
}

static void detached(struct area_owner *w) {
  struct shm_segment *s = w->object;
  struct ipc_namespace *ns = s->ns;
  s->nattch--;
  s->dtime = ipc_now();
  s->lpid = our_pid();
  if (may_go(s))
    shm_rmid(ns, &s->obj);
  ipc_object_put(&s->obj);
  ipc_ns_put(ns);
}

/* SHM_HUGETLB: there are no huge pages to be had, which is what a Linux with an empty pool says, once it is allowed. */
static int no_huge_pages(void) {
  struct task *t = task_current();
  return t && cred_has_cap(t->cred, CAP_IPC_LOCK) ? -ENOMEM : -EPERM;
}

static int make_segment(struct ipc_namespace *ns, const struct ipc_get_args *a, struct ipc_object **out) {
  struct task *t = task_current();
  uint64_t pages = a->size / PAGE_SIZE + !!(a->size % PAGE_SIZE);
  if (!a->size || a->size > ns->shm_max)
    return -EINVAL;
  if (pages > UINT64_MAX / PAGE_SIZE)
    return -ENOSPC;
  if (ns->shm_pages + pages < pages || ns->shm_pages + pages > ns->shm_all)
    return -ENOSPC;
  if (a->flags & SHM_HUGETLB_K)
    return no_huge_pages();
  if (!ns->ns.k->hooks.shm_file || pages * PAGE_SIZE > INT64_MAX)
    return pages * PAGE_SIZE > INT64_MAX ? -EINVAL : -ENOSYS;
  if (!(a->flags & SHM_NORESERVE) && ns->ns.k->mem_total && a->size > ns->ns.k->mem_total)
    return -ENOMEM; /* heuristic overcommit, as for other shared memory */
  struct shm_segment *s = calloc(1, sizeof *s);
  if (!s)
    return -ENOMEM;
  char name[16];
  snprintf(name, sizeof name, "SYSV%08x", (unsigned)a->key);
  int r = ns->ns.k->hooks.shm_file(pages * PAGE_SIZE, name, &s->file);
  if (r) {
    free(s);
    return r;
  }
  s->owner = (struct area_owner){.object = s, .opened = attached, .closed = detached};
  s->ns = ns;
  s->size = a->size;
  s->ctime = ipc_now();
  s->cpid = our_pid();
  s->creator = t ? pid_get(t->tid) : NULL;
  *out = &s->obj;
  return 0;
}

static uint64_t segment_size(const struct ipc_object *o) {
  return ((const struct shm_segment *)o)->size;
}

int ipc_shmget(struct task *t, int key, uint64_t size, int flags) {
  struct ipc_namespace *ns = t->ipc;
  struct ipc_get_args a = {.kind = IPC_SHM,
                           .key = key,
                           .flags = flags,
                           .limit = ns->shm_mni,
                           .size = size,
                           .make = make_segment,
                           .size_of = segment_size};
  int before = ns->ids[IPC_SHM].in_use, id = ipc_get_id(t, &a);
  if (ns->ids[IPC_SHM].in_use > before)
    ns->shm_pages += PAGE_ALIGN(size) / PAGE_SIZE;
  return id;
}

/* ---- attaching ---- */

/* Where: 0 for anywhere, else *flags gets MAP_FIXED. */
static int attach_address(uint64_t *addr, int shmflg, int *flags) {
  if (!*addr)
    return shmflg & SHM_REMAP ? -EINVAL : 0;
  if (*addr & (PAGE_SIZE - 1)) {
    if (!(shmflg & SHM_RND))
      return -EINVAL;
    *addr = PAGE_DOWN(*addr);
    if (!*addr && (shmflg & SHM_REMAP))
      return -EINVAL;
  }
  *flags |= shmflg & SHM_REMAP ? MAP_FIXED : MAP_FIXED_NOREPLACE;
  return 0;
}

int64_t ipc_shmat(struct task *t, int id, uint64_t addr, int shmflg) {
  int flags = MAP_SHARED, prot = PROT_READ | PROT_WRITE, r;
  unsigned want = IPC_RUGO | IPC_WUGO;
  if (id < 0)
    return -EINVAL;
  r = attach_address(&addr, shmflg, &flags);
  if (r)
    return r;
  if (shmflg & SHM_RDONLY) {
    prot = PROT_READ;
    want = IPC_RUGO;
  }
  if (shmflg & SHM_EXEC) {
    prot |= PROT_EXEC;
    want |= 0111;
  }
  struct ipc_object *o = ipc_find_borrow(t->ipc, IPC_SHM, id, &r);
  if (!r)
    r = ipc_permission(t, o, want);
  if (r)
    return r;
  struct shm_segment *s = seg_of(o);
  if ((flags & MAP_FIXED_NOREPLACE) && addr + s->size < addr)
    return -EINVAL;
  attached(&s->owner); /* so that it is not destroyed meanwhile */
  int max_prot = PROT_READ | PROT_EXEC | (shmflg & SHM_RDONLY ? 0 : PROT_WRITE);
  int64_t at = mm_map_owned(t, addr, s->size, prot, max_prot, flags, s->file, &s->owner);
  detached(&s->owner);
  return at == -EEXIST ? -EINVAL : at;
}

/* An area at addr that belongs to the attachment that begins there, in whole or in part. */
static bool part_of(const struct area *a, uint64_t addr, const struct area_owner *w) {
  return a->owner && (!w || a->owner == w) && a->owner->opened == attached && a->start >= addr &&
         (off_t)(a->start - addr) == a->off;
}

int ipc_shmdt(struct task *t, uint64_t addr) {
  if (addr & (PAGE_SIZE - 1))
    return -EINVAL;
  struct area_owner *w = NULL;
  uint64_t end = UINT64_MAX, at = addr;
  for (;;) {
    struct area *a = mm_find_next_borrow(t->mm, at);
    if (!a || a->start >= end)
      return w ? 0 : -EINVAL;
    uint64_t start = a->start;
    at = a->end;
    if (!part_of(a, addr, w))
      continue;
    if (!w) {
      w = a->owner;
      end = addr + PAGE_ALIGN(((struct shm_segment *)w->object)->size);
    }
    int64_t r = mm_munmap(t, start, at - start); /* parks; w is only compared from here on */
    if (r < 0)
      return (int)r;
  }
}

/* ---- shmctl ---- */

static int find(struct task *t, int id, struct shm_segment **out) {
  int r;
  *out = seg_of(ipc_find_borrow(t->ipc, IPC_SHM, id, &r));
  return r;
}

int ipc_shm_stat(struct task *t, int id, int cmd, struct shmid_ds *out) {
  struct shm_segment *s;
  int r = 0;
  if (cmd == IPC_STAT)
    r = find(t, id, &s);
  else if (!(s = seg_of(ipc_at_borrow(t->ipc, IPC_SHM, id))))
    r = -EINVAL;
  if (!r && cmd != SHM_STAT_ANY)
    r = ipc_permission(t, &s->obj, IPC_RUGO);
  if (r)
    return r;
  memset(out, 0, sizeof *out);
  ipc_perm_out(&s->obj, &out->shm_perm);
  out->shm_segsz = s->size;
  out->shm_atime = s->atime;
  out->shm_dtime = s->dtime;
  out->shm_ctime = s->ctime;
  out->shm_cpid = s->cpid;
  out->shm_lpid = s->lpid;
  out->shm_nattch = s->nattch;
  return cmd == IPC_STAT ? 0 : s->obj.id;
}

static int max_index(const struct ipc_namespace *ns) {
  int max = ns->ids[IPC_SHM].max_idx;
  return max < 0 ? 0 : max;
}

int ipc_shm_limits(struct task *t, struct shminfo *out) {
  const struct ipc_namespace *ns = t->ipc;
  *out = (struct shminfo){.shmmax = ns->shm_max,
                          .shmmin = 1,
                          .shmmni = (unsigned long)ns->shm_mni,
                          .shmseg = (unsigned long)ns->shm_mni,
                          .shmall = ns->shm_all};
  return max_index(ns);
}

uint64_t ipc_shm_resident(struct ipc_object *o) {
  struct shm_segment *s = seg_of(o);
  const struct kernel_hooks *h = &s->ns->ns.k->hooks;
  struct stat st;
  return h->file_stat && !h->file_stat(s->file, &st) ? (uint64_t)st.st_blocks * 512 / PAGE_SIZE : 0;
}

int ipc_shm_info(struct task *t, struct shm_info *out) {
  struct ipc_namespace *ns = t->ipc;
  *out = (struct shm_info){.used_ids = ns->ids[IPC_SHM].in_use, .shm_tot = ns->shm_pages};
  int last = ns->ids[IPC_SHM].max_idx;
  for (int i = 0; i <= last; i++) {
    struct ipc_object *o = ipc_at_borrow(ns, IPC_SHM, i);
    if (!o)
      continue;
    ipc_object_get(o); /* file_stat() may park */
    out->shm_rss += ipc_shm_resident(o);
    ipc_object_put(o);
  }
  return max_index(ns);
}

int ipc_shm_set(struct task *t, int id, const struct shmid_ds *in) {
  struct shm_segment *s;
  int r = find(t, id, &s);
  if (!r)
    r = ipc_may_control(t, &s->obj);
  if (r)
    return r;
  r = ipc_perm_set(&s->obj, &in->shm_perm);
  if (r)
    return r;
  s->ctime = ipc_now();
  return 0;
}

int ipc_shm_rmid(struct task *t, int id) {
  struct shm_segment *s;
  int r = find(t, id, &s);
  if (!r)
    r = ipc_may_control(t, &s->obj);
  if (r)
    return r;
  if (s->nattch) {
    s->obj.mode |= SHM_DEST_K;
    s->obj.key = IPC_PRIVATE; /* can no longer be found */
  } else {
    shm_rmid(t->ipc, &s->obj);
  }
  return 0;
}

/* Locking is remembered and checked; whether the host pages is its business, as for mlock(2). */
int ipc_shm_lock(struct task *t, int id, bool lock) {
  struct shm_segment *s;
  int r = find(t, id, &s);
  if (r)
    return r;
  if (!cred_has_cap(t->cred, CAP_IPC_LOCK)) {
    if (t->cred->euid != s->obj.uid && t->cred->euid != s->obj.cuid)
      return -EPERM;
    uint64_t lim = task_rlimit(t, RLIMIT_MEMLOCK);
    if (lock && !lim)
      return -EPERM;
    if (lock && lim != RLIM_INFINITY && seg_pages(s) > lim / PAGE_SIZE)
      return -ENOMEM;
  }
  s->obj.mode = lock ? s->obj.mode | SHM_LOCKED_K : s->obj.mode & ~SHM_LOCKED_K;
  return 0;
}

/* ---- shm_rmid_forced ---- */

static void drop_orphan(struct shm_segment *s) {
  if (!s->creator && may_go(s))
    shm_rmid(s->ns, &s->obj);
}

void ipc_shm_exit(struct task *t) {
  struct ipc_namespace *ns = t->ipc;
  for (int i = 0; ns && i <= ns->ids[IPC_SHM].max_idx; i++) {
    struct shm_segment *s = seg_of(ipc_at_borrow(ns, IPC_SHM, i));
    if (!s || s->creator != t->tid)
      continue;
    pid_put(s->creator);
    s->creator = NULL;
    if (ns->shm_rmid_forced)
      drop_orphan(s);
  }
}

void ipc_shm_rmid_forced(struct ipc_namespace *ns) {
  for (int i = 0; i <= ns->ids[IPC_SHM].max_idx; i++) {
    struct ipc_object *o = ipc_at_borrow(ns, IPC_SHM, i);
    if (o)
      drop_orphan(seg_of(o));
  }
}
