/* The relay of DNS questions: packets on lo on one side, messages on the other; and the process that asks. */
#include "../../net/dns_relay.h"
#include "../../net/dns_relay_int.h"
#include "../../oci/dns_asker.h"
#include "ip_util.h"
#include <netinet/udp.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static int far; /* the asking process's end */
static struct pbuf_queue seen;
static const struct netdev_ops *lo_ops;

/* Keeps a copy of what passes lo. */
static int watch_xmit(struct netdev *d, struct pbuf *p) {
  struct pbuf *c = pbuf_clone(p);
  STAILQ_INSERT_TAIL(&seen, c, link);
  return lo_ops->xmit(d, p);
}
static struct netdev_ops watched;

static void setup_relay(void) {
  int sv[2];
  setup();
  ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sv), 0);
  far = sv[1];
  STAILQ_INIT(&seen);
  struct netdev *lo = net_stack_of(ns)->lo;
  lo_ops = lo->ops;
  watched = *lo_ops;
  watched.xmit = watch_xmit;
  lo->ops = &watched;
  ck_assert_int_eq(dns_relay_attach(ns, sv[0]), 0);
}
static void teardown_relay(void) {
  pbuf_queue_free(&seen);
  close(far);
  teardown();
}

static void udp_to(const char *dst, uint16_t sport, uint16_t dport, const void *body, uint32_t len) {
  struct ip_flow f = {.src = ip("127.0.0.1"), .dst = ip(dst), .proto = IPPROTO_UDP, .ttl = -1};
  struct udphdr h = {.uh_sport = htons(sport), .uh_dport = htons(dport), .uh_ulen = htons((uint16_t)(8 + len))};
  struct pbuf *p = pbuf_new(8 + len);
  memcpy(pbuf_put(p, 8), &h, 8);
  memcpy(pbuf_put(p, len), body, len);
  ck_assert_int_eq(ip_send(n, p, &f), 0);
  run_ms(5);
}

struct said {
  struct dns_relay_msg h;
  uint8_t body[5000];
};
/* Bytes of the message behind the head; -1: there is none. */
static int question(struct said *s) {
  ssize_t r = recv(far, s, sizeof *s, MSG_DONTWAIT);
  return r < (ssize_t)sizeof s->h ? -1 : (int)(r - (ssize_t)sizeof s->h);
}
static void reply(struct said *s, uint32_t len) {
  ck_assert_int_eq(send(far, s, sizeof s->h + len, 0), (int)(sizeof s->h + len));
  run_ms(5);
}

/* The last packet of that protocol on lo: its transport header and what follows; bytes, or 0. */
static unsigned last_seen(uint8_t proto, uint8_t *b, size_t cap) {
  struct pbuf *p;
  unsigned len = 0;
  STAILQ_FOREACH(p, &seen, link) {
    uint8_t ip4[34];
    pbuf_copy_out(p, 0, ip4, sizeof ip4);
    if (ip4[14 + 9] != proto || p->len - 34 > cap)
      continue;
    len = p->len - 34;
    pbuf_copy_out(p, 34, b, len);
  }
  pbuf_queue_free(&seen);
  STAILQ_INIT(&seen);
  return len;
}

static const uint8_t asked[20] = "\x12\x34\x01\0\0\1\0\0\0\0\0\0\1x\0\0\1\0\1";

START_TEST(udp) {
  struct said s;
  uint8_t b[6000];
  udp_to("127.0.0.11", 4000, 53, asked, sizeof asked);
  ck_assert_int_eq(question(&s), sizeof asked);
  ck_assert_mem_eq(s.body, asked, sizeof asked);
  ck_assert_int_eq(s.h.tcp, 0);
  pbuf_queue_free(&seen);
  STAILQ_INIT(&seen);
  memset(s.body + 12, 7, 4000);
  reply(&s, 4012);
  unsigned got = last_seen(IPPROTO_UDP, b, sizeof b);
  ck_assert_uint_eq(got, 8 + 4012);
  ck_assert_mem_eq(b, "\0\x35\x0f\xa0", 4);
  ck_assert_mem_eq(b + 8, s.body, 4012);
  struct in6_addr from = ip("127.0.0.11"), to = ip("127.0.0.1");
  ck_assert_uint_eq(csum_fold(csum_add(ip_pseudo_sum(&from, &to, IPPROTO_UDP, got), b, got)), 0);
  reply(&s, 4012); /* once more: nobody asks any longer */
  ck_assert_uint_eq(last_seen(IPPROTO_UDP, b, sizeof b), 0);
}
END_TEST

