/* Megabytes over good and bad links: every byte arrives once and in order, and at a speed that says recovery works. */
#include "tcp_sim.h"

struct side {
  struct tcp_conn *c;
  uint64_t to_send, sent, to_recv, got;
  unsigned salt;
  bool shut, eof;
};

static uint8_t byte_at(uint64_t off, unsigned salt) {
  uint64_t x = (off + salt) * 0x9e3779b97f4a7c15ull;
  return (uint8_t)(x >> 56);
}

static void pump(struct side *d, uint32_t chunk) {
  static uint8_t buf[1 << 18];
  struct tcp_status st;
  tcp_status(d->c, &st);
  while (d->sent < d->to_send && (tcp_status(d->c, &st), st.room)) {
    uint64_t n = d->to_send - d->sent < chunk ? d->to_send - d->sent : chunk;
    for (uint64_t i = 0; i < n; i++)
      buf[i] = byte_at(d->sent + i, d->salt);
    ssize_t r = sim_send(d->c, buf, n, 0);
    if (r == -EAGAIN)
      break;
    ck_assert_int_gt(r, 0);
    d->sent += (uint64_t)r;
  }
  if (d->sent == d->to_send && !d->shut) {
    ck_assert_int_eq(tcp_shutdown(d->c, SHUT_WR), 0);
    d->shut = true;
  }
  while (!d->eof) {
    ssize_t r = sim_recv(d->c, buf, chunk, 0);
    if (r == -EAGAIN)
      break;
    ck_assert_msg(r >= 0, "recv %zd after %llu", r, (unsigned long long)d->got);
    bool same = true;
    for (ssize_t i = 0; i < r; i++)
      same &= buf[i] == byte_at(d->got + (uint64_t)i, !d->salt);
    ck_assert_msg(same, "not what was sent, after %llu", (unsigned long long)d->got);
    d->got += (uint64_t)r;
    d->eof = r == 0;
  }
}

/* Returns the ns it took. */
static int64_t transfer(struct sim *s, struct tcp_conn *a, struct tcp_conn *b, uint64_t up, uint64_t down,
                        uint32_t chunk) {
  struct side x = {.c = a, .to_send = up, .to_recv = down, .salt = 0};
  struct side y = {.c = b, .to_send = down, .to_recv = up, .salt = 1};
  int64_t start = s->now, end = start + 4000 * SEC;
  pump(&x, chunk);
  pump(&y, chunk);
  while ((!x.eof || !y.eof) && s->now < end) {
    if (!sim_step(s, end))
      break;
    pump(&x, chunk);
    pump(&y, chunk);
  }
  ck_assert_msg(x.eof && y.eof, "stuck at %.3f s: up %llu/%llu down %llu/%llu", (double)(s->now - start) / SEC,
                (unsigned long long)y.got, (unsigned long long)up, (unsigned long long)x.got, (unsigned long long)down);
  ck_assert_uint_eq(x.got, down);
  ck_assert_uint_eq(y.got, up);
  return s->now - start;
}

