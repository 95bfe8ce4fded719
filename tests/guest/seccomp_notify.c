/* seccomp_unotify(2): a listener answers, adds descriptors, lets calls go on, dies. */
#include "guest.h"
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>

static int add_listener(int nr, unsigned flags) {
  struct sock_filter f[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
                            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1),
                            BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
                            BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  struct sock_fprog p = {4, f};
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER | flags, &p);
}

static const char *err(long r) {
  return r < 0 ? strerrorname_np(errno) : "ok";
}
static const char *events(int fd, int timeout) {
  static char s[64];
  struct pollfd p = {fd, POLLIN | POLLOUT, 0};
  poll(&p, 1, timeout);
  snprintf(s, sizeof s, "%s%s%s", p.revents & POLLIN ? "in " : "", p.revents & POLLOUT ? "out " : "",
           p.revents & POLLHUP ? "hup " : "");
  return s;
}

static struct seccomp_notif recv_one(int fd) {
  struct seccomp_notif n = {0};
  if (ioctl(fd, SECCOMP_IOCTL_NOTIF_RECV, &n))
    say("recv: %s", strerrorname_np(errno));
  return n;
}
static long send_one(int fd, uint64_t id, int64_t val, int error, unsigned flags) {
  struct seccomp_notif_resp r = {id, val, error, flags};
  return ioctl(fd, SECCOMP_IOCTL_NOTIF_SEND, &r);
}

/* The child makes the calls; its status says what it saw. */
static pid_t caller(long (*fn)(void)) {
  pid_t p = fork();
  if (!p)
    _exit((int)fn());
  return p;
}
static int status(pid_t p) {
  int st;
  waitpid(p, &st, 0);
  return WIFSIGNALED(st) ? 1000 + WTERMSIG(st) : WEXITSTATUS(st);
}
static long call_sid(void) {
  long r = syscall(SYS_getsid, 0x7fffff11, 0x22, 0x33, 0x44, 0x55, 0x66);
  return r < 0 ? 100 + errno : r;
}
static long call_fd(void) {
  long r = syscall(SYS_getsid, 0);
  char c = 0;
  return r >= 0 && read((int)r, &c, 1) == 1 ? c : 200;
}
static long call_fd_7(void) {
  syscall(SYS_getsid, 0);
  char c = 0;
  return read(7, &c, 1) == 1 && fcntl(7, F_GETFD) == FD_CLOEXEC ? c : 200;
}

static void answers(int l) {
  pid_t p = caller(call_sid);
  say("before: %s", events(l, 5000));
  struct seccomp_notif n = recv_one(l);
  say("pid %d nr %d flags %u arch %x args %llx %llx %llx %llx %llx %llx", n.pid == (unsigned)p, n.data.nr == SYS_getsid,
      n.flags, n.data.arch, n.data.args[0], n.data.args[1], n.data.args[2], n.data.args[3], n.data.args[4],
      n.data.args[5]);
  say("after: %s", events(l, 0));
  say("valid %s, other %s", err(ioctl(l, SECCOMP_IOCTL_NOTIF_ID_VALID, &n.id)),
      err(ioctl(l, SECCOMP_IOCTL_NOTIF_ID_VALID, &(uint64_t){n.id + 100})));
  say("bad flags %s", err(send_one(l, n.id, 0, 0, 2)));
  say("continue with value %s", err(send_one(l, n.id, 1, 0, 1)));
  say("wrong id %s", err(send_one(l, n.id + 1, 1, 0, 0)));
  say("send %s", err(send_one(l, n.id, 42, 0, 0)));
  say("value %d", status(p));
  say("again %s", err(send_one(l, n.id, 42, 0, 0)));

  p = caller(call_sid);
  n = recv_one(l);
  send_one(l, n.id, 0, -EXDEV, 0);
  say("error %d", status(p) - 100 == EXDEV);

  p = caller(call_sid);
  n = recv_one(l);
  send_one(l, n.id, 0, 0, SECCOMP_USER_NOTIF_FLAG_CONTINUE);
  say("continue %d", status(p) - 100 == ESRCH);

  n = (struct seccomp_notif){.id = 1};
  say("dirty recv %s", err(ioctl(l, SECCOMP_IOCTL_NOTIF_RECV, &n)));
  say("recv null %s", err(ioctl(l, SECCOMP_IOCTL_NOTIF_RECV, NULL)));
  say("ioctl %s", err(ioctl(l, 0x1234, NULL)));
  char c;
  say("read %s", err(read(l, &c, 1)));
  char name[64] = "";
  readlink("/proc/self/fd/3", name, sizeof name - 1);
  say("%s", name);
}

