/* Input processing: special characters, line editing, echo, and what a reader gets. */
#include "tty_ldisc.h"
#include "../core/errno.h"
#include <ctype.h>
#include <signal.h>

#define SLOT(i) ((i) & (NTTY_BUF - 1))
#define CC(n, which) ((n)->tio.c_cc[which])
#define IFLAG(n, f) ((n)->tio.c_iflag & (f))
#define LFLAG(n, f) ((n)->tio.c_lflag & (f))

static void set_line_end(struct ntty *n, uint32_t i, bool on) {
  uint8_t bit = (uint8_t)(1u << (i & 7));
  uint8_t *b = &n->line_end[SLOT(i) >> 3];
  *b = on ? *b | bit : *b & (uint8_t)~bit;
}

static bool is_line_end(const struct ntty *n, uint32_t i) {
  return n->line_end[SLOT(i) >> 3] >> (i & 7) & 1;
}

static void put_char(struct ntty *n, uint8_t c) {
  n->buf[SLOT(n->head)] = c;
  set_line_end(n, n->head, false);
  n->head++;
}

void ntty_init(struct ntty *n, const struct ntty_ops *ops) {
  static const uint8_t cc[NCCS] = {
      [VINTR] = 3,   [VQUIT] = 034, [VERASE] = 0177,  [VKILL] = 025,    [VEOF] = 4,      [VMIN] = 1,     [VSTART] = 021,
      [VSTOP] = 023, [VSUSP] = 032, [VREPRINT] = 022, [VDISCARD] = 017, [VWERASE] = 027, [VLNEXT] = 026,
  };
  *n = (struct ntty){.ops = ops};
  n->tio.c_iflag = ICRNL | IXON;
  n->tio.c_oflag = OPOST | ONLCR;
  n->tio.c_cflag = B38400 | CS8 | CREAD;
  n->tio.c_lflag = ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN;
  n->tio.c_ispeed = n->tio.c_ospeed = 38400;
  memcpy(n->tio.c_cc, cc, sizeof cc);
  ring_init(&n->pending, NTTY_PENDING);
  ring_init(&n->out, NTTY_OUT);
}

void ntty_destroy(struct ntty *n) {
  ring_clear(&n->pending);
  ring_clear(&n->out);
}

/* ---- echo ---- */
static void echo_raw(struct ntty *n, uint8_t c) {
  ntty_output_char(n, c);
}

static void echo_char(struct ntty *n, uint8_t c) {
  if (LFLAG(n, ECHOCTL) && iscntrl(c) && c < 0x80 && c != '\t') {
    ntty_output_char(n, '^');
    ntty_output_char(n, c ^ 0100);
  } else {
    echo_raw(n, c);
  }
}

static void finish_erasing(struct ntty *n) {
  if (n->erasing)
    echo_raw(n, '/');
  n->erasing = false;
}

/* What was typed stands in the line buffer from canon_head on: how wide is it up to `end`, back to a tab or the start?
 */
static void erase_tab(struct ntty *n) {
  unsigned width = 0;
  bool after_tab = false;
  for (uint32_t i = n->head; i != n->canon_head && !after_tab;) {
    uint8_t c = n->buf[SLOT(--i)];
    if (c == '\t')
      after_tab = true;
    else if (iscntrl(c) && c < 0x80)
      width += LFLAG(n, ECHOCTL) ? 2 : 0;
    else if (!utf8_continuation(n, c))
      width++;
  }
  if (!after_tab)
    width += n->canon_column;
  for (unsigned back = 8 - (width & 7); back; back--)
    echo_raw(n, '\b');
}

static void erase_cells(struct ntty *n, int cells) {
  while (cells-- > 0)
    for (const char *s = "\b \b"; *s; s++)
      echo_raw(n, (uint8_t)*s);
}

