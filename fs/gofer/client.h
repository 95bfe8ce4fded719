/* The inside of the gofer's client: the connection, the calls, and the file system made of them. */
#pragma once
#include "../../core/errno.h"
#include "../vfs.h"
#include "gofer.h"
#include "proto.h"
#include <sys/queue.h>
#include <uthash.h>

/* ---- the connection: client.c ---- */
#define GOFER_INFLIGHT_MAX 32 /* requests; more wait, so that sending never blocks */
#define GOFER_INFLIGHT_BYTES (64 * 1024)
#define GOFER_IDLE_FDS 256      /* host descriptors kept open for files that nobody has open */
#define GOFER_CHUNK (64 * 1024) /* file data is copied through buffers of this size */
#define GOFER_SPARE_BUFS 2

struct gofer_req;
struct gofer_fd;
struct gofer {
  struct kernel *k;
  int sock;
  bool dead;
  void (*on_death)(void *arg);
  void *arg;
  struct loop_poll poll;
  uint32_t next_tag;
  TAILQ_HEAD(gofer_reqs, gofer_req) pending; /* as sent: answers come in this order */
  int inflight;
  size_t inflight_bytes;
  struct waitq room;                    /* woken when a request has been answered */
  TAILQ_HEAD(gofer_fds, gofer_fd) idle; /* least recently used first */
  int nidle;
  size_t list_bytes; /* of kept directory listings */
  void *spare[GOFER_SPARE_BUFS];
  int nspare;
  uint8_t *sbuf, *rbuf; /* GOFER_MSG_MAX each; sbuf is used between gofer_begin and gofer_call */
};

struct gofer_reply {
  uint8_t *buf;       /* owned */
  struct gofer_msg m; /* the payload */
  int fd;             /* owned; -1 */
};
void gofer_reply_done(struct gofer_reply *r);
#define AUTO_REPLY __attribute__((cleanup(gofer_reply_done))) struct gofer_reply

struct gofer_sb;
/* Start a request. May park (until there is room, and no directory is being renamed under the paths in use); then *m is
 * open for the payload, and nothing may park before gofer_call(). -EIO: the gofer is gone. */
int gofer_begin(struct gofer_sb *s, enum gofer_op op, struct gofer_msg *m);
/* The same, but for the rename itself. */
int gofer_begin_rename(struct gofer_sb *s, struct gofer_msg *m);
/* Send it and park until the answer is there. 0 or the answer's -errno; -EIO. r is to be released only after 0. Without
 * a fiber (boot, tests) it blocks instead of parking. */
int gofer_call(struct gofer_sb *s, struct gofer_msg *m, struct gofer_reply *r);
/* The answer parsed wrongly: hang up. -EIO. */
int gofer_protocol_error(struct gofer *g);
/* Take one answer apart: exposed for the fuzzer. False: hang up. */
bool gofer_dispatch(struct gofer *g, const uint8_t *buf, size_t n, int fd);

void *gofer_buf_get(struct gofer *g); /* GOFER_CHUNK bytes, or NULL */
void gofer_buf_put(struct gofer *g, void *buf);

/* Into a message: the path of a dentry. */
void gm_put_dentry(struct gofer_msg *m, const struct dentry *d);

/* ---- typed calls: client_calls.c. All may park; 0 or -errno ---- */
/* Which names a call works on. */
struct gofer_at {
  struct dentry *dir;
  const char *name;
};
int gc_getattr(struct gofer_sb *s, struct dentry *d, struct gofer_attr *a);
/* *target: malloc'ed, for symlinks, else NULL. -ENOENT: no such name. */
int gc_lookup(struct gofer_sb *s, struct gofer_at at, struct gofer_attr *a, char **target);
int gc_open(struct gofer_sb *s, struct dentry *d, int accmode, struct gofer_attr *a, int *fd);
/* CREATE (fd: where to store the descriptor), MKDIR, MKNOD. */
int gc_make(struct gofer_sb *s, enum gofer_op op, struct gofer_at at, const struct iattr *ia, struct gofer_attr *a,
            int *fd);
int gc_symlink(struct gofer_sb *s, struct gofer_at at, const char *target, const struct iattr *ia,
               struct gofer_attr *a);
int gc_link(struct gofer_sb *s, struct gofer_at old, struct gofer_at at, struct gofer_attr *a);
int gc_remove(struct gofer_sb *s, enum gofer_op op, struct gofer_at at); /* UNLINK, RMDIR */
int gc_rename(struct gofer_sb *s, struct gofer_at old, struct gofer_at at, unsigned flags);
int gc_setattr(struct gofer_sb *s, struct dentry *d, struct gofer_id id, const struct iattr *ia, struct gofer_attr *a);
int gc_statfs(struct gofer_sb *s, struct dentry *d, struct gofer_statfs *st);
ssize_t gc_getxattr(struct gofer_sb *s, struct dentry *d, const char *name, void *buf, size_t cap);
int gc_setxattr(struct gofer_sb *s, struct dentry *d, struct gofer_id id, const char *name, const void *val, size_t len,
                int flags);
ssize_t gc_listxattr(struct gofer_sb *s, struct dentry *d, char *buf, size_t cap);
int gc_removexattr(struct gofer_sb *s, struct dentry *d, struct gofer_id id, const char *name);

