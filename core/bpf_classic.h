/*
 * Classic BPF programs that come from guests: Documentation/networking/filter.rst, seccomp(2), socket(7). A checker and
 * an interpreter; a program that has not passed the checker must not be run. Neither parks nor touches guest memory.
 */
#pragma once
#include <linux/filter.h>
#include <stdbool.h>
#include <stdint.h>

enum bpf_use {
  BPF_FOR_SECCOMP, /* loads aligned words of struct seccomp_data in host order; the instructions seccomp allows */
  BPF_FOR_PACKETS, /* SO_ATTACH_FILTER: loads in network order at any offset, the ancillary data that `ancillary` has */
};

struct bpf_data {
  const uint8_t *bytes;
  uint32_t len;    /* what BPF_LEN gives */
  uint32_t linear; /* packets: how many of them are at `bytes`. Of seccomp's data all are */
  /* Packets: n bytes (1, 2, 4) that are not all in the linear part, or at a negative offset (SKF_NET_OFF, SKF_LL_OFF).
   * False: there are none, and the program ends with 0. May be NULL. */
  bool (*load)(void *arg, uint32_t off, unsigned n, uint8_t out[4]);
  /* SKF_AD_OFF + off (packets only), with A and X as they are. False: the program ends with 0. May be NULL. */
  bool (*ancillary)(void *arg, uint32_t off, uint32_t a, uint32_t x, uint32_t *out);
  void *arg;
};

/* Would Linux take it? 0 or -EINVAL. */
int bpf_check(const struct sock_filter *f, unsigned len, enum bpf_use use);
/* What it returns. Bounded: jumps go forward only. */
uint32_t bpf_run(const struct sock_filter *f, enum bpf_use use, const struct bpf_data *d);
