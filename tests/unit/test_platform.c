/*
 * The platform without a kernel above it: a hand-assembled guest is mapped into a fresh process and makes calls, whose
 * numbers and results are checked; fork, memory orders, interruption, signal frames and refusal of calls that were not ordered.
 */
#include "../../core/fiber.h"
#include "../../core/loop.h"
#include "../../core/platform.h"
#include <asm/unistd.h>
#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#define CODE 0x400000ull
#define STACK 0x500000ull

static struct plat *plat;
static int calls, stop_after;
static int64_t seen[64];
static uint64_t seen_arg[64];
static void (*on_event)(struct plat_ctx *c, const struct plat_event *ev);

struct job {
  struct plat_ctx *c;
  struct plat_event ev;
};

static void handle(void *arg) {
  struct job j = *(struct job *)arg;
  on_event(j.c, &j.ev);
}

static void event(void *task, struct plat_ctx *c, const struct plat_event *ev) {
  (void)task;
  struct job j = {c, *ev};
  ck_assert_int_eq(fiber_spawn(handle, &j), 0);
}

/* mov $nr,%eax; mov $arg,%edi; syscall */
static size_t emit_call(uint8_t *p, int nr, uint32_t arg) {
  uint8_t code[] = {0xb8, 0, 0, 0, 0, 0xbf, 0, 0, 0, 0, 0x0f, 0x05};
  memcpy(code + 1, &nr, 4);
  memcpy(code + 6, &arg, 4);
  memcpy(p, code, sizeof code);
  return sizeof code;
}

static uint8_t guest[4096];
static size_t guest_len;

static void start_guest(void *arg) {
  (void)arg;
  struct plat_ctx *c;
  ck_assert_int_eq(plat_spawn(plat, &c), 0);
  plat_set_task(c, &plat);
  struct plat_order o = {.kind = PLAT_MMAP, .addr = CODE, .len = 4096, .prot = PROT_READ | PROT_WRITE | PROT_EXEC,
                         .flags = MAP_PRIVATE | MAP_ANONYMOUS, .fd = -1};
  ck_assert_int_eq(plat_order(c, &o), 0);
  o.addr = STACK;
  o.len = 65536;
  o.prot = PROT_READ | PROT_WRITE;
  ck_assert_int_eq(plat_order(c, &o), 0);
  ck_assert_int_eq(plat_flush(c), 0);
  ck_assert_int_eq(plat_write(plat_ctx_as(c), CODE, guest, guest_len), (ssize_t)guest_len);
  plat_enter(c, CODE, STACK + 65536 - 16);
}

static void run_guest(void) {
  struct plat_callbacks cb = {.event = event};
  struct plat_host host;
  const char *err = "";
  ck_assert_msg(plat_probe(&host, &err) == 0, "%s", err);
  ck_assert_msg(plat_new(&cb, &host, &plat, &err) == 0, "%s", err);
  struct loop *l = loop_new();
  ck_assert_ptr_nonnull(l);
  ck_assert_int_eq(plat_attach_loop(plat), 0);
  fiber_spawn(start_guest, NULL);
  loop_run(l);
}

static void record(struct plat_ctx *c, const struct plat_event *ev) {
  if (ev->type != PLAT_SYSCALL) {
    fprintf(stderr, "event %d\n", ev->type);
    loop_stop(loop_current());
    return;
  }
  seen[calls] = ev->call.nr;
  seen_arg[calls++] = ev->call.arg[0];
  if (calls == stop_after) {
    plat_kill(c);
    loop_stop(loop_current());
    return;
  }
  if (ev->call.nr == __NR_mmap) {
    struct plat_order o = {.kind = PLAT_MMAP, .addr = 0x10000000, .len = 4096, .prot = 3,
                           .flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, .fd = -1};
    plat_order(c, &o);
    plat_return(c, 0x10000000);
    return;
  }
  if (ev->call.nr == __NR_fork) {
    struct plat_ctx *child;
    struct plat_fork_args a = {.kind = PLAT_FORK};
    ck_assert_int_eq(plat_fork(c, &a, &child), 0);
    plat_set_task(child, &plat);
    plat_return(c, 77);
    plat_return(child, 0);
    return;
  }
  plat_return(c, 1000 + calls);
}

START_TEST(calls_arrive_and_return) {
  guest_len = emit_call(guest, __NR_getpid, 1);
  guest_len += emit_call(guest + guest_len, __NR_getppid, 2);
  /* mov %eax,%edi; mov $nr,%eax; syscall: the result of the call before is the argument */
  memcpy(guest + guest_len, "\x89\xc7\xb8\x27\x00\x00\x00\x0f\x05", 9);
  guest_len += 9;
  on_event = record;
  stop_after = 3;
  run_guest();
  ck_assert_int_eq(seen[0], __NR_getpid);
  ck_assert_int_eq(seen[1], __NR_getppid);
  ck_assert_int_eq(seen_arg[1], 2);
  ck_assert_int_eq(seen_arg[2], 1002);
}
END_TEST

