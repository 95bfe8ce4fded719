/* The state machine from outside: opens, closes, resets, windows, timers, listeners under pressure. */
#include "tcp_sim.h"

static struct sim s;
static struct tcp_conn *a, *b;
static const struct sim_link plain = {.delay = 5 * MS};
static char buf[1 << 16];

static void pair(void) {
  sim_init(&s, 7, &plain, false);
  sim_pair(&s, &a, &b);
  sim_events = 0;
}
static void end(void) {
  sim_run(&s, 2000 * SEC);
  for (int i = 0; i < 2; i++) {
    ck_assert_uint_eq(s.h[i].stack->nnodes, 0);
    ck_assert_uint_eq(s.h[i].stack->nconns, 0);
    ck_assert_int_eq(s.h[i].stack->mem, 0);
  }
  sim_fini(&s);
}
static void close_both(void) {
  tcp_close(a, -1);
  tcp_close(b, -1);
  end();
}
/* A segment that b would take as a's. */
static struct tcp_hdr from_a(uint8_t flags) {
  return (struct tcp_hdr){
      .sport = 40000, .dport = 80, .seq = b->rcv_nxt, .ack = b->snd_nxt, .flags = flags, .wnd = 500};
}

START_TEST(idle_is_small) {
  ck_assert_uint_lt(sizeof(struct tcp_conn), 2048);
  ck_assert_uint_lt(sizeof(struct tcp_tw), 256);
  ck_assert_uint_lt(sizeof(struct tcp_req), 320);
}
END_TEST

START_TEST(refused) {
  sim_init(&s, 1, &plain, false);
  a = sim_connect(&s, 0, 40000, 81);
  sim_run(&s, SEC);
  ck_assert_int_eq(tcp_take_error(a), ECONNREFUSED);
  ck_assert_int_eq(tcp_take_error(a), 0);
  ck_assert_int_eq(tcp_state(a), TCP_CLOSE);
  struct tcp_conn *l = sim_listen(&s, 1, 82, 4); /* the same once more */
  struct ip_flow f = {.src = ip_from4(0), .dst = s.h[1].addr, .ttl = -1};
  ck_assert_int_eq(tcp_connect(a, &f, 40000, 82, &s.ports), 0);
  sim_run(&s, SEC);
  ck_assert_int_eq(tcp_state(a), TCP_ESTABLISHED);
  tcp_close(a, -1);
  tcp_close(l, -1);
  end();
}
END_TEST

static bool drop_all(struct sim *sim, int from, const struct tcp_hdr *h, uint32_t len) {
  return false;
}

START_TEST(no_answer) {
  sim_init(&s, 1, &plain, false);
  s.filter = drop_all;
  a = sim_connect(&s, 0, 40000, 81);
  sim_run(&s, 120 * SEC);
  ck_assert_int_eq(tcp_state(a), TCP_SYN_SENT);
  sim_run(&s, 60 * SEC);
  ck_assert_int_eq(tcp_take_error(a), ETIMEDOUT);
  ck_assert_uint_eq(s.h[0].sent, 7); /* tcp_syn_retries */
  tcp_close(a, -1);
  end();
}
END_TEST

static bool no_user(void *arg, const struct tcp_entry *e) {
  ck_assert_ptr_null(e->user);
  ++*(int *)arg;
  return true;
}

START_TEST(orphans_have_no_user) {
  pair();
  tcp_set_user(a, NULL, &s);
  int n = 0;
  tcp_close(a, -1);
  tcp_each(s.h[0].stack, no_user, &n);
  ck_assert_int_eq(n, 1);
  tcp_close(b, -1);
  end();
}
END_TEST

START_TEST(half_close) {
  pair();
  ck_assert_int_eq(tcp_shutdown(a, SHUT_WR), 0);
  sim_run(&s, SEC);
  ck_assert_int_eq(tcp_state(a), TCP_FIN_WAIT2);
  ck_assert_int_eq(tcp_state(b), TCP_CLOSE_WAIT);
  ck_assert_int_eq(sim_recv(b, buf, 10, 0), 0);
  ck_assert_int_eq(sim_send(b, "answer", 6, 0), 6);
  ck_assert_int_eq(sim_send(a, "x", 1, 0), -EPIPE);
  sim_run(&s, SEC);
  ck_assert_int_eq(sim_recv(a, buf, 10, 0), 6);
  tcp_close(b, -1);
  sim_run(&s, SEC);
  ck_assert_uint_eq(s.h[0].stack->ntw, 1);
  ck_assert_uint_eq(s.h[1].stack->nnodes, 0);
  ck_assert_int_eq(tcp_state(a), TCP_CLOSE);
  tcp_close(a, -1);
  sim_run(&s, 50 * SEC);
  ck_assert_int_gt(s.ports, 0);
  sim_run(&s, 10 * SEC);
  ck_assert_uint_eq(s.h[0].stack->ntw, 0);
  end();
}
END_TEST