START_TEST(not_for_us) {
  struct said s;
  udp_to("127.0.0.11", 4000, 54, asked, sizeof asked);
  udp_to("127.0.0.12", 4000, 53, asked, sizeof asked);
  udp_to("192.0.2.1", 4000, 53, asked, sizeof asked);
  udp_to("127.0.0.11", 4000, 53, asked, 11); /* shorter than a header */
  udp_to("127.0.0.11", 4000, 53, "", 0);
  static uint8_t much[5000];
  udp_to("127.0.0.11", 4000, 53, much, sizeof much);
  ck_assert_int_eq(question(&s), -1);
  /* From the network to 127.0.0.11: a martian. */
  uint8_t b[100], u[28] = {0x0f, 0xa0, 0, 53, 0, 28};
  memcpy(u + 8, asked, 20);
  rx(0x0800, b, make4(b, "192.0.2.9", "127.0.0.11", IPPROTO_UDP, 1, 0, u, sizeof u));
  ck_assert_int_eq(question(&s), -1);
}
END_TEST

START_TEST(no_answer) {
  struct said s;
  uint8_t b[200];
  udp_to("127.0.0.11", 4000, 53, asked, sizeof asked);
  ck_assert_int_eq(question(&s), sizeof asked);
  s.h.failed = 1;
  reply(&s, 0);
  ck_assert_uint_ge(last_seen(IPPROTO_ICMP, b, sizeof b), 8);
  ck_assert_mem_eq(b, "\3\3", 2);
  /* What an insane process says is nothing. */
  s.h = (struct dns_relay_msg){.id = 0xfffffff0};
  reply(&s, 4);
  ck_assert_int_eq(send(far, "x", 1, 0), 1);
  run_ms(5);
  /* Its end: those who wait are told, and those who come. */
  udp_to("127.0.0.11", 4001, 53, asked, sizeof asked);
  (void)last_seen(IPPROTO_ICMP, b, sizeof b);
  shutdown(far, SHUT_RDWR);
  run_ms(10);
  ck_assert_uint_ge(last_seen(IPPROTO_ICMP, b, sizeof b), 8);
  udp_to("127.0.0.11", 4002, 53, asked, sizeof asked);
  ck_assert_uint_ge(last_seen(IPPROTO_ICMP, b, sizeof b), 8);
}
END_TEST

START_TEST(bounded) {
  struct said s;
  int got = 0;
  for (int i = 0; i < DNS_QUERIES_MAX + 50; i++) {
    udp_to("127.0.0.11", (uint16_t)(5000 + i), 53, asked, sizeof asked);
    while (question(&s) >= 0)
      got++;
  }
  ck_assert_int_eq(got, DNS_QUERIES_MAX);
  reply(&s, 12); /* room for one again */
  udp_to("127.0.0.11", 4000, 53, asked, sizeof asked);
  ck_assert_int_eq(question(&s), sizeof asked);
}
END_TEST

/* ---- the process ---- */

static int server_udp, server_tcp;
static uint16_t server_port;

static void start_server(void) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t len = sizeof a;
  for (int tries = 0; tries < 20; tries++) {
    a.sin_port = 0;
    server_udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    server_tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(server_udp, (struct sockaddr *)&a, sizeof a), 0);
    ck_assert_int_eq(getsockname(server_udp, (struct sockaddr *)&a, &len), 0);
    if (!bind(server_tcp, (struct sockaddr *)&a, sizeof a))
      break;
    close(server_udp), close(server_tcp);
  }
  ck_assert_int_eq(listen(server_tcp, 5), 0);
  server_port = ntohs(a.sin_port);
}

