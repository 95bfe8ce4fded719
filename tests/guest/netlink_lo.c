/* What the C library finds out about links and addresses: of `lo`, which is everywhere. */
#include "guest.h"
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <linux/netlink.h>
#include <net/if.h>
int main(void) {
  struct ifaddrs *list, *i;
  SHOW(getifaddrs(&list));
  for (i = list; i; i = i->ifa_next) {
    if (strcmp(i->ifa_name, "lo") || !i->ifa_addr)
      continue;
    char text[64] = "-";
    if (i->ifa_addr->sa_family == AF_INET)
      inet_ntop(AF_INET, &((struct sockaddr_in *)i->ifa_addr)->sin_addr, text, sizeof text);
    else if (i->ifa_addr->sa_family == AF_INET6)
      continue;
    say("family %d %s%s", i->ifa_addr->sa_family, text, i->ifa_flags & IFF_LOOPBACK ? ", loopback" : "");
  }
  int s = MUST(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  struct sockaddr_nl a = {.nl_family = AF_NETLINK};
  SHOW(bind(s, (void *)&a, sizeof a));
  socklen_t len = sizeof a;
  SHOW(getsockname(s, (void *)&a, &len));
  say("length %u", len);
  YES(a.nl_pid != 0);
  SHOW(socket(AF_NETLINK, SOCK_STREAM, NETLINK_ROUTE));
  SHOW(bind(s, (void *)&a, 4));
  char b[10];
  SHOW(recv(s, b, 10, MSG_DONTWAIT));
}