/* A directory's entries, without "." and "..". */
struct gofer_list {
  ref_t ref;
  size_t n, cap;
  struct gofer_ent {
    uint64_t ino;
    uint32_t name; /* offset in names */
    uint8_t type, len;
  } * ent;
  char *names;
  size_t names_len, names_cap;
};
int gc_readdir(struct gofer_sb *s, struct dentry *d, struct gofer_list **out);
/* Appends the entries of one answer; *cookie and *eof as the server says. False: malformed. Exposed for the fuzzer. */
bool gofer_list_parse(struct gofer_list *l, struct gofer_msg *m, uint64_t *cookie, bool *eof);
void gofer_list_put(struct gofer_list *l);
bool gofer_attr_ok(const struct gofer_attr *a);
bool gm_get_attr(struct gofer_msg *m, struct gofer_attr *a);

/* ---- the file system ---- */
struct gofer_sb {
  struct gofer *g;
  struct super *sb;
  int tree;
  bool exclusive; /* the cache is the truth */
  uint64_t root_dev;
  int renaming; /* directories being renamed: paths through them are in doubt */
  struct waitq rename_wq;
  struct gofer_inode *by_id;
};

struct gofer_fd { /* a host descriptor, shared by all opens of one inode in one access mode */
  int fd;
  int users;
  bool rw;
  bool no_nowait_read, no_nowait_write; /* the host's file system does not do RWF_NOWAIT */
  struct gofer_inode *gi;
  TAILQ_ENTRY(gofer_fd) link; /* g->idle while users is 0 */
};

struct gofer_inode { /* inode->priv */
  struct gofer_id id;
  UT_hash_handle hh;
  bool hashed;
  bool dirty;  /* regular files, exclusive trees: size and times are to be asked of the descriptor */
  bool mapped; /* shared and writable: the host may change mtime at any time */
  struct inode *inode;
  struct gofer_fd *ro, *rw;
  struct gofer_list *list; /* directories of exclusive trees: their entries, if known */
  int misses;              /* directories: names looked up in vain since the last change */
  uint64_t generation;     /* directories: counts changes */
  int64_t checked;         /* shared trees: loop_now() of the last attributes */
  off_t warm_lo, warm_hi;  /* what was read lately, so lies in the page cache */
  int64_t warm_at;
};

static inline struct gofer_sb *gofer_sb_of(const struct inode *i) {
  return i->sb->priv;
}
static inline struct gofer_inode *gofer_inode_of(const struct inode *i) {
  return i->priv;
}

/* inode.c */
/* The inode for what the server described: the known one, or a new one. Takes target over. Counted. */
int gofer_iget(struct gofer_sb *s, const struct gofer_attr *a, char *target, struct inode **out);
void gofer_apply_attr(struct inode *i, const struct gofer_attr *a);
bool gofer_same(const struct inode *i, const struct gofer_attr *a);
void gofer_evict(struct inode *i);
/* A link of i is gone (in exclusive trees the count is kept here). */
void gofer_drop_link(struct inode *i);
void gofer_dir_changed(struct inode *dir);
uint64_t gofer_ino(const struct gofer_sb *s, uint64_t dev, uint64_t ino);
int gofer_getattr(struct inode *i, struct dentry *d);
int gofer_setattr(struct inode *i, struct dentry *d, const struct iattr *ia);
int gofer_revalidate(struct dentry *d);
extern const struct inode_ops gofer_dir_ops[2], gofer_file_iops[2], gofer_symlink_ops[2],
    gofer_special_ops[2]; /* [exclusive] */

/* dir.c */
int gofer_lookup(struct inode *dir, struct dentry *parent, const char *name, struct inode **out);
int gofer_create(struct inode *dir, struct dentry *parent, const char *name, const struct iattr *a, struct inode **out);
int gofer_mkdir(struct inode *dir, struct dentry *parent, const char *name, const struct iattr *a, struct inode **out);
int gofer_mknod(struct inode *dir, struct dentry *parent, const char *name, const struct iattr *a, dev_t rdev,
                struct inode **out);
int gofer_symlink(struct inode *dir, struct dentry *parent, const char *name, const char *target, const struct iattr *a,
                  struct inode **out);
int gofer_link(struct inode *dir, struct dentry *parent, const char *name, struct dentry *old);
int gofer_unlink(struct inode *dir, struct dentry *victim);
int gofer_rmdir(struct inode *dir, struct dentry *victim);
int gofer_rename(struct inode *old_dir, struct dentry *old, struct inode *new_dir, struct dentry *dst, unsigned flags);
void gofer_list_forget(struct gofer_inode *gi);
int gofer_open_dir(struct inode *i, struct file *f);

/* fds.c */
/* A descriptor for i, found by d's name if there is none yet. */
int gofer_fd_get(struct inode *i, struct dentry *d, bool write, struct gofer_fd **out);
void gofer_fd_put(struct gofer_fd *h);
/* Take over a descriptor that came with CREATE. */
void gofer_fd_adopt(struct inode *i, int fd);
/* Any open descriptor of i, or -1; borrowed. */
int gofer_fd_any(const struct inode *i, bool write);
void gofer_fds_close_idle(struct gofer_inode *gi);

/* file.c */
int gofer_open_file(struct inode *i, struct file *f);
/* Take i's io_lock, unless the caller's fiber holds it already. True: to be unlocked. */
bool gofer_io_lock(struct inode *i);