static pid_t start_asker(void) {
  int sv[2];
  ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv), 0);
  pid_t pid = fork();
  if (pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    close(server_udp), close(server_tcp);
    close(sv[0]);
    dns_asker_serve(sv[1], INADDR_LOOPBACK, server_port);
    _exit(7);
  }
  close(sv[1]);
  far = sv[0];
  return pid;
}

static void ask(uint32_t id, bool tcp) {
  struct said s = {.h = {.id = id, .tcp = tcp}};
  memcpy(s.body, asked, sizeof asked);
  ck_assert_int_eq(send(far, &s, sizeof s.h + sizeof asked, 0), (int)(sizeof s.h + sizeof asked));
}

static int answer(struct said *s) {
  struct pollfd p = {.fd = far, .events = POLLIN};
  ck_assert_int_eq(poll(&p, 1, 5000), 1);
  ssize_t r = recv(far, s, sizeof *s, 0);
  ck_assert_int_ge((int)r, (int)sizeof s->h);
  return (int)(r - (ssize_t)sizeof s->h);
}

START_TEST(asker) {
  struct said s;
  struct sockaddr_in from;
  socklen_t len = sizeof from;
  uint8_t b[600];
  int status;
  start_server();
  pid_t pid = start_asker();
  ask(5, false);
  ck_assert_int_eq(recvfrom(server_udp, b, sizeof b, 0, (struct sockaddr *)&from, &len), sizeof asked);
  b[0] ^= 1; /* an answer to another question is none */
  sendto(server_udp, b, 20, 0, (struct sockaddr *)&from, len);
  b[0] ^= 1;
  sendto(server_udp, b, 17, 0, (struct sockaddr *)&from, len);
  ck_assert_int_eq(answer(&s), 17);
  ck_assert_uint_eq(s.h.id, 5);
  ask(6, true);
  int c = accept(server_tcp, NULL, NULL);
  ck_assert_int_eq(recv(c, b, 22, MSG_WAITALL), 22);
  ck_assert_mem_eq(b, "\0\x14", 2);
  for (int i = 0; i < 402; i++) { /* in crumbs */
    uint8_t byte = i == 0 ? 400 >> 8 : i == 1 ? 400 & 255 : (uint8_t)i;
    ck_assert_int_eq(send(c, &byte, 1, 0), 1);
  }
  ck_assert_int_eq(answer(&s), 400);
  ck_assert_uint_eq(s.h.id, 6);
  ck_assert_uint_eq(s.body[0], 2);
  ask(7, true); /* hung up on */
  close(c);
  close(accept(server_tcp, NULL, NULL));
  ck_assert_int_eq(answer(&s), 0);
  ck_assert_uint_eq(s.h.failed, 1);
  close(server_udp), close(server_tcp);
  for (uint32_t i = 8; i < 10; i++) { /* nobody listens */
    ask(i, i & 1);
    ck_assert_int_eq(answer(&s), 0);
    ck_assert_uint_eq(s.h.failed, 1);
    ck_assert_uint_eq(s.h.id, i);
  }
  ck_assert_int_eq(send(far, "junk", 4, 0), 4);
  close(far);
  ck_assert_int_eq(waitpid(pid, &status, 0), pid);
  ck_assert_int_eq(WEXITSTATUS(status), 7);
}
END_TEST

int main(void) {
  Suite *s = suite_create("dns_relay");
  TCase *t = tcase_create("relay");
  tcase_add_checked_fixture(t, setup_relay, teardown_relay);
  tcase_set_timeout(t, 60);
  tcase_add_test(t, udp);
  tcase_add_test(t, not_for_us);
  tcase_add_test(t, no_answer);
  tcase_add_test(t, bounded);
  suite_add_tcase(s, t);
  t = tcase_create("asker");
  tcase_set_timeout(t, 30);
  tcase_add_test(t, asker);
  suite_add_tcase(s, t);
  SRunner *r = srunner_create(s);
  srunner_run_all(r, CK_ENV);
  int failed = srunner_ntests_failed(r);
  srunner_free(r);
  return failed != 0;
}