/* Echo the erasure of the character(s) [n->head, old_head), the first of which is c. */
static void echo_erasure(struct ntty *n, uint8_t typed, uint8_t c, uint32_t old_head) {
  bool ctl = iscntrl(c) && c < 0x80;
  if (LFLAG(n, ECHOPRT)) {
    if (!n->erasing)
      echo_raw(n, '\\');
    n->erasing = true;
    echo_char(n, c);
    for (uint32_t i = n->head + 1; i != old_head; i++)
      echo_raw(n, n->buf[SLOT(i)]);
  } else if (typed == CC(n, VERASE) && !LFLAG(n, ECHOE)) {
    echo_char(n, typed);
  } else if (c == '\t') {
    erase_tab(n);
  } else {
    erase_cells(n, ctl ? (LFLAG(n, ECHOCTL) ? 2 : 0) : 1);
  }
}

enum erase_kind { ERASE_CHAR, ERASE_WORD, ERASE_LINE };

static bool kill_without_trace(struct ntty *n, uint8_t typed) {
  bool silent = !LFLAG(n, ECHO);
  if (!silent && LFLAG(n, ECHOK) && LFLAG(n, ECHOKE) && LFLAG(n, ECHOE))
    return false;
  n->head = n->canon_head;
  if (!silent) {
    finish_erasing(n);
    echo_char(n, typed);
    if (LFLAG(n, ECHOK))
      echo_raw(n, '\n');
  }
  return true;
}

static void eraser(struct ntty *n, uint8_t typed, enum erase_kind kind) {
  bool seen_word = false;
  if (n->head == n->canon_head || (kind == ERASE_LINE && kill_without_trace(n, typed)))
    return;
  while (n->head != n->canon_head) {
    uint32_t h = n->head, old = n->head;
    uint8_t c;
    do
      c = n->buf[SLOT(--h)];
    while (utf8_continuation(n, c) && h != n->canon_head);
    if (utf8_continuation(n, c))
      break; /* only a part of a character: leave it */
    if (kind == ERASE_WORD) {
      if (isalnum(c) || c == '_' || c >= 0x80)
        seen_word = true;
      else if (seen_word)
        break;
    }
    n->head = h;
    if (LFLAG(n, ECHO))
      echo_erasure(n, typed, c, old);
    if (kind == ERASE_CHAR)
      break;
  }
  if (n->head == n->canon_head && LFLAG(n, ECHO))
    finish_erasing(n);
}

/* ---- special characters ---- */
void ntty_flush_input(struct ntty *n) {
  n->head = n->canon_head = n->tail = 0;
  n->lnext = n->erasing = false;
  memset(n->line_end, 0, sizeof n->line_end);
  ring_clear(&n->pending);
  n->ops->flushed(n);
}

static void signal_char(struct ntty *n, int sig, uint8_t c) {
  if (!LFLAG(n, NOFLSH)) {
    /* Linux drops what the wire's driver holds and keeps the 4 KiB that the peer's side has buffered. */
    ring_cut(&n->out, NTTY_BUF);
    n->head = n->canon_head = n->tail = 0;
    n->lnext = n->erasing = false;
    memset(n->line_end, 0, sizeof n->line_end);
    n->ops->flushed(n);
  }
  if (IFLAG(n, IXON))
    ntty_start(n);
  if (LFLAG(n, ECHO))
    echo_char(n, c);
  n->ops->signal(n, sig);
}

static void end_line(struct ntty *n, uint8_t c) {
  n->buf[SLOT(n->head)] = c;
  set_line_end(n, n->head, true);
  n->head++;
  n->canon_head = n->head;
  n->ops->readable(n);
}

static void reprint(struct ntty *n, uint8_t c) {
  finish_erasing(n);
  echo_char(n, c);
  echo_raw(n, '\n');
  for (uint32_t i = n->canon_head; i != n->head; i++)
    echo_char(n, n->buf[SLOT(i)]);
}

/* 0 is _POSIX_VDISABLE: never a special character. */
static bool is_cc(const struct ntty *n, uint8_t c, int which) {
  return c && c == CC(n, which);
}

