#include "leaks.h"
#include <linux/aio_abi.h>
#include <mqueue.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>

static void shm(int i) {
  int id = shmget(IPC_PRIVATE, 8192, 0600);
  char *p = shmat(id, NULL, 0);
  *p = 1;
  if (i & 1)
    shmctl(id, IPC_RMID, NULL);
  shmdt(p);
  if (!(i & 1))
    shmctl(id, IPC_RMID, NULL);
}
static void shm_attached(void *arg) {
  int id = shmget(IPC_PRIVATE, 8192, 0600);
  *(char *)shmat(id, NULL, 0) = 1;
  shmat(id, NULL, SHM_RDONLY);
  shmctl(id, IPC_RMID, NULL);
}
static void shm_at_exit(int i) {
  in_child(shm_attached, NULL);
}

static void sem(int i) {
  int id = semget(IPC_PRIVATE, 4, 0600);
  struct sembuf up = {(unsigned short)(i % 4), 1, SEM_UNDO};
  semop(id, &up, 1);
  semctl(id, 0, IPC_RMID);
}
static int shared_sem;
static void sem_user(void *arg) {
  struct sembuf up = {1, 1, SEM_UNDO};
  semop(shared_sem, &up, 1);
}
static void sem_undo(int i) {
  shared_sem = semget(IPC_PRIVATE, 4, 0600);
  in_child(sem_user, NULL);
  pid_t p = fork();
  if (!p) {
    struct sembuf down = {2, -1, SEM_UNDO};
    semop(shared_sem, &down, 1);
    _exit(0);
  }
  if (i & 1)
    kill(p, SIGKILL);
  semctl(shared_sem, 0, IPC_RMID);
  waitpid(p, NULL, 0);
}

static void msg(int i) {
  struct {
    long type;
    char text[500];
  } m = {.type = 1};
  int id = msgget(IPC_PRIVATE, 0600);
  for (int k = 0; k < 4; k++)
    msgsnd(id, &m, sizeof m.text, IPC_NOWAIT);
  msgrcv(id, &m, sizeof m.text, 0, IPC_NOWAIT);
  msgctl(id, IPC_RMID, NULL);
}
static void ipc_left(void *arg) {
  unshare(CLONE_NEWIPC);
  long m[10] = {1};
  *(char *)shmat(shmget(1, 8192, IPC_CREAT | 0600), NULL, 0) = 1;
  msgsnd(msgget(1, IPC_CREAT | 0600), m, sizeof m - 8, 0);
  struct sembuf up = {1, 1, SEM_UNDO};
  semop(semget(1, 4, IPC_CREAT | 0600), &up, 1);
  mqd_t q = mq_open("/q", O_RDWR | O_CREAT, 0600, NULL);
  mq_send(q, "x", 1, 0);
}
static void ipc_namespace(int i) {
  in_child(ipc_left, NULL);
}

static void mqueues(int i) {
  struct mq_attr a = {.mq_maxmsg = 4, .mq_msgsize = 64};
  mqd_t q = mq_open("/leaks", O_RDWR | O_CREAT, 0600, &a);
  mq_send(q, "hello", 5, (unsigned)i % 5);
  struct sigevent ev = {.sigev_notify = SIGEV_NONE};
  mq_notify(q, &ev);
  mq_unlink("/leaks");
  mq_close(q);
}

static void aio(int i) {
  aio_context_t ctx = 0;
  syscall(SYS_io_setup, 8, &ctx);
  int fd = open("/dev/zero", O_RDONLY), p[2];
  char buf[64], b2[8];
  if (pipe(p))
    return;
  struct iocb read_it = {
      .aio_lio_opcode = IOCB_CMD_PREAD, .aio_fildes = (uint32_t)fd, .aio_buf = (uint64_t)buf, .aio_nbytes = 64};
  struct iocb polls = {.aio_lio_opcode = IOCB_CMD_POLL, .aio_fildes = (uint32_t)p[0], .aio_buf = 1};
  struct iocb waits = {
      .aio_lio_opcode = IOCB_CMD_PREAD, .aio_fildes = (uint32_t)p[0], .aio_buf = (uint64_t)b2, .aio_nbytes = 8};
  struct iocb *list[] = {&read_it, &polls, i % 3 ? &read_it : &read_it};
  (void)waits;
  syscall(SYS_io_submit, ctx, 3, list);
  struct io_event ev[4];
  struct timespec zero = {0, 0};
  syscall(SYS_io_getevents, ctx, 1, 4, ev, &zero);
  if (i & 1)
    syscall(SYS_io_cancel, ctx, &polls, ev);
  syscall(SYS_io_destroy, ctx);
  close(fd);
  close(p[0]);
  close(p[1]);
}
static void leave_aio(void *arg) {
  aio_context_t ctx = 0;
  syscall(SYS_io_setup, 8, &ctx);
  int p[2];
  if (pipe(p))
    return;
  struct iocb polls = {.aio_lio_opcode = IOCB_CMD_POLL, .aio_fildes = (uint32_t)p[0], .aio_buf = 1};
  struct iocb *list[] = {&polls};
  syscall(SYS_io_submit, ctx, 1, list);
}
static void aio_at_exit(int i) {
  in_child(leave_aio, NULL);
}

