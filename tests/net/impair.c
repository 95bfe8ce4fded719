/*
 * A bad link: frames between two interfaces, lost, delayed, reordered, doubled, damaged, slowed down. Not all kernels
 * have netem, and this one's dice are the same each time.
 *
 *   impair SEED IF1 IF2 WHAT=VALUE,…(from 1 to 2) WHAT=VALUE,…(from 2 to 1)
 * loss dup corrupt reorder: per cent of the frames; delay jitter: ms; rate: Mbit/s; limit: frames in the queue.
 * Checksums are forwarded as they come: switch the offloads of the senders off.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define FRAME_MAX 65600

struct frame {
  int64_t due;
  uint64_t seq;
  uint32_t len;
  uint8_t data[];
};
struct way {
  int in, out;
  double loss, dup, corrupt, reorder, delay, jitter, rate, limit;
  struct frame **heap;
  size_t n;
  int64_t line_free; /* when the line has sent what it took */
  uint64_t seq, seen, lost, sent;
};

static volatile sig_atomic_t stop;

static void on_term(int sig) {
  (void)sig;
  stop = 1;
}

static int64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000ll + t.tv_nsec;
}

static bool before(const struct frame *a, const struct frame *b) {
  return a->due != b->due ? a->due < b->due : a->seq < b->seq;
}

static void push(struct way *w, struct frame *f) {
  size_t i = w->n++;
  for (; i && before(f, w->heap[(i - 1) / 2]); i = (i - 1) / 2)
    w->heap[i] = w->heap[(i - 1) / 2];
  w->heap[i] = f;
}

static struct frame *pop(struct way *w) {
  struct frame *top = w->heap[0], *last = w->heap[--w->n];
  size_t i = 0;
  for (size_t c; (c = 2 * i + 1) < w->n; i = c) {
    c += c + 1 < w->n && before(w->heap[c + 1], w->heap[c]);
    if (!before(w->heap[c], last))
      break;
    w->heap[i] = w->heap[c];
  }
  w->heap[i] = last;
  return top;
}

static bool chance(double percent) {
  return drand48() * 100 < percent;
}

static void enqueue(struct way *w, const uint8_t *data, uint32_t len) {
  struct frame *f;
  if (w->n >= (size_t)w->limit || !(f = malloc(sizeof *f + len))) {
    w->lost++;
    return;
  }
  memcpy(f->data, data, len);
  f->len = len;
  f->seq = w->seq++;
  f->due = now_ns();
  if (w->rate > 0) {
    w->line_free = (w->line_free > f->due ? w->line_free : f->due) + (int64_t)(len * 8000.0 / w->rate);
    f->due = w->line_free;
  }
  if (!chance(w->reorder)) /* those overtake the others */
    f->due += (int64_t)((w->delay + w->jitter * (2 * drand48() - 1)) * 1e6);
  uint16_t type = (uint16_t)(data[12] << 8 | data[13]);
  if ((type == ETHERTYPE_IP || type == ETHERTYPE_IPV6) && chance(w->corrupt)) /* ARP has no checksum */
    f->data[14 + lrand48() % (len - 14)] ^= (uint8_t)(1 << lrand48() % 8);
  push(w, f);
}

static void receive(struct way *w) {
  static uint8_t buf[FRAME_MAX];
  ssize_t n;
  for (int i = 0; i < 64 && (n = recv(w->in, buf, sizeof buf, MSG_DONTWAIT)) > 14; i++) {
    w->seen++;
    if (chance(w->loss)) {
      w->lost++;
      continue;
    }
    enqueue(w, buf, (uint32_t)n);
    if (chance(w->dup))
      enqueue(w, buf, (uint32_t)n);
  }
}

static void transmit(struct way *w, int64_t now) {
  while (w->n && w->heap[0]->due <= now) {
    struct frame *f = pop(w);
    if (send(w->out, f->data, f->len, 0) >= 0)
      w->sent++;
    free(f);
  }
}

static int open_if(const char *name) {
  struct sockaddr_ll a = {
      .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = (int)if_nametoindex(name)};
  int fd = socket(AF_PACKET, SOCK_RAW, 0), on = 1, size = 16 << 20;
  if (!a.sll_ifindex || fd < 0 || setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof on) ||
      setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) ||
      setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size) || bind(fd, (struct sockaddr *)&a, sizeof a)) {
    perror(name);
    exit(2);
  }
  return fd;
}

static void parse(struct way *w, char *text) {
  static char *const names[] = {"loss", "dup", "corrupt", "reorder", "delay", "jitter", "rate", "limit", NULL};
  double *values[] = {&w->loss, &w->dup, &w->corrupt, &w->reorder, &w->delay, &w->jitter, &w->rate, &w->limit};
  w->limit = 20000;
  while (*text) {
    char *value;
    int i = getsubopt(&text, names, &value);
    if (i < 0 || !value) {
      fprintf(stderr, "impair: %s?\n", value);
      exit(2);
    }
    *values[i] = atof(value);
  }
  w->heap = calloc((size_t)w->limit + 2, sizeof *w->heap);
}

int main(int argc, char **argv) {
  struct way w[2] = {0};
  if (argc != 6)
    return 2;
  srand48(atol(argv[1]));
  w[0].in = w[1].out = open_if(argv[2]);
  w[1].in = w[0].out = open_if(argv[3]);
  parse(&w[0], argv[4]);
  parse(&w[1], argv[5]);
  signal(SIGTERM, on_term);
  puts("ready");
  fflush(stdout);
  while (!stop) {
    struct pollfd p[2] = {{.fd = w[0].in, .events = POLLIN}, {.fd = w[1].in, .events = POLLIN}};
    int64_t now = now_ns(), next = now + 1000000000;
    for (int i = 0; i < 2; i++)
      if (w[i].n && w[i].heap[0]->due < next)
        next = w[i].heap[0]->due;
    struct timespec wait = {.tv_nsec = next > now ? (next - now) % 1000000000 : 0};
    if (ppoll(p, 2, &wait, NULL) < 0 && errno != EINTR)
      return 1;
    for (int i = 0; i < 2; i++)
      receive(&w[i]);
    now = now_ns();
    for (int i = 0; i < 2; i++)
      transmit(&w[i], now);
  }
  for (int i = 0; i < 2; i++)
    printf("%lu seen, %lu lost, %lu sent\n", w[i].seen, w[i].lost, w[i].sent);
  return 0;
}