struct setting {
  const char *name;
  struct sim_link link;
  uint64_t up, down;
  uint32_t chunk;
  int sack, ts, ws; /* 0 turns it off */
  const char *cc;
};
#define M (1u << 20)
static const struct setting settings[] = {
    {"clean", {.delay = MS}, 4 * M, 0, 65536, 1, 1, 1, "cubic"},
    {"clean, both ways", {.delay = MS}, 2 * M, 2 * M, 65536, 1, 1, 1, "cubic"},
    {"loopback", {.delay = 1000, .mtu = 65536, .gso = true}, 16 * M, 4 * M, 262144, 1, 1, 1, "cubic"},
    {"whole big segments", {.delay = 50000, .gso = true}, 8 * M, 0, 65536, 1, 1, 1, "cubic"},
    {"big segments lost", {.delay = MS, .gso = true, .loss = 300}, 8 * M, M, 65536, 1, 1, 1, "cubic"},
    {"small writes", {.delay = MS}, 300000, 200000, 100, 1, 1, 1, "cubic"},
    {"1 % loss", {.delay = 10 * MS, .loss = 100}, 2 * M, 0, 65536, 1, 1, 1, "cubic"},
    {"5 % loss", {.delay = 10 * MS, .loss = 500}, 2 * M, M, 65536, 1, 1, 1, "cubic"},
    {"5 % loss, reno", {.delay = 10 * MS, .loss = 500}, M, M, 65536, 1, 1, 1, "reno"},
    {"5 % loss, no SACK", {.delay = 10 * MS, .loss = 500}, M, 0, 65536, 0, 1, 1, "cubic"},
    {"5 % loss, nothing", {.delay = 10 * MS, .loss = 500}, M, M, 65536, 0, 0, 0, "reno"},
    {"5 % loss, no timestamps", {.delay = 10 * MS, .loss = 500}, M, M, 65536, 1, 0, 1, "cubic"},
    {"20 % loss", {.delay = 5 * MS, .loss = 2000}, 200000, 100000, 65536, 1, 1, 1, "cubic"},
    {"reordering", {.delay = 5 * MS, .reorder = 1000}, 2 * M, 0, 65536, 1, 1, 1, "cubic"},
    {"jitter", {.delay = 5 * MS, .jitter = 20 * MS}, 2 * M, M, 65536, 1, 1, 1, "cubic"},
    {"jitter, no SACK", {.delay = 5 * MS, .jitter = 20 * MS}, M, M, 65536, 0, 1, 1, "cubic"},
    {"doubles", {.delay = 5 * MS, .dup = 2000}, 2 * M, M, 65536, 1, 1, 1, "cubic"},
    {"damage", {.delay = 5 * MS, .corrupt = 300}, M, M, 65536, 1, 1, 1, "cubic"},
    {"all at once",
     {.delay = 5 * MS, .jitter = 3 * MS, .loss = 200, .dup = 100, .reorder = 200, .corrupt = 100},
     M,
     M,
     10000,
     1,
     1,
     1,
     "cubic"},
    {"10 Mbit/s, small queue", {.delay = 20 * MS, .rate = 1250000, .queue = 30000}, 2 * M, 0, 65536, 1, 1, 1, "cubic"},
    {"100 Mbit/s", {.delay = 10 * MS, .rate = 12500000, .queue = 250000}, 8 * M, 0, 65536, 1, 1, 1, "cubic"},
    {"tiny MTU", {.delay = MS, .mtu = 296, .loss = 100}, 300000, 100000, 65536, 1, 1, 1, "cubic"},
    {"no window scaling", {.delay = 10 * MS, .loss = 50}, M, M, 65536, 1, 1, 0, "cubic"},
    {"jumbo", {.delay = MS, .mtu = 9000, .loss = 100}, 4 * M, M, 65536, 1, 1, 1, "cubic"},
};

static void run(const struct setting *t, uint64_t seed, bool six) {
  struct sim s;
  struct tcp_conn *a, *b;
  sim_init(&s, seed, &t->link, six);
  for (int i = 0; i < 2; i++) {
    struct tcp_settings *set = tcp_settings(s.h[i].stack);
    set->sack = t->sack, set->timestamps = t->ts, set->window_scaling = t->ws;
    strcpy(set->congestion, t->cc);
  }
  sim_pair(&s, &a, &b);
  int64_t ns = transfer(&s, a, b, t->up, t->down, t->chunk);
  const struct tcp_stats *st = tcp_stats(s.h[0].stack), *st1 = tcp_stats(s.h[1].stack);
  if (getenv("TCP_SIM_VERBOSE"))
    printf("%-26s %d %8.3f s %8.2f MB/s dropped %llu retrans %llu rto %llu tlp %llu fast %llu undo %llu\n", t->name,
           six, (double)ns / SEC, (double)(t->up + t->down) / 1e6 / ((double)ns / SEC), (unsigned long long)s.dropped,
           (unsigned long long)(st->retrans_segs + st1->retrans_segs),
           (unsigned long long)(st->timeouts + st1->timeouts), (unsigned long long)st->loss_probes,
           (unsigned long long)st->fast_retrans, (unsigned long long)st->undo);
  tcp_close(a, -1);
  tcp_close(b, -1);
  sim_run(&s, 500 * SEC);
  for (int i = 0; i < 2; i++) {
    ck_assert_uint_eq(s.h[i].stack->nnodes, 0);
    ck_assert_uint_eq(s.h[i].stack->nconns, 0);
    ck_assert_int_eq(s.h[i].stack->mem, 0);
  }
  sim_fini(&s);
}

START_TEST(every_setting) {
  for (uint64_t seed = 1; seed <= 3; seed++)
    run(&settings[_i], seed, seed == 2);
}
END_TEST

int main(void) {
  Suite *s = suite_create("tcp_transfer");
  TCase *t = tcase_create("transfer");
  tcase_set_timeout(t, 120);
  tcase_add_loop_test(t, every_setting, 0, sizeof settings / sizeof *settings);
  suite_add_tcase(s, t);
  SRunner *r = srunner_create(s);
  srunner_run_all(r, CK_NORMAL);
  int failed = srunner_ntests_failed(r);
  srunner_free(r);
  return failed != 0;
}
