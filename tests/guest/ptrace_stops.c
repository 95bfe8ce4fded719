/* ptrace(2): attaching, kinds of stops, injected signals, job control under trace, ends. */
#include "ptrace.h"

static volatile sig_atomic_t got;
static void on_usr(int s) {
  got = s;
}

static pid_t child(void (*fn)(void)) {
  pid_t p = fork();
  if (!p) {
    fn();
    _exit(9);
  }
  return p;
}

static void sleeper(void) {
  for (;;)
    pause();
}

static void handler_child(void) {
  signal(SIGUSR1, on_usr);
  signal(SIGUSR2, on_usr);
  P(PTRACE_TRACEME, 0, 0, 0);
  raise(SIGSTOP);
  raise(SIGUSR1);
  _exit(got == SIGUSR1 ? 1 : got == SIGUSR2 ? 2 : got ? 3 : 0);
}

static void inject(const char *what, int sig) {
  pid_t p = child(handler_child);
  say("-- inject %s", what);
  see("child", p, 0);
  SHOW(P(PTRACE_CONT, p, 0, 0));
  see("child", p, 0);
  info_of("child", p);
  SHOW(P(PTRACE_CONT, p, 0, sig));
  see("child", p, 0);
}

static char state_of(pid_t p) {
  char path[64], line[256], s = '?';
  snprintf(path, sizeof path, "/proc/%d/status", p);
  FILE *f = fopen(path, "r");
  while (f && fgets(line, sizeof line, f))
    if (sscanf(line, "State: %c", &s) == 1)
      break;
  if (f)
    fclose(f);
  return s;
}

static int tracer_of(pid_t p) {
  char path[64], line[256];
  int n = -1;
  snprintf(path, sizeof path, "/proc/%d/status", p);
  FILE *f = fopen(path, "r");
  while (f && fgets(line, sizeof line, f))
    if (sscanf(line, "TracerPid: %d", &n) == 1)
      break;
  if (f)
    fclose(f);
  return n;
}

static void attaching(void) {
  say("-- attach");
  pid_t p = child(sleeper);
  SHOW(P(PTRACE_ATTACH, getpid(), 0, 0));
  SHOW(P(PTRACE_ATTACH, 99999999, 0, 0));
  SHOW(P(PTRACE_CONT, p, 0, 0));
  say("tracer %s", tracer_of(p) ? "some" : "none");
  SHOW(P(PTRACE_ATTACH, p, 0, 0));
  SHOW(P(PTRACE_ATTACH, p, 0, 0));
  see("child", p, 0);
  say("state %c, tracer %s", state_of(p), tracer_of(p) == getpid() ? "me" : "other");
  info_of("child", p);
  SHOW(P(PTRACE_INTERRUPT, p, 0, 0));
  SHOW(P(PTRACE_LISTEN, p, 0, 0));
  SHOW(P(PTRACE_CONT, p, 0, 65));
  SHOW(P(PTRACE_SETOPTIONS, p, 0, 1ul << 30));
  SHOW(P(12345, p, 0, 0));
  SHOW(P(PTRACE_DETACH, p, 0, 0));
  SHOW(P(PTRACE_DETACH, p, 0, 0));
  SHOW(P(PTRACE_SEIZE, p, 1, 0));
  SHOW(P(PTRACE_SEIZE, p, 0, 1ul << 30));
  SHOW(P(PTRACE_SEIZE, p, 0, PTRACE_O_TRACESYSGOOD));
  see("child", p, WNOHANG);
  SHOW(P(PTRACE_INTERRUPT, p, 0, 0));
  see("child", p, 0);
  info_of("child", p);
  SHOW(P(PTRACE_CONT, p, 0, 0));
  kill(p, SIGTERM);
  see("child", p, 0);
  info_of("child", p);
  SHOW(P(PTRACE_CONT, p, 0, 0)); /* swallowed */
  kill(p, SIGWINCH);             /* ignored signals are reported */
  see("child", p, 0);
  SHOW(P(PTRACE_DETACH, p, 0, SIGTERM));
  see("child", p, 0);
}

static void group_stops(void) {
  say("-- group stop, attached");
  pid_t p = child(sleeper);
  P(PTRACE_ATTACH, p, 0, 0);
  see("child", p, 0);
  P(PTRACE_CONT, p, 0, 0);
  kill(p, SIGTSTP);
  see("delivery", p, 0);
  info_of("delivery", p);
  P(PTRACE_CONT, p, 0, SIGSTOP);
  see("group stop", p, 0);
  info_of("group stop", p);
  kill(p, SIGCONT);
  see("SIGCONT does not end it", p, WNOHANG);
  P(PTRACE_CONT, p, 0, 0);
  see("SIGCONT", p, 0);
  P(PTRACE_CONT, p, 0, 0);
  kill(p, SIGKILL);
  see("child", p, 0);

  say("-- group stop, seized");
  p = child(sleeper);
  P(PTRACE_SEIZE, p, 0, 0);
  kill(p, SIGSTOP);
  see("delivery", p, 0);
  P(PTRACE_CONT, p, 0, SIGSTOP);
  see("group stop", p, 0);
  info_of("group stop", p);
  SHOW(P(PTRACE_LISTEN, p, 0, 0));
  SHOW(P(PTRACE_CONT, p, 0, 0));
  see("listening", p, WNOHANG);
  kill(p, SIGCONT);
  see("end of the group stop", p, 0);
  info_of("end", p);
  P(PTRACE_CONT, p, 0, 0);
  see("SIGCONT", p, 0);
  P(PTRACE_CONT, p, 0, SIGCONT);
  kill(p, SIGKILL);
  see("child", p, 0);

  say("-- attach to a stopped one");
  p = child(sleeper);
  kill(p, SIGSTOP);
  see("child", p, WUNTRACED);
  P(PTRACE_SEIZE, p, 0, 0);
  see("seized", p, 0);
  info_of("seized", p);
  P(PTRACE_DETACH, p, 0, 0);
  while (state_of(p) != 'T')
    usleep(1000);
  say("detached: state %c", state_of(p));
  P(PTRACE_ATTACH, p, 0, 0);
  see("attached", p, 0);
  P(PTRACE_CONT, p, 0, 0);
  see("attached", p, 0);
  info_of("attached", p);
  P(PTRACE_CONT, p, 0, 0);
  kill(p, SIGKILL);
  see("child", p, 0);
}

