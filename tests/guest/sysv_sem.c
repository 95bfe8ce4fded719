/* System V semaphores: semget(2), semop(2), semctl(2). */
#include "guest.h"
#include <sys/ipc.h>
#include <sys/sem.h>

union semun {
  int val;
  struct semid_ds *buf;
  unsigned short *array;
  struct seminfo *info;
};
static int id;
static int ctl(int num, int cmd, int val) {
  return semctl(id, num, cmd, (union semun){.val = val});
}
static int op1(int num, int op, int flg) {
  struct sembuf s = {(unsigned short)num, (short)op, (short)flg};
  return semop(id, &s, 1);
}
static void handler(int sig) {
  (void)sig;
}

static void basics(void) {
  SHOW(semget(0x7fee0001, 1, 0600));
  OK(id = semget(IPC_PRIVATE, 3, IPC_CREAT | 0600));
  SHOW(semget(IPC_PRIVATE, 0, 0600));
  SHOW(semget(IPC_PRIVATE, -1, 0600));
  SHOW(semget(IPC_PRIVATE, 32001, 0600));
  SHOW(ctl(0, SETVAL, 5));
  SHOW(ctl(0, GETVAL, 0));
  SHOW(ctl(0, SETVAL, 32768));
  SHOW(ctl(0, SETVAL, -1));
  SHOW(ctl(3, SETVAL, 1));
  SHOW(ctl(-1, GETVAL, 1));
  YES(ctl(0, GETPID, 0) == getpid());
  SHOW(op1(0, -6, IPC_NOWAIT));
  SHOW(op1(0, 0, IPC_NOWAIT));
  SHOW(op1(0, 32767, 0));
  SHOW(op1(3, 1, 0));
  SHOW(semop(id, NULL, 0));
  SHOW(semop(id, NULL, 1));
  SHOW(semop(id, NULL, 501));
  SHOW(semop(-1, (struct sembuf[]){{0}}, 1));
  SHOW(semctl(id, 0, 99, 0));
  SHOW(semctl(-1, 0, 99, 0));
  unsigned short all[3] = {1, 2, 3};
  SHOW(semctl(id, 0, SETALL, (union semun){.array = all}));
  memset(all, 0, sizeof all);
  SHOW(semctl(id, 0, GETALL, (union semun){.array = all}));
  say("%d %d %d", all[0], all[1], all[2]);
  all[1] = 40000;
  SHOW(semctl(id, 0, SETALL, (union semun){.array = all}));
  /* all or nothing */
  struct sembuf two[] = {{0, -1, 0}, {1, -5, IPC_NOWAIT}};
  SHOW(semop(id, two, 2));
  SHOW(ctl(0, GETVAL, 0));
  struct sembuf self[] = {{0, 1, 0}, {0, -2, IPC_NOWAIT}, {0, 0, IPC_NOWAIT}};
  SHOW(semop(id, self, 3));
  SHOW(ctl(0, GETVAL, 0));
  struct semid_ds ds;
  SHOW(semctl(id, 0, IPC_STAT, (union semun){.buf = &ds}));
  say("mode %o nsems %lu owner %d otime set %d", ds.sem_perm.mode, ds.sem_nsems, ds.sem_perm.uid == geteuid(),
      ds.sem_otime != 0);
  ds.sem_perm.mode = 0640;
  SHOW(semctl(id, 0, IPC_SET, (union semun){.buf = &ds}));
  SHOW(semctl(id, 0, IPC_STAT, (union semun){.buf = &ds}));
  say("mode %o", ds.sem_perm.mode);
  struct seminfo si;
  YES(semctl(0, 0, IPC_INFO, (union semun){.info = &si}) >= 0);
  say("semmsl %d semopm %d semvmx %d semaem %d semume %d", si.semmsl, si.semopm, si.semvmx, si.semaem, si.semume);
}

static void keys(void) {
  key_t key = 0x51530000 + (getpid() & 0xffff);
  int k = MUST(semget(key, 2, IPC_CREAT | IPC_EXCL | 0600));
  SHOW(semget(key, 2, IPC_CREAT | IPC_EXCL | 0600));
  YES(semget(key, 1, 0) == k);
  YES(semget(key, 0, 0) == k);
  SHOW(semget(key, 3, 0));
  SHOW(semctl(k, 0, IPC_RMID));
  SHOW(semget(key, 0, 0));
  SHOW(semctl(k, 0, IPC_RMID));
}

static void blocking(void) {
  ctl(0, SETVAL, 0);
  struct timespec ts = {0, 20000000};
  struct sembuf down = {0, -1, 0};
  SHOW(semtimedop(id, &down, 1, &ts));
  ts.tv_nsec = 1000000000;
  SHOW(semtimedop(id, &down, 1, &ts));
  pid_t c = child_fork();
  if (!c) {
    show("child's down", op1(0, -1, 0));
    _exit(0);
  }
  wait_state(c, 'S');
  SHOW(ctl(0, GETNCNT, 0));
  SHOW(ctl(0, GETZCNT, 0));
  MUST(op1(0, 1, 0));
  reap("child", c);
  YES(ctl(0, GETPID, 0) == c);
  /* waiting for zero */
  ctl(1, SETVAL, 2);
  c = child_fork();
  if (!c) {
    show("child's zero", op1(1, 0, 0));
    _exit(0);
  }
  wait_state(c, 'S');
  SHOW(ctl(1, GETZCNT, 0));
  MUST(op1(1, -2, 0));
  reap("child", c);
  /* never restarted */
  c = child_fork();
  if (!c) {
    on_signal(SIGUSR1, handler, SA_RESTART);
    show("interrupted", op1(0, -1, 0));
    _exit(0);
  }
  wait_state(c, 'S');
  kill(c, SIGUSR1);
  reap("child", c);
  SHOW(ctl(0, GETNCNT, 0));
  /* stop and go on: EINTR, too */
  c = child_fork();
  if (!c) {
    show("stopped", op1(0, -1, 0));
    _exit(0);
  }
  wait_state(c, 'S');
  kill(c, SIGSTOP);
  wait_state(c, 'T');
  kill(c, SIGCONT);
  reap("child", c);
}

static void undo(void) {
  ctl(0, SETVAL, 3);
  CHILD("undoer") {
    op1(0, -2, SEM_UNDO);
    show("inside", ctl(0, GETVAL, 0));
  }
  SHOW(ctl(0, GETVAL, 0));
  CHILD("adder") {
    op1(0, 4, SEM_UNDO);
    op1(0, -5, 0);
  }
  say("clamped at %d", ctl(0, GETVAL, 0));
  CHILD("forgotten") {
    op1(0, 4, SEM_UNDO);
    ctl(0, SETVAL, 7);
  }
  SHOW(ctl(0, GETVAL, 0));
  CHILD("not inherited by fork") {
    op1(0, -1, SEM_UNDO);
    if (!fork())
      _exit(0);
    wait(NULL);
    show("after the grandchild", ctl(0, GETVAL, 0));
  }
  SHOW(ctl(0, GETVAL, 0));
}

static void removal(void) {
  ctl(0, SETVAL, 0);
  pid_t c = child_fork();
  if (!c) {
    show("removed", op1(0, -1, 0));
    _exit(0);
  }
  wait_state(c, 'S');
  MUST(ctl(0, IPC_RMID, 0));
  reap("child", c);
  SHOW(op1(0, 1, 0));
}

int main(void) {
  basics();
  keys();
  blocking();
  undo();
  removal();
}
