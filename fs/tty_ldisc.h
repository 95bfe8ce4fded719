/*
 * N_TTY, the line discipline: what happens to bytes between a wire and the processes of a terminal (termios(3)).
 *
 * It is a machine of its own: bytes come in through ntty_receive() (from the wire) and ntty_write() (from processes),
 * and go out through ntty_read() (to processes) and the ring `out` (to the wire). It never parks; who waits is the
 * caller's business.
 */
#pragma once
#include "tty_ring.h"
#include <asm/termbits.h>
#include <stddef.h>
#include <sys/types.h>

#define NTTY_BUF 4096u     /* N_TTY_BUF_SIZE: MAX_CANON and what a reader can find waiting */
#define NTTY_PENDING 8192u /* from the wire, not looked at because the buffer is full */
#define NTTY_OUT 16384u    /* to the wire; writers stop at NTTY_OUT_SOFT, the rest is for echoes */
#define NTTY_OUT_SOFT 8192u

struct ntty;
struct ntty_ops {
  void (*signal)(struct ntty *n, int sig);    /* INTR, QUIT, SUSP were typed */
  void (*readable)(struct ntty *n);           /* there may be more to read */
  void (*output)(struct ntty *n);             /* `out` has got something */
  void (*flow)(struct ntty *n, bool stopped); /* STOP or START was typed, or TCXONC */
  void (*flushed)(struct ntty *n);            /* unread input was thrown away */
};

struct ntty {
  const struct ntty_ops *ops;
  struct termios2 tio;
  uint8_t buf[NTTY_BUF];
  uint8_t line_end[NTTY_BUF / 8];  /* bit set: this byte ends a line. Such a byte of 0 is an end of file, not data */
  uint32_t head, canon_head, tail; /* free-running; [tail, canon_head) are complete lines */
  bool lnext, erasing, stopped;
  unsigned column, canon_column; /* of the cursor; where the line being edited starts */
  struct ring pending, out;
};

void ntty_init(struct ntty *n, const struct ntty_ops *ops);
void ntty_destroy(struct ntty *n);
/* Bytes from the wire: how many were taken. */
size_t ntty_receive(struct ntty *n, const uint8_t *p, size_t len);
size_t ntty_receive_room(const struct ntty *n);
/* Bytes from a process, through output processing. How many were taken; 0 while stopped or full. */
size_t ntty_write(struct ntty *n, const uint8_t *p, size_t len);
size_t ntty_write_room(const struct ntty *n);
/*
 * For a reader with room for len bytes. Canonical: of at most one line. The count; *eof is set when an end-of-file
 * character was met with nothing before it; -EAGAIN when there is nothing.
 */
ssize_t ntty_read(struct ntty *n, uint8_t *p, size_t len, bool *eof);
bool ntty_readable(const struct ntty *n, bool polling); /* polling: VMIN counts, as in poll(2) */
size_t ntty_inq(const struct ntty *n);                  /* FIONREAD */
void ntty_set_termios(struct ntty *n, const struct termios2 *t);
void ntty_flush_input(struct ntty *n);
void ntty_stop(struct ntty *n);
void ntty_start(struct ntty *n);
/* Put a character onto the wire as it is (TCIOFF, TCION). */
void ntty_send_char(struct ntty *n, uint8_t c);
/* tty_output.c: for echoes, goes beyond the soft limit. False if there was no room. */
bool ntty_output_char(struct ntty *n, uint8_t c);

static inline bool ntty_canon(const struct ntty *n) {
  return n->tio.c_lflag & ICANON;
}
static inline bool utf8_continuation(const struct ntty *n, uint8_t c) {
  return (n->tio.c_iflag & IUTF8) && (c & 0xc0) == 0x80;
}
