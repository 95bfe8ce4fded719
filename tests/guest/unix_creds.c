/* SO_PEERCRED, SO_PASSCRED, SCM_CREDENTIALS. */
#include "guest.h"
static void recv_creds(int s, pid_t want) {
  char buf[8], cb[256];
  struct iovec v = {buf, 8};
  struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = cb, .msg_controllen = sizeof cb};
  ssize_t n = recvmsg(s, &m, 0);
  bool any = false;
  for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c))
    if (c->cmsg_type == SCM_CREDENTIALS) {
      struct ucred u;
      memcpy(&u, CMSG_DATA(c), sizeof u);
      say("%zd bytes, uid %u gid %u pid %s", n, u.uid, u.gid, u.pid == want ? "right" : "WRONG");
      any = true;
    }
  if (!any)
    say("%zd bytes, no credentials", n);
}
static int send_creds(int s, pid_t pid, uid_t uid, gid_t gid) {
  struct ucred u = {pid, uid, gid};
  char cb[CMSG_SPACE(sizeof u)] = {0};
  struct iovec v = {"c", 1};
  struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = cb, .msg_controllen = sizeof cb};
  struct cmsghdr *c = CMSG_FIRSTHDR(&m);
  c->cmsg_level = SOL_SOCKET, c->cmsg_type = SCM_CREDENTIALS, c->cmsg_len = CMSG_LEN(sizeof u);
  memcpy(CMSG_DATA(c), &u, sizeof u);
  return sendmsg(s, &m, 0);
}
int main(void) {
  int s[2], on = 1;
  MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
  struct ucred u;
  socklen_t len = sizeof u;
  SHOW(getsockopt(s[0], SOL_SOCKET, SO_PEERCRED, &u, &len));
  say("uid %u gid %u pid %s", u.uid, u.gid, u.pid == getpid() ? "right" : "WRONG");
  write(s[0], "x", 1);
  recv_creds(s[1], 0);
  SHOW(setsockopt(s[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof on));
  write(s[0], "x", 1);
  recv_creds(s[1], getpid());
  SHOW(send_creds(s[0], getpid(), 1234, 5678)); /* root may claim */
  recv_creds(s[1], getpid());
  pid_t child = fork();
  if (!child) {
    become_user(1000);
    SHOW(send_creds(s[0], getpid(), 0, 0));
    SHOW(send_creds(s[0], 1, 1000, 1000));
    SHOW(send_creds(s[0], getpid(), 1000, 1000));
    _exit(0);
  }
  reap("user", child);
  recv_creds(s[1], child);
  struct sockaddr_un a = {AF_UNIX, "s"};
  int l = MUST(socket(AF_UNIX, SOCK_STREAM, 0));
  MUST(bind(l, (void *)&a, sizeof a)), MUST(listen(l, 1)), MUST(chmod("s", 0777));
  child = fork();
  if (!child) {
    become_user(1001);
    int c = MUST(socket(AF_UNIX, SOCK_STREAM, 0));
    MUST(connect(c, (void *)&a, sizeof a));
    char b;
    read(c, &b, 1); /* the parent prints first */
    getsockopt(c, SOL_SOCKET, SO_PEERCRED, &u, &len);
    say("listener's uid %u pid %s", u.uid, u.pid == getppid() ? "right" : "WRONG");
    _exit(0);
  }
  int c = MUST(accept(l, NULL, NULL));
  SHOW(getsockopt(c, SOL_SOCKET, SO_PEERCRED, &u, &len));
  say("uid %u pid %s", u.uid, u.pid == child ? "right" : "WRONG");
  close(c);
  reap("client", child);
  chmod("s", 0600);
  CHILD("no permission") {
    become_user(1001);
    SHOW(connect(MUST(socket(AF_UNIX, SOCK_STREAM, 0)), (void *)&a, sizeof a));
  }
}
