/*
 * The wire to a host terminal. The host's line discipline is switched off, ours does the work. Two fibers per terminal:
 * one carries bytes in, the other out. They hold references on the tty, and end when the wire is closed or the host
 * hangs up.
 */
#include "../core/errno.h"
#include "../core/fiber.h"
#include "../core/loop.h"
#include "tty_core.h"
#include <poll.h>
#include <unistd.h>

struct tty_wire {
  struct tty *t; /* borrowed from the fibers' references */
  int fd;
  int fibers; /* alive; the last one frees */
  bool closing, dead;
  bool readable;        /* the host said so */
  bool writing;         /* bytes are on their way to the host */
  struct waitq in, out; /* what the fibers sleep on */
  struct loop_poll poll;
  bool armed;
  struct termios2 saved; /* of the host's terminal, put back at the end */
  bool have_saved;
};

static void wire_ended(struct tty_wire *w) {
  struct tty *t = w->t;
  if (--w->fibers == 0) {
    if (w->armed)
      loop_poll_del(loop_current(), &w->poll);
    if (w->have_saved)
      ioctl(w->fd, TCSETS2, &w->saved);
    close(w->fd);
    waitq_destroy(&w->in);
    waitq_destroy(&w->out);
    t->wire = NULL;
    free(w);
    tty_unlist(t);
    tty_hangup(t);
  }
  tty_put(t);
}

static void wire_die(struct tty_wire *w) {
  w->dead = true;
  waitq_wake_all(&w->in, 0);
  waitq_wake_all(&w->out, 0);
  tty_hangup(w->t);
}

static void on_poll(struct loop_poll *p, uint32_t revents) {
  struct tty_wire *w = p->arg;
  w->armed = false;
  w->readable = true;
  waitq_wake_all(&w->in, 0);
}

static int wait_readable(struct tty_wire *w) {
  struct pollfd pfd = {.fd = w->fd, .events = POLLIN};
  w->readable = poll(&pfd, 1, 0) > 0;
  if (w->readable)
    return 0;
  if (!w->armed) {
    w->poll = (struct loop_poll){.fd = w->fd, .events = EPOLLIN, .fn = on_poll, .arg = w};
    int r = loop_poll_arm(loop_current(), &w->poll);
    if (r)
      return r;
    w->armed = true;
  }
  while (!w->readable && !w->dead && !w->closing)
    task_wait_uninterruptible(&w->in, 0, NO_DEADLINE);
  return 0;
}

static void reader(void *arg) {
  struct tty_wire *w = arg;
  uint8_t buf[2048];
  while (!w->dead && !w->closing) {
    size_t room = ntty_receive_room(&w->t->n);
    if (!room) {
      task_wait_uninterruptible(&w->in, 0, NO_DEADLINE);
      continue;
    }
    int e = wait_readable(w);
    if (e || w->dead || w->closing) {
      if (e)
        wire_die(w);
      break;
    }
    struct iovec v = {buf, room < sizeof buf ? room : sizeof buf};
    ssize_t r = loop_readv(w->fd, &v, 1, -1);
    if (r == -EINTR || r == -EAGAIN)
      continue;
    if (r <= 0) {
      wire_die(w);
      break;
    }
    if (!w->dead)
      ntty_receive(&w->t->n, buf, (size_t)r);
  }
  wire_ended(w);
}

static int write_all(struct tty_wire *w, const uint8_t *p, size_t n) {
  while (n && !w->dead) {
    struct iovec v = {(void *)(uintptr_t)p, n};
    ssize_t r = loop_writev(w->fd, &v, 1, -1);
    if (r == -EAGAIN) /* somebody made the host's terminal non-blocking */
      r = loop_wait_fd(w->fd, EPOLLOUT) < 0 ? -EIO : 0;
    if (r == -EINTR)
      continue;
    if (r < 0)
      return (int)r;
    p += r;
    n -= (size_t)r;
  }
  return 0;
}

