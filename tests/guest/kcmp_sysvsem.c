/* kcmp(2): who shares a list of semaphore undos. */
#include "guest.h"
#include <linux/kcmp.h>
#include <sys/sem.h>
static int same(pid_t a, pid_t b) {
  return syscall(SYS_kcmp, a, b, KCMP_SYSVSEM, 0, 0) == 0;
}
int main(void) {
  int id = semget(IPC_PRIVATE, 1, 0600), fd[2];
  YES(id >= 0 && !pipe(fd));
  for (int share = 0; share < 2; share++) {
    struct sembuf up = {0, 1, SEM_UNDO};
    SHOW(semop(id, &up, 1));
    char c;
    pid_t p = (pid_t)syscall(SYS_clone, SIGCHLD | (share ? CLONE_SYSVSEM : 0), 0, 0, 0, 0);
    if (!p) {
      struct sembuf mine = {0, 1, SEM_UNDO};
      semop(id, &mine, 1);
      if (write(fd[1], "x", 1) != 1)
        _exit(1);
      for (;;)
        pause();
    }
    SHOW(read(fd[0], &c, 1));
    say("CLONE_SYSVSEM %d: same %d, self %d", share, same(getpid(), p), same(p, p));
    kill(p, SIGKILL);
    waitpid(p, 0, 0);
  }
  SHOW(semctl(id, 0, GETVAL));
  SHOW(semctl(id, 0, IPC_RMID));
}
