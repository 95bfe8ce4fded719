/* CLONE_PARENT_SETTID, CLONE_CHILD_SETTID, CLONE_CHILD_CLEARTID with its futex wake. */
#include "guest.h"
static int *word;
int main(void) {
  word = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  pid_t ptid = 0;
  pid_t p = syscall(SYS_clone, CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | SIGCHLD, 0, &ptid, &word[0], 0);
  if (p == 0) {
    YES(word[0] == getpid());
    _exit(0);
  }
  reap("settid", p);
  YES(ptid == p);
  YES(word[0] == p);
  word[1] = 1234;
  p = syscall(SYS_clone, CLONE_CHILD_CLEARTID | SIGCHLD, 0, NULL, &word[1], 0);
  if (p == 0) {
    msleep(30);
    _exit(0);
  }
  reap("cleartid, not shared", p);
  say("word %d", word[1]); /* the last user of the address space does not clear */
  YES(syscall(SYS_set_tid_address, &word[2]) == getpid());
}