static void writer(void *arg) {
  struct tty_wire *w = arg;
  struct tty *t = w->t;
  uint8_t buf[4096];
  for (;;) {
    uint32_t n = ring_get(&t->n.out, buf, sizeof buf);
    if (w->dead || (!n && w->closing))
      break;
    if (!n) {
      task_wait_uninterruptible(&w->out, 0, NO_DEADLINE);
      continue;
    }
    w->writing = true;
    tty_drained(t); /* there is room again */
    int r = write_all(w, buf, n);
    w->writing = false;
    tty_drained(t);
    if (r < 0) {
      wire_die(w);
      break;
    }
  }
  wire_ended(w);
}

void tty_wire_output(struct tty_wire *w) {
  waitq_wake_all(&w->out, 0);
}
void tty_wire_room(struct tty_wire *w) {
  waitq_wake_all(&w->in, 0);
}
bool tty_wire_drained(const struct tty_wire *w) {
  return !w->writing && !ring_used(&w->t->n.out);
}

void tty_wire_close(struct tty_wire *w) {
  w->closing = true;
  waitq_wake_all(&w->in, 0);
  waitq_wake_all(&w->out, 0);
}

static void make_raw(struct tty_wire *w) {
  if (ioctl(w->fd, TCGETS2, &w->saved))
    return;
  w->have_saved = true;
  struct termios2 raw = w->saved;
  raw.c_iflag &= ~(tcflag_t)(IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IXON | IXOFF | IXANY);
  raw.c_oflag &= ~(tcflag_t)OPOST;
  raw.c_lflag &= ~(tcflag_t)(ECHO | ECHONL | ICANON | ISIG | IEXTEN);
  raw.c_cflag = (raw.c_cflag & ~(tcflag_t)(CSIZE | PARENB)) | CS8;
  raw.c_cc[VMIN] = 1;
  raw.c_cc[VTIME] = 0;
  ioctl(w->fd, TCSETS2, &raw);
}

static int wire_new(struct tty *t, int fd) {
  struct tty_wire *w = calloc(1, sizeof *w);
  if (!w)
    return -ENOMEM;
  w->t = t;
  w->fd = fd;
  waitq_init(&w->in);
  waitq_init(&w->out);
  make_raw(w);
  ioctl(fd, TIOCGWINSZ, &t->ws);
  t->wire = w;
  return 0;
}

static void wire_start(struct tty_wire *w) {
  struct tty *t = w->t;
  static fiber_fn *const body[2] = {reader, writer};
  w->fibers = 2;
  for (int i = 0; i < 2; i++) {
    tty_get(t);
    if (fiber_spawn(body[i], w)) {
      w->closing = true;
      wire_ended(w);
    }
    if (!t->wire)
      return;
  }
}

int tty_console_new(struct kernel *k, int host_fd, struct file **out) {
  struct tty *t;
  int r = tty_new(k, &t);
  if (r)
    return r;
  t->n.tio.c_iflag |= IUTF8; /* as terminal emulators do for their ptys */
  t->uid = 0;
  t->gid = k->ttys->pts_gid_set ? k->ttys->pts_gid : 0;
  t->mode = S_IFCHR | 0620;
  r = wire_new(t, host_fd);
  if (!r) {
    r = tty_open_by_path(t, O_RDWR | O_NOCTTY, out);
    if (!r) {
      if (!k->ttys->console)
        k->ttys->console = t;
      wire_start(t->wire);
    } else {
      free(t->wire);
      t->wire = NULL;
    }
  }
  tty_put(t); /* the file and the fibers have their own */
  return r;
}

void tty_console_resized(struct file *f) {
  struct tty *t = file_tty(f);
  struct winsize ws;
  if (t && t->wire && !ioctl(t->wire->fd, TIOCGWINSZ, &ws))
    tty_resize(t, &ws);
}
