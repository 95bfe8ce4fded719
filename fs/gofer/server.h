/* The inside of the gofer's server: see proto.h for what it answers, gofer.h for how it is started. */
#pragma once
#include "gofer.h"
#include "proto.h"
#include <sys/stat.h>
#include <sys/types.h>

struct gofer_root { /* an open tree */
  int fd;           /* O_PATH: the directory, or for a file the directory that holds it */
  char *file;       /* the file's name in fd, NULL if the tree is a directory */
  bool readonly;
};

struct gofer_server {
  int sock;
  struct gofer_root *roots;
  int nroots;
  int proc_fd;       /* a procfs of the sandbox's pid namespace, for PROC; 0: there is none */
  bool no_fchmodat2; /* the host is older than 6.6 */
  _Alignas(16) uint8_t req[GOFER_MSG_MAX];
  _Alignas(16) uint8_t reply[GOFER_MSG_MAX];
  _Alignas(16) uint8_t scratch[GOFER_MSG_MAX]; /* getdents64, xattr values */
};

/* What one request works on. */
struct gofer_call {
  struct gofer_server *s;
  const struct gofer_root *root;
  struct gofer_msg in, out;
  int fd; /* goes along with the answer, or -1 */
};

#define CALL_MALFORMED 1 /* from a handler: hang up */

/*
 * Answer the request req[0..n) into s->reply: its length, or -1 if the peer must be hung up on. *fd is a descriptor to
 * go along, which the caller then closes, or -1.
 */
ssize_t gofer_answer(struct gofer_server *s, uint8_t *req, size_t n, int *fd);
int gofer_open_trees(struct gofer_server *s, const struct gofer_tree *trees, int n); /* 0 or -errno */
void gofer_close_trees(struct gofer_server *s);

/* Handlers: 0, -errno, or CALL_MALFORMED. */
typedef int gofer_handler(struct gofer_call *c);
gofer_handler srv_walk, srv_getattr, srv_open, srv_readdir, srv_readlink, srv_create, srv_mkdir, srv_mknod, srv_symlink,
    srv_link, srv_unlink, srv_rmdir, srv_rename, srv_setattr, srv_statfs, srv_getxattr, srv_setxattr, srv_listxattr,
    srv_removexattr, srv_proc;

/* ---- resolving: a descriptor or -errno. `path` was checked with gofer_path_ok ---- */
int srv_open_path(const struct gofer_root *r, const char *path, int flags); /* never follows a symlink */
int srv_open_dir(const struct gofer_root *r, const char *path);             /* O_PATH|O_DIRECTORY, for the *at calls */
/* A name in an open directory. */
int srv_open_name(int dirfd, const char *name, int flags, mode_t mode);
/* The object behind an O_PATH descriptor opened for real, by path again and only if it still is the same one. */
int srv_reopen(const struct gofer_root *r, const char *path, int opath_fd, int flags);
int srv_attr(int fd, struct gofer_attr *a);
int srv_chmod(struct gofer_server *s, const struct gofer_root *r, const char *path, int opath_fd, mode_t mode);

/* Fields of requests; they mark c->in bad when malformed. */
const char *srv_get_path(struct gofer_call *c);
const char *srv_get_name(struct gofer_call *c);
/* Is fd what the client means? 0, -ESTALE, -errno. */
int srv_check_id(int fd, struct gofer_id id);

/* Give up everything that serving does not need. 0 or -errno. */
int gofer_drop_capabilities(void);
int gofer_install_filter(int sock);