START_TEST(close_at_once) {
  pair();
  tcp_shutdown(a, SHUT_WR);
  tcp_shutdown(b, SHUT_WR);
  ck_assert_int_eq(tcp_state(a), TCP_FIN_WAIT1);
  sim_run(&s, SEC);
  ck_assert_uint_eq(s.h[0].stack->ntw, 1);
  ck_assert_uint_eq(s.h[1].stack->ntw, 1);
  close_both();
}
END_TEST

START_TEST(open_at_once) {
  sim_init(&s, 3, &plain, false);
  a = sim_connect(&s, 0, 1000, 2000);
  b = sim_connect(&s, 1, 2000, 1000);
  sim_run(&s, SEC);
  ck_assert_int_eq(tcp_state(a), TCP_ESTABLISHED);
  ck_assert_int_eq(tcp_state(b), TCP_ESTABLISHED);
  ck_assert_int_eq(sim_send(a, "hello", 5, 0), 5);
  sim_run(&s, SEC);
  ck_assert_int_eq(sim_recv(b, buf, 10, 0), 5);
  close_both();
}
END_TEST

START_TEST(resets) {
  pair(); /* linger 0 */
  tcp_close(a, 0);
  sim_run(&s, SEC);
  ck_assert_int_eq(sim_recv(b, buf, 10, 0), -ECONNRESET);
  ck_assert_int_eq(sim_recv(b, buf, 10, 0), 0);
  ck_assert_int_eq(sim_send(b, "x", 1, 0), -EPIPE);
  tcp_close(b, -1);
  end();
  pair(); /* unread data */
  sim_send(a, "unread", 6, 0);
  sim_run(&s, SEC);
  tcp_close(b, -1);
  sim_run(&s, SEC);
  ck_assert_int_eq(tcp_take_error(a), ECONNRESET);
  tcp_close(a, -1);
  end();
  pair(); /* data after close */
  tcp_close(b, -1);
  sim_run(&s, SEC);
  ck_assert_int_eq(sim_send(a, "late", 4, 0), 4);
  sim_run(&s, SEC);
  ck_assert_int_eq(tcp_take_error(a), EPIPE);
  tcp_close(a, -1);
  end();
}
END_TEST

START_TEST(challenges) { /* RFC 5961 */
  pair();
  uint64_t sent = s.h[1].sent;
  struct tcp_hdr h = from_a(TF_RST);
  h.seq += 100;
  sim_inject(&s, 1, h, NULL, 0);
  ck_assert_int_eq(tcp_state(b), TCP_ESTABLISHED);
  ck_assert_uint_eq(s.h[1].sent, sent + 1);
  sim_inject(&s, 1, h, NULL, 0); /* not again within half a second */
  ck_assert_uint_eq(s.h[1].sent, sent + 1);
  sim_run(&s, SEC);
  sim_inject(&s, 1, from_a(TF_SYN), NULL, 0);
  ck_assert_int_eq(tcp_state(b), TCP_ESTABLISHED);
  ck_assert_uint_eq(s.h[1].sent, sent + 2);
  h = from_a(TF_RST);
  h.seq += 1u << 30;
  sim_inject(&s, 1, h, NULL, 0);
  ck_assert_int_eq(tcp_state(b), TCP_ESTABLISHED);
  h = from_a(TF_ACK);
  h.ack += 1000; /* of what was never sent */
  sim_inject(&s, 1, h, "data", 4);
  ck_assert_int_eq(sim_recv(b, buf, 10, 0), -EAGAIN);
  sim_inject(&s, 1, from_a(TF_RST), NULL, 0);
  ck_assert_int_eq(tcp_take_error(b), ECONNRESET);
  close_both();
}
END_TEST

