/* ptrace(2): events of fork, vfork, clone, exec and exit; children attached with them; exec and exit of threads. */
#include "ptrace.h"

static pid_t start(void (*fn)(void), unsigned long options) {
  pid_t p = fork();
  if (!p) {
    P(PTRACE_TRACEME, 0, 0, 0);
    raise(SIGSTOP);
    fn();
    _exit(0);
  }
  see("start", p, 0);
  SHOW(P(PTRACE_SETOPTIONS, p, 0, options | PTRACE_O_EXITKILL));
  return p;
}

static void forker(void) {
  pid_t p = fork();
  if (!p)
    _exit(4);
  int st;
  waitpid(p, &st, 0);
  _exit(WEXITSTATUS(st) + 1);
}
static void vforker(void) {
  pid_t p = vfork();
  if (!p)
    _exit(4);
  int st;
  waitpid(p, &st, 0);
  _exit(WEXITSTATUS(st) + 1);
}

static pid_t message(pid_t p) {
  unsigned long msg = 0;
  P(PTRACE_GETEVENTMSG, p, 0, (long)&msg);
  return (pid_t)msg;
}

static void forks(void) {
  say("-- fork");
  pid_t p = start(forker, PTRACE_O_TRACEFORK), c;
  P(PTRACE_CONT, p, 0, 0);
  see("parent", p, 0);
  c = message(p);
  see("child", c, __WALL);
  info_of("child", c);
  P(PTRACE_CONT, c, 0, 0);
  see("child", c, __WALL);
  P(PTRACE_CONT, p, 0, 0);
  see("parent", p, 0);
  P(PTRACE_CONT, p, 0, 0);
  see("parent", p, 0);

  say("-- vfork");
  p = start(vforker, PTRACE_O_TRACEVFORK | PTRACE_O_TRACEVFORKDONE | PTRACE_O_TRACEEXIT);
  P(PTRACE_CONT, p, 0, 0);
  see("parent", p, 0);
  c = message(p);
  P(PTRACE_CONT, p, 0, 0);
  see("child", c, __WALL);
  see("parent", p, WNOHANG);
  P(PTRACE_CONT, c, 0, 0);
  see("child", c, __WALL);
  say("message %#x", message(c));
  P(PTRACE_CONT, c, 0, 0);
  see("child", c, __WALL);
  see("parent", p, 0);
  say("done: %d", message(p) == c);
  P(PTRACE_CONT, p, 0, 0);
  int st = see("parent", p, 0);
  if (WIFSTOPPED(st) && WSTOPSIG(st) == SIGCHLD) {
    P(PTRACE_CONT, p, 0, 0);
    see("parent", p, 0);
  }
  say("message %#x", message(p));
  P(PTRACE_CONT, p, 0, 0);
  see("parent", p, 0);

  say("-- fork, seized");
  p = fork();
  if (!p) {
    raise(SIGSTOP);
    forker();
  }
  see("start", p, WUNTRACED);
  SHOW(P(PTRACE_SEIZE, p, 0, PTRACE_O_TRACEFORK | PTRACE_O_EXITKILL));
  see("seized", p, 0);
  kill(p, SIGCONT);
  P(PTRACE_CONT, p, 0, 0);
  see("seized", p, 0);
  P(PTRACE_CONT, p, 0, 0);
  st = see("seized", p, 0);
  P(PTRACE_CONT, p, 0, 0);
  see("parent", p, 0);
  c = message(p);
  see("child", c, __WALL);
  info_of("child", c);
  P(PTRACE_CONT, c, 0, 0);
  see("child", c, __WALL);
  P(PTRACE_KILL, p, 0, 0);
  see("parent", p, 0);
}

static void execs(void) {
  execl("/bin/true", "true", NULL);
}

static void exec_stops(void) {
  say("-- exec without the event");
  pid_t p = start(execs, 0);
  P(PTRACE_CONT, p, 0, 0);
  see("exec", p, 0);
  info_of("exec", p);
  P(PTRACE_CONT, p, 0, 0);
  see("child", p, 0);
  say("-- exec with the event");
  p = start(execs, PTRACE_O_TRACEEXEC | PTRACE_O_TRACESYSGOOD);
  P(PTRACE_SYSCALL, p, 0, 0);
  see("entry", p, 0);
  P(PTRACE_SYSCALL, p, 0, 0);
  see("event", p, 0);
  say("old tid is the pid: %d", message(p) == p);
  struct user_regs_struct r;
  P(PTRACE_GETREGS, p, 0, (long)&r);
  say("rax %lld orig_rax %lld rbx %lld eflags %llx cs %llx ss %llx", r.rax, r.orig_rax, r.rbx, r.eflags, r.cs, r.ss);
  unsigned long argc = 0;
  P(PTRACE_PEEKDATA, p, r.rsp, (long)&argc);
  say("argc %lu", argc);
  unsigned long ip = r.rip;
  P(PTRACE_SYSCALL, p, 0, 0);
  see("exit", p, 0);
  P(PTRACE_SINGLESTEP, p, 0, 0);
  see("one instruction", p, 0);
  P(PTRACE_GETREGS, p, 0, (long)&r);
  say("moved %d", r.rip != ip && r.rip - ip < 16);
  P(PTRACE_CONT, p, 0, 0);
  see("child", p, 0);
}

static void *thread(void *arg) {
  for (;;)
    pause();
  return NULL;
}
static void *exec_thread(void *arg) {
  execl("/bin/true", "true", NULL);
  return NULL;
}
static void threads(void) {
  pthread_t a;
  pthread_create(&a, NULL, thread, NULL);
  pthread_create(&a, NULL, exec_thread, NULL);
  for (;;)
    pause();
}

static void thread_events(void) {
  say("-- clone of threads, exec of one that does not lead");
  pid_t p = start(threads, PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC), a, b;
  P(PTRACE_CONT, p, 0, 0);
  see("leader", p, __WALL);
  a = message(p);
  see("thread", a, __WALL);
  P(PTRACE_CONT, a, 0, 0);
  P(PTRACE_CONT, p, 0, 0);
  see("leader", p, __WALL);
  b = message(p);
  see("execing thread", b, __WALL);
  P(PTRACE_CONT, p, 0, 0);
  SHOW(P(PTRACE_CONT, b, 0, 0));
  see("thread", a, __WALL);
  see("leader's id", p, __WALL);
  say("was the thread: %d", message(p) == b);
  SHOW(P(PTRACE_CONT, b, 0, 0));
  P(PTRACE_CONT, p, 0, 0);
  see("leader's id", p, __WALL);
}

static void *short_thread(void *arg) {
  return NULL;
}
static void joiner(void) {
  pthread_t a;
  pthread_create(&a, NULL, short_thread, NULL);
  pthread_join(a, NULL);
  _exit(6);
}

static void thread_zombie(void) {
  say("-- a thread's end is waited for");
  pid_t p = start(joiner, PTRACE_O_TRACECLONE), a;
  P(PTRACE_CONT, p, 0, 0);
  see("leader", p, __WALL);
  a = message(p);
  see("thread", a, __WALL);
  P(PTRACE_CONT, a, 0, 0);
  P(PTRACE_CONT, p, 0, 0);
  siginfo_t i = {0};
  waitid(P_PID, a, &i, WEXITED | WNOWAIT | __WALL);
  say("thread code %d", i.si_code);
  usleep(50000);
  see("leader is not dead yet", p, __WALL | WNOHANG);
  see("thread", a, __WALL);
  see("leader", p, __WALL);
}

int main(void) {
  forks();
  exec_stops();
  thread_events();
  thread_zombie();
}
