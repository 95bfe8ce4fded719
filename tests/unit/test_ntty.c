/* The line discipline without a terminal: bytes in, bytes out, and the signals it sends. */
#include "../../fs/tty_ldisc.h"
#include "../../core/errno.h"
#include <check.h>
#include <signal.h>

struct rec {
  struct ntty n;
  int sig, nsig, readable, outputs;
};
static struct rec *rec_of(struct ntty *n) {
  return (struct rec *)n;
}
static void on_sig(struct ntty *n, int sig) {
  rec_of(n)->sig = sig, rec_of(n)->nsig++;
}
static void on_readable(struct ntty *n) {
  rec_of(n)->readable++;
}
static void on_output(struct ntty *n) {
  rec_of(n)->outputs++;
}
static void on_flow(struct ntty *n, bool stopped) {}
static void on_flushed(struct ntty *n) {}
static const struct ntty_ops ops = {on_sig, on_readable, on_output, on_flow, on_flushed};

static struct rec R;
static void setup(void) {
  memset(&R, 0, sizeof R);
  ntty_init(&R.n, &ops);
}
static void teardown(void) {
  ntty_destroy(&R.n);
}

static void type(const char *s) {
  ck_assert_uint_eq(ntty_receive(&R.n, (const uint8_t *)s, strlen(s)), strlen(s));
}
static void screen(const char *want) {
  char got[16384] = "";
  uint32_t n = ring_get(&R.n.out, (uint8_t *)got, sizeof got - 1);
  got[n] = 0;
  ck_assert_str_eq(got, want);
}
static void reads(const char *want) {
  char got[8192] = "";
  bool eof;
  ssize_t n = ntty_read(&R.n, (uint8_t *)got, sizeof got - 1, &eof);
  ck_assert_int_eq(n, (ssize_t)strlen(want));
  ck_assert(!eof);
  got[n] = 0;
  ck_assert_str_eq(got, want);
}
static void reads_nothing(void) {
  uint8_t b[8];
  bool eof;
  ck_assert_int_eq(ntty_read(&R.n, b, sizeof b, &eof), -EAGAIN);
}
static void set(tcflag_t iset, tcflag_t iclr, tcflag_t oset, tcflag_t oclr, tcflag_t lset, tcflag_t lclr) {
  struct termios2 t = R.n.tio;
  t.c_iflag = (t.c_iflag & ~iclr) | iset;
  t.c_oflag = (t.c_oflag & ~oclr) | oset;
  t.c_lflag = (t.c_lflag & ~lclr) | lset;
  ntty_set_termios(&R.n, &t);
}

START_TEST(line_by_line) {
  type("one\rtw");
  screen("one\r\ntw");
  reads("one\n");
  reads_nothing();
  type("o\n3\n");
  reads("two\n");
  reads("3\n");
  reads_nothing();
}
END_TEST

START_TEST(editing) {
  type("abx\177c\r");
  screen("abx\b \bc\r\n");
  reads("abc\n");
  type("say bad words\027\027x\r");
  reads("say x\n");
  ring_clear(&R.n.out);
  type("gone\025kept\r");
  screen("gone\b \b\b \b\b \b\b \bkept\r\n");
  reads("kept\n");
  type("\026\003\r");
  screen("^\b^C\r\n");
  reads("\003\n");
  ck_assert_int_eq(R.nsig, 0);
}
END_TEST

START_TEST(control_and_tab_erasure) {
  type("\001\177");
  screen("^A\b \b\b \b");
  type("ab\t\177");
  screen("ab\t\b\b\b\b\b\b");
  type("\177\177\177");
  screen("\b \b\b \b");
}
END_TEST

START_TEST(utf8_erasure) {
  set(IUTF8, 0, 0, 0, 0, 0);
  type("a\xc3\xa4\177\r");
  screen("a\xc3\xa4\b \b\r\n");
  reads("a\n");
}
END_TEST

START_TEST(end_of_file) {
  bool eof;
  uint8_t b[4];
  type("\004");
  ck_assert(ntty_readable(&R.n, true));
  ck_assert_int_eq(ntty_read(&R.n, b, 4, &eof), 0);
  ck_assert(eof);
  type("abc\004");
  ck_assert_int_eq(ntty_read(&R.n, b, 3, &eof), 3);
  ck_assert(!eof);
  reads_nothing();
}
END_TEST

START_TEST(signals) {
  type("junk\003");
  ck_assert_int_eq(R.sig, SIGINT);
  screen("junk^C");
  type("\r");
  reads("\n");
  type("\034");
  ck_assert_int_eq(R.sig, SIGQUIT);
  set(0, 0, 0, 0, NOFLSH, 0);
  type("kept\032\r");
  ck_assert_int_eq(R.sig, SIGTSTP);
  reads("kept\n");
  set(0, 0, 0, 0, 0, ISIG);
  type("\003\r");
  reads("\003\n");
  ck_assert_int_eq(R.nsig, 3);
}
END_TEST

