/* Numbers that a stranger must not guess: initial sequence numbers (RFC 6528), timestamp offsets (RFC 7323 5.4), SYN
 * cookies (RFC 4987 3.6). All are SipHash of the four names with the stack's secret. */
#include "tcp_int.h"
#include "../siphash.h"

uint64_t tcp_siphash(const uint64_t key[2], const void *data, size_t n) {
  struct siphash_key k = {{key[0], key[1]}};
  return siphash(&k, data, n);
}

/* The clock of RFC 6528 ticks every 4 us; Linux's every 64 ns, which outruns any sender before it wraps. */
uint32_t tcp_isn(struct tcp_stack *s, const struct tcp_key *k) {
  return (uint32_t)tcp_siphash(s->key, k, sizeof *k) + (uint32_t)(tcp_now(s) >> 6);
}

/* One offset for a pair of hosts, so that timestamps grow from one connection to the next (RFC 7323 5.2, TIME-WAIT). */
uint32_t tcp_tsoff(struct tcp_stack *s, const struct tcp_key *k) {
  struct in6_addr pair[2] = {k->laddr, k->raddr};
  return (uint32_t)(tcp_siphash(s->key, pair, sizeof pair) >> 32);
}

/* A cookie: 5 bits of a count of minutes, 3 bits naming an MSS, 24 bits of MAC over both, the names and the peer's ISN.
 */
static const uint16_t cookie_mss[8] = {536, 1200, 1300, 1400, 1440, 1460, 4312, 8960};
#define COOKIE_PERIOD (60 * SEC)
#define COOKIE_AGE 2 /* periods */

static uint32_t cookie_mac(struct tcp_stack *s, const struct tcp_key *k, uint32_t irs, uint32_t count, uint32_t mss) {
  struct {
    struct tcp_key k;
    uint32_t irs, count, mss;
  } in;
  memset(&in, 0, sizeof in);
  in.k = *k, in.irs = irs, in.count = count, in.mss = mss;
  return (uint32_t)tcp_siphash(s->cookie_key, &in, sizeof in) & 0xffffff;
}

uint32_t tcp_cookie_make(struct tcp_stack *s, const struct tcp_key *k, uint32_t irs, uint16_t mss) {
  uint32_t i = 7, count = (uint32_t)(tcp_now(s) / COOKIE_PERIOD);
  while (i && cookie_mss[i] > mss)
    i--;
  return (count & 31) << 27 | i << 24 | cookie_mac(s, k, irs, count, i);
}

bool tcp_cookie_check(struct tcp_stack *s, const struct tcp_key *k, uint32_t irs, uint32_t cookie, uint16_t *mss) {
  uint32_t now = (uint32_t)(tcp_now(s) / COOKIE_PERIOD), age = (now - (cookie >> 27)) & 31, i = cookie >> 24 & 7;
  if (age > COOKIE_AGE || cookie_mac(s, k, irs, now - age, i) != (cookie & 0xffffff))
    return false;
  *mss = cookie_mss[i];
  return true;
}
