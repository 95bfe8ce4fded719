/*
 * Address spaces: the Sentry's own map of areas, over the host's page tables. The kernel decides, the platform executes
 * (see platform.h). mmap(2), munmap(2), mprotect(2), mremap(2), madvise(2), brk(2), mm/mmap.c.
 */
#pragma once
#include "file.h"
#include "mempolicy.h"
#include "platform.h"
#include "ref.h"
#include "wait.h"
#include <bsd/sys/tree.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>

#define PAGE_SIZE 4096ul
#define PAGE_ALIGN(x) (((x) + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1))
#define PAGE_DOWN(x) ((x) & ~(PAGE_SIZE - 1))

enum area_kind { AREA_ANON, AREA_FILE, AREA_SHM, AREA_STACK, AREA_HEAP, AREA_VDSO, AREA_VVAR };

struct area_owner { /* whoever must know of the areas that map something of its own: told of each, also by fork */
  void *object;
  void (*opened)(struct area_owner *w);
  void (*closed)(struct area_owner *w); /* may free w */
};

struct area { /* vm_area_struct */
  RB_ENTRY(area) link;
  uint64_t start, end; /* page aligned, [start, end) */
  int prot, flags;     /* PROT_*; MAP_SHARED, MAP_PRIVATE, MAP_GROWSDOWN, MAP_NORESERVE, MAP_LOCKED, … */
  int max_prot;        /* what mprotect may grant (a file opened read-only and mapped shared: no PROT_WRITE) */
  enum area_kind kind;
  struct file *file; /* counted; the file mapped, or for anonymous shared memory the internal memfd-backed file; NULL
                        for private anonymous */
  off_t off;         /* offset of start in the guest's file */
  int advice;        /* AREA_DONTFORK, … in force */
  struct area_owner *owner; /* or NULL */
  struct mempolicy policy;  /* mbind(2) */
  int host_fd;      /* the Sentry's descriptor that is mapped, borrowed from `file`; -1: plain anonymous memory */
  off_t host_off;   /* offset of start in host_fd */
  uint8_t *checked; /* mm_prefault's: one bit per 64 KiB of the area that was seen in the host's page cache; or NULL */
  int64_t checked_at;     /* when that bitmap was started; it is believed for some seconds */
  struct area *dead_next; /* areas taken out of the tree, waiting to be freed outside of it */
};
/* Bits of area.advice */
#define AREA_DONTFORK 1
#define AREA_WIPEONFORK 2
#define AREA_DONTDUMP 4
#define AREA_HUGEPAGE 8
#define AREA_NOHUGEPAGE 16
#define AREA_SEALED 32 /* mseal(2) */
#define AREA_SECRET 64 /* memfd_secret(2): nobody reads it from outside */
#define AREA_OWN_PAGES 128 /* a private file mapping that is or was writable: may have pages of its own (anon_vma) */

struct mm {
  ref_t ref;          /* tasks that use it */
  struct plat_as *as; /* counted (plat_as_get); set with mm_set_as() */
  RB_HEAD(area_tree, area) areas;
  struct fmutex lock; /* held over changes, which may park */
  uint64_t mmap_top;  /* top-down search starts here */
  uint64_t brk_start, brk;
  uint64_t stack_start, stack_end;
  uint64_t code_start, code_end, data_start, data_end;
  uint64_t arg_start, arg_end, env_start, env_end;
  uint64_t peak_vm;                                /* the most that total_vm was */
  uint64_t total_vm, locked_vm, data_vm, stack_vm; /* pages, for rlimits and /proc */
  uint64_t auxv[64];                               /* as given to the program: /proc/PID/auxv */
  int nauxv;
  struct file *exe; /* /proc/PID/exe; counted */
  void *aio;        /* fs/aio.c: contexts of io_setup(2), or NULL */
  void (*aio_free)(void *aio);
  int nareas;
  int lock_future;             /* mlockall(MCL_FUTURE): MAP_LOCKED for new areas, else 0 */
  bool lock_on_fault;          /* … with MCL_ONFAULT: not brought in at once */
  bool has_secret;             /* some area is or was AREA_SECRET */
  bool aslr_off;               /* personality(ADDR_NO_RANDOMIZE) at exec */
  uint64_t gap_from, gap_hole; /* no gap above gap_from (below mmap_top) is larger than gap_hole: see area.c */
  struct mm_moved {            /* the last mremap that moved, kept to undo it if the host refuses */
    uint64_t from, from_len, to, to_len;
    bool kept; /* MREMAP_DONTUNMAP */
  } moved;
};
/* Iterate with RB_FOREACH(a, area_tree, &m->areas), without parking in the loop. */
int area_cmp(const struct area *a, const struct area *b);
RB_PROTOTYPE(area_tree, area, link, area_cmp)

struct task;
struct mm *mm_get(struct mm *m);
void mm_put(struct mm *m);
/* The address space of c is m's from now on. */
void mm_set_as(struct mm *m, struct plat_ctx *c);
/* fork: a copy of the map for a child whose host address space is being copied by plat_fork. The caller holds m->lock
 * over plat_fork() and this, and gives the copy its address space with mm_set_as(). NULL: no memory. */
struct mm *mm_dup(struct mm *m);

struct area *mm_find_borrow(struct mm *m, uint64_t addr);      /* the area that holds addr, or NULL */
struct area *mm_find_next_borrow(struct mm *m, uint64_t addr); /* the first area with end > addr */

