/* SCM_RIGHTS: passing descriptors of every kind, several at once, truncation, in flight after close, to another process. */
#include "guest.h"
static int send_fds(int s, int *fds, int n, const char *text) {
  char cb[CMSG_SPACE(300 * sizeof(int))] = {0};
  struct iovec v = {(void *)text, strlen(text)};
  struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = cb, .msg_controllen = CMSG_SPACE(n * sizeof(int))};
  struct cmsghdr *c = CMSG_FIRSTHDR(&m);
  c->cmsg_level = SOL_SOCKET, c->cmsg_type = SCM_RIGHTS, c->cmsg_len = CMSG_LEN(n * sizeof(int));
  memcpy(CMSG_DATA(c), fds, n * sizeof(int));
  return sendmsg(s, &m, 0);
}
static int recv_fds(int s, int *fds, int room, int flags) {
  char buf[64], cb[CMSG_SPACE(16 * sizeof(int))] = {0};
  struct iovec v = {buf, sizeof buf};
  struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = cb, .msg_controllen = room ? CMSG_SPACE(room * sizeof(int)) : 0};
  ssize_t r = recvmsg(s, &m, flags);
  struct cmsghdr *c = CMSG_FIRSTHDR(&m);
  int n = c && c->cmsg_type == SCM_RIGHTS ? (int)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int)) : 0;
  say("received %zd bytes, %d descriptors%s", r, n, m.msg_flags & MSG_CTRUNC ? ", truncated" : "");
  if (n)
    memcpy(fds, CMSG_DATA(c), n * sizeof(int));
  return n;
}
int main(void) {
  int s[2], p[2], got[16];
  char buf[32] = "";
  MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
  pipe(p);
  SHOW(send_fds(s[0], p, 2, "pipe"));
  close(p[0]);
  write(p[1], "through", 7);
  close(p[1]);
  recv_fds(s[1], got, 4, 0);
  SHOW(read(got[0], buf, 7));
  say("%s", buf);
  SHOW(fcntl(got[0], F_GETFD));
  close(got[1]);
  SHOW(read(got[0], buf, 7)); /* the only writer is gone */
  int f = MUST(open("f", O_RDWR | O_CREAT, 0600));
  write(f, "0123456789", 10), lseek(f, 3, SEEK_SET);
  send_fds(s[0], &f, 1, "x");
  recv_fds(s[1], got, 4, MSG_CMSG_CLOEXEC);
  SHOW(fcntl(got[0], F_GETFD));
  SHOW(read(got[0], buf, 2));
  say("%.2s, shared offset %ld", buf, (long)lseek(f, 0, SEEK_CUR));
  int many[5] = {f, 0, f, 0, f};
  send_fds(s[0], many, 5, "y");
  recv_fds(s[1], got, 2, 0);
  send_fds(s[0], many, 2, "no room");
  recv_fds(s[1], got, 0, 0);
  SHOW(send_fds(s[0], (int[]){99}, 1, "z"));
  int toomany[254];
  for (int i = 0; i < 254; i++)
    toomany[i] = 0;
  SHOW(send_fds(s[0], toomany, 254, "z"));
  /* a read ends behind bytes that carried descriptors */
  write(s[0], "plain", 5);
  send_fds(s[0], &f, 1, "with");
  write(s[0], "after", 5);
  recv_fds(s[1], got, 4, 0);
  recv_fds(s[1], got, 4, 0);
  /* a socket passed through itself, forgotten in flight */
  int t[2];
  socketpair(AF_UNIX, SOCK_DGRAM, 0, t);
  SHOW(send_fds(t[0], t, 2, "loop"));
  close(t[0]), close(t[1]);
  pid_t c = fork();
  if (!c) {
    recv_fds(s[1], got, 4, 0);
    strcpy(buf, "from the child");
    write(got[0], buf, strlen(buf));
    _exit(0);
  }
  pipe(p);
  send_fds(s[0], &p[1], 1, "to child");
  close(p[1]);
  memset(buf, 0, sizeof buf);
  SHOW(read(p[0], buf, sizeof buf));
  say("%s", buf);
  reap("child", c);
  SHOW(read(p[0], buf, 1));
  int mem = memfd_create("m", 0);
  ftruncate(mem, 4096);
  char *m = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, mem, 0);
  c = fork();
  if (!c) {
    recv_fds(s[1], got, 1, 0);
    strcpy(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, got[0], 0), "memory");
    _exit(0);
  }
  send_fds(s[0], &mem, 1, "m");
  reap("mapper", c);
  say("%s", m);
}
