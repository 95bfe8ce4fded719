/* ioctl_tty(2), both ends. */
#include "../core/errno.h"
#include "../core/signal.h"
#include "../core/uaccess.h"
#include "tty_core.h"
#include <linux/capability.h>

#define TERMIOS_SIZE 36 /* the kernel's struct termios: termios2 without the speeds */
struct termio_k {       /* System V's, of TCGETA and TCSETA */
  uint16_t c_iflag, c_oflag, c_cflag, c_lflag;
  uint8_t c_line, c_cc[8];
};

static const uint32_t baud_table[] = {0,   50,   75,   110,  134,  150,  200,   300,
                                      600, 1200, 1800, 2400, 4800, 9600, 19200, 38400};
static const uint32_t baud_table_ex[] = {57600,   115200,  230400,  460800,  500000,  576000,  921600, 1000000,
                                         1152000, 1500000, 2000000, 2500000, 3000000, 3500000, 4000000};

static uint32_t cbaud_rate(tcflag_t cflag, uint32_t custom) {
  tcflag_t b = cflag & CBAUD;
  if (b == BOTHER)
    return custom;
  if (!(b & CBAUDEX))
    return baud_table[b & 15];
  b &= 15;
  return b && b <= sizeof baud_table_ex / sizeof *baud_table_ex ? baud_table_ex[b - 1] : custom;
}

/* ioctl_tty(2), "Locking the termios structure": what is locked stays as it was. */
static void keep_fixed(const struct tty *t, struct termios2 *n) {
  const struct termios2 *was = &t->n.tio, *fixed = &t->fixed;
  n->c_iflag = (n->c_iflag & ~fixed->c_iflag) | (was->c_iflag & fixed->c_iflag);
  n->c_oflag = (n->c_oflag & ~fixed->c_oflag) | (was->c_oflag & fixed->c_oflag);
  n->c_cflag = (n->c_cflag & ~fixed->c_cflag) | (was->c_cflag & fixed->c_cflag);
  n->c_lflag = (n->c_lflag & ~fixed->c_lflag) | (was->c_lflag & fixed->c_lflag);
  for (size_t i = 0; i < sizeof n->c_cc; i++)
    if (fixed->c_cc[i])
      n->c_cc[i] = was->c_cc[i];
}

static long set_fixed(struct tty *t, uint64_t arg) {
  if (!cred_has_cap(task_current()->cred, CAP_SYS_ADMIN))
    return -EPERM;
  struct termios2 n = t->fixed;
  int r = copy_from_user(&n, arg, TERMIOS_SIZE);
  if (!r)
    t->fixed = n;
  return r;
}

/* What the wire cannot do otherwise: eight bits, no parity, receiver on (drivers/tty/pty.c). */
static void apply_termios(struct tty *t, struct termios2 *n) {
  keep_fixed(t, n);
  bool was_extproc = t->n.tio.c_lflag & EXTPROC, was_ixon = t->n.tio.c_iflag & IXON;
  n->c_cflag = (n->c_cflag & ~(tcflag_t)(CSIZE | PARENB)) | CS8 | CREAD;
  n->c_ospeed = cbaud_rate(n->c_cflag, n->c_ospeed);
  n->c_ispeed = (n->c_cflag & CIBAUD) ? n->c_ispeed : n->c_ospeed;
  n->c_line = 0;
  ntty_set_termios(&t->n, n);
  bool std_flow = (n->c_iflag & IXON) && n->c_cc[VSTOP] == 023 && n->c_cc[VSTART] == 021;
  if (was_ixon != std_flow)
    tty_packet_status(t, std_flow ? TIOCPKT_DOSTOP : TIOCPKT_NOSTOP, std_flow ? TIOCPKT_NOSTOP : TIOCPKT_DOSTOP);
  if (was_extproc != !!(n->c_lflag & EXTPROC))
    tty_packet_status(t, TIOCPKT_IOCTL, 0);
}

static int wait_drained(struct tty *t) {
  while (t->wire && !t->hung_up && !tty_wire_drained(t->wire)) {
    int r = task_wait(&t->wq, EPOLLOUT, NO_DEADLINE);
    if (r)
      return r;
  }
  return 0; /* what a pty's peer has not read yet counts as sent */
}

enum set_when { SET_NOW, SET_WAIT, SET_FLUSH };

static long set_termios(struct tty *t, uint64_t arg, size_t size, enum set_when when, bool master) {
  struct termios2 n = t->n.tio;
  int r = master ? 0 : tty_check_change(t, SIGTTOU);
  if (r)
    return r;
  r = copy_from_user(&n, arg, size);
  if (r)
    return r;
  if (when == SET_FLUSH)
    ntty_flush_input(&t->n);
  if (when != SET_NOW) {
    r = wait_drained(t);
    if (r)
      return r;
  }
  apply_termios(t, &n);
  return 0;
}

