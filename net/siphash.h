/*
 * SipHash-1-3 (Aumasson, Bernstein 2012): a keyed hash for tables whose keys a peer chooses. With a secret key it
 * cannot aim at one bucket.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct siphash_key {
  uint64_t k[2];
};

static inline uint64_t sip_rotl(uint64_t x, int b) {
  return x << b | x >> (64 - b);
}

static inline void sip_round(uint64_t v[4]) {
  v[0] += v[1], v[1] = sip_rotl(v[1], 13) ^ v[0], v[0] = sip_rotl(v[0], 32);
  v[2] += v[3], v[3] = sip_rotl(v[3], 16) ^ v[2];
  v[0] += v[3], v[3] = sip_rotl(v[3], 21) ^ v[0];
  v[2] += v[1], v[1] = sip_rotl(v[1], 17) ^ v[2], v[2] = sip_rotl(v[2], 32);
}

static inline uint64_t siphash(const struct siphash_key *key, const void *data, size_t n) {
  uint64_t v[4] = {key->k[0] ^ 0x736f6d6570736575ull, key->k[1] ^ 0x646f72616e646f6dull,
                   key->k[0] ^ 0x6c7967656e657261ull, key->k[1] ^ 0x7465646279746573ull};
  const uint8_t *p = data;
  uint64_t last = (uint64_t)n << 56;
  for (; n >= 8; n -= 8, p += 8) {
    uint64_t m;
    memcpy(&m, p, 8);
    v[3] ^= m;
    sip_round(v);
    v[0] ^= m;
  }
  for (size_t i = 0; i < n; i++)
    last |= (uint64_t)p[i] << (8 * i);
  v[3] ^= last;
  sip_round(v);
  v[0] ^= last;
  v[2] ^= 0xff;
  for (int i = 0; i < 3; i++)
    sip_round(v);
  return v[0] ^ v[1] ^ v[2] ^ v[3];
}
