/*
 * What one user notification costs on this machine at the least: a supervisor that does nothing but receive and answer,
 * and a guest that does nothing but call getppid. Prints ns per call for three supervisors. The first line is the
 * "bare round trip" that the target for getppid in the sandbox refers to.
 *   notify_roundtrip [CALLS]
 */
#define _GNU_SOURCE
#include <errno.h>
#include <liburing.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS SECCOMP_IOW(4, __u64)
#endif
#define SYNC_WAKE_UP 1ULL

enum how { BLOCKING, RING, RING_NO_SYNC };

static double now_ns(void) {
  struct timespec ts;
  clock_gettime(CLOCK_MONOTONIC, &ts);
  return ts.tv_sec * 1e9 + ts.tv_nsec;
}

static int install_filter(void) {
  struct sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog prog = {sizeof code / sizeof *code, code};
  return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
                 SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, &prog);
}

/* Answers one notification; false if none came. */
static bool answer(int listener) {
  struct seccomp_notif n = {0};
  struct seccomp_notif_resp r = {0};
  if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &n))
    return false;
  r.id = n.id;
  r.val = 1;
  ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &r);
  return true;
}

static void serve_ring(int listener, long calls) {
  struct io_uring ring;
  struct io_uring_params p = {.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN};
  if (io_uring_queue_init_params(8, &ring, &p))
    exit(3);
  for (long done = 0; done < calls;) {
    struct io_uring_cqe *cqe;
    io_uring_prep_poll_add(io_uring_get_sqe(&ring), listener, POLLIN);
    if (io_uring_submit_and_wait(&ring, 1) < 0 || io_uring_peek_cqe(&ring, &cqe))
      continue;
    bool ready = cqe->res & POLLIN;
    io_uring_cqe_seen(&ring, cqe);
    if (ready && answer(listener))
      done++;
  }
}

static double measure(enum how how, long calls) {
  const long warm = 1000;
  int to_parent[2];
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || pipe(to_parent))
    return -1;
  /* The filter is put on a child that shares our descriptors, so that the listener needs no passing. */
  pid_t guest = syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);
  if (guest == 0) {
    int listener = install_filter();
    write(to_parent[1], &listener, sizeof listener);
    if (listener < 0)
      _exit(1);
    for (long i = 0; i < warm; i++)
      syscall(SYS_getppid);
    double t = now_ns();
    for (long i = 0; i < calls; i++)
      syscall(SYS_getppid);
    t = (now_ns() - t) / calls;
    write(to_parent[1], &t, sizeof t);
    _exit(0);
  }
  int listener = -1;
  double ns = -1;
  if (guest < 0 || read(to_parent[0], &listener, sizeof listener) != sizeof listener || listener < 0)
    return -1;
  if (how != RING_NO_SYNC)
    ioctl(listener, SECCOMP_IOCTL_NOTIF_SET_FLAGS, SYNC_WAKE_UP); /* Linux 6.6 */
  if (how == BLOCKING)
    for (long done = 0; done < warm + calls;)
      done += answer(listener);
  else
    serve_ring(listener, warm + calls);
  read(to_parent[0], &ns, sizeof ns);
  waitpid(guest, NULL, 0);
  close(listener), close(to_parent[0]), close(to_parent[1]);
  return ns;
}

int main(int argc, char **argv) {
  long calls = argc > 1 ? atol(argv[1]) : 50000;
  static const char *names[] = {"notify_bare", "notify_ring", "notify_ring_without_sync_wake_up"};
  for (enum how how = BLOCKING; how <= RING_NO_SYNC; how++) {
    double best = -1;
    for (int round = 0; round < 3; round++) {
      double ns = measure(how, how == RING_NO_SYNC ? calls / 10 : calls);
      if (ns > 0 && (best < 0 || ns < best))
        best = ns;
    }
    printf("%s %.0f\n", names[how], best);
    fflush(stdout);
  }
}
