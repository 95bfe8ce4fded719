/* What a datagram is sent with must not change while its payload is brought in from a file; and nobody sends from an
 * address that IP_FREEBIND let him bind. */
#include "guest.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/mman.h>
#define N 60000
static int s;
static volatile int over;
static void *options(void *arg) {
  unsigned char o[40] = {7, 39, 4}; /* record route */
  for (int i = 0; !over; i++) {
    unsigned len = i & 1 ? 40 : 8;
    o[1] = (unsigned char)(len - 1);
    setsockopt(s, IPPROTO_IP, IP_OPTIONS, o, len);
    setsockopt(s, IPPROTO_IP, IP_OPTIONS, o, 0);
  }
  return 0;
}
static void freebind(void) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = inet_addr("192.0.2.1")};
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = 9, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int f = socket(AF_INET, SOCK_DGRAM, 0), one = 1;
  SHOW(bind(f, (struct sockaddr *)&a, sizeof a));
  SHOW(setsockopt(f, IPPROTO_IP, IP_FREEBIND, &one, sizeof one));
  SHOW(bind(f, (struct sockaddr *)&a, sizeof a));
  SHOW(sendto(f, "x", 1, 0, (struct sockaddr *)&to, sizeof to));
  SHOW(connect(f, (struct sockaddr *)&to, sizeof to));
  close(f);
  f = socket(AF_INET, SOCK_STREAM, 0);
  SHOW(setsockopt(f, IPPROTO_IP, IP_FREEBIND, &one, sizeof one));
  SHOW(bind(f, (struct sockaddr *)&a, sizeof a));
  SHOW(connect(f, (struct sockaddr *)&to, sizeof to));
  close(f);
}
int main(void) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t len = sizeof a;
  pthread_t t;
  freebind();
  int l = socket(AF_INET, SOCK_DGRAM, 0), fd = open("/lib/x86_64-linux-gnu/libc.so.6", O_RDONLY);
  s = socket(AF_INET, SOCK_DGRAM, 0);
  SHOW(bind(l, (struct sockaddr *)&a, sizeof a));
  SHOW(getsockname(l, (struct sockaddr *)&a, &len));
  pthread_create(&t, 0, options, 0);
  for (int i = 0; i < 24; i++) { /* pages that were not touched before */
    char *m = mmap(0, N, PROT_READ, MAP_PRIVATE, fd, (23 - i) * 65536l);
    YES(sendto(s, m, N, 0, (struct sockaddr *)&a, sizeof a) == N);
    munmap(m, N);
  }
  over = 1;
  pthread_join(t, 0);
}