/* The calls, on the current task's mm and stopped context. Results as the system calls'. */
int64_t mm_mmap(struct task *t, uint64_t addr, uint64_t len, int prot, int flags, struct file *f, off_t off);
/* mmap of f at offset 0 for whoever counts the areas: shmat(2). flags: MAP_SHARED and MAP_FIXED*. The file's own mode
 * is not looked at: max_prot says what may be granted. */
int64_t mm_map_owned(struct task *t, uint64_t addr, uint64_t len, int prot, int max_prot, int flags, struct file *f,
                     struct area_owner *owner);
int64_t mm_munmap(struct task *t, uint64_t addr, uint64_t len);
int64_t mm_mprotect(struct task *t, uint64_t addr, uint64_t len, int prot);
int64_t mm_mremap(struct task *t, uint64_t old, uint64_t old_len, uint64_t new_len, int flags, uint64_t new_addr);
int64_t mm_brk(struct task *t, uint64_t brk);
int64_t mm_seal(struct task *t, uint64_t addr, uint64_t len, unsigned long flags); /* mseal(2); mm_seal.c */
int64_t mm_madvise(struct task *t, uint64_t addr, uint64_t len, int advice);
/* The host refused an order after the map was changed (PLAT_ORDER_FAILED): forget the range. What the call returns
 * instead. */
int64_t mm_order_failed(struct task *t, const struct plat_event *ev);
/* A fault: true if it was mended (the stack grew) and the guest can go on; else *sig and *code say what to raise. */
bool mm_fault(struct task *t, const struct plat_event *ev, int *sig, int *code);
/* RLIMIT_STACK of t's process became smaller: the main stack, laid out in full by exec, gives up what it may no longer
 * grow into. Parks. */
void mm_stack_limit(struct task *t);

enum { MM_UNLOCK, MM_LOCK, MM_LOCK_ONFAULT };
int64_t mm_mlock(struct task *t, uint64_t addr, uint64_t len, int mode);
int64_t mm_mlockall(struct task *t, int flags);                                /* flags 0: munlockall */
int64_t mm_mincore(struct task *t, uint64_t addr, uint64_t len, uint64_t vec); /* mm_incore.c */
/* Which of n pages from addr are in memory: 1 or 0 each. 0, or -ENOMEM where nothing is mapped. Parks. */
int mm_incore(struct mm *m, uint64_t addr, size_t n, unsigned char *vec);
int64_t mm_msync(struct task *t, uint64_t addr, uint64_t len, int flags);
/* Is all of the range mapped? 0 or -ENOMEM */
int mm_check_mapped(struct mm *m, uint64_t addr, uint64_t len);

/* Other address spaces (procfs, ptrace, process_vm_readv). Bytes copied or -errno. */
ssize_t mm_read(struct mm *m, void *dst, uint64_t addr, size_t len);
ssize_t mm_write(struct mm *m, uint64_t addr, const void *src, size_t len);
/* The same as a debugger does it (FOLL_FORCE: ptrace(2), /proc/PID/mem): protections do not matter, and a write into
 * private memory that is not writable makes a copy (a breakpoint in a program's text). The guest need not be stopped.
 * -EFAULT where nothing is mapped, and for writes into shared memory that the guest may not write. Parks. */
ssize_t mm_force_read(struct mm *m, void *dst, uint64_t addr, size_t len);
ssize_t mm_force_write(struct mm *m, uint64_t addr, const void *src, size_t len);
/* A file of the host's /proc/PID of it: a descriptor borrowed until the next park, or -errno if the host shows none.
 * Parks the first time. */
int mm_look(struct mm *m, enum plat_look what);
/* What is in memory, in bytes. Parks. -errno if the host does not tell, with everything 0. */
struct mm_rss {
  uint64_t anon, file, shmem, swap;
  uint64_t hwm; /* the most that anon + file + shmem ever were */
};
int mm_rss(struct mm *m, struct mm_rss *out);
/* CommitLimit and Committed_AS, in bytes. */
struct kernel;
uint64_t mm_commit_limit(const struct kernel *k);
uint64_t mm_committed(const struct kernel *k);
/* Bring file pages of the range into the host's page cache through the ring, so that touching them from outside
 * does not wait for a disk. Called by uaccess; parks only if something was missing. */
void mm_prefault(struct mm *m, uint64_t addr, size_t len);

/* ---- exec ---- */
struct exec_args {
  struct file *file;    /* open for execution (permission and mount flags were checked) */
  const char *filename; /* AT_EXECFN, and comm's source */
  char **argv, **envp;  /* Sentry copies, NULL-terminated */
  int argc, envc;
  bool hidden; /* filename is /dev/fd/N of a descriptor that exec closes: a script cannot be opened by it (ENOENT) */
};
/* Replace t's program (execve(2)): ELF and #!. On success t has a fresh context and mm and the caller's system call
 * must return EXEC_DONE unchanged; before the point of no return errors are -errno with nothing changed; after it the
 * task is killed with SIGKILL/SIGSEGV as Linux does. Used for the first program of a container too (t has then no
 * context and no mm yet). Parks. */
int64_t exec_program(struct task *t, const struct exec_args *a);
#define EXEC_DONE 0x65786563646f6e65ll /* out of errno's range: task_run.c enters the new program */