START_TEST(orphans_do_not_wait_for_a_window) { /* that a peer keeps shut, and acknowledges every probe */
  ssize_t r;
  pair();
  for (int i = 0; i < 400; i++) {
    while ((r = sim_send(a, buf, sizeof buf, 0)) > 0)
      ;
    sim_run(&s, SEC / 10);
  }
  tcp_close(a, -1);
  ck_assert_uint_eq(tcp_stats(s.h[0].stack)->orphans, 1);
  sim_run(&s, 1000 * SEC);
  ck_assert_uint_eq(tcp_stats(s.h[0].stack)->orphans, 0);
  tcp_close(b, -1);
  end();
}
END_TEST

START_TEST(closed_port_answers) { /* RFC 9293 3.10.7.1 */
  sim_init(&s, 1, &plain, false);
  sim_inject(&s, 1, (struct tcp_hdr){.sport = 5, .dport = 6, .seq = 100, .ack = 777, .flags = TF_ACK}, NULL, 0);
  ck_assert_uint_eq(s.h[1].last.flags, TF_RST);
  ck_assert_uint_eq(s.h[1].last.seq, 777);
  sim_inject(&s, 1, (struct tcp_hdr){.sport = 5, .dport = 6, .seq = 100, .flags = TF_FIN}, "xyz", 3);
  ck_assert_uint_eq(s.h[1].last.flags, TF_RST | TF_ACK);
  ck_assert_uint_eq(s.h[1].last.ack, 104);
  uint64_t n = s.h[1].sent;
  sim_inject(&s, 1, (struct tcp_hdr){.sport = 5, .dport = 6, .flags = TF_RST}, NULL, 0);
  ck_assert_uint_eq(s.h[1].sent, n);
  end();
}
END_TEST

START_TEST(zero_window) {
  pair();
  uint64_t put = 0, got = 0;
  ssize_t r;
  for (int i = 0; i < 400; i++) { /* the reader sleeps */
    while ((r = sim_send(a, buf, sizeof buf, 0)) > 0)
      put += (uint64_t)r;
    sim_run(&s, SEC / 10);
  }
  ck_assert_int_eq(r, -EAGAIN);
  ck_assert_uint_lt(b->rcv_adv - b->rcv_nxt, 1u << b->rcv_wscale); /* 0 as it is told */
  ck_assert_uint_le(b->rcv_bytes, b->rcvbuf);
  sim_run(&s, 1000 * SEC); /* probes keep it alive: they are answered */
  ck_assert_int_eq(tcp_state(a), TCP_ESTABLISHED);
  ck_assert_uint_gt(a->persist_shift, 3);
  for (int i = 0; i < 4000 && got < put; i++) {
    while ((r = sim_recv(b, buf, sizeof buf, 0)) > 0)
      got += (uint64_t)r;
    sim_run(&s, SEC / 10);
  }
  ck_assert_uint_eq(got, put);
  close_both();
}
END_TEST

/* A reader with half the window unread acknowledges by reading; while it sleeps, the timer does. */
START_TEST(reader_acknowledges) {
  pair();
  b->quick = 0;
  while (b->rcv_bytes < b->rcvbuf / 4) {
    sim_send(a, buf, 4 * a->mss, 0);
    sim_run(&s, 10 * MS);
  }
  sim_run(&s, SEC);
  ck_assert_uint_eq(b->last_ack_sent, b->rcv_nxt);
  for (int reads = 0; reads < 2; reads++) {
    uint32_t before = b->segs_out, n = reads ? 1000 : 0;
    sim_send(a, buf, 4 * a->mss, 0);
    sim_run(&s, TCP_DELACK / 2);
    ck_assert_uint_eq(b->segs_out, before);
    if (n)
      ck_assert_int_eq(sim_recv(b, buf, n, 0), n);
    else
      sim_run(&s, TCP_DELACK);
    ck_assert_uint_eq(b->segs_out, before + 1);
    ck_assert_uint_eq(b->last_ack_sent, b->rcv_nxt);
  }
  close_both();
}
END_TEST

START_TEST(probes_unanswered) {
  pair();
  for (int i = 0; i < 400; i++) {
    while (sim_send(a, buf, sizeof buf, 0) > 0)
      ;
    sim_run(&s, SEC / 10);
  }
  tcp_set_option(a, TCP_OPT_USER_TIMEOUT, 30000);
  s.filter = drop_all;
  sim_run(&s, 300 * SEC);
  ck_assert_int_eq(tcp_take_error(a), ETIMEDOUT);
  close_both();
}
END_TEST