static long get_termio(struct tty *t, uint64_t arg) {
  const struct termios2 *s = &t->n.tio;
  struct termio_k k = {(uint16_t)s->c_iflag, (uint16_t)s->c_oflag, (uint16_t)s->c_cflag, (uint16_t)s->c_lflag};
  k.c_line = s->c_line;
  memcpy(k.c_cc, s->c_cc, sizeof k.c_cc);
  return put_user(arg, &k);
}

static long set_termio(struct tty *t, uint64_t arg, enum set_when when, bool master) {
  struct termio_k k;
  int r = master ? 0 : tty_check_change(t, SIGTTOU);
  if (r)
    return r;
  if (get_user(&k, arg))
    return -EFAULT;
  if (when == SET_FLUSH)
    ntty_flush_input(&t->n);
  if (when != SET_NOW && (r = wait_drained(t)))
    return r;
  struct termios2 n = t->n.tio;
  n.c_iflag = (n.c_iflag & 0xffff0000) | k.c_iflag;
  n.c_oflag = (n.c_oflag & 0xffff0000) | k.c_oflag;
  n.c_cflag = (n.c_cflag & 0xffff0000) | k.c_cflag;
  n.c_lflag = (n.c_lflag & 0xffff0000) | k.c_lflag;
  memcpy(n.c_cc, k.c_cc, sizeof k.c_cc);
  apply_termios(t, &n);
  return 0;
}

static long termios_ioctl(struct tty *t, unsigned cmd, uint64_t arg, bool master) {
  switch (cmd) {
  case TCGETS:
    return copy_to_user(arg, &t->n.tio, TERMIOS_SIZE);
  case TCGETS2:
    return put_user(arg, &t->n.tio);
  case TCSETS:
  case TCSETSW:
  case TCSETSF:
    return set_termios(t, arg, TERMIOS_SIZE, (enum set_when)(cmd - TCSETS), master);
  case TCSETS2:
  case TCSETSW2:
  case TCSETSF2:
    return set_termios(t, arg, sizeof t->n.tio, (enum set_when)(cmd - TCSETS2), master);
  case TCGETA:
    return get_termio(t, arg);
  case TCSETA:
  case TCSETAW:
  case TCSETAF:
    return set_termio(t, arg, (enum set_when)(cmd - TCSETA), master);
  case TIOCGLCKTRMIOS:
    return copy_to_user(arg, &t->fixed, TERMIOS_SIZE);
  case TIOCSLCKTRMIOS:
    return set_fixed(t, arg);
  default:
    return TTY_IOCTL_UNKNOWN;
  }
}

void tty_resize(struct tty *t, const struct winsize *ws) {
  if (!memcmp(&t->ws, ws, sizeof *ws))
    return;
  t->ws = *ws;
  tty_signal_pgrp(t, SIGWINCH);
}

static long flush_queues(struct tty *t, uint64_t which) {
  if (which > TCIOFLUSH)
    return -EINVAL;
  if (which != TCOFLUSH)
    ntty_flush_input(&t->n);
  if (which != TCIFLUSH) {
    ring_clear(&t->n.out);
    tty_packet_status(t, TIOCPKT_FLUSHWRITE, 0);
    tty_drained(t);
  }
  return 0;
}

static long flow_control(struct tty *t, uint64_t action) {
  switch (action) {
  case TCOOFF:
    ntty_stop(&t->n);
    return 0;
  case TCOON:
    ntty_start(&t->n);
    return 0;
  case TCIOFF:
    ntty_send_char(&t->n, t->n.tio.c_cc[VSTOP]);
    return 0;
  case TCION:
    ntty_send_char(&t->n, t->n.tio.c_cc[VSTART]);
    return 0;
  default:
    return -EINVAL;
  }
}

/* Those that a background process may not do. */
static long line_ioctl(struct tty *t, unsigned cmd, uint64_t arg, bool master) {
  int ldisc, r;
  switch (cmd) {
  case TCFLSH:
  case TCXONC:
  case TCSBRK:
  case TCSBRKP:
  case TIOCSETD:
    r = master ? 0 : tty_check_change(t, SIGTTOU);
    if (r)
      return r;
    break;
  default:
    return TTY_IOCTL_UNKNOWN;
  }
  switch (cmd) {
  case TCFLSH:
    return flush_queues(t, arg);
  case TCXONC:
    return flow_control(t, arg);
  case TIOCSETD:
    if (get_user(&ldisc, arg))
      return -EFAULT;
    return ldisc == 0 ? 0 : -EINVAL; /* N_TTY is the only one */
  default:
    return wait_drained(t); /* tcdrain(3); breaks are nothing that this wire could carry */
  }
}

