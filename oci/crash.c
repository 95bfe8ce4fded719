#include "sentry.h"
#include <execinfo.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CRASH_EXIT 255

#if !defined(__SANITIZE_ADDRESS__) /* which has handlers of its own */
static void crashed(int sig, siginfo_t *si, void *uc) {
  void *frames[64];
  char line[128];
  int n = snprintf(line, sizeof line, "the sandbox has crashed: signal %d (%s) at %p\n", sig, sigabbrev_np(sig),
                   si->si_addr);
  (void)!write(STDERR_FILENO, line, (size_t)n);
  backtrace_symbols_fd(frames, backtrace(frames, 64), STDERR_FILENO);
  _exit(CRASH_EXIT);
}
#endif

void crash_handlers_install(void) {
#if !defined(__SANITIZE_ADDRESS__)
  static const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGSYS};
  void *frame[1];
  /* Loads the unwinder now: later nothing can be opened. */
  backtrace(frame, 1);
  stack_t ss = {.ss_size = 64 * 1024};
  ss.ss_sp = malloc(ss.ss_size);
  if (!ss.ss_sp || sigaltstack(&ss, NULL))
    return;
  struct sigaction sa = {.sa_sigaction = crashed, .sa_flags = SA_SIGINFO | SA_ONSTACK | (int)SA_RESETHAND};
  for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
    sigaction(signals[i], &sa, NULL);
#endif
}