START_TEST(keepalive) {
  pair();
  tcp_set_option(a, TCP_OPT_KEEPIDLE, 10);
  tcp_set_option(a, TCP_OPT_KEEPINTVL, 5);
  tcp_set_option(a, TCP_OPT_KEEPCNT, 3);
  tcp_set_option(a, TCP_OPT_KEEPALIVE, 1);
  sim_run(&s, 100 * SEC); /* answered */
  ck_assert_int_eq(tcp_state(a), TCP_ESTABLISHED);
  s.filter = drop_all;
  sim_run(&s, 10 * SEC);
  ck_assert_int_eq(tcp_state(a), TCP_ESTABLISHED);
  sim_run(&s, 20 * SEC);
  ck_assert_int_eq(tcp_take_error(a), ETIMEDOUT);
  s.filter = NULL;
  close_both();
}
END_TEST

START_TEST(gives_up) {
  pair();
  s.filter = drop_all;
  sim_send(a, "x", 1, 0);
  sim_run(&s, 800 * SEC);
  ck_assert_int_eq(tcp_state(a), TCP_ESTABLISHED);
  sim_run(&s, 400 * SEC); /* tcp_retries2 = 15: 924.6 s with an RTO of 200 ms */
  ck_assert_int_eq(tcp_take_error(a), ETIMEDOUT);
  close_both();
}
END_TEST

START_TEST(accept_queue_is_bounded) {
  sim_init(&s, 1, &plain, false);
  struct tcp_conn *l = sim_listen(&s, 1, 80, 4), *c[12], *x;
  for (int i = 0; i < 12; i++)
    c[i] = sim_connect(&s, 0, (uint16_t)(1000 + i), 80);
  sim_run(&s, 2 * SEC);
  struct tcp_status st;
  tcp_status(l, &st);
  ck_assert_uint_eq(st.readable, 5); /* backlog + 1 */
  int n = 0;
  while ((x = tcp_accept(l, &sim_ops, NULL)))
    tcp_close(x, -1), n++;
  ck_assert_int_eq(n, 5);
  sim_run(&s, 100 * SEC);
  tcp_close(l, -1); /* those still in the queue are reset */
  for (int i = 0; i < 12; i++)
    tcp_close(c[i], -1);
  end();
}
END_TEST

static bool drop_acks(struct sim *sim, int from, const struct tcp_hdr *h, uint32_t len) {
  return from != 0 || h->flags & TF_SYN;
}

START_TEST(cookies) {
  sim_init(&s, 1, &plain, false);
  tcp_settings(s.h[1].stack)->max_syn_backlog = 2;
  struct tcp_conn *l = sim_listen(&s, 1, 80, 64), *c[10], *x;
  s.filter = drop_acks; /* a flood that never ends its handshakes */
  for (int i = 0; i < 10; i++)
    c[i] = sim_connect(&s, 0, (uint16_t)(1000 + i), 80);
  sim_run(&s, SEC / 10);
  ck_assert_uint_eq(s.h[1].stack->nreqs, 2);
  ck_assert_uint_eq(tcp_stats(s.h[1].stack)->syncookies_sent, 8);
  s.filter = NULL;
  a = sim_connect(&s, 0, 2000, 80);
  sim_run(&s, SEC / 10);
  x = tcp_accept(l, &sim_ops, NULL);
  ck_assert_ptr_nonnull(x);
  ck_assert(x->ts_on && x->sack_on && x->snd_wscale == a->rcv_wscale && x->mss == 1460 - 12);
  ck_assert_uint_eq(tcp_stats(s.h[1].stack)->syncookies_recv, 1);
  ck_assert_int_eq(sim_send(a, "via cookie", 10, 0), 10);
  sim_run(&s, SEC / 10);
  ck_assert_int_eq(sim_recv(x, buf, 100, 0), 10);
  uint64_t rsts = s.h[1].rsts; /* a forged one */
  sim_inject(&s, 1, (struct tcp_hdr){.sport = 9, .dport = 80, .seq = 1, .ack = 12345, .flags = TF_ACK}, NULL, 0);
  ck_assert_uint_eq(s.h[1].rsts, rsts + 1);
  for (int i = 0; i < 10; i++)
    tcp_close(c[i], 0);
  tcp_close(x, -1);
  tcp_close(a, -1);
  sim_run(&s, 200 * SEC);
  tcp_close(l, -1);
  end();
}
END_TEST

