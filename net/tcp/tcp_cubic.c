/* Congestion control: slow start and NewReno (RFC 5681, 3465), CUBIC (RFC 9438). Windows in bytes. */
#include "tcp_int.h"

#define CUBIC_C 0.4
#define CUBIC_BETA 0.7
#define INIT_SEGS 10u /* RFC 6928 */

uint32_t tcp_init_cwnd(const struct tcp_conn *c) {
  return INIT_SEGS * c->mss;
}

static uint32_t at_least_two(const struct tcp_conn *c, double w) {
  uint32_t n = w > 1e9 ? 1000000000u : (uint32_t)w;
  return u32_max(n, 2 * c->mss);
}

static uint32_t flight(const struct tcp_conn *c) {
  return u32_max(u32_min(c->cwnd, c->snd_nxt - c->snd_una), 1);
}

/* ---- reno ---- */

static void reno_acked(struct tcp_conn *c, uint32_t bytes, int64_t now) {
  uint64_t add = (uint64_t)c->mss * u32_min(bytes, c->cwnd) / c->cwnd;
  c->cwnd += (uint32_t)(add ? add : 1);
}

static uint32_t reno_ssthresh(struct tcp_conn *c) {
  return at_least_two(c, flight(c) / 2.0);
}

/* ---- cubic ---- */

static double cube_root(double x) { /* Newton: enough for windows of up to a million segments */
  double r = x > 1 ? x / 3 : 1;
  for (int i = 0; i < 40 && x > 0; i++)
    r = (2 * r + x / (r * r)) / 3;
  return x > 0 ? r : 0;
}

static void cubic_init(struct tcp_conn *c) {
  memset(&c->cubic, 0, sizeof c->cubic);
}

static uint32_t cubic_ssthresh(struct tcp_conn *c) {
  double w = (double)c->cwnd / c->mss;
  c->cubic.epoch = 0;
  c->cubic.w_max = w < c->cubic.w_max ? w * (1 + CUBIC_BETA) / 2 : w; /* fast convergence, 4.7 */
  return at_least_two(c, c->cwnd * CUBIC_BETA);
}

static void cubic_acked(struct tcp_conn *c, uint32_t bytes, int64_t now) {
  struct tcp_cubic *q = &c->cubic;
  double w = (double)c->cwnd / c->mss, segs = (double)bytes / c->mss;
  if (!q->epoch) {
    q->epoch = now;
    q->w_est = w;
    q->origin = w > q->w_max ? w : q->w_max;
    q->k = w >= q->w_max ? 0 : cube_root((q->w_max - w) / CUBIC_C);
  }
  double t = (double)(now - q->epoch) / SEC + (double)c->srtt / SEC, d = t - q->k;
  double target = CUBIC_C * d * d * d + q->origin;
  target = target < w ? w : target > 1.5 * w ? 1.5 * w : target;
  double alpha = q->w_est >= q->w_max ? 1.0 : 3 * (1 - CUBIC_BETA) / (1 + CUBIC_BETA);
  q->w_est += alpha * segs / w;
  if (q->w_est > target)
    w = q->w_est > w ? q->w_est : w; /* 4.3: the Reno-friendly region */
  else
    w += (target - w) / w * segs;
  double bytes_now = w * c->mss;
  c->cwnd = bytes_now > 1e9 ? 1000000000u : u32_max(c->cwnd, (uint32_t)bytes_now);
}

static const struct tcp_cc_ops controls[] = {
    {"cubic", cubic_init, cubic_acked, cubic_ssthresh},
    {"reno", NULL, reno_acked, reno_ssthresh},
};

const struct tcp_cc_ops *tcp_cc_find(const char *name) {
  for (size_t i = 0; i < sizeof controls / sizeof *controls; i++)
    if (!strcmp(controls[i].name, name))
      return &controls[i];
  return NULL;
}

uint32_t tcp_ssthresh(struct tcp_conn *c) {
  return c->cc->ssthresh(c);
}

void tcp_grow(struct tcp_conn *c, uint32_t acked) {
  if (c->cwnd > 1000000000u)
    return;
  if (c->cwnd < c->ssthresh) {
    uint32_t add = u32_min(acked, c->ca == CA_LOSS ? 2 * c->mss : acked), room = c->ssthresh - c->cwnd;
    c->cwnd += u32_min(add, room);
    return;
  }
  c->cc->acked(c, acked, tcp_now(c->s));
}

int tcp_set_congestion(struct tcp_conn *c, const char *name) {
  const struct tcp_cc_ops *cc = tcp_cc_find(name);
  if (!cc)
    return -ENOENT;
  c->cc = cc;
  if (cc->init)
    cc->init(c);
  return 0;
}

const char *tcp_congestion(const struct tcp_conn *c) {
  return c->cc->name;
}

bool tcp_congestion_known(const char *name) {
  return tcp_cc_find(name);
}
