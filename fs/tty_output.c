/* Output processing (OPOST) and the way of bytes to the wire. */
#include "tty_ldisc.h"
#include <ctype.h>

static bool put(struct ntty *n, const char *s, uint32_t len) {
  if (ring_room(&n->out) < len)
    return false;
  return ring_put(&n->out, (const uint8_t *)s, len) == len;
}

static bool output_tab(struct ntty *n) {
  unsigned spaces = 8 - (n->column & 7);
  bool ok = (n->tio.c_oflag & TABDLY) == XTABS ? put(n, "        ", spaces) : put(n, "\t", 1);
  if (ok)
    n->column += spaces;
  return ok;
}

static bool output_newline(struct ntty *n) {
  if (n->tio.c_oflag & ONLCR) {
    if (!put(n, "\r\n", 2))
      return false;
    n->column = n->canon_column = 0;
    return true;
  }
  if (!put(n, "\n", 1))
    return false;
  if (n->tio.c_oflag & ONLRET)
    n->column = 0;
  n->canon_column = n->column;
  return true;
}

static bool output_return(struct ntty *n) {
  if ((n->tio.c_oflag & ONOCR) && n->column == 0)
    return true;
  bool nl = n->tio.c_oflag & OCRNL;
  if (!put(n, nl ? "\n" : "\r", 1))
    return false;
  if (!nl || (n->tio.c_oflag & ONLRET))
    n->column = n->canon_column = 0;
  return true;
}

bool ntty_output_char(struct ntty *n, uint8_t c) {
  if (!(n->tio.c_oflag & OPOST))
    return put(n, (const char *)&c, 1);
  switch (c) {
  case '\n':
    return output_newline(n);
  case '\r':
    return output_return(n);
  case '\t':
    return output_tab(n);
  case '\b':
    if (!put(n, "\b", 1))
      return false;
    n->column -= n->column > 0;
    return true;
  default:
    if ((n->tio.c_oflag & OLCUC) && !(c & 0x80))
      c = (uint8_t)toupper(c);
    if (!put(n, (const char *)&c, 1))
      return false;
    n->column += c >= ' ' && c != 0x7f && !utf8_continuation(n, c);
    return true;
  }
}

size_t ntty_write_room(const struct ntty *n) {
  uint32_t used = ring_used(&n->out);
  return n->stopped || used >= NTTY_OUT_SOFT ? 0 : NTTY_OUT_SOFT - used;
}

size_t ntty_write(struct ntty *n, const uint8_t *p, size_t len) {
  size_t done = 0;
  if (n->tio.c_oflag & OPOST) {
    while (done < len && ntty_write_room(n) && ntty_output_char(n, p[done]))
      done++;
  } else {
    size_t room = ntty_write_room(n);
    done = ring_put(&n->out, p, (uint32_t)(len < room ? len : room));
  }
  if (done)
    n->ops->output(n);
  return done;
}

void ntty_send_char(struct ntty *n, uint8_t c) {
  if (c && put(n, (const char *)&c, 1))
    n->ops->output(n);
}

void ntty_stop(struct ntty *n) {
  if (n->stopped)
    return;
  n->stopped = true;
  n->ops->flow(n, true);
}

void ntty_start(struct ntty *n) {
  if (!n->stopped)
    return;
  n->stopped = false;
  n->ops->flow(n, false);
  n->ops->output(n);
}
