#!/bin/bash
# gdb in batch mode: catchpoints, threads, the child of a fork, changed registers.
t=$(mktemp -d); trap 'rm -rf $t' EXIT; cd "$t" || exit 1
norm() { grep -vE '^(warning|\[New process|Using host|\[Thread debugging|Download|\[New Thread|\[Thread|\[Switching|Breakpoint . at 0x7)' |
  sed -E 's/0x[0-9a-f]{5,}/ADDR/g; s/(process|LWP|pid) [0-9]+/\1 N/g; s/[0-9]+\t(in )?\.\.\/.*/SOURCE/' | grep -v SOURCE; }
debug() { timeout 20 gdb -q -nx -batch -ex 'set pagination off' -ex 'set confirm off' "$@" 2>&1 </dev/null | norm; }
cat >a.c <<'X'
#include <pthread.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>
int sum, ready;
static int fact(int n) {
  sum += n;
  return n < 2 ? 1 : n * fact(n - 1);
}
static void *thread(void *arg) {
  __atomic_add_fetch(&ready, 1, __ATOMIC_SEQ_CST);
  for (;;)
    pause();
}
static void together(void) {}
int main(int argc, char **argv) {
  pthread_t th;
  int st;
  printf("fact %d\n", fact(4));
  fflush(stdout);
  pid_t p = fork();
  if (!p)
    _exit(3);
  waitpid(p, &st, 0);
  printf("child %d\n", WEXITSTATUS(st));
  fflush(stdout);
  for (int i = 0; i < 3; i++)
    pthread_create(&th, NULL, thread, NULL);
  while (ready < 3)
    usleep(1000);
  together();
  if (argc > 1)
    for (;;)
      pause();
  return 7;
}
X
gcc -g -O0 -pthread -o a a.c || exit 1
echo "-- catchpoints"
debug -ex 'catch syscall exit_group' -ex 'catch fork' -ex 'catch exec' -ex run -ex continue ./a |
  grep -E 'Catchpoint'
echo "-- threads"
debug -ex 'break together' -ex run -ex 'thread apply all -q print 1' -ex 'print ready' -ex kill ./a | sort | uniq -c
echo "-- the child of a fork"
debug -ex 'set follow-fork-mode child' -ex 'break _exit' -ex run -ex 'print $_inferior' -ex continue ./a | grep -oE '^\$1.*|exited with.*'
echo "-- changed registers and memory"
debug -ex 'break fact' -ex run -ex 'set var n = 2' -ex 'set var sum = 40' -ex delete -ex 'set var $rbx = 5' -ex 'print $rbx' \
  -ex 'set var $xmm3.uint128 = 77' -ex 'print $xmm3.uint128' -ex 'stepi' -ex 'print $xmm3.uint128' -ex 'handle SIGUSR1 nostop' \
  -ex 'signal SIGUSR1' ./a
