#!/bin/bash
# gdb in batch mode: breakpoints, steps, calls, both kinds of watchpoints.
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
echo "-- breakpoints, steps, calls"
debug -ex 'break fact if n == 3' -ex run -ex bt -ex step -ex next -ex 'print fact(3)' -ex 'print sum' -ex 'info breakpoints' \
  -ex delete -ex finish -ex 'print $_exitcode' -ex continue -ex 'print $_exitcode' ./a
echo "-- watchpoints"
for hw in 1 0; do
  debug -ex "set can-use-hw-watchpoints $hw" -ex 'break fact' -ex run -ex delete -ex 'watch sum' -ex continue -ex continue \
    -ex 'info watchpoints' -ex delete -ex continue ./a
done