static void descriptors(int l) {
  int pfd[2];
  pipe(pfd);
  write(pfd[1], "abc", 3);
  pid_t p = caller(call_fd_7);
  struct seccomp_notif n = recv_one(l);
  struct seccomp_notif_addfd a = {.id = n.id, .srcfd = pfd[0], .newfd = 7, .newfd_flags = O_CLOEXEC};
  say("newfd alone %s", err(ioctl(l, SECCOMP_IOCTL_NOTIF_ADDFD, &a)));
  a.flags = 8;
  say("flags %s", err(ioctl(l, SECCOMP_IOCTL_NOTIF_ADDFD, &a)));
  a.flags = SECCOMP_ADDFD_FLAG_SETFD;
  a.srcfd = 99;
  say("srcfd %s", err(ioctl(l, SECCOMP_IOCTL_NOTIF_ADDFD, &a)));
  a.srcfd = pfd[0];
  a.newfd_flags = O_NONBLOCK;
  say("newfd_flags %s", err(ioctl(l, SECCOMP_IOCTL_NOTIF_ADDFD, &a)));
  a.newfd_flags = O_CLOEXEC;
  say("setfd %d", ioctl(l, SECCOMP_IOCTL_NOTIF_ADDFD, &a));
  send_one(l, n.id, 0, 0, 0);
  say("read %c", status(p));
  say("gone %s", err(ioctl(l, SECCOMP_IOCTL_NOTIF_ADDFD, &a)));

  p = caller(call_fd);
  n = recv_one(l);
  a = (struct seccomp_notif_addfd){.id = n.id, .srcfd = pfd[0], .flags = SECCOMP_ADDFD_FLAG_SEND};
  int fd = ioctl(l, SECCOMP_IOCTL_NOTIF_ADDFD, &a);
  say("send %s", fd > 2 ? "ok" : "no");
  say("read %c", status(p));
}

static void quiet(int sig) {}
static long call_interrupted(void) {
  signal(SIGALRM, SIG_IGN);
  struct sigaction sa = {.sa_handler = quiet};
  sigaction(SIGUSR1, &sa, NULL);
  long r = syscall(SYS_getsid, 0);
  return r < 0 && errno == EINTR ? 55 : 56;
}
static void interrupted(int l) {
  pid_t p = caller(call_interrupted);
  struct seccomp_notif n = recv_one(l);
  kill(p, SIGUSR1);
  say("caller saw EINTR: %d", status(p));
  say("answer %s", err(send_one(l, n.id, 1, 0, 0)));
  p = caller(call_sid);
  n = recv_one(l);
  kill(p, SIGKILL);
  say("killed %d", status(p));
  say("valid %s", err(ioctl(l, SECCOMP_IOCTL_NOTIF_ID_VALID, &n.id)));
}

static void killable(void) {
  int l = add_listener(SYS_getsid, SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV);
  pid_t p = caller(call_interrupted);
  struct seccomp_notif n = recv_one(l);
  kill(p, SIGUSR1);
  usleep(30000);
  say("still there %s", err(send_one(l, n.id, 9, 0, 0)));
  say("not interrupted: %d", status(p));
}

static void dying(void) {
  int l = add_listener(SYS_getsid, 0), ep = epoll_create1(0);
  struct epoll_event ev = {.events = EPOLLIN};
  epoll_ctl(ep, EPOLL_CTL_ADD, l, &ev);
  pid_t p = fork();
  if (!p) {
    close(l);
    _exit((int)call_sid());
  }
  say("epoll %d %d", epoll_wait(ep, &ev, 1, 5000), ev.events == EPOLLIN);
  recv_one(l);
  say("second listener %s", err(add_listener(SYS_getppid, 0)));
  pid_t q = fork(); /* one that has the listener, too, but not for long */
  if (!q)
    _exit(0);
  waitpid(q, NULL, 0);
  close(ep);
  close(l);
  say("listener gone %d", status(p) - 100 == ENOSYS);
  say("directly %d", call_sid() - 100 == ENOSYS);
  int again = add_listener(SYS_getppid, 0);
  say("another %s", again >= 0 ? "ok" : "no");
}

/* The filter's last task ends while its listener is held elsewhere. */
static void hangup(void) {
  int sv[2];
  socketpair(AF_UNIX, SOCK_STREAM, 0, sv);
  pid_t p = fork();
  char buf[CMSG_SPACE(sizeof(int))] = {0}, c = 'x';
  struct iovec iov = {&c, 1};
  struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = buf, .msg_controllen = sizeof buf};
  if (!p) {
    int l = add_listener(SYS_getsid, 0);
    struct cmsghdr *h = CMSG_FIRSTHDR(&m);
    *h = (struct cmsghdr){CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
    memcpy(CMSG_DATA(h), &l, sizeof l);
    sendmsg(sv[1], &m, 0);
    close(l);
    read(sv[1], &c, 1);
    _exit(0);
  }
  recvmsg(sv[0], &m, 0);
  int l;
  memcpy(&l, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof l);
  say("alive: %s", events(l, 0));
  write(sv[0], "x", 1);
  waitpid(p, NULL, 0);
  say("dead: %s", events(l, 5000));
}

int main(void) {
  hangup();
  pid_t p = fork();
  if (!p) {
    int l = add_listener(SYS_getsid, 0);
    answers(dup2(l, 3));
    descriptors(l);
    interrupted(l);
    _exit(0);
  }
  waitpid(p, NULL, 0);
  if (!(p = fork())) {
    killable();
    _exit(0);
  }
  waitpid(p, NULL, 0);
  dying();
  return 0;
}
