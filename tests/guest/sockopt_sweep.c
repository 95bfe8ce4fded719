/* Every option of SOL_SOCKET, IPPROTO_IP, IPPROTO_IPV6 and IPPROTO_UDP on sockets of each kind: what it is at first,
 * which values and lengths it takes, and what it is then. socket(7), ip(7), ipv6(7), udp(7). */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

const char *strerrorname_np(int);

/* Not the same everywhere, or not for this test. */
static int skipped(int level, int opt) {
  static const int sol[] = {4 /* ERROR */,
                            7,
                            8,
                            18 /* sizes: sysctls */,
                            26,
                            27,
                            44 /* filters: filter_basic */,
                            31 /* PEERSEC */,
                            46 /* BUSY_POLL */,
                            49,
                            50,
                            51,
                            52,
                            54,
                            56,
                            57 /* cookies, CPUs */,
                            60 /* ZEROCOPY */,
                            68,
                            71,
                            73 /* RESERVE_MEM */,
                            37,
                            65,
                            78,
                            79,
                            80,
                            81,
                            55 /* MEMINFO */,
                            22,
                            23,
                            24,
                            34,
                            76,
                            16,
                            83,
                            84};
  static const int ip[] = {16, 17 /* IPsec */};
  static const int ip6[] = {1 /* ADDRFORM */,
                            6,
                            17 /* a device */,
                            27,
                            28 /* anycast */,
                            32 /* flow labels */,
                            34,
                            35,
                            64,
                            65,
                            68,
                            69,
                            80 /* netfilter */};
  static const int udp[] = {100 /* ENCAP */};
  const int *t = level == SOL_SOCKET ? sol : level == IPPROTO_IP ? ip : level == IPPROTO_IPV6 ? ip6 : udp;
  size_t n = level == SOL_SOCKET     ? sizeof sol
             : level == IPPROTO_IP   ? sizeof ip
             : level == IPPROTO_IPV6 ? sizeof ip6
             : level == IPPROTO_UDP  ? sizeof udp
                                     : 0;
  for (size_t i = 0; i < n / sizeof(int); i++)
    if (t[i] == opt)
      return 1;
  return 0;
}

static void get(int fd, int level, int opt, socklen_t room) {
  unsigned char b[256];
  socklen_t l = room;
  memset(b, 0, sizeof b);
  if (getsockopt(fd, level, opt, b, &l)) {
    printf(" %s", strerrorname_np(errno));
    return;
  }
  printf(" [%u", l);
  int v = 0;
  memcpy(&v, b, l < 4 ? l : 4);
  printf(" %d]", v);
}

static void sweep(const char *kind, int domain, int type, int proto, int level, int max) {
  static const int values[] = {0, 1, 2, 3, 6, 7, 64, 255, 256, -1, -2, 1280, 65535};
  for (int opt = 0; opt <= max; opt++) {
    if (skipped(level, opt))
      continue;
    int fd = socket(domain, type, proto);
    printf("%s %d/%d:", kind, level, opt);
    get(fd, level, opt, 200);
    get(fd, level, opt, 4);
    get(fd, level, opt, 3);
    get(fd, level, opt, 1);
    get(fd, level, opt, 0);
    printf(" set");
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
      int v = values[i];
      printf(" %s", setsockopt(fd, level, opt, &v, 4) ? strerrorname_np(errno) : "ok");
      get(fd, level, opt, 4);
    }
    int v = 1;
    unsigned char z[200] = {0};
    printf(" lengths");
    for (int l = 0; l < 4; l++)
      printf(" %s", setsockopt(fd, level, opt, &v, l) ? strerrorname_np(errno) : "ok");
    printf(" %s", setsockopt(fd, level, opt, z, 8) ? strerrorname_np(errno) : "ok");
    printf(" %s\n", setsockopt(fd, level, opt, z, sizeof z) ? strerrorname_np(errno) : "ok");
    close(fd);
  }
}

int main(void) {
  static const struct {
    const char *name;
    int domain, type, proto;
  } kinds[] = {{"udp4", AF_INET, SOCK_DGRAM, 0},   {"udp6", AF_INET6, SOCK_DGRAM, 0}, {"tcp4", AF_INET, SOCK_STREAM, 0},
               {"tcp6", AF_INET6, SOCK_STREAM, 0}, {"raw4", AF_INET, SOCK_RAW, 1},    {"raw6", AF_INET6, SOCK_RAW, 58},
               {"raw4x", AF_INET, SOCK_RAW, 255},  {"raw6x", AF_INET6, SOCK_RAW, 255}};
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
    sweep(kinds[i].name, kinds[i].domain, kinds[i].type, kinds[i].proto, SOL_SOCKET, 84);
    sweep(kinds[i].name, kinds[i].domain, kinds[i].type, kinds[i].proto, IPPROTO_IP, 54);
    sweep(kinds[i].name, kinds[i].domain, kinds[i].type, kinds[i].proto, IPPROTO_IPV6, 80);
    if (i < 2)
      sweep(kinds[i].name, kinds[i].domain, kinds[i].type, kinds[i].proto, IPPROTO_UDP, 105);
    sweep(kinds[i].name, kinds[i].domain, kinds[i].type, kinds[i].proto, IPPROTO_RAW, 8);
    sweep(kinds[i].name, kinds[i].domain, kinds[i].type, kinds[i].proto, IPPROTO_ICMPV6, 2);
  }
  return 0;
}
