/*
 * A fuzzer that runs inside the sandbox: random system calls with structured arguments. See run.py for how it is
 * driven. Everything is drawn from the generator of a thread, which is seeded by run seed, cycle, worker and thread.
 */
#pragma once
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define N(a) (sizeof(a) / sizeof *(a))
#define WORK_DIR "/tmp/fz"

struct rng {
  uint64_t s;
};
static inline uint64_t rnd(struct rng *r) { /* xorshift64* */
  r->s ^= r->s >> 12;
  r->s ^= r->s << 25;
  r->s ^= r->s >> 27;
  return r->s * 0x2545f4914f6cdd1dull;
}
static inline uint64_t below(struct rng *r, uint64_t n) {
  return (rnd(r) >> 11) % n;
}
static inline bool one_in(struct rng *r, unsigned n) {
  return below(r, n) == 0;
}
static inline struct rng rng_from(uint64_t a, uint64_t b, uint64_t c, uint64_t d) {
  struct rng r = {0x9e3779b97f4a7c15ull};
  uint64_t v[] = {a, b, c, d};
  for (unsigned i = 0; i < 4; i++) {
    r.s ^= v[i] + 0x9e3779b97f4a7c15ull + (r.s << 6) + (r.s >> 2);
    if (!r.s)
      r.s = 1;
    rnd(&r);
  }
  return r;
}
#define PICK(r, list) ((list)[below((r), N(list))])

/* ---- memory.c ---- */
void memory_setup(struct rng *r);
uint64_t address(struct rng *r);          /* of any kind */
void *scratch(struct rng *r, size_t len); /* writable as far as we know; a fault there is caught by the worker */
void memory_race(struct rng *r);          /* one change of the racing region */
uint64_t size_value(struct rng *r);

/* ---- objects.c ---- */
void objects_setup(struct rng *r);
void make_object(struct rng *r); /* a few descriptors of some kind */
int descriptor(struct rng *r);
void remember_fd(int fd);
const char *path(struct rng *r);
int process_id(struct rng *r);
void remember_pid(int pid);

/* ---- fuzz.c and scenes.c ---- */
void run_calls(struct rng *r, int n); /* n < 0: for ever */
void scene(struct rng *r);

/* ---- net.c ---- */
struct call;
void net_setup(void);
bool net_turn(struct rng *r); /* is the next call one of net.c's? */
void make_net_call(struct rng *r, struct call *c);
void make_net_objects(struct rng *r);

/* ---- args.c ---- */
struct call {
  int nr;
  const char *name;
  uint64_t a[6];
};
void args_setup(void);
void make_call_args(struct rng *r, struct call *c);
int ncalls(void);
void remember_result(const struct call *c, long ret); /* of a call that succeeded: descriptors, ids */
extern void (*const signal_handler)(int);
