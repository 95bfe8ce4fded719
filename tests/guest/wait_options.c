/* wait4 and waitpid: each option, pids of every kind, errors. */
#include "guest.h"
int main(void) {
  int st;
  SHOW(waitpid(-1, &st, 0));
  SHOW(waitpid(-1, &st, 0x10000));
  SHOW(waitpid(INT_MIN, &st, 0));
  SHOW(waitpid(1 << 20, &st, 0));
  pid_t p = fork();
  if (!p) {
    setpgid(0, 0);
    for (;;)
      pause();
  }
  setpgid(p, p);
  wait_state(p, 'S');
  SHOW(waitpid(p, &st, WNOHANG));
  SHOW(waitpid(0, &st, WNOHANG));
  SHOW(waitpid(-p, &st, WNOHANG));
  kill(p, SIGSTOP);
  YES(waitpid(p, &st, WUNTRACED) == p);
  say_status("WUNTRACED", st);
  SHOW(waitpid(p, &st, WUNTRACED | WNOHANG));
  kill(p, SIGCONT);
  YES(waitpid(-p, &st, WCONTINUED) == p);
  say_status("WCONTINUED", st);
  SHOW(waitpid(p, &st, WCONTINUED | WNOHANG));
  kill(p, SIGTSTP);
  YES(waitpid(-1, &st, WUNTRACED) == p);
  say_status("SIGTSTP", st);
  kill(p, SIGTERM);
  SHOW(waitpid(p, &st, WNOHANG));
  kill(p, SIGCONT);
  struct rusage ru;
  YES(wait4(p, &st, 0, &ru) == p);
  say_status("wait4", st);
  YES(ru.ru_utime.tv_sec == 0); /* ru_maxrss may be 0: Linux counts pages per CPU and reads them roughly */
  SHOW(waitpid(p, &st, 0));
  /* order: several zombies, each waited for by pid */
  pid_t q[5];
  for (int i = 0; i < 5; i++)
    if (!(q[i] = fork()))
      _exit(i + 10);
  for (int i = 4; i >= 0; i--)
    reap("by pid", q[i]);
  p = fork();
  if (!p)
    _exit(0);
  YES(syscall(SYS_wait4, p, 0, 0, 0) == p);
  p = fork();
  if (!p)
    _exit(1);
  SHOW(syscall(SYS_wait4, p, 8, 0, 0));
}
