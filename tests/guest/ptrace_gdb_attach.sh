#!/bin/bash
# gdb in batch mode: attach, call, core file, detach.
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
echo "-- attach, core, detach"
./a stay & p=$!
while [ "$(ls /proc/$p/task | wc -l)" != 4 ]; do sleep 0.05; done
sleep 0.1
debug -p $p -ex 'print ready' -ex 'print fact(5)' -ex 'gcore core' -ex 'set var sum = 9' -ex detach | grep -E '^\$|detached|Saved'
grep -E 'TracerPid|State' /proc/$p/status
debug -p $p -ex 'print sum' -ex detach | grep -E '^\$'
kill $p; wait $p; echo "status $?"
debug -ex 'print ready' -ex 'print sum' -ex 'info threads' ./a core | grep -cE '^\$1 = 3|^\$2 = 25|Thread ADDR'