static void ends(void) {
  say("-- kill in a stop");
  pid_t p = child(handler_child);
  see("child", p, 0);
  kill(p, SIGKILL);
  see("child", p, 0);
  p = child(handler_child);
  see("child", p, 0);
  SHOW(P(PTRACE_KILL, p, 0, 0));
  see("child", p, 0);
  p = child(handler_child);
  see("child", p, 0);
  SHOW(P(PTRACE_SETOPTIONS, p, 0, PTRACE_O_TRACEEXIT));
  kill(p, SIGKILL);
  see("at exit", p, 0);
  unsigned long msg = 0;
  P(PTRACE_GETEVENTMSG, p, 0, (long)&msg);
  say("message %#lx", msg);
  kill(p, SIGKILL); /* dropped: it is dying already */
  usleep(20000);
  see("still at exit", p, WNOHANG);
  P(PTRACE_CONT, p, 0, 0);
  see("child", p, 0);
}

/* A third process traces our child: it hears of the end first, we when it has waited. */
static void other_tracer(void) {
  say("-- zombie of another tracer");
  pid_t p = child(sleeper);
  int up[2], down[2];
  char c;
  if (pipe(up) || pipe(down))
    return;
  pid_t tr = fork();
  if (!tr) {
    siginfo_t i;
    P(PTRACE_SEIZE, p, 0, 0);
    write(up[1], "x", 1);
    read(down[0], &c, 1);
    waitid(P_PID, p, &i, WEXITED | WNOWAIT);
    say("tracer: code %d status %d", i.si_code, i.si_status);
    write(up[1], "x", 1);
    read(down[0], &c, 1);
    waitpid(p, NULL, 0);
    usleep(20000); /* the parent speaks first */
    see("tracer again", p, 0);
    _exit(0);
  }
  read(up[0], &c, 1);
  SHOW(P(PTRACE_ATTACH, p, 0, 0));
  kill(p, SIGTERM);
  kill(p, SIGKILL);
  write(down[1], "x", 1);
  read(up[0], &c, 1);
  see("parent before", p, WNOHANG);
  write(down[1], "x", 1);
  see("parent", p, 0);
  see("tracer", tr, 0);

  say("-- tracer dies");
  p = child(sleeper);
  tr = fork();
  if (!tr) {
    P(PTRACE_SEIZE, p, 0, 0);
    P(PTRACE_INTERRUPT, p, 0, 0);
    see("tracer", p, 0);
    _exit(0);
  }
  see("tracer", tr, 0);
  kill(p, SIGTERM);
  see("detached child", p, 0);
  p = child(sleeper);
  tr = fork();
  if (!tr) {
    P(PTRACE_SEIZE, p, 0, PTRACE_O_EXITKILL);
    _exit(0);
  }
  see("tracer", tr, 0);
  see("EXITKILL child", p, 0);
}

static void masks(void) {
  say("-- masks and queues");
  pid_t p = child(handler_child);
  see("child", p, 0);
  uint64_t m = 0;
  SHOW(P(PTRACE_GETSIGMASK, p, 4, (long)&m));
  m = 1ull << (SIGUSR1 - 1) | 1ull << (SIGKILL - 1);
  SHOW(P(PTRACE_SETSIGMASK, p, 8, (long)&m));
  m = 0;
  SHOW(P(PTRACE_GETSIGMASK, p, 8, (long)&m));
  say("mask %#llx", (unsigned long long)m);
  union sigval v = {.sival_int = 77};
  sigqueue(p, SIGUSR1, v);
  sigqueue(p, SIGRTMIN, v);
  siginfo_t q[3];
  struct ptrace_peeksiginfo_args a = {.off = 0, .flags = PTRACE_PEEKSIGINFO_SHARED, .nr = 3};
  SHOW(P(PTRACE_PEEKSIGINFO, p, (long)&a, (long)q));
  say("first %s value %d", sigabbrev_np(q[0].si_signo), q[0].si_value.sival_int);
  a.flags = 0;
  SHOW(P(PTRACE_PEEKSIGINFO, p, (long)&a, (long)q));
  m = 0;
  P(PTRACE_SETSIGMASK, p, 8, (long)&m);
  P(PTRACE_CONT, p, 0, 0);
  see("child", p, 0);
  siginfo_t si;
  P(PTRACE_GETSIGINFO, p, 0, (long)&si);
  say("value %d", si.si_value.sival_int);
  P(PTRACE_KILL, p, 0, 0);
  see("child", p, 0);
}

int main(void) {
  inject("the same", SIGUSR1);
  inject("another", SIGUSR2);
  inject("none", 0);
  inject("a killer", SIGKILL);
  inject("a default", SIGTERM);
  attaching();
  group_stops();
  ends();
  other_tracer();
  masks();
}
