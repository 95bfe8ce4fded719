/* What the Sentry may not do, whoever runs it: its seccomp filter, and the restrictions of its ring. */
#include "../../core/loop_impl.h"
#include "../../oci/sentry.h"
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(NDEBUG) && !defined(__SANITIZE_ADDRESS__) /* debug builds only log */
static const struct {
  const char *name;
  long nr, a, b, c;
} refused[] = {
    {"socket(AF_INET)", SYS_socket, AF_INET, SOCK_STREAM, 0},
    {"socket(AF_PACKET)", SYS_socket, AF_PACKET, SOCK_RAW, 0},
    {"socket(AF_NETLINK)", SYS_socket, AF_NETLINK, SOCK_RAW, 0},
    {"socket(AF_UNIX)", SYS_socket, AF_UNIX, SOCK_STREAM, 0},
    {"socketpair", SYS_socketpair, AF_UNIX, SOCK_STREAM, 0},
    {"connect", SYS_connect, 0, 0, 0},
    {"bind", SYS_bind, 0, 0, 0},
    {"listen", SYS_listen, 0, 0, 0},
    {"open", SYS_open, (long)"/", O_RDONLY, 0},
    {"openat", SYS_openat, AT_FDCWD, (long)"/", O_RDONLY},
    {"execve", SYS_execve, (long)"/bin/true", 0, 0},
    {"fork", SYS_fork, 0, 0, 0},
    {"setns", SYS_setns, 0, 0, 0},
    {"unshare", SYS_unshare, CLONE_NEWNET, 0, 0},
    {"io_uring_setup", SYS_io_uring_setup, 8, 0, 0},
    {"io_uring_register", SYS_io_uring_register, 0, 0, 0},
    {"pidfd_getfd", SYS_pidfd_getfd, 0, 0, 0},
    {"ptrace", SYS_ptrace, 0, 0, 0},
};

START_TEST(filter) {
  for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
    int status;
    pid_t pid = fork();
    if (pid == 0) {
      if (sentry_seccomp_install(-1))
        _exit(2);
      syscall(refused[i].nr, refused[i].a, refused[i].b, refused[i].c, 0, 0);
      _exit(1);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS, "%s: status %x", refused[i].name, status);
  }
}
END_TEST
#endif

static int result;
static void done(struct loop *l, struct op *o, int res) {
  result = res;
  loop_stop(l);
}

/* A request of that opcode, all else 0, as it ends. */
static int submit(struct loop *l, int opcode, unsigned flags) {
  struct op o = {.done = done};
  struct io_uring_sqe *s = loop_get_sqe(l);
  io_uring_prep_rw(opcode, s, -1, NULL, 0, 0);
  s->flags |= flags;
  io_uring_sqe_set_data(s, &o);
  result = 1;
  loop_run(l);
  return result;
}

START_TEST(ring) {
  static const int may[] = {IORING_OP_NOP, IORING_OP_RECV, IORING_OP_SENDMSG, IORING_OP_READV};
  struct loop *l = loop_new();
  ck_assert_ptr_nonnull(l);
  for (int op = 0; op < IORING_OP_LAST; op++) {
    bool allowed = op == IORING_OP_WRITEV || op == IORING_OP_FSYNC || op == IORING_OP_POLL_ADD ||
                   op == IORING_OP_POLL_REMOVE || op == IORING_OP_RECVMSG || op == IORING_OP_ASYNC_CANCEL ||
                   op == IORING_OP_FALLOCATE;
    for (size_t i = 0; i < sizeof may / sizeof *may; i++)
      allowed |= op == may[i];
    if (!allowed)
      ck_assert_msg(submit(l, op, 0) == -EACCES, "opcode %d: %d", op, result);
  }
  ck_assert_int_eq(submit(l, IORING_OP_NOP, 0), 0);
  ck_assert_int_eq(submit(l, IORING_OP_NOP, IOSQE_ASYNC), -EACCES);
  ck_assert_int_eq(submit(l, IORING_OP_RECV, IOSQE_FIXED_FILE), -EACCES);
  ck_assert_int_eq(submit(l, IORING_OP_RECV, 0), -EBADF);
  loop_free(l);
}
END_TEST

int main(void) {
  Suite *s = suite_create("sentry_confined");
  TCase *t = tcase_create("sentry_confined");
#if defined(NDEBUG) && !defined(__SANITIZE_ADDRESS__)
  tcase_add_test(t, filter);
#endif
  tcase_add_test(t, ring);
  suite_add_tcase(s, t);
  SRunner *r = srunner_create(s);
  srunner_run_all(r, CK_NORMAL);
  int bad = srunner_ntests_failed(r);
  srunner_free(r);
  return bad != 0;
}