START_TEST(memory_orders) {
  /* mmap(0, 4096, 3, ...) -> store through it -> report the byte */
  uint8_t code[] = {0xb8, 9, 0,    0,    0,    0x31, 0xff, 0xbe, 0,    16,   0,    0,    0xba, 3, 0,
                    0,    0, 0x0f, 0x05, 0xc6, 0x00, 0x5a, 0x0f, 0xb6, 0x38, 0xb8, 0x27, 0,    0, 0,
                    0x0f, 0x05};
  memcpy(guest, code, sizeof code);
  guest_len = sizeof code;
  on_event = record;
  stop_after = 2;
  run_guest();
  ck_assert_int_eq(seen[0], __NR_mmap);
  ck_assert_int_eq(seen_arg[1], 0x5a);
}
END_TEST

START_TEST(fork_returns_twice) {
  guest_len = emit_call(guest, __NR_fork, 0);
  memcpy(guest + guest_len, "\x89\xc7\xb8\x27\x00\x00\x00\x0f\x05", 9);
  guest_len += 9;
  memcpy(guest + guest_len, "\xeb\xfe", 2);
  guest_len += 2;
  on_event = record;
  stop_after = 3;
  run_guest();
  ck_assert_int_eq(seen[0], __NR_fork);
  ck_assert_int_eq(seen_arg[1] + seen_arg[2], 77);
}
END_TEST

static bool handled;
static void interrupt_soon(struct timer *t) { plat_interrupt(t->arg); }
static struct timer kick = {.fn = interrupt_soon};

static void on_spin(struct plat_ctx *c, const struct plat_event *ev) {
  if (ev->type == PLAT_SYSCALL && ev->call.nr == __NR_getpid) {
    kick.arg = c;
    timer_arm(&kick, loop_now_exact() + 20000000);
    plat_return(c, 5);
  } else if (ev->type == PLAT_INTERRUPTED) {
    struct plat_sigframe f = {.signo = SIGUSR1, .handler = CODE + 0x100, .restorer = CODE + 0x200, .mask = 42};
    ck_assert_int_eq(plat_push_signal(c, &f, PLAT_AS_IS, 0), 0);
    plat_resume(c);
  } else if (ev->type == PLAT_SYSCALL && ev->call.nr == __NR_getppid) {
    ck_assert_int_eq(ev->call.arg[0], SIGUSR1);
    handled = true;
    plat_return(c, 0);
  } else if (ev->type == PLAT_SIGRETURN) {
    ck_assert(!ev->sigreturn.bad);
    ck_assert_int_eq(ev->sigreturn.mask, 42);
    plat_resume(c);
  } else if (ev->type == PLAT_SYSCALL && ev->call.nr == __NR_getuid) {
    ck_assert_int_eq(ev->call.arg[0], 0x1234);
    plat_kill(c);
    loop_stop(loop_current());
  } else {
    ck_abort_msg("unexpected event %d nr %ld", ev->type, (long)ev->call.nr);
  }
}

START_TEST(signals_interrupt_and_return) {
  memset(guest, 0xcc, sizeof guest);
  size_t n = emit_call(guest, __NR_getpid, 0);
  /* mov $0x1234,%ebx; loop: cmpb $0,flag(%rip)... spin until the handler stored a flag at STACK */
  uint8_t spin[] = {0xbb, 0x34, 0x12, 0, 0, 0x80, 0x3c, 0x25, 0, 0, 0x50, 0, 0, 0x74, 0xf6, 0x89, 0xdf, 0xb8, 102, 0, 0, 0, 0x0f, 0x05};
  memcpy(guest + n, spin, sizeof spin);
  /* handler at +0x100: movb $1, STACK; mov $0,%ebx; getppid(sig); ret */
  uint8_t handler[] = {0xc6, 0x04, 0x25, 0, 0, 0x50, 0, 1, 0xbb, 0, 0, 0, 0, 0xb8, 110, 0, 0, 0, 0x0f, 0x05, 0xc3};
  memcpy(guest + 0x100, handler, sizeof handler);
  uint8_t restorer[] = {0xb8, 15, 0, 0, 0, 0x0f, 0x05};
  memcpy(guest + 0x200, restorer, sizeof restorer);
  guest_len = 0x300;
  on_event = on_spin;
  run_guest();
  ck_assert(handled);
}
END_TEST

int main(void) {
  Suite *s = suite_create("platform");
  TCase *tc = tcase_create("guest");
  tcase_set_timeout(tc, 20);
  tcase_add_test(tc, calls_arrive_and_return);
  tcase_add_test(tc, memory_orders);
  tcase_add_test(tc, fork_returns_twice);
  tcase_add_test(tc, signals_interrupt_and_return);
  suite_add_tcase(s, tc);
  SRunner *r = srunner_create(s);
  srunner_run_all(r, CK_NORMAL);
  int failed = srunner_ntests_failed(r);
  srunner_free(r);
  return failed != 0;
}
