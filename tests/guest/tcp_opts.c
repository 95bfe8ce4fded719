/* Every option of tcp(7): lengths, ranges and defaults, on sockets that are fresh, listening, connected, accepted. */
#include "guest.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

struct option {
  int n;
  const char *name;
  bool varies; /* the value is the host's own */
};
static const struct option options[] = {
    {0, "0", 0},           {1, "NODELAY", 0},        {2, "MAXSEG", 1},        {3, "CORK", 0},
    {4, "KEEPIDLE", 0},    {5, "KEEPINTVL", 0},      {6, "KEEPCNT", 0},       {7, "SYNCNT", 0},
    {8, "LINGER2", 0},     {9, "DEFER_ACCEPT", 0},   {10, "WINDOW_CLAMP", 1}, {11, "INFO", 1},
    {12, "QUICKACK", 0},   {16, "THIN_LINEAR", 0},   {17, "THIN_DUPACK", 0},  {18, "USER_TIMEOUT", 0},
    {19, "REPAIR", 0},     {24, "TIMESTAMP", 1},     {25, "NOTSENT_LOWAT", 0}, {26, "CC_INFO", 1},
    {27, "SAVE_SYN", 0},   {28, "SAVED_SYN", 1},     {29, "REPAIR_WINDOW", 0}, {31, "ULP", 1},
    {36, "INQ", 0},        {37, "TX_DELAY", 0},      {99, "99", 0},
};
static const int values[] = {-1, 0, 1, 2, 5, 100, 127, 128, 1000, 32767, 32768, 65536, 200000, 1 << 30};

static void get(int fd, const struct option *o, socklen_t len) {
  unsigned char buf[512];
  socklen_t l = len;
  int v = 0;
  memset(buf, 0xee, sizeof buf);
  int r = getsockopt(fd, IPPROTO_TCP, o->n, buf, &l);
  memcpy(&v, buf, l < 4 ? l : 4);
  if (r)
    say("  get %s[%d] %s", o->name, (int)len, ename(errno));
  else if (o->varies)
    say("  get %s[%d] length %d", o->name, (int)len, l > 200 ? 200 : (int)l);
  else
    say("  get %s[%d] %d (%d)", o->name, (int)len, v, (int)l);
}

static void set(int fd, const struct option *o, int v, socklen_t len) {
  struct {
    int v;
    char more[60];
  } in = {v, ""}, out = {0, ""};
  socklen_t l = 4;
  int r = setsockopt(fd, IPPROTO_TCP, o->n, &in, len) ? errno : 0;
  int g = getsockopt(fd, IPPROTO_TCP, o->n, &out, &l) ? errno : 0;
  if (o->varies || g)
    say("    %d[%d] %s, %s", v, (int)len, ename(r), ename(g));
  else
    say("    %d[%d] %s, %d", v, (int)len, ename(r), out.v);
}

static void walk(const char *name, int fd) {
  say("== %s", name);
  char cc[16] = "";
  socklen_t n = sizeof cc;
  SHOW(setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "none such", 9));
  SHOW(setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "", 0));
  SHOW(setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "reno", 4));
  SHOW(getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, cc, &n));
  say("%s %d", cc, (int)n);
  n = 2;
  SHOW(getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, cc, &n));
  say("%d", (int)n);
  for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
    const struct option *o = &options[i];
    get(fd, o, 4);
    get(fd, o, 0);
    get(fd, o, 1);
    get(fd, o, 200);
    get(fd, o, (socklen_t)-1);
    int before, r;
    socklen_t l = 4;
    r = getsockopt(fd, IPPROTO_TCP, o->n, &before, &l);
    for (size_t k = 0; k < sizeof values / sizeof *values; k++)
      set(fd, o, values[k], 4);
    set(fd, o, 1, 0);
    set(fd, o, 1, 1);
    set(fd, o, 1, 8);
    set(fd, o, 1, (socklen_t)-1);
    if (!r)
      setsockopt(fd, IPPROTO_TCP, o->n, &before, 4);
  }
}

int main(void) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t len = sizeof a;
  int f = MUST(socket(AF_INET, SOCK_STREAM, 0)), l = MUST(socket(AF_INET, SOCK_STREAM, 0));
  int c = MUST(socket(AF_INET, SOCK_STREAM, 0));
  MUST(bind(l, (void *)&a, len));
  MUST(listen(l, 1));
  MUST(getsockname(l, (void *)&a, &len));
  MUST(connect(c, (void *)&a, len));
  int s = MUST(accept(l, NULL, NULL));
  if (setuid(65534)) /* TCP_REPAIR is for CAP_NET_ADMIN */
    say("setuid %s", ename(errno));
  walk("fresh", f);
  walk("listening", l);
  walk("connected", c);
  walk("accepted", s);
  return 0;
}
