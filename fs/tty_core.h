/*
 * What the files of fs/tty_*.c share: one struct tty for a terminal with both its ends. The slave end carries the line
 * discipline; the other end is a pty master or the wire to a host terminal.
 *
 * References: open files, inodes of devpts, the fibers of a wire, and the session whose terminal it is hold one each.
 * process.ctty is borrowed: it equals t only while t->session is that process's session, and the tty clears it.
 */
#pragma once
#include "tty.h"
#include "tty_ldisc.h"
#include <sys/ioctl.h>

#define TTY_MAX 2048             /* kernel.pty.max: what eight majors of 256 minors can name */
#define PTS_MAJOR 136            /* UNIX98_PTY_SLAVE_MAJOR, minors 0 to 255, and more majors behind */
#define TTY_IOCTL_UNKNOWN (-515) /* not a tty's: ENOIOCTLCMD */

struct tty_wire;

struct tty {
  ref_t ref;
  struct kernel *k;
  int index; /* N of /dev/pts/N */
  struct ntty n;
  struct winsize ws;
  struct termios2 fixed; /* TIOCSLCKTRMIOS: the bits and characters of n.tio that cannot be changed */
  struct pid *session; /* whose terminal it is; counted; NULL: nobody's */
  struct pid *pgrp;    /* in the foreground; counted */
  struct waitq wq;     /* of the slave end */
  struct waitq master_wq;
  struct tty_wire *wire; /* the console's; NULL: a pty */
  int slaves;            /* open files */
  bool master_open;
  bool slave_closed; /* the last slave file was closed (none was ever open: false) */
  bool hung_up;
  bool locked, exclusive;
  bool packet;
  uint8_t ctrl_status;     /* TIOCPKT_* waiting to be read in packet mode */
  uint32_t mode, uid, gid; /* of the node in devpts */
  bool owned;              /* uid was set by somebody; until then a console belongs to its session's leader */
  struct timespec atime, mtime, ctime;
};

struct tty_table {
  struct tty *tty[TTY_MAX];   /* borrowed: a tty leaves the table when its wire or master goes */
  struct tty *console;        /* what /dev/console opens; borrowed */
  uint32_t pts_mode, pts_gid; /* of new nodes, from devpts' mount options */
  bool pts_gid_set;
};

/* ---- tty_core.c ---- */
struct tty_table *tty_table(struct kernel *k);   /* NULL: no memory */
int tty_new(struct kernel *k, struct tty **out); /* takes a number */
struct tty *tty_get(struct tty *t);
void tty_put(struct tty *t);
void tty_unlist(struct tty *t); /* its number is free, its node gone */
struct tty *tty_by_index_borrow(struct kernel *k, unsigned index);
void tty_hangup(struct tty *t);
void tty_packet_status(struct tty *t, uint8_t set, uint8_t clear);
void tty_drained(struct tty *t); /* the other end took output */

/* ---- tty_slave.c ---- */
extern const struct file_ops tty_slave_fops;
int tty_slave_open(struct tty *t, struct file *f);
/* A file on t by its path in devpts if that is mounted. */
int tty_open_by_path(struct tty *t, int flags, struct file **out);

/* ---- tty_ptmx.c ---- */
extern const struct file_ops tty_master_fops;
int ptmx_open(struct inode *i, struct file *f);
static inline struct tty *file_tty(const struct file *f) {
  return f->ops == &tty_slave_fops || f->ops == &tty_master_fops ? f->priv : NULL;
}

/* ---- tty_jobctl.c ---- */
int tty_check_change(struct tty *t, int sig); /* 0, -EIO or -ERESTARTSYS */
void tty_signal_pgrp(struct tty *t, int sig);
void tty_set_session(struct tty *t, struct task *task);
void tty_clear_session(struct tty *t); /* takes it from all processes of its session */
long tty_jobctl_ioctl(struct file *f, struct tty *t, unsigned cmd, uint64_t arg);

/* ---- tty_ioctl.c ---- */
long tty_ioctl(struct file *f, unsigned cmd, uint64_t arg);
void tty_resize(struct tty *t, const struct winsize *ws);

/* ---- tty_console.c ---- */
void tty_wire_output(struct tty_wire *w); /* there is something in t->n.out */
void tty_wire_room(struct tty_wire *w);   /* a reader took input */
void tty_wire_close(struct tty_wire *w);  /* nobody uses it any more: drain and close */
bool tty_wire_drained(const struct tty_wire *w);

/* ---- devpts.c ---- */
int tty_chrdevs_register(void); /* /dev/tty, console, ptmx, pts */
