/* One socket per question: the host's kernel matches answers to questions and picks the ports. See dns_asker.h. */
#include "dns_asker.h"
#include "../net/dns_relay.h"
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define QUESTIONS 256 /* as many as the Sentry has in flight */
#define TCP_QUESTIONS 64

struct question {
  uint32_t id;
  int fd; /* -1: unused */
  int64_t until;
  bool tcp;
  uint8_t *buf; /* TCP: length and message, first the question, then the answer. UDP: its first two bytes */
  uint32_t len, done;
  bool reading;
};

struct asker {
  int sock;
  struct sockaddr_in server;
  struct question q[QUESTIONS];
  unsigned ntcp;
  uint8_t msg[sizeof(struct dns_relay_msg) + DNS_MESSAGE_MAX + 1];
};

static int64_t now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void finish(struct asker *a, struct question *q, const uint8_t *answer, uint32_t len) {
  struct dns_relay_msg h = {.id = q->id, .tcp = q->tcp, .failed = !answer};
  struct iovec v[2] = {{&h, sizeof h}, {(void *)answer, len}};
  struct msghdr m = {.msg_iov = v, .msg_iovlen = answer ? 2 : 1};
  /* A Sentry that does not read loses answers: it asked for them. */
  (void)!sendmsg(a->sock, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (q->fd >= 0)
    close(q->fd);
  a->ntcp -= q->tcp;
  free(q->buf);
  *q = (struct question){.fd = -1};
}

/* ---- asking ---- */

static int connect_to_server(const struct asker *a, bool tcp) {
  int fd = socket(AF_INET, (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd >= 0 && connect(fd, (const struct sockaddr *)&a->server, sizeof a->server) && errno != EINPROGRESS) {
    close(fd);
    fd = -1;
  }
  return fd;
}

static bool ask_udp(struct question *q, const uint8_t *msg, uint32_t len) {
  q->buf = malloc(2);
  if (!q->buf || send(q->fd, msg, len, MSG_NOSIGNAL) != (ssize_t)len)
    return false;
  memcpy(q->buf, msg, 2);
  q->reading = true;
  return true;
}

static bool ask_tcp(struct question *q, const uint8_t *msg, uint32_t len) {
  q->buf = malloc(DNS_MESSAGE_MAX + 2);
  if (!q->buf)
    return false;
  q->buf[0] = (uint8_t)(len >> 8);
  q->buf[1] = (uint8_t)len;
  memcpy(q->buf + 2, msg, len);
  q->len = len + 2;
  return true;
}

static void ask(struct asker *a, const struct dns_relay_msg *h, const uint8_t *msg, uint32_t len) {
  struct question *q = NULL;
  for (unsigned i = 0; i < QUESTIONS && !q; i++)
    q = a->q[i].fd < 0 ? &a->q[i] : NULL;
  if (!q) {
    struct question none = {.id = h->id, .fd = -1};
    finish(a, &none, NULL, 0);
    return;
  }
  *q = (struct question){.id = h->id, .tcp = h->tcp != 0, .until = now_ms() + DNS_TIMEOUT_S * 1000};
  a->ntcp += q->tcp;
  q->fd = a->ntcp <= TCP_QUESTIONS ? connect_to_server(a, q->tcp) : -1;
  if (q->fd < 0 || !(q->tcp ? ask_tcp(q, msg, len) : ask_udp(q, msg, len)))
    finish(a, q, NULL, 0);
}

/* False: the Sentry is gone. */
static bool take_questions(struct asker *a) {
  for (;;) {
    struct dns_relay_msg h;
    ssize_t n = recv(a->sock, a->msg, sizeof a->msg, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
      return true;
    if (n <= 0)
      return false;
    if ((size_t)n < sizeof h + DNS_MESSAGE_MIN || (size_t)n > sizeof h + DNS_MESSAGE_MAX)
      continue;
    memcpy(&h, a->msg, sizeof h);
    ask(a, &h, a->msg + sizeof h, (uint32_t)((size_t)n - sizeof h));
  }
}

/* ---- answers ---- */

static void udp_ready(struct asker *a, struct question *q) {
  ssize_t n = recv(q->fd, a->msg, sizeof a->msg, MSG_DONTWAIT);
  if (n < 0 && (errno == EAGAIN || errno == EINTR))
    return;
  if (n < 0)
    finish(a, q, NULL, 0);
  else if (n >= DNS_MESSAGE_MIN && n <= DNS_MESSAGE_MAX && !memcmp(a->msg, q->buf, 2))
    finish(a, q, a->msg, (uint32_t)n);
}

/* What is to be read next: the length, then as much as it says. */
static void tcp_read_more(struct asker *a, struct question *q) {
  if (q->done < q->len)
    return;
  uint32_t body = (uint32_t)(q->buf[0] << 8 | q->buf[1]);
  if (body < DNS_MESSAGE_MIN)
    finish(a, q, NULL, 0);
  else if (q->len == 2)
    q->len = body + 2;
  else
    finish(a, q, q->buf + 2, body);
}

static void tcp_ready(struct asker *a, struct question *q) {
  uint8_t *at = q->buf + q->done;
  size_t left = q->len - q->done;
  ssize_t n = q->reading ? recv(q->fd, at, left, MSG_DONTWAIT) : send(q->fd, at, left, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (n < 0 && (errno == EAGAIN || errno == EINTR))
    return;
  if (n <= 0) {
    finish(a, q, NULL, 0);
    return;
  }
  q->done += (uint32_t)n;
  if (q->reading) {
    tcp_read_more(a, q);
  } else if (q->done == q->len) {
    q->reading = true;
    q->done = 0;
    q->len = 2;
  }
}

/* ---- all of it ---- */

static int wait_ms(const struct asker *a, int64_t now) {
  int64_t first = INT64_MAX;
  for (unsigned i = 0; i < QUESTIONS; i++)
    if (a->q[i].fd >= 0 && a->q[i].until < first)
      first = a->q[i].until;
  return first == INT64_MAX ? -1 : first <= now ? 0 : (int)(first - now);
}

static unsigned gather(const struct asker *a, struct pollfd *p, unsigned *who) {
  unsigned n = 1;
  p[0] = (struct pollfd){.fd = a->sock, .events = POLLIN};
  for (unsigned i = 0; i < QUESTIONS; i++)
    if (a->q[i].fd >= 0) {
      who[n] = i;
      p[n++] = (struct pollfd){.fd = a->q[i].fd, .events = a->q[i].reading ? POLLIN : POLLOUT};
    }
  return n;
}

void dns_asker_serve(int sock, unsigned server, unsigned port) {
  static struct asker a; /* too much for a stack; one per process */
  struct pollfd p[QUESTIONS + 1];
  unsigned who[QUESTIONS + 1];
  a.sock = sock;
  a.server =
      (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(server)};
  for (unsigned i = 0; i < QUESTIONS; i++)
    a.q[i] = (struct question){.fd = -1};
  for (;;) {
    unsigned n = gather(&a, p, who);
    if (poll(p, n, wait_ms(&a, now_ms())) < 0 && errno != EINTR)
      return;
    for (unsigned i = 1; i < n; i++) {
      struct question *q = &a.q[who[i]];
      if (p[i].revents)
        q->tcp ? tcp_ready(&a, q) : udp_ready(&a, q);
      if (q->fd >= 0 && q->until <= now_ms())
        finish(&a, q, NULL, 0);
    }
    if (p[0].revents && !take_questions(&a))
      return;
  }
}
