/* Buffers in file mappings (their pages have to be brought in) while the peer answers, resets and reads at the same
 * time. */
#include "guest.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/mman.h>
#define N (1 << 20)
static void *peer(void *arg) {
  int l = *(int *)arg;
  for (int i = 0; i < 8; i++) {
    int s = accept(l, 0, 0);
    char buf[4096];
    long got = 0, n;
    while (got < (i & 1 ? 100000 : N) && (n = recv(s, buf, sizeof buf, 0)) > 0) {
      got += n;
      send(s, buf, 100, MSG_DONTWAIT | MSG_NOSIGNAL);
    }
    if (i & 1) { /* a reset, in the middle of the sender's copy */
      struct linger now = {1, 0};
      setsockopt(s, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    }
    close(s);
  }
  return 0;
}
static void *reader(void *arg) {
  char buf[64];
  while (recv(*(int *)arg, buf, sizeof buf, 0) > 0)
    ;
  return 0;
}
int main(void) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t len = sizeof a;
  int l = socket(AF_INET, SOCK_STREAM, 0), fd = open("big", O_RDWR | O_CREAT | O_TRUNC, 0600);
  SHOW(bind(l, (struct sockaddr *)&a, sizeof a));
  SHOW(listen(l, 8));
  SHOW(getsockname(l, (struct sockaddr *)&a, &len));
  SHOW(ftruncate(fd, N));
  signal(SIGPIPE, SIG_IGN);
  pthread_t p, r;
  pthread_create(&p, 0, peer, &l);
  for (int i = 0; i < 8; i++) {
    int s = socket(AF_INET, SOCK_STREAM, 0);
    YES(connect(s, (struct sockaddr *)&a, sizeof a) == 0);
    char *m = mmap(0, N, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    pthread_create(&r, 0, reader, &s);
    long n = send(s, m, N, 0);
    YES(i & 1 ? n > 0 || errno == ECONNRESET || errno == EPIPE : n == N);
    pthread_join(r, 0);
    munmap(m, N);
    posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    close(s);
  }
  pthread_join(p, 0);
}
