/* netdevice(7), rtentry, arp(7) in a namespace in which only lo is. */
#include "guest.h"
#include <arpa/inet.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <net/route.h>
#include <netinet/in.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/syscall.h>

static int s;
static struct ifreq named(const char *n) {
  struct ifreq r = {0};
  strcpy(r.ifr_name, n);
  return r;
}
static void set_in(struct ifreq *r, const char *text) {
  struct sockaddr_in a = {.sin_family = AF_INET};
  inet_pton(AF_INET, text, &a.sin_addr);
  memcpy(&r->ifr_addr, &a, sizeof a);
}
static void show_in(const char *what, unsigned long cmd, const char *name) {
  struct ifreq r = named(name);
  char text[32] = "-";
  int e = ioctl(s, cmd, &r) ? errno : 0;
  struct sockaddr_in a;
  memcpy(&a, &r.ifr_addr, sizeof a);
  if (!e)
    inet_ntop(AF_INET, &a.sin_addr, text, sizeof text);
  say("%s %s: %d %s family %d name %s", what, name, e, text, e ? 0 : a.sin_family, r.ifr_name);
}
static void all(const char *name) {
  show_in("addr", SIOCGIFADDR, name);
  show_in("mask", SIOCGIFNETMASK, name);
  show_in("brd", SIOCGIFBRDADDR, name);
  show_in("dst", SIOCGIFDSTADDR, name);
}
static void conf(void) {
  struct ifreq v[8];
  struct ifconf c = {.ifc_len = 0};
  SHOW(ioctl(s, SIOCGIFCONF, &c));
  say("needs %d", c.ifc_len / (int)sizeof *v);
  c.ifc_len = sizeof v;
  c.ifc_req = v;
  SHOW(ioctl(s, SIOCGIFCONF, &c));
  for (int i = 0; i < c.ifc_len / (int)sizeof *v; i++)
    say(" %s %s", v[i].ifr_name, inet_ntoa(((struct sockaddr_in *)&v[i].ifr_addr)->sin_addr));
  c.ifc_len = sizeof *v - 1;
  SHOW(ioctl(s, SIOCGIFCONF, &c));
  say("%d", c.ifc_len);
}
static void change(unsigned long cmd, const char *name, const char *addr) {
  struct ifreq r = named(name);
  set_in(&r, addr);
  say("set %lx %s %s: %d", cmd, name, addr, ioctl(s, cmd, &r) ? errno : 0);
}
static void flags(const char *name, int set, int clear) {
  struct ifreq r = named(name);
  SHOW(ioctl(s, SIOCGIFFLAGS, &r));
  say("%s %x", r.ifr_name, r.ifr_flags & 0xffff);
  r.ifr_flags = (short)((r.ifr_flags | set) & ~clear);
  SHOW(ioctl(s, SIOCSIFFLAGS, &r));
  SHOW(ioctl(s, SIOCGIFFLAGS, &r));
  say("%s %x", r.ifr_name, r.ifr_flags & 0xffff);
}
static void device(void) {
  static const unsigned long gets[] = {SIOCGIFINDEX, SIOCGIFMTU, SIOCGIFMETRIC, SIOCGIFTXQLEN};
  for (int i = 0; i < 4; i++) {
    struct ifreq r = named("lo"), none = named("nosuch0");
    SHOW(ioctl(s, gets[i], &r));
    say("%lx: %d", gets[i], r.ifr_ifindex);
    SHOW(ioctl(s, gets[i], &none));
  }
  struct ifreq r = named("lo:1");
  SHOW(ioctl(s, SIOCGIFHWADDR, &r));
  say("%s type %d", r.ifr_name, r.ifr_hwaddr.sa_family);
  r = named("x");
  r.ifr_ifindex = 1;
  SHOW(ioctl(s, SIOCGIFNAME, &r));
  say("%s", r.ifr_name);
  r.ifr_ifindex = 4711;
  SHOW(ioctl(s, SIOCGIFNAME, &r));
  r = named("lo");
  SHOW(ioctl(s, SIOCGIFSLAVE, &r));
  SHOW(ioctl(s, SIOCGIFMAP, &r));
  r.ifr_mtu = 1500;
  SHOW(ioctl(s, SIOCSIFMTU, &r));
  r.ifr_mtu = -1;
  SHOW(ioctl(s, SIOCSIFMTU, &r));
  SHOW(ioctl(s, SIOCGIFMTU, &r));
  say("mtu %d", r.ifr_mtu);
  r.ifr_mtu = 65536;
  SHOW(ioctl(s, SIOCSIFMTU, &r));
  r.ifr_qlen = 77;
  SHOW(ioctl(s, SIOCSIFTXQLEN, &r));
  r.ifr_qlen = -77;
  SHOW(ioctl(s, SIOCSIFTXQLEN, &r));
  r.ifr_metric = 1;
  SHOW(ioctl(s, SIOCSIFMETRIC, &r));
  SHOW(ioctl(s, SIOCSIFMAP, &r));
  SHOW(ioctl(s, SIOCGIFMTU, 0));
}
static void ethtool(void) {
  struct ethtool_drvinfo d = {.cmd = ETHTOOL_GDRVINFO};
  struct ethtool_value v = {.cmd = ETHTOOL_GLINK};
  struct ethtool_cmd c = {.cmd = ETHTOOL_GSET};
  struct ifreq r = named("lo");
  r.ifr_data = (void *)&d;
  SHOW(ioctl(s, SIOCETHTOOL, &r));
  r.ifr_data = (void *)&v;
  SHOW(ioctl(s, SIOCETHTOOL, &r));
  say("link %u", v.data);
  r.ifr_data = (void *)&c;
  SHOW(ioctl(s, SIOCETHTOOL, &r));
  r.ifr_data = NULL;
  SHOW(ioctl(s, SIOCETHTOOL, &r));
}
static int route(unsigned long cmd, const char *dst, const char *mask, const char *gw, char *dev, int fl) {
  struct rtentry rt = {.rt_flags = (unsigned short)fl, .rt_dev = dev};
  struct sockaddr_in a = {.sin_family = AF_INET};
  inet_pton(AF_INET, dst, &a.sin_addr);
  memcpy(&rt.rt_dst, &a, sizeof a);
  inet_pton(AF_INET, mask, &a.sin_addr);
  memcpy(&rt.rt_genmask, &a, sizeof a);
  if (gw) {
    inet_pton(AF_INET, gw, &a.sin_addr);
    memcpy(&rt.rt_gateway, &a, sizeof a);
  }
  return ioctl(s, cmd, &rt) ? errno : 0;
}
static void routes(void) {
  say("%d", route(SIOCADDRT, "10.9.0.0", "255.255.0.0", NULL, "lo", RTF_UP));
  say("%d", route(SIOCADDRT, "10.9.0.1", "255.255.0.0", NULL, "lo", RTF_UP));
  say("%d", route(SIOCADDRT, "10.8.0.0", "255.0.255.0", NULL, "lo", RTF_UP));
  say("%d", route(SIOCADDRT, "10.8.0.0", "255.255.0.0", NULL, "nosuch", RTF_UP));
  say("%d", route(SIOCADDRT, "10.7.0.0", "255.255.0.0", NULL, NULL, RTF_UP | RTF_REJECT));
  say("%d", route(SIOCADDRT, "10.6.0.0", "255.255.0.0", NULL, "lo", RTF_UP | RTF_GATEWAY));
  say("%d", route(SIOCADDRT, "10.5.5.5", "0.0.0.0", NULL, "lo", RTF_UP | RTF_HOST));
  say("%d", route(SIOCADDRT, "10.4.0.0", "255.255.0.0", "192.0.2.1", NULL, RTF_UP | RTF_GATEWAY));
  char line[200];
  FILE *f = fopen("/proc/net/route", "r");
  while (fgets(line, sizeof line, f))
    printf("%s", line);
  fclose(f);
  say("%d", route(SIOCDELRT, "10.9.0.0", "255.255.0.0", NULL, "lo", RTF_UP));
  say("%d", route(SIOCDELRT, "10.9.0.0", "255.255.0.0", NULL, "lo", RTF_UP));
  say("%d", route(SIOCDELRT, "10.7.0.0", "255.255.0.0", NULL, NULL, RTF_UP | RTF_REJECT));
  say("%d", route(SIOCDELRT, "10.5.5.5", "0.0.0.0", NULL, NULL, RTF_UP | RTF_HOST));
}
static void arp(void) {
  struct arpreq r = {0};
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000001)};
  memcpy(&r.arp_pa, &a, sizeof a);
  SHOW(ioctl(s, SIOCGARP, &r));
  strcpy(r.arp_dev, "lo");
  SHOW(ioctl(s, SIOCGARP, &r));
  strcpy(r.arp_dev, "nosuch");
  SHOW(ioctl(s, SIOCGARP, &r));
  r.arp_pa.sa_family = 99;
  SHOW(ioctl(s, SIOCGARP, &r));
  r.arp_pa.sa_family = AF_INET;
  r.arp_flags = ATF_NETMASK;
  SHOW(ioctl(s, SIOCGARP, &r));
}
/* Root alone may not change devices in sysfs. */
static void sysfs(void) {
  struct __user_cap_header_struct h = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct d[2];
  if (fork()) {
    MUST(wait(NULL));
    return;
  }
  MUST(unshare(CLONE_NEWNET | CLONE_NEWNS));
  MUST(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
  MUST(mount("sysfs", "/sys", "sysfs", 0, NULL));
  int fd = MUST(open("/sys/class/net/lo/tx_queue_len", O_RDWR));
  SHOW(write(fd, "900", 3));
  MUST(syscall(SYS_capget, &h, d));
  d[0].effective &= ~(1u << CAP_NET_ADMIN);
  MUST(syscall(SYS_capset, &h, d));
  SHOW(pwrite(fd, "901", 3, 0));
  char b[8] = "";
  SHOW(pread(fd, b, 7, 0));
  say("%s", b);
  exit(0);
}

int main(void) {
  sysfs();
  SHOW(unshare(CLONE_NEWUSER | CLONE_NEWNET));
  s = MUST(socket(AF_INET, SOCK_STREAM, 0));
  conf();
  all("lo");
  flags("lo", IFF_UP, 0);
  all("lo");
  conf();
  change(SIOCSIFADDR, "lo:7", "10.1.2.3");
  all("lo:7");
  change(SIOCSIFNETMASK, "lo:7", "255.255.255.0");
  change(SIOCSIFNETMASK, "lo:7", "255.0.255.0");
  change(SIOCSIFBRDADDR, "lo:7", "10.1.2.255");
  all("lo:7");
  conf();
  change(SIOCSIFADDR, "lo:7", "192.168.5.6");
  all("lo:7");
  struct ifreq r = named("lo");
  set_in(&r, "192.168.5.6");
  SHOW(ioctl(s, SIOCGIFNETMASK, &r));
  flags("lo:7", 0, IFF_UP);
  all("lo:7");
  change(SIOCSIFADDR, "nosuch", "10.0.0.1");
  change(SIOCSIFNETMASK, "lo:9", "255.255.255.0");
  routes();
  device();
  ethtool();
  arp();
  int u = MUST(socket(AF_UNIX, SOCK_DGRAM, 0)), six = MUST(socket(AF_INET6, SOCK_STREAM, 0));
  r = named("lo");
  SHOW(ioctl(u, SIOCGIFADDR, &r));
  SHOW(ioctl(six, SIOCGIFADDR, &r));
  SHOW(ioctl(u, SIOCGIFINDEX, &r));
  struct {
    struct in6_addr a;
    uint32_t prefix;
    int index;
  } r6 = {.prefix = 64, .index = 1};
  inet_pton(AF_INET6, "fd00::5", &r6.a);
  SHOW(ioctl(six, SIOCSIFADDR, &r6));
  SHOW(ioctl(six, SIOCSIFADDR, &r6));
  r6.prefix = 129;
  SHOW(ioctl(six, SIOCSIFADDR, &r6));
  r6.prefix = 64;
  SHOW(ioctl(six, SIOCDIFADDR, &r6));
  SHOW(ioctl(six, SIOCDIFADDR, &r6));
  r6.index = 99;
  SHOW(ioctl(six, SIOCDIFADDR, &r6));
  flags("lo", 0, IFF_UP);
  conf();
  r = named("lo");
  r.ifr_hwaddr.sa_family = ARPHRD_LOOPBACK;
  SHOW(ioctl(s, SIOCSIFHWADDR, &r));
}
