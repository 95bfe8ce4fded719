/* Pseudo terminals: opening, locking, canonical and raw input, echo, output processing, sizes, hang-up. */
#include "guest.h"
#include <termios.h>
static int m, s;
static void show_bytes(const char *what, int fd) {
  char b[256], out[1200] = "";
  struct pollfd pf = {fd, POLLIN, 0};
  if (poll(&pf, 1, 100) <= 0 || !(pf.revents & POLLIN)) {
    say("%s: nothing%s", what, pf.revents & POLLHUP ? ", hung up" : "");
    return;
  }
  ssize_t n = read(fd, b, sizeof b);
  /* Output arrives in pieces: read on until the terminal is quiet. Input is looked at read by read. */
  for (ssize_t r; fd == m && n > 0 && poll(&pf, 1, 40) > 0 && (pf.revents & POLLIN) && (r = read(fd, b + n, sizeof b - n)) > 0;)
    n += r;
  for (ssize_t i = 0; i < n; i++)
    sprintf(out + strlen(out), b[i] >= 32 && b[i] < 127 ? "%c" : "<%02x>", (unsigned char)b[i]);
  say("%s: %zd [%s]", what, n, n < 0 ? ename(errno) : out);
}
static void in(const char *t) { write(m, t, strlen(t)); }
int main(void) {
  m = MUST(posix_openpt(O_RDWR | O_NOCTTY));
  char name[64];
  SHOW(ptsname_r(m, name, sizeof name));
  say("%.9s", name);
  SHOW(open(name, O_RDWR | O_NOCTTY)); /* locked */
  SHOW(grantpt(m)), SHOW(unlockpt(m));
  s = MUST(open(name, O_RDWR | O_NOCTTY));
  SHOW(isatty(m)), SHOW(isatty(s));
  struct termios t, raw;
  SHOW(tcgetattr(s, &t));
  say("iflag %x oflag %x cflag %x lflag %x", t.c_iflag, t.c_oflag, t.c_cflag, t.c_lflag);
  say("cc %d %d %d %d %d %d %d", t.c_cc[VINTR], t.c_cc[VQUIT], t.c_cc[VERASE], t.c_cc[VKILL], t.c_cc[VEOF], t.c_cc[VSUSP], t.c_cc[VMIN]);
  in("hel");
  show_bytes("echo", m), show_bytes("canonical, no line yet", s);
  in("lo\r");
  show_bytes("echo", m), show_bytes("line", s);
  in("abc\177X\n"), show_bytes("erase echo", m), show_bytes("erased", s);
  in("junk\025good\n"), show_bytes("kill echo", m), show_bytes("killed", s);
  in("two words\027W\n"), show_bytes("werase echo", m), show_bytes("werased", s);
  in("end\004"), show_bytes("echo", m), show_bytes("EOF pushes", s);
  in("\004"), show_bytes("EOF alone", s);
  in("\026\003\n"), show_bytes("literal next echo", m), show_bytes("literal next", s);
  in("\033\t\n"), show_bytes("control echo", m), show_bytes("control", s);
  in("one\ntwo\n"), show_bytes("echo", m), show_bytes("first line only", s), show_bytes("second", s);
  write(s, "out\n", 4), show_bytes("ONLCR", m);
  t.c_oflag &= ~OPOST;
  SHOW(tcsetattr(s, TCSANOW, &t)), write(s, "out\n", 4), show_bytes("no OPOST", m);
  t.c_lflag &= ~ECHO, tcsetattr(s, TCSANOW, &t);
  in("secret\n"), show_bytes("no echo", m), show_bytes("read", s);
  raw = t;
  cfmakeraw(&raw);
  SHOW(tcsetattr(s, TCSANOW, &raw));
  in("a\r\n\003\004"), show_bytes("raw", s);
  raw.c_cc[VMIN] = 0, raw.c_cc[VTIME] = 1, tcsetattr(s, TCSANOW, &raw);
  char b[32];
  int64_t t0 = now_ms();
  SHOW(read(s, b, 10));
  YES(now_ms() - t0 >= 90);
  raw.c_cc[VMIN] = 3, raw.c_cc[VTIME] = 0, tcsetattr(s, TCSANOW, &raw);
  in("xy");
  struct pollfd pf = {s, POLLIN, 0};
  SHOW(poll(&pf, 1, 20));
  in("z"), SHOW(poll(&pf, 1, 1000)), show_bytes("VMIN", s);
  SHOW(tcflush(s, TCIOFLUSH)), SHOW(tcdrain(s));
  struct winsize w = {24, 80, 0, 0};
  SHOW(ioctl(m, TIOCSWINSZ, &w)), w = (struct winsize){0}, SHOW(ioctl(s, TIOCGWINSZ, &w)), say("%d x %d", w.ws_row, w.ws_col);
  int n;
  t.c_lflag |= ICANON, tcsetattr(s, TCSANOW, &t);
  struct termios lock, got;
  memset(&lock, 0, sizeof lock), lock.c_lflag = ICANON, lock.c_cc[VERASE] = 1;
  SHOW(ioctl(s, TIOCSLCKTRMIOS, &lock)), SHOW(ioctl(s, TIOCGLCKTRMIOS, &got)), say("%x %d", got.c_lflag, got.c_cc[VERASE]);
  got = t, got.c_lflag &= ~(ICANON | ECHOE), got.c_cc[VERASE] = 'e', got.c_cc[VKILL] = 'k', tcsetattr(s, TCSANOW, &got), tcgetattr(s, &got);
  say("locked: %x %d %d", got.c_lflag & (ICANON | ECHOE), got.c_cc[VERASE], got.c_cc[VKILL]);
  memset(&lock, 0, sizeof lock), SHOW(ioctl(s, TIOCSLCKTRMIOS, &lock)), tcsetattr(s, TCSANOW, &t);
  in("12345\n"), poll(&(struct pollfd){s, POLLIN, 0}, 1, 1000), SHOW(ioctl(s, FIONREAD, &n)), say("%d", n);
  SHOW(ioctl(s, TIOCGPGRP, &n)), SHOW(tcgetsid(s));
  fcntl(s, F_SETFL, O_NONBLOCK);
  read(s, b, 32), SHOW(read(s, b, 32));
  int s2 = MUST(open(name, O_RDWR | O_NOCTTY));
  close(s), in("still open\n"), show_bytes("second slave", s2);
  close(s2);
  show_bytes("slave closed", m), SHOW(read(m, b, 10));
  s = MUST(open(name, O_RDWR | O_NOCTTY)), write(s, "again", 5), show_bytes("reopened", m);
  close(m);
  SHOW(read(s, b, 10)), SHOW(write(s, b, 1)), pf.fd = s, SHOW(poll(&pf, 1, 0)), YES(pf.revents & POLLHUP);
  SHOW(open(name, O_RDWR | O_NOCTTY) >= 0 ? 1 : -1);
}