/* True if c was a special character of canonical mode, and is dealt with. */
static bool canon_special(struct ntty *n, uint8_t c) {
  bool ext = LFLAG(n, IEXTEN);
  if (is_cc(n, c, VERASE))
    eraser(n, c, ERASE_CHAR);
  else if (is_cc(n, c, VKILL))
    eraser(n, c, ERASE_LINE);
  else if (ext && is_cc(n, c, VWERASE))
    eraser(n, c, ERASE_WORD);
  else if (ext && is_cc(n, c, VLNEXT)) {
    n->lnext = true;
    if (LFLAG(n, ECHO)) {
      finish_erasing(n);
      if (LFLAG(n, ECHOCTL)) {
        echo_raw(n, '^');
        echo_raw(n, '\b');
      }
    }
  } else if (ext && LFLAG(n, ECHO) && is_cc(n, c, VREPRINT))
    reprint(n, c);
  else if (c == '\n') {
    if (LFLAG(n, ECHO | ECHONL))
      echo_raw(n, '\n');
    end_line(n, c);
  } else if (is_cc(n, c, VEOF))
    end_line(n, 0);
  else if (is_cc(n, c, VEOL) || (ext && is_cc(n, c, VEOL2))) {
    if (LFLAG(n, ECHO)) {
      if (n->canon_head == n->head)
        n->canon_column = n->column;
      echo_char(n, c);
    }
    end_line(n, c);
  } else
    return false;
  return true;
}

static void ordinary_char(struct ntty *n, uint8_t c) {
  if (LFLAG(n, ECHO)) {
    finish_erasing(n);
    if (c == '\n') {
      echo_raw(n, c);
    } else {
      if (n->canon_head == n->head)
        n->canon_column = n->column;
      echo_char(n, c);
    }
  }
  if (c == 0377 && IFLAG(n, PARMRK))
    put_char(n, c);
  put_char(n, c);
}

static bool flow_char(struct ntty *n, uint8_t c) {
  if (!IFLAG(n, IXON))
    return false;
  if (is_cc(n, c, VSTART)) {
    ntty_start(n);
    return true;
  }
  if (is_cc(n, c, VSTOP)) {
    ntty_stop(n);
    return true;
  }
  return false;
}

static void receive_char(struct ntty *n, uint8_t c) {
  if (IFLAG(n, ISTRIP))
    c &= 0x7f;
  if (IFLAG(n, IUCLC) && LFLAG(n, IEXTEN) && c < 0x80)
    c = (uint8_t)tolower(c);
  if (LFLAG(n, EXTPROC)) {
    put_char(n, c);
    return;
  }
  if (n->lnext) {
    n->lnext = false;
    ordinary_char(n, c);
    return;
  }
  if (flow_char(n, c))
    return;
  if (LFLAG(n, ISIG)) {
    int sig = is_cc(n, c, VINTR) ? SIGINT : is_cc(n, c, VQUIT) ? SIGQUIT : is_cc(n, c, VSUSP) ? SIGTSTP : 0;
    if (sig) {
      signal_char(n, sig, c);
      return;
    }
  }
  if (n->stopped && IFLAG(n, IXON) && IFLAG(n, IXANY))
    ntty_start(n);
  if (c == '\r') {
    if (IFLAG(n, IGNCR))
      return;
    if (IFLAG(n, ICRNL))
      c = '\n';
  } else if (c == '\n' && IFLAG(n, INLCR)) {
    c = '\r';
  }
  if (ntty_canon(n) && canon_special(n, c))
    return;
  ordinary_char(n, c);
}

/* ---- from the wire into the buffer ---- */
/* One slot stays free for the end of the line. A line that is too long keeps its beginning: see termios(3), canonical
 * mode. */
static bool make_room(struct ntty *n) {
  int room = (int)(NTTY_BUF - (n->head - n->tail)) - (IFLAG(n, PARMRK) ? 3 : 1);
  if (room > 0)
    return true;
  if (!ntty_canon(n) || n->canon_head != n->tail)
    return false;
  if (room < 0)
    n->head--;
  return true;
}

