/* Prints the state that exec must keep or reset: descriptors 3 to 9, mask, dispositions, ids, limits. */
#include "../guest.h"
int main(void) {
  for (int fd = 3; fd < 10; fd++)
    if (fcntl(fd, F_GETFD) >= 0)
      say("fd %d open", fd);
  sigset_t m, p;
  sigprocmask(SIG_BLOCK, NULL, &m);
  sigpending(&p);
  for (int s = 1; s < 32; s++) {
    struct sigaction sa;
    if (sigismember(&m, s) > 0)
      say("%s blocked", signame(s));
    if (sigismember(&p, s) > 0)
      say("%s pending", signame(s));
    if (s != SIGKILL && s != SIGSTOP && !sigaction(s, NULL, &sa) && sa.sa_handler != SIG_DFL)
      say("%s %s", signame(s), sa.sa_handler == SIG_IGN ? "ignored" : "HANDLED");
  }
  stack_t ss;
  sigaltstack(NULL, &ss);
  say("altstack %s", ss.ss_flags & SS_DISABLE ? "disabled" : "ENABLED");
  uid_t r, e, s;
  getresuid(&r, &e, &s);
  say("uids %u %u %u", r, e, s);
  struct rlimit rl;
  getrlimit(RLIMIT_CORE, &rl);
  say("rlimit core %lu", (unsigned long)rl.rlim_cur);
  char name[17] = "";
  prctl(PR_GET_NAME, name);
  say("comm %s", name);
  mode_t u = umask(0);
  say("umask %03o", u);
  say("threads in /proc/self/task: %d", ({
        DIR *d = opendir("/proc/self/task");
        int n = 0;
        struct dirent *de;
        while (d && (de = readdir(d)))
          n += de->d_name[0] != '.';
        n;
      }));
  return 0;
}