static long open_peer(struct tty *t, uint64_t flags) {
  struct task *me = task_current();
  AUTO_FILE f = NULL;
  if (t->hung_up || !me)
    return -EIO;
  int r = tty_open_by_path(t, (int)(flags & (O_ACCMODE | O_NONBLOCK)) | O_NOCTTY, &f);
  if (r)
    return r;
  return fd_install(me->files, f, 0, flags & O_CLOEXEC);
}

static long master_ioctl(struct tty *t, unsigned cmd, uint64_t arg) {
  int v;
  switch (cmd) {
  case TIOCGPTN:
    return put_user(arg, &t->index);
  case TIOCSPTLCK:
    if (get_user(&v, arg))
      return -EFAULT;
    t->locked = v;
    return 0;
  case TIOCGPTLCK:
    v = t->locked;
    return put_user(arg, &v);
  case TIOCPKT:
    if (get_user(&v, arg))
      return -EFAULT;
    if (v && !t->packet)
      t->ctrl_status = 0;
    t->packet = v;
    return 0;
  case TIOCGPKT:
    v = t->packet;
    return put_user(arg, &v);
  case TIOCGPTPEER:
    return open_peer(t, arg);
  case TIOCSIG:
    if (arg < 1 || arg > NSIG_GUEST || (arg != SIGINT && arg != SIGQUIT && arg != SIGTSTP))
      return -EINVAL;
    tty_signal_pgrp(t, (int)arg);
    return 0;
  case FIONREAD:
    v = (int)ring_used(&t->n.out);
    return put_user(arg, &v);
  case TIOCOUTQ:
    v = (int)ring_used(&t->n.pending);
    return put_user(arg, &v);
  default:
    return TTY_IOCTL_UNKNOWN;
  }
}

static long slave_ioctl(struct tty *t, unsigned cmd, uint64_t arg) {
  int v;
  switch (cmd) {
  case FIONREAD: /* TIOCINQ */
    v = (int)ntty_inq(&t->n);
    return put_user(arg, &v);
  case TIOCOUTQ:
    v = t->wire ? (int)ring_used(&t->n.out) : 0;
    return put_user(arg, &v);
  case TIOCSTI: /* as dev.tty.legacy_tiocsti=0 */
    return -EIO;
  case TIOCVHANGUP:
    return -EPERM;
  case TIOCGDEV:
    v = PTS_MAJOR << 8 | t->index;
    return put_user(arg, &v);
  default:
    return TTY_IOCTL_UNKNOWN;
  }
}

static long common_ioctl(struct tty *t, unsigned cmd, uint64_t arg) {
  struct winsize ws;
  int v = 0;
  switch (cmd) {
  case TIOCGWINSZ:
    return put_user(arg, &t->ws);
  case TIOCSWINSZ:
    if (get_user(&ws, arg))
      return -EFAULT;
    tty_resize(t, &ws);
    return 0;
  case TIOCEXCL:
    t->exclusive = true;
    return 0;
  case TIOCNXCL:
    t->exclusive = false;
    return 0;
  case TIOCGEXCL:
    v = t->exclusive;
    return put_user(arg, &v);
  case TIOCGETD:
    return put_user(arg, &v);
  case TIOCGSOFTCAR:
    v = !!(t->n.tio.c_cflag & CLOCAL);
    return put_user(arg, &v);
  default:
    return TTY_IOCTL_UNKNOWN;
  }
}

long tty_ioctl(struct file *f, unsigned cmd, uint64_t arg) {
  struct tty *t = f->priv;
  bool master = f->ops == &tty_master_fops;
  if (t->hung_up)
    return cmd == TIOCSPGRP ? -ENOTTY : -EIO; /* hung_up_tty_ioctl() */
  long r = termios_ioctl(t, cmd, arg, master);
  if (r == TTY_IOCTL_UNKNOWN)
    r = common_ioctl(t, cmd, arg);
  if (r == TTY_IOCTL_UNKNOWN)
    r = tty_jobctl_ioctl(f, t, cmd, arg);
  if (r == TTY_IOCTL_UNKNOWN)
    r = line_ioctl(t, cmd, arg, master);
  if (r == TTY_IOCTL_UNKNOWN)
    r = master ? master_ioctl(t, cmd, arg) : slave_ioctl(t, cmd, arg);
  return r == TTY_IOCTL_UNKNOWN ? -ENOTTY : r;
}