static void process_pending(struct ntty *n) {
  uint8_t chunk[256];
  uint32_t before = n->out.head, head = n->head, got;
  bool full = false;
  while (!full && (got = ring_peek(&n->pending, chunk, sizeof chunk)) > 0) {
    uint32_t done = 0;
    while (done < got && !(full = !make_room(n)) && ring_used(&n->pending)) {
      uint8_t c = chunk[done++];
      ring_skip(&n->pending, 1);
      receive_char(n, c);
    }
  }
  if (n->out.head != before)
    n->ops->output(n);
  if (n->head != head && !ntty_canon(n))
    n->ops->readable(n);
}

size_t ntty_receive_room(const struct ntty *n) {
  return ring_room(&n->pending);
}

size_t ntty_receive(struct ntty *n, const uint8_t *p, size_t len) {
  size_t done = 0;
  while (done < len) {
    size_t want = len - done < NTTY_PENDING ? len - done : NTTY_PENDING;
    uint32_t r = ring_put(&n->pending, p + done, (uint32_t)want);
    process_pending(n);
    if (!r)
      break;
    done += r;
  }
  return done;
}

/* ---- to the reader ---- */
bool ntty_readable(const struct ntty *n, bool polling) {
  if (ntty_canon(n) && !LFLAG(n, EXTPROC))
    return n->canon_head != n->tail;
  uint32_t need = polling && !CC(n, VTIME) && CC(n, VMIN) ? CC(n, VMIN) : 1;
  return n->head - n->tail >= need;
}

size_t ntty_inq(const struct ntty *n) {
  if (!ntty_canon(n))
    return n->head - n->tail;
  size_t count = 0;
  for (uint32_t i = n->tail; i != n->canon_head; i++)
    count += !(is_line_end(n, i) && n->buf[SLOT(i)] == 0);
  return count;
}

static bool is_eof_mark(const struct ntty *n, uint32_t i) {
  return is_line_end(n, i) && n->buf[SLOT(i)] == 0;
}

static ssize_t read_line(struct ntty *n, uint8_t *p, size_t len, bool *eof) {
  size_t got = 0;
  if (n->tail == n->canon_head)
    return -EAGAIN;
  if (is_eof_mark(n, n->tail)) {
    n->tail++;
    *eof = true;
    return 0;
  }
  while (got < len && n->tail != n->canon_head && !is_eof_mark(n, n->tail)) {
    bool end = is_line_end(n, n->tail);
    p[got++] = n->buf[SLOT(n->tail++)];
    if (end)
      return (ssize_t)got;
  }
  /* An end of file right behind the data ends this read, not the next one. */
  if (n->tail != n->canon_head && is_eof_mark(n, n->tail))
    n->tail++;
  return (ssize_t)got;
}

ssize_t ntty_read(struct ntty *n, uint8_t *p, size_t len, bool *eof) {
  ssize_t r;
  *eof = false;
  if (ntty_canon(n) && !LFLAG(n, EXTPROC)) {
    r = read_line(n, p, len, eof);
  } else {
    size_t have = n->head - n->tail;
    if (have > len)
      have = len;
    for (size_t i = 0; i < have; i++)
      p[i] = n->buf[SLOT(n->tail++)];
    if (n->tail - n->canon_head < 0x80000000u)
      n->canon_head = n->tail; /* raw reads go past it */
    r = have ? (ssize_t)have : -EAGAIN;
  }
  if (r >= 0 && ring_used(&n->pending))
    process_pending(n);
  return r;
}

void ntty_set_termios(struct ntty *n, const struct termios2 *t) {
  tcflag_t changed = n->tio.c_lflag ^ t->c_lflag;
  tcflag_t iold = n->tio.c_iflag;
  n->tio = *t;
  if (changed & (ICANON | EXTPROC)) {
    memset(n->line_end, 0, sizeof n->line_end);
    n->canon_head = n->tail;
    if (ntty_canon(n) && n->head != n->tail) {
      /* What was typed ahead can be read at once, as a line without an end. */
      n->canon_head = n->head;
      set_line_end(n, n->head - 1, true);
    }
    n->erasing = n->lnext = false;
    n->ops->readable(n);
  }
  if ((iold & IXON) && !(t->c_iflag & IXON))
    ntty_start(n);
  process_pending(n);
}
