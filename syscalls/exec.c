/* execve(2), execveat(2): open the file and copy the vectors in; core/exec.c does the rest. */
#include "../core/area.h"
#include "../core/errno.h"
#include "../core/kernel.h"
#include "../core/mm.h"
#include "../core/uaccess.h"
#include "../fs/vfs.h"
#include "table.h"
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_STRLEN (32 * PAGE_SIZE) /* MAX_ARG_STRLEN */
#define MAX_BYTES (8ul << 20)       /* above what any stack limit allows (exec_stack.c checks exactly) */
#define WINDOW (16 * 1024ul)
#define NWINDOWS 4

struct strings {
  char **v;
  int n, cap;
  size_t bytes;
};

/* Strings lie close to each other in most programs: guest memory is read in windows, few host calls for many strings.
 */
struct windows {
  struct window {
    uint64_t at;
    size_t len;
    char buf[WINDOW];
  } w[NWINDOWS];
  int next;
};

static void strings_free(struct strings *s) {
  for (int i = 0; i < s->n; i++)
    free(s->v[i]);
  free(s->v);
}

/* The window that holds addr, or NULL: not readable. */
static struct window *window_for(struct windows *ws, uint64_t addr) {
  for (int i = 0; i < NWINDOWS; i++)
    if (addr - ws->w[i].at < ws->w[i].len)
      return &ws->w[i];
  struct window *w = &ws->w[ws->next];
  ws->next = (ws->next + 1) % NWINDOWS;
  w->at = PAGE_DOWN(addr);
  uint64_t max = mm_addr_max(), room = max > w->at ? max - w->at : 0; /* without ASLR the stack ends there */
  w->len = copy_from_user_partial(w->buf, w->at, room < WINDOW ? room : WINDOW);
  return addr - w->at < w->len ? w : NULL;
}

static int copy_string(struct windows *ws, uint64_t addr, char **out) {
  char *s = NULL;
  size_t have = 0;
  for (;;) {
    struct window *w = window_for(ws, addr + have);
    if (!w || have > MAX_STRLEN) {
      free(s);
      return w ? -E2BIG : -EFAULT;
    }
    size_t off = addr + have - w->at, n = strnlen(w->buf + off, w->len - off);
    char *bigger = realloc(s, have + n + 1);
    if (!bigger) {
      free(s);
      return -ENOMEM;
    }
    s = bigger;
    memcpy(s + have, w->buf + off, n);
    have += n;
    s[have] = 0;
    if (off + n < w->len) {
      *out = s;
      return have + 1 > MAX_STRLEN ? (free(s), *out = NULL, -E2BIG) : 0;
    }
  }
}

static int strings_add(struct strings *s, struct windows *ws, uint64_t addr) {
  if (s->n + 1 >= s->cap) {
    int cap = s->cap ? s->cap * 2 : 32;
    char **v = realloc(s->v, (size_t)cap * sizeof *v);
    if (!v)
      return -ENOMEM;
    s->v = v;
    s->cap = cap;
  }
  int r = copy_string(ws, addr, &s->v[s->n]);
  if (r < 0)
    return r;
  s->bytes += strlen(s->v[s->n]) + 1 + sizeof(uint64_t);
  s->v[++s->n] = NULL;
  return s->bytes > MAX_BYTES ? -E2BIG : 0;
}

/* A guest's NULL-terminated vector. The pointers are read up to the end of their page at a time. */
static int strings_copy(struct strings *s, struct windows *ws, uint64_t uvec) {
  uint64_t ptr[PAGE_SIZE / 8];
  s->v = calloc(1, sizeof *s->v);
  s->cap = s->v ? 1 : 0;
  if (!s->v)
    return -ENOMEM;
  while (uvec) { /* a NULL vector is an empty one */
    size_t want = PAGE_SIZE - (uvec & (PAGE_SIZE - 1));
    if (want < 8)
      want = 8;
    size_t n = copy_from_user_partial(ptr, uvec, want) / 8;
    if (!n)
      return -EFAULT;
    for (size_t i = 0; i < n; i++) {
      if (!ptr[i])
        return 0;
      int r = strings_add(s, ws, ptr[i]);
      if (r < 0)
        return r;
    }
    uvec += n * 8;
  }
  return 0;
}

/* The name that the program is told (AT_EXECFN) and that a script's interpreter opens. */
static int exec_name(struct task *t, int dfd, const char *name, char *buf, size_t cap, bool *hidden) {
  *hidden = false;
  if (dfd == AT_FDCWD || name[0] == '/')
    return snprintf(buf, cap, "%s", name) >= (int)cap ? -ENAMETOOLONG : 0;
  *hidden = fd_get_cloexec(t->files, dfd);
  int n = name[0] ? snprintf(buf, cap, "/dev/fd/%d/%s", dfd, name) : snprintf(buf, cap, "/dev/fd/%d", dfd);
  return n >= (int)cap ? -ENAMETOOLONG : 0;
}

static int64_t exec_file(struct task *t, struct file *f, const char *name, bool hidden, uint64_t uargv,
                         uint64_t uenvp) {
  struct strings argv = {0}, envp = {0};
  struct windows *ws = calloc(1, sizeof *ws);
  if (!ws)
    return -ENOMEM;
  int64_t r = strings_copy(&argv, ws, uargv);
  if (!r)
    r = strings_copy(&envp, ws, uenvp);
  free(ws);
  if (!r) {
    struct exec_args a = {.file = f, .filename = name, .argv = argv.v, .envp = envp.v, .argc = argv.n, .envc = envp.n};
    a.hidden = hidden;
    r = exec_program(t, &a);
  }
  strings_free(&argv);
  strings_free(&envp);
  return r;
}

static int64_t do_execveat(struct task *t, int dfd, uint64_t uname, uint64_t uargv, uint64_t uenvp, int flags) {
  if (flags & ~(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW))
    return -EINVAL;
  int err = 0;
  char *name = getname_user(uname, &err), shown[PATH_MAX];
  if (!name)
    return err;
  struct open_how_k how = {.flags = O_RDONLY, .exec = true};
  if (flags & AT_SYMLINK_NOFOLLOW)
    how.flags |= O_NOFOLLOW;
  if (flags & AT_EMPTY_PATH)
    how.lookup |= LOOKUP_EMPTY;
  AUTO_FILE f = NULL;
  bool hidden = false;
  int64_t r = name[0] || (flags & AT_EMPTY_PATH) ? vfs_open(t, dfd, name, &how, &f) : -ENOENT;
  if (!r)
    r = exec_name(t, dfd, name, shown, sizeof shown, &hidden);
  putname(name);
  return r < 0 ? r : exec_file(t, f, shown, hidden, uargv, uenvp);
}

SYSCALL_HANDLER(execve) {
  return do_execveat(t, AT_FDCWD, a[0], a[1], a[2], 0);
}
SYSCALL_HANDLER(execveat) {
  return do_execveat(t, (int)a[0], a[1], a[2], a[3], (int)a[4]);
}
