/* SECCOMP_FILTER_FLAG_TSYNC: all threads follow, or none does. */
#include "guest.h"
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>

static long on_call(unsigned flags, int nr, int error) {
  struct sock_filter f[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
                            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1),
                            BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
                            BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  struct sock_fprog p = {4, f};
  return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &p);
}

struct thread {
  pthread_t t;
  pthread_barrier_t *b;
  int own, tid;
  int sid_error, ppid_error, mode, nnp;
};
static int error_of(long r) {
  return r < 0 ? errno : 0;
}
static void *body(void *arg) {
  struct thread *t = arg;
  t->tid = gettid();
  if (t->own) {
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    on_call(0, SYS_getppid, 71);
  }
  pthread_barrier_wait(t->b);
  pthread_barrier_wait(t->b);
  t->sid_error = error_of(syscall(SYS_getsid, 0));
  t->ppid_error = error_of(syscall(SYS_getppid));
  t->mode = prctl(PR_GET_SECCOMP);
  t->nnp = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
  return NULL;
}

static void run(const char *what, int own, unsigned flags) {
  pid_t p = fork();
  if (p) {
    waitpid(p, NULL, 0);
    return;
  }
  pthread_barrier_t b;
  struct thread t[3] = {{.b = &b}, {.b = &b, .own = own}, {.b = &b}};
  pthread_barrier_init(&b, NULL, 4);
  for (int i = 0; i < 3; i++)
    pthread_create(&t[i].t, NULL, body, &t[i]);
  pthread_barrier_wait(&b);
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  on_call(0, SYS_getgid, 5);
  long r = on_call(flags, SYS_getsid, 70);
  say("%s: %s", what, r == 0 ? "ok" : r < 0 ? strerrorname_np(errno) : r == t[1].tid ? "its tid" : "what?");
  pthread_barrier_wait(&b);
  for (int i = 0; i < 3; i++) {
    pthread_join(t[i].t, NULL);
    say("  thread %d: getsid %d getppid %d mode %d nnp %d", i, t[i].sid_error, t[i].ppid_error, t[i].mode, t[i].nnp);
  }
  say("  self: getsid %d", error_of(syscall(SYS_getsid, 0)));
  _exit(0);
}

int main(void) {
  run("tsync", 0, SECCOMP_FILTER_FLAG_TSYNC);
  run("one differs", 1, SECCOMP_FILTER_FLAG_TSYNC);
  run("one differs, esrch", 1, SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_TSYNC_ESRCH);
  run("no tsync", 0, 0);
  return 0;
}
