/* Options in the TCP header: RFC 9293 3.1, 7323 (window scale, timestamps), 2018 (SACK). */
#include "tcp_int.h"

enum { OPT_END, OPT_NOP, OPT_MSS, OPT_WSCALE, OPT_SACK_OK, OPT_SACK, OPT_TS = 8 };

static uint16_t get16(const uint8_t *p) {
  return (uint16_t)(p[0] << 8 | p[1]);
}
static uint32_t get32(const uint8_t *p) {
  return (uint32_t)get16(p) << 16 | get16(p + 2);
}
static uint8_t *put16(uint8_t *p, uint16_t v) {
  p[0] = (uint8_t)(v >> 8);
  p[1] = (uint8_t)v;
  return p + 2;
}
static uint8_t *put32(uint8_t *p, uint32_t v) {
  return put16(put16(p, (uint16_t)(v >> 16)), (uint16_t)v);
}

static void parse_one(uint8_t kind, const uint8_t *v, uint8_t n, bool syn, struct tcp_opts *out) {
  if (kind == OPT_MSS && n == 2 && syn)
    out->mss = get16(v);
  else if (kind == OPT_WSCALE && n == 1 && syn)
    out->wscale = v[0] > TCP_MAX_WSCALE ? TCP_MAX_WSCALE : (int8_t)v[0]; /* RFC 7323 2.3 */
  else if (kind == OPT_SACK_OK && n == 0 && syn)
    out->sack_ok = true;
  else if (kind == OPT_TS && n == 8) {
    out->ts = true;
    out->tsval = get32(v);
    out->tsecr = get32(v + 4);
  } else if (kind == OPT_SACK && !syn && n >= 8 && n % 8 == 0) {
    out->nsack = 0;
    for (; n && out->nsack < 4; n -= 8, v += 8)
      out->sack[out->nsack++] = (struct tcp_sack){get32(v), get32(v + 4)};
  }
}

void tcp_opts_parse(const uint8_t *o, uint32_t n, bool syn, struct tcp_opts *out) {
  *out = (struct tcp_opts){.wscale = -1};
  while (n) {
    if (*o == OPT_END)
      return;
    if (*o == OPT_NOP) {
      o++, n--;
      continue;
    }
    if (n < 2 || o[1] < 2 || o[1] > n)
      return; /* what follows cannot be found */
    parse_one(o[0], o + 2, o[1] - 2, syn, out);
    n -= o[1];
    o += o[1];
  }
}

uint32_t tcp_opts_build(const struct tcp_opts *o, uint8_t *at) {
  uint8_t *p = at;
  if (o->mss) {
    *p++ = OPT_MSS, *p++ = 4;
    p = put16(p, o->mss);
  }
  if (o->ts) {
    if (o->sack_ok)
      *p++ = OPT_SACK_OK, *p++ = 2;
    else
      *p++ = OPT_NOP, *p++ = OPT_NOP;
    *p++ = OPT_TS, *p++ = 10;
    p = put32(put32(p, o->tsval), o->tsecr);
  } else if (o->sack_ok) {
    *p++ = OPT_NOP, *p++ = OPT_NOP, *p++ = OPT_SACK_OK, *p++ = 2;
  }
  if (o->wscale >= 0) {
    *p++ = OPT_NOP, *p++ = OPT_WSCALE, *p++ = 3, *p++ = (uint8_t)o->wscale;
  }
  uint32_t room = (40 - (uint32_t)(p - at)), blocks = o->nsack;
  while (blocks && 4 + 8 * blocks > room)
    blocks--;
  if (blocks) {
    *p++ = OPT_NOP, *p++ = OPT_NOP, *p++ = OPT_SACK, *p++ = (uint8_t)(2 + 8 * blocks);
    for (uint32_t i = 0; i < blocks; i++)
      p = put32(put32(p, o->sack[i].start), o->sack[i].end);
  }
  return (uint32_t)(p - at);
}
