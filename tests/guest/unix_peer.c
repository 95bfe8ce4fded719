/* SO_PEERPIDFD, SO_PASSPIDFD and SCM_PIDFD, SO_PEERGROUPS, SCM_CREDENTIALS' checks. */
#include "guest.h"

#define PASSPIDFD 76
#define PEERPIDFD 77
#ifndef SO_PEERGROUPS
#define SO_PEERGROUPS 59
#endif
#define SCM_PIDFD_K 4

static int pid_of(int pidfd) {
  char path[64], line[128];
  int pid = -2;
  snprintf(path, sizeof path, "/proc/self/fdinfo/%d", pidfd);
  FILE *f = fopen(path, "r");
  while (f && fgets(line, sizeof line, f))
    sscanf(line, "Pid: %d", &pid);
  if (f)
    fclose(f);
  return pid;
}

static void receive(int fd, int sender) {
  char b[8], c[256];
  struct iovec iov = {b, sizeof b};
  struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = c, .msg_controllen = sizeof c};
  ssize_t n = recvmsg(fd, &m, 0);
  say("%zd bytes, flags %x", n, m.msg_flags);
  for (struct cmsghdr *h = CMSG_FIRSTHDR(&m); h; h = CMSG_NXTHDR(&m, h)) {
    int v;
    memcpy(&v, CMSG_DATA(h), sizeof v);
    if (h->cmsg_type == SCM_PIDFD_K)
      say("pidfd of the sender: %d, cloexec %d", pid_of(v) == sender, fcntl(v, F_GETFD));
    else
      say("control type %d", h->cmsg_type);
  }
}

static int send_as(int fd, int pid, int uid, int gid) {
  char b = 'x', c[CMSG_SPACE(sizeof(struct ucred))] = {0};
  struct iovec iov = {&b, 1};
  struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = c, .msg_controllen = sizeof c};
  struct cmsghdr *h = CMSG_FIRSTHDR(&m);
  *h = (struct cmsghdr){CMSG_LEN(sizeof(struct ucred)), SOL_SOCKET, SCM_CREDENTIALS};
  struct ucred u = {pid, uid, gid};
  memcpy(CMSG_DATA(h), &u, sizeof u);
  return (int)sendmsg(fd, &m, 0);
}

int main(void) {
  int s[2], v = -1, on = 1;
  socklen_t n = sizeof v;
  MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
  SHOW(getsockopt(s[0], SOL_SOCKET, PEERPIDFD, &v, &n));
  say("mine %d, cloexec %d", pid_of(v) == getpid(), fcntl(v, F_GETFD));
  int lone = MUST(socket(AF_UNIX, SOCK_STREAM, 0));
  n = sizeof v;
  SHOW(getsockopt(lone, SOL_SOCKET, PEERPIDFD, &v, &n));
  n = 4;
  SHOW(getsockopt(lone, SOL_SOCKET, SO_PEERGROUPS, &v, &n));
  SHOW(setsockopt(s[1], SOL_SOCKET, PASSPIDFD, &on, sizeof on));
  n = sizeof v;
  SHOW(getsockopt(s[1], SOL_SOCKET, PASSPIDFD, &v, &n));
  say("on %d", v);
  pid_t c = child_fork();
  if (!c) {
    MUST(write(s[0], "hi", 2));
    pause();
  }
  receive(s[1], c);
  kill(c, SIGKILL);
  reap("sender", c);
  setsockopt(s[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof on);
  MUST(write(s[0], "me", 2));
  receive(s[1], getpid());
  if (geteuid() == 0) {
    gid_t g[3] = {10, 20, 30}, got[4] = {0};
    CHILD("groups") {
      int p[2];
      MUST(setgroups(3, g));
      MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, p));
      MUST(setgroups(0, NULL));
      n = 4;
      SHOW(getsockopt(p[0], SOL_SOCKET, SO_PEERGROUPS, got, &n));
      say("needs %u", n);
      n = sizeof got;
      SHOW(getsockopt(p[0], SOL_SOCKET, SO_PEERGROUPS, got, &n));
      say("%u: %u %u %u", n, got[0], got[1], got[2]);
    }
    SHOW(send_as(s[0], 1, 12345, 12345));
    CHILD("nobody") {
      MUST(setresgid(65534, 65534, 65534));
      MUST(setresuid(65534, 65534, 65534));
      SHOW(send_as(s[0], getpid(), 65534, 65534));
      SHOW(send_as(s[0], 1, 65534, 65534));
      SHOW(send_as(s[0], getpid(), 0, 65534));
      SHOW(send_as(s[0], getpid(), 65534, 0));
    }
  }
}
