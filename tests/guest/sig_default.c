/* The default action of every signal. */
#include "guest.h"
int main(void) {
  struct rlimit core = {0, 0};
  setrlimit(RLIMIT_CORE, &core);
  for (int s = 1; s <= 64; s++) {
    if (s == 32 || s == 33)
      continue;
    pid_t p = fork();
    if (!p) {
      setpgid(0, 0);
      signal(s, SIG_DFL);
      kill(getpid(), s);
      _exit(0);
    }
    setpgid(p, p);
    int st;
    waitpid(p, &st, WUNTRACED);
    say_status(signame(s), st);
    if (WIFSTOPPED(st)) {
      kill(p, SIGCONT);
      reap("  then", p);
    }
  }
  for (int s = 1; s <= 31; s++) {
    struct sigaction sa = {.sa_handler = SIG_IGN};
    if (sigaction(s, &sa, NULL))
      say("ignore %s: %s", signame(s), ename(errno));
  }
  for (int s = 1; s <= 31; s++)
    if (s != SIGKILL && s != SIGSTOP)
      raise(s);
  say("all ignored");
}
