/* System V message queues: msgget(2), msgop(2), msgctl(2). */
#include "guest.h"
#include <sys/ipc.h>
#include <sys/msg.h>

struct m {
  long type;
  char text[64];
};
static int id;
static int put(long type, const char *s) {
  struct m m = {.type = type};
  strcpy(m.text, s);
  return msgsnd(id, &m, strlen(s), IPC_NOWAIT);
}
static void get(const char *what, size_t room, long type, int flags) {
  struct m m = {0};
  ssize_t n = msgrcv(id, &m, room, type, flags);
  if (n < 0)
    say("%s: %s", what, ename(errno));
  else
    say("%s: %zd type %ld \"%.*s\"", what, n, m.type, (int)n, m.text);
}
static void handler(int sig) {
  (void)sig;
}

static void basics(void) {
  OK(id = msgget(IPC_PRIVATE, 0600));
  SHOW(put(0, "x"));
  SHOW(put(-1, "x"));
  struct m big = {.type = 1};
  SHOW(msgsnd(id, &big, 8193, 0));
  SHOW(msgsnd(id, (void *)8, 1, 0));
  SHOW(msgsnd(-1, &big, 1, 0));
  SHOW(put(3, "three"));
  SHOW(put(1, "one"));
  SHOW(put(2, "two"));
  SHOW(put(1, "uno"));
  SHOW(put(5, ""));
  get("copy 0", 64, 0, MSG_COPY | IPC_NOWAIT);
  get("copy 4", 64, 4, MSG_COPY | IPC_NOWAIT);
  get("copy 5", 64, 5, MSG_COPY | IPC_NOWAIT);
  get("copy blocking", 64, 5, MSG_COPY);
  get("copy except", 64, 5, MSG_COPY | IPC_NOWAIT | MSG_EXCEPT);
  get("copy short", 2, 0, MSG_COPY | IPC_NOWAIT);
  get("copy short noerror", 2, 0, MSG_COPY | IPC_NOWAIT | MSG_NOERROR);
  struct msqid_ds ds;
  SHOW(msgctl(id, IPC_STAT, &ds));
  say("qnum %lu cbytes %lu qbytes %lu mode %o", ds.msg_qnum, ds.__msg_cbytes, ds.msg_qbytes, ds.msg_perm.mode);
  YES(ds.msg_lspid == getpid());
  get("lowest of -2", 64, -2, IPC_NOWAIT);
  get("lowest of -2", 64, -2, IPC_NOWAIT);
  get("except 3", 64, 3, IPC_NOWAIT | MSG_EXCEPT);
  get("too big", 2, 0, IPC_NOWAIT);
  get("cut", 2, 0, IPC_NOWAIT | MSG_NOERROR);
  get("exact", 0, 5, IPC_NOWAIT);
  get("empty", 64, 0, IPC_NOWAIT);
  get("negative room", (size_t)-1, 0, IPC_NOWAIT);
  SHOW(msgctl(id, IPC_STAT, &ds));
  say("qnum %lu cbytes %lu", ds.msg_qnum, ds.__msg_cbytes);
  ds.msg_qbytes = 20;
  SHOW(msgctl(id, IPC_SET, &ds));
  SHOW(put(1, "0123456789"));
  SHOW(put(1, "0123456789"));
  SHOW(put(1, "0"));
  SHOW(put(1, ""));
  SHOW(msgctl(id, 99, &ds));
  SHOW(msgctl(id, IPC_RMID, NULL));
  SHOW(msgctl(id, IPC_RMID, NULL));
  struct msginfo mi;
  YES(msgctl(0, IPC_INFO, (struct msqid_ds *)&mi) >= 0);
  say("msgmax %d msgmnb %d msgssz %d msgseg %d", mi.msgmax, mi.msgmnb, mi.msgssz, mi.msgseg);
}

static pid_t blocked(const char *what, void (*fn)(const char *)) {
  pid_t c = child_fork();
  if (!c) {
    on_signal(SIGUSR1, handler, SA_RESTART);
    fn(what);
    _exit(0);
  }
  wait_state(c, 'S');
  return c;
}
static void recv_any(const char *what) {
  get(what, 64, 0, 0);
}
static void recv_small_7(const char *what) {
  get(what, 2, 7, 0);
}
static void recv_7(const char *what) {
  get(what, 64, 7, 0);
}
/* Says nothing before the parent lets it. */
static void recv_7_late(const char *what) {
  struct m m = {0};
  ssize_t n = msgrcv(id, &m, 64, 7, 0);
  raise(SIGSTOP);
  say("%s: %zd", what, n);
}
static void send_one(const char *what) {
  struct m m = {.type = 9};
  show(what, msgsnd(id, &m, 10, 0));
}

static void blocking(void) {
  id = MUST(msgget(IPC_PRIVATE, 0600));
  pid_t a = blocked("waits for 7", recv_7);
  MUST(put(8, "eight"));
  MUST(put(7, "seven"));
  reap("a", a);
  a = blocked("too small a buffer", recv_small_7);
  pid_t b = blocked("large enough", recv_7_late);
  MUST(put(7, "seven"));
  reap("a", a);
  wait_state(b, 'T');
  kill(b, SIGCONT);
  reap("b", b);
  a = blocked("no restart", recv_7);
  kill(a, SIGUSR1);
  reap("a", a);
  a = blocked("goes on after a stop", recv_7);
  kill(a, SIGSTOP);
  wait_state(a, 'T');
  kill(a, SIGCONT);
  wait_state(a, 'S');
  MUST(put(7, "x"));
  reap("a", a);
  struct msqid_ds ds;
  msgctl(id, IPC_STAT, &ds);
  ds.msg_qbytes = 12;
  msgctl(id, IPC_SET, &ds);
  a = blocked("a full queue", send_one);
  struct m eight;
  MUST(msgrcv(id, &eight, 64, 8, IPC_NOWAIT));
  reap("a", a);
  a = blocked("a full queue", send_one);
  kill(a, SIGUSR1);
  reap("a", a);
  a = blocked("removed while sending", send_one);
  MUST(msgctl(id, IPC_RMID, NULL));
  reap("a", a);
  id = MUST(msgget(IPC_PRIVATE, 0600));
  a = blocked("removed while receiving", recv_any);
  MUST(msgctl(id, IPC_RMID, NULL));
  reap("a", a);
}

static void permissions(void) {
  id = MUST(msgget(IPC_PRIVATE, 0600));
  CHILD("nobody") {
    MUST(setresuid(65534, 65534, 65534));
    struct msqid_ds ds;
    SHOW(put(1, "x"));
    get("nobody", 10, 0, IPC_NOWAIT);
    SHOW(msgctl(id, IPC_STAT, &ds));
    SHOW(msgctl(id, IPC_RMID, NULL));
  }
  SHOW(msgctl(id, IPC_RMID, NULL));
}

int main(void) {
  basics();
  blocking();
  if (geteuid() == 0)
    permissions();
}