START_TEST(time_wait_reuse) {
  pair();
  tcp_close(a, -1);
  sim_run(&s, SEC / 10);
  tcp_close(b, -1);
  sim_run(&s, SEC / 10);
  ck_assert_uint_eq(s.h[0].stack->ntw, 1);
  a = tcp_open(s.h[0].stack, &sim_ops, NULL);
  struct ip_flow f = {.src = s.h[0].addr, .dst = s.h[1].addr, .ttl = -1};
  ck_assert_int_eq(tcp_connect(a, &f, 40000, 80, NULL), -EADDRNOTAVAIL);
  tcp_settings(s.h[0].stack)->tw_reuse = 1;
  sim_run(&s, 2 * SEC);
  struct tcp_conn *l = sim_listen(&s, 1, 80, 4);
  ck_assert_int_eq(tcp_connect(a, &f, 40000, 80, NULL), 0);
  sim_run(&s, SEC);
  ck_assert_int_eq(tcp_state(a), TCP_ESTABLISHED);
  b = tcp_accept(l, &sim_ops, NULL);
  tcp_close(l, -1);
  /* And the other way: a SYN for a TIME-WAIT of the listener's side. */
  tcp_close(b, -1);
  sim_run(&s, SEC / 10);
  tcp_close(a, -1);
  sim_run(&s, 2 * SEC);
  ck_assert_uint_eq(s.h[1].stack->ntw, 1);
  l = sim_listen(&s, 1, 80, 4);
  a = sim_connect(&s, 0, 40000, 80);
  sim_run(&s, SEC);
  ck_assert_int_eq(tcp_state(a), TCP_ESTABLISHED);
  ck_assert_uint_eq(s.h[1].stack->ntw, 0);
  b = tcp_accept(l, &sim_ops, NULL);
  tcp_close(l, -1);
  close_both();
}
END_TEST

START_TEST(urgent) {
  pair();
  uint8_t u;
  ck_assert_int_eq(tcp_recv_urg(b, &u, 0), -EINVAL);
  sim_send(a, "abc", 3, 0);
  sim_send(a, "X", 1, MSG_OOB);
  sim_send(a, "def", 3, 0);
  sim_run(&s, SEC);
  ck_assert(sim_events & TCP_EV_PRI);
  ck_assert(!tcp_at_mark(b));
  ck_assert_int_eq(sim_recv(b, buf, 100, 0), 3);
  ck_assert(tcp_at_mark(b));
  ck_assert_int_eq(tcp_recv_urg(b, &u, MSG_PEEK), 1);
  ck_assert_int_eq(tcp_recv_urg(b, &u, 0), 1);
  ck_assert_int_eq(u, 'X');
  ck_assert_int_eq(tcp_recv_urg(b, &u, 0), -EINVAL);
  ck_assert_int_eq(sim_recv(b, buf, 100, 0), 3);
  ck_assert_mem_eq(buf, "def", 3);
  close_both();
}
END_TEST

START_TEST(nagle_and_cork) {
  pair();
  sim_send(a, "1", 1, 0);
  sim_send(a, "2", 1, 0);
  sim_send(a, "3", 1, 0);
  uint64_t sent = s.h[0].sent;
  sim_run(&s, SEC);
  ck_assert_uint_eq(s.h[0].sent, sent + 1); /* both in one */
  ck_assert_int_eq(sim_recv(b, buf, 10, 0), 3);
  sim_run(&s, SEC);
  tcp_set_option(a, TCP_OPT_NODELAY, 1);
  sent = s.h[0].sent;
  sim_send(a, "1", 1, 0);
  sim_send(a, "2", 1, 0);
  ck_assert_uint_eq(s.h[0].sent, sent + 2);
  sim_run(&s, SEC);
  tcp_set_option(a, TCP_OPT_CORK, 1);
  sent = s.h[0].sent;
  sim_send(a, "1", 1, 0);
  ck_assert_uint_eq(s.h[0].sent, sent);
  tcp_set_option(a, TCP_OPT_CORK, 0);
  ck_assert_uint_eq(s.h[0].sent, sent + 1);
  sim_run(&s, SEC);
  ck_assert_int_eq(sim_recv(b, buf, 10, 0), 3);
  close_both();
}
END_TEST