static void epolls(int i) {
  struct epoll_event ev = {.events = EPOLLIN | EPOLLET};
  int a = epoll_create1(0), b = epoll_create1(0), e = eventfd(1, 0), p[2];
  if (pipe(p))
    return;
  epoll_ctl(a, EPOLL_CTL_ADD, e, &ev);
  epoll_ctl(a, EPOLL_CTL_ADD, p[0], &ev);
  epoll_ctl(b, EPOLL_CTL_ADD, a, &ev);
  epoll_ctl(a, EPOLL_CTL_ADD, b, &ev); /* a loop: refused */
  epoll_wait(b, &ev, 1, 0);
  if (i & 1)
    close(p[0]);
  close(i & 2 ? a : b);
  close(i & 2 ? b : a);
  close(e);
  if (!(i & 1))
    close(p[0]);
  close(p[1]);
}
static void leave_epoll(void *arg) {
  struct epoll_event ev = {.events = EPOLLIN};
  int a = epoll_create1(0), b = epoll_create1(0), p[2];
  if (pipe(p))
    return;
  epoll_ctl(a, EPOLL_CTL_ADD, p[0], &ev);
  epoll_ctl(b, EPOLL_CTL_ADD, a, &ev);
  if (!fork()) {
    epoll_wait(b, &ev, 1, 1);
    _exit(0);
  }
}
static void epoll_at_exit(int i) {
  in_child(leave_epoll, NULL);
}

static void inotify(int i) {
  int in = inotify_init1(IN_NONBLOCK);
  int w = inotify_add_watch(in, "/tmp/leaks", IN_ALL_EVENTS);
  close(open("watched", O_RDWR | O_CREAT, 0600));
  int w2 = inotify_add_watch(in, "watched", IN_ALL_EVENTS);
  unlink("watched");
  inotify_rm_watch(in, i & 1 ? w : w2);
  close(in);
}
static void fd_kinds(int i) {
  sigset_t s;
  sigemptyset(&s);
  sigaddset(&s, SIGUSR1);
  struct itimerspec it = {{0, 1000000}, {0, 1000000}};
  int fds[8], n = 0;
  fds[n++] = eventfd(3, 0);
  fds[n] = timerfd_create(CLOCK_MONOTONIC, 0);
  timerfd_settime(fds[n++], 0, &it, NULL);
  fds[n++] = signalfd(-1, &s, 0);
  fds[n] = memfd_create("m", MFD_ALLOW_SEALING);
  if (ftruncate(fds[n], 20000))
    return;
  char *p = mmap(NULL, 20000, PROT_READ | PROT_WRITE, MAP_SHARED, fds[n++], 0);
  p[9000] = 1;
  munmap(p, 20000);
  fds[n++] = (int)syscall(SYS_pidfd_open, getpid(), 0);
  fds[n++] = (int)syscall(SYS_userfaultfd, 0);
  while (n)
    close(fds[--n]);
}

const struct scene ipc_scenes[] = {
    {"shm", shm, 2},
    {"shm-at-exit", shm_at_exit, 6},
    {"sem", sem, 1},
    {"sem-undo", sem_undo, 8},
    {"msg", msg, 2},
    {"ipc-namespace", ipc_namespace, 8},
    {"mqueue", mqueues, 2},
    {"aio", aio, 3},
    {"aio-at-exit", aio_at_exit, 6},
    {"epoll", epolls, 3},
    {"epoll-at-exit", epoll_at_exit, 8},
    {"inotify", inotify, 3},
    {"fd-kinds", fd_kinds, 4},
    {NULL, NULL, 0},
};
