/* Error queues: IP_RECVERR, IPV6_RECVERR, MSG_ERRQUEUE, when an error becomes SO_ERROR; ip(7), ipv6(7). */
#include "inet.h"
#include <arpa/inet.h>
#include <errno.h>
#include <linux/errqueue.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void soerror(int fd) {
  int v = 0;
  socklen_t l = sizeof v;
  getsockopt(fd, SOL_SOCKET, SO_ERROR, &v, &l);
  printf("SO_ERROR %s\n", v ? strerrorname_np(v) : "0");
}
static int ready(int fd) {
  struct pollfd p = {fd, POLLIN | POLLOUT | POLLPRI | POLLRDHUP, 0};
  poll(&p, 1, 200);
  return p.revents;
}
static void addr(const char *what, const struct sockaddr *a) {
  char b[64] = "-";
  if (a->sa_family == AF_INET)
    inet_ntop(AF_INET, &((struct sockaddr_in *)a)->sin_addr, b, sizeof b);
  if (a->sa_family == AF_INET6)
    inet_ntop(AF_INET6, &((struct sockaddr_in6 *)a)->sin6_addr, b, sizeof b);
  printf(" %s %d %s %d", what, a->sa_family, b,
         a->sa_family == AF_UNSPEC ? 0 : ntohs(((struct sockaddr_in *)a)->sin_port));
}
static void drain(const char *what, int fd) {
  char data[2000], ctl[512];
  struct sockaddr_storage ss;
  memset(&ss, 0, sizeof ss);
  struct iovec v = {data, sizeof data};
  struct msghdr h = {.msg_name = &ss,
                     .msg_namelen = sizeof ss,
                     .msg_iov = &v,
                     .msg_iovlen = 1,
                     .msg_control = ctl,
                     .msg_controllen = sizeof ctl};
  long r = recvmsg(fd, &h, MSG_ERRQUEUE);
  printf("%s: %s", what, err(r));
  if (r >= 0) {
    printf(" flags %x name %u", h.msg_flags, h.msg_namelen);
    addr("to", (void *)&ss);
    printf(" data %.*s\n", (int)r, data);
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&h); c; c = CMSG_NXTHDR(&h, c)) {
      struct sock_extended_err ee;
      printf("  %d/%d len %zu", c->cmsg_level, c->cmsg_type, (size_t)c->cmsg_len - CMSG_LEN(0));
      if ((c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR) ||
          (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_RECVERR)) {
        memcpy(&ee, CMSG_DATA(c), sizeof ee);
        printf(" %s origin %d type %d code %d info %u data %u", strerrorname_np(ee.ee_errno), ee.ee_origin, ee.ee_type,
               ee.ee_code, ee.ee_info, ee.ee_data);
        addr("by", SO_EE_OFFENDER((struct sock_extended_err *)CMSG_DATA(c)));
      } else if (c->cmsg_len == CMSG_LEN(4)) {
        int x;
        memcpy(&x, CMSG_DATA(c), sizeof x);
        printf(" %d", x);
      }
      printf("\n");
    }
  } else
    printf("\n");
}

static void refused(int domain) {
  struct sockaddr_in a4 = {.sin_family = AF_INET, .sin_port = htons(1), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  struct sockaddr_in6 a6 = {.sin6_family = AF_INET6, .sin6_port = htons(1), .sin6_addr = in6addr_loopback};
  void *a = domain == AF_INET ? (void *)&a4 : (void *)&a6;
  socklen_t l = domain == AF_INET ? sizeof a4 : sizeof a6;
  int fd = socket(domain, SOCK_DGRAM, 0);
  char b[16];
  printf("-- family %d\n", domain);
  drain("nothing", fd);
  if (domain == AF_INET) {
    set(fd, IPPROTO_IP, IP_RECVERR, 1);
    set(fd, IPPROTO_IP, IP_RECVTTL, 1);
  } else {
    set(fd, IPPROTO_IPV6, IPV6_RECVERR, 1);
    set(fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1);
  }
  /* not connected, but it wants to know */
  printf("send %s\n", err(sendto(fd, "one", 3, 0, a, l)));
  printf("poll %x\n", ready(fd));
  drain("first", fd);
  printf("poll %x\n", ready(fd));
  soerror(fd);
  printf("send %s\n", err(sendto(fd, "two", 3, 0, a, l)));
  ready(fd);
  printf("send %s\n", err(sendto(fd, "three", 5, 0, a, l)));
  printf("send %s\n", err(sendto(fd, "four", 4, 0, a, l)));
  ready(fd);
  usleep(20000);
  printf("recv %s\n", err(recv(fd, b, sizeof b, MSG_DONTWAIT)));
  drain("two", fd);
  printf("poll %x\n", ready(fd));
  soerror(fd);
  drain("four", fd);
  soerror(fd);
  drain("none", fd);
  soerror(fd);
  sendto(fd, "five", 4, 0, a, l);
  ready(fd);
  soerror(fd);
  printf("poll %x\n", ready(fd));
  set(fd, domain == AF_INET ? IPPROTO_IP : IPPROTO_IPV6, domain == AF_INET ? IP_RECVERR : IPV6_RECVERR, 0);
  printf("switched off: poll %x\n", ready(fd));
  drain("off", fd);
  /* the local error: larger than the path */
  set(fd, domain == AF_INET ? IPPROTO_IP : IPPROTO_IPV6, domain == AF_INET ? IP_RECVERR : IPV6_RECVERR, 1);
  static char big[65530];
  printf("too big %s\n", err(sendto(fd, big, sizeof big, 0, a, l)));
  soerror(fd);
  printf("poll %x\n", ready(fd));
  drain("local", fd);
  set(fd, SOL_SOCKET, SO_SELECT_ERR_QUEUE, 1);
  sendto(fd, "six", 3, 0, a, l);
  printf("poll with PRI %x\n", ready(fd));
  usleep(10000);
  close(fd);
  /* connected, and it does not ask */
  fd = socket(domain, SOCK_DGRAM, 0);
  connect(fd, a, l);
  printf("send %s\n", err(send(fd, "x", 1, 0)));
  printf("poll %x\n", ready(fd));
  drain("not asked", fd);
  soerror(fd);
  printf("poll %x\n", ready(fd));
  printf("send %s\n", err(send(fd, "x", 1, 0)));
  ready(fd);
  printf("recv %s\n", err(recv(fd, b, sizeof b, 0)));
  close(fd);
}

int main(void) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  refused(AF_INET);
  refused(AF_INET6);
  /* IPv4 through a dual-stack socket */
  struct sockaddr_in6 a6 = {.sin6_family = AF_INET6, .sin6_port = htons(1)};
  inet_pton(AF_INET6, "::ffff:127.0.0.1", &a6.sin6_addr);
  int fd = socket(AF_INET6, SOCK_DGRAM, 0);
  set(fd, IPPROTO_IP, IP_RECVERR, 1);
  set(fd, IPPROTO_IPV6, IPV6_RECVERR, 1);
  printf("mapped %s\n", err(sendto(fd, "mapped", 6, 0, (void *)&a6, sizeof a6)));
  ready(fd);
  drain("mapped", fd);
  return 0;
}