START_TEST(wraps) { /* sequence numbers near their end */
  sim_init(&s, 5, &plain, false);
  struct tcp_key k = {s.h[0].addr, s.h[1].addr, 40000, 80};
  while (tcp_isn(s.h[0].stack, &k) < 0xffff0100u)
    s.h[0].stack->key[0]++;
  sim_pair(&s, &a, &b);
  ck_assert_uint_gt(a->iss, 0xffff0000u);
  uint64_t put = 0, got = 0;
  for (int i = 0; i < 200 && (put < 500000 || got < put); i++) {
    ssize_t r = put < 500000 ? sim_send(a, buf, sizeof buf, 0) : 0;
    put += r > 0 ? (uint64_t)r : 0;
    sim_run(&s, SEC / 50);
    while ((r = sim_recv(b, buf, sizeof buf, 0)) > 0)
      got += (uint64_t)r;
  }
  ck_assert_uint_ge(put, 500000);
  ck_assert_uint_eq(got, put);
  close_both();
}
END_TEST

START_TEST(icmp) {
  pair();
  s.link.mtu = 1000; /* someone on the way cannot take more */
  struct tcp_hdr h = {.sport = htons(40000), .dport = htons(80), .seq = htonl(a->snd_una)};
  struct ip_error e = {.src = s.h[0].addr, .dst = s.h[1].addr, .err = EMSGSIZE, .mtu = 1000};
  tcp_error(s.h[0].stack, &e, (uint8_t *)&h, 8);
  ck_assert_uint_eq(a->mss, 1000 - 52);
  e.err = EHOSTUNREACH;
  tcp_error(s.h[0].stack, &e, (uint8_t *)&h, 8);
  ck_assert_int_eq(tcp_take_error(a), 0); /* soft */
  ck_assert_int_eq(tcp_take_soft_error(a), EHOSTUNREACH);
  h.seq = htonl(a->snd_una - 100000); /* a guess: RFC 5927 4 */
  e.err = EMSGSIZE, e.mtu = 100;
  tcp_error(s.h[0].stack, &e, (uint8_t *)&h, 8);
  ck_assert_uint_eq(a->mss, 1000 - 52);
  close_both();
  sim_init(&s, 8, &plain, false); /* before there is a connection, none is soft */
  a = sim_connect(&s, 0, 40000, 80);
  h.seq = htonl(a->snd_una);
  e = (struct ip_error){.src = s.h[0].addr, .dst = s.h[1].addr, .err = EHOSTUNREACH};
  tcp_error(s.h[0].stack, &e, (uint8_t *)&h, 8);
  ck_assert_int_eq(tcp_take_error(a), EHOSTUNREACH);
  tcp_close(a, -1);
  end();
}
END_TEST

START_TEST(disconnect) {
  pair();
  ck_assert_int_eq(tcp_disconnect(a), 0);
  ck_assert_int_eq(tcp_state(a), TCP_CLOSE);
  sim_run(&s, SEC);
  ck_assert_int_eq(tcp_take_error(b), ECONNRESET);
  struct ip_flow f = {.src = ip_from4(0), .dst = s.h[1].addr, .ttl = -1};
  ck_assert_int_eq(tcp_connect(a, &f, 40001, 82, &s.ports), 0);
  sim_run(&s, SEC);
  ck_assert_int_eq(tcp_take_error(a), ECONNREFUSED);
  close_both();
}
END_TEST

int main(void) {
  Suite *su = suite_create("tcp_states");
  TCase *t = tcase_create("states");
  tcase_set_timeout(t, 30);
  SRunner *r;
  tcase_add_test(t, idle_is_small);
  tcase_add_test(t, refused);
  tcase_add_test(t, no_answer);
  tcase_add_test(t, half_close);
  tcase_add_test(t, orphans_have_no_user);
  tcase_add_test(t, close_at_once);
  tcase_add_test(t, open_at_once);
  tcase_add_test(t, resets);
  tcase_add_test(t, challenges);
  tcase_add_test(t, closed_port_answers);
  tcase_add_test(t, zero_window);
  tcase_add_test(t, orphans_do_not_wait_for_a_window);
  tcase_add_test(t, reader_acknowledges);
  tcase_add_test(t, probes_unanswered);
  tcase_add_test(t, keepalive);
  tcase_add_test(t, gives_up);
  tcase_add_test(t, accept_queue_is_bounded);
  tcase_add_test(t, cookies);
  tcase_add_test(t, time_wait_reuse);
  tcase_add_test(t, urgent);
  tcase_add_test(t, nagle_and_cork);
  tcase_add_test(t, wraps);
  tcase_add_test(t, icmp);
  tcase_add_test(t, disconnect);
  suite_add_tcase(su, t);
  r = srunner_create(su);
  srunner_run_all(r, CK_NORMAL);
  int failed = srunner_ntests_failed(r);
  srunner_free(r);
  return failed != 0;
}
