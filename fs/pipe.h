/*
 * Pipes and FIFOs: pipe(7), fifo(7). A pipe is a ring of bytes that grows up to its capacity as needed and shrinks
 * again some time after it was drained.
 */
#pragma once
#include "../core/file.h"
#include "../core/kernel.h"
#include "../core/uio.h"

struct inode;

#define PIPE_BUF_SIZE 4096u /* PIPE_BUF: writes up to it are atomic */
#define PIPE_DEFAULT_SIZE 65536u
#define PIPE_MAX_SIZE (1024u * 1024u) /* fs.pipe-max-size */

extern const struct file_ops pipe_file_ops;
static inline bool file_is_pipe(const struct file *f) {
  return f->ops == &pipe_file_ops;
}

/* pipe2(2): out[0] reads, out[1] writes. flags: O_NONBLOCK, O_DIRECT. */
int pipe_new(struct kernel *k, int flags, struct file *out[2]);
/* Another open file on the same pipe (open of /proc/PID/fd/N or /dev/fd/N); O_RDONLY, O_WRONLY or O_RDWR. Never parks.
 */
int pipe_reopen(struct file *pipe, int flags, struct file **out);
/* F_GETPIPE_SZ and F_SETPIPE_SZ; -EBADF if f is no pipe. */
long pipe_fcntl(struct file *f, int cmd, uint64_t arg);

/*
 * splice(2) between a pipe and something else. Both park while the pipe is empty (full), unless nonblock. The callback
 * may park; it returns how many bytes it took (made), 0 to stop, or -errno, which is the result if nothing was moved
 * before. Result: bytes moved, 0 at end of file, -EAGAIN, -EPIPE (with SIGPIPE), -ERESTARTSYS.
 */
typedef ssize_t pipe_sink_fn(void *arg, const void *data, size_t n);
typedef ssize_t pipe_source_fn(void *arg, void *buf, size_t n);
ssize_t pipe_splice_out(struct file *pipe, size_t n, bool nonblock, pipe_sink_fn *sink, void *arg);
ssize_t pipe_splice_in(struct file *pipe, size_t n, bool nonblock, pipe_source_fn *source, void *arg);
/* Pipe to pipe: splice consumes, tee does not. -EINVAL if both are the same pipe. */
ssize_t pipe_splice_pipe(struct file *in, struct file *out, size_t n, bool nonblock);
ssize_t pipe_tee(struct file *in, struct file *out, size_t n, bool nonblock);