START_TEST(raw) {
  set(0, ICRNL, 0, OPOST, 0, ICANON | ECHO | ISIG);
  type("a\r\003\177");
  reads("a\r\003\177");
  screen("");
  R.n.tio.c_cc[VMIN] = 3;
  type("ab");
  ck_assert(!ntty_readable(&R.n, true));
  ck_assert(ntty_readable(&R.n, false));
  type("c");
  ck_assert(ntty_readable(&R.n, true));
  ck_assert_uint_eq(ntty_inq(&R.n), 3);
  ck_assert_uint_eq(ntty_write(&R.n, (const uint8_t *)"x\ny", 3), 3);
  screen("x\ny");
}
END_TEST

START_TEST(output) {
  ntty_write(&R.n, (const uint8_t *)"a\nb\tc", 5);
  screen("a\r\nb\tc");
  set(0, 0, XTABS, 0, 0, 0);
  ntty_write(&R.n, (const uint8_t *)"\nb\tc", 4);
  screen("\r\nb       c");
  set(0, 0, OCRNL, ONLCR, 0, 0);
  ntty_write(&R.n, (const uint8_t *)"\r\n", 2);
  screen("\n\n");
}
END_TEST

START_TEST(flow) {
  type("\023");
  ck_assert_uint_eq(ntty_write(&R.n, (const uint8_t *)"x", 1), 0);
  type("\021");
  ck_assert_uint_eq(ntty_write(&R.n, (const uint8_t *)"x", 1), 1);
  screen("x");
  reads_nothing();
}
END_TEST

START_TEST(long_line_keeps_its_beginning) {
  for (int i = 0; i < 6000; i++) {
    type("x");
    ring_clear(&R.n.out);
  }
  type("\n");
  char got[8192];
  bool eof;
  ck_assert_int_eq(ntty_read(&R.n, (uint8_t *)got, sizeof got, &eof), 4096);
  ck_assert_int_eq(got[4095], '\n');
  reads_nothing();
}
END_TEST

START_TEST(raw_input_is_bounded_and_flows) {
  set(0, 0, 0, 0, 0, ICANON | ECHO);
  static uint8_t big[40000];
  for (size_t i = 0; i < sizeof big; i++)
    big[i] = (uint8_t)(i * 7 % 251 + 4) | 0x80;
  size_t sent = 0, got = 0;
  while (got < sizeof big) {
    sent += ntty_receive(&R.n, big + sent, sizeof big - sent);
    ck_assert_uint_le(sent - got, NTTY_BUF + NTTY_PENDING);
    uint8_t b[1000];
    bool eof;
    ssize_t n = ntty_read(&R.n, b, sizeof b, &eof);
    ck_assert_int_gt(n, 0);
    ck_assert(!memcmp(b, big + got, (size_t)n));
    got += (size_t)n;
  }
}
END_TEST

START_TEST(typed_ahead_survives_mode_changes) {
  type("abc");
  set(0, 0, 0, 0, 0, ICANON);
  reads("abc");
  type("xy");
  set(0, 0, 0, 0, ICANON, 0);
  reads("xy");
  type("z\n");
  reads("z\n");
}
END_TEST

START_TEST(writers_are_bounded) {
  static uint8_t big[100000];
  size_t n = ntty_write(&R.n, big, sizeof big);
  ck_assert_uint_eq(n, NTTY_OUT_SOFT);
  ck_assert_uint_eq(ntty_write_room(&R.n), 0);
  type("echo"); /* still has room */
  ck_assert_uint_eq(ring_used(&R.n.out), NTTY_OUT_SOFT + 4);
}
END_TEST

int main(void) {
  Suite *s = suite_create("ntty");
  TCase *t = tcase_create("ntty");
  tcase_add_checked_fixture(t, setup, teardown);
  tcase_add_test(t, line_by_line);
  tcase_add_test(t, editing);
  tcase_add_test(t, control_and_tab_erasure);
  tcase_add_test(t, utf8_erasure);
  tcase_add_test(t, end_of_file);
  tcase_add_test(t, signals);
  tcase_add_test(t, raw);
  tcase_add_test(t, output);
  tcase_add_test(t, flow);
  tcase_add_test(t, long_line_keeps_its_beginning);
  tcase_add_test(t, raw_input_is_bounded_and_flows);
  tcase_add_test(t, typed_ahead_survives_mode_changes);
  tcase_add_test(t, writers_are_bounded);
  suite_add_tcase(s, t);
  SRunner *r = srunner_create(s);
  srunner_run_all(r, CK_NORMAL);
  int failed = srunner_ntests_failed(r);
  srunner_free(r);
  return failed ? 1 : 0;
}
