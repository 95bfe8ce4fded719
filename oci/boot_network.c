/* The container's interfaces inside: what "start" describes becomes devices, addresses and routes of the Sentry's own
 * stack. */
#include "../net/dns_relay.h"
#include "../net/ip.h"
#include "../net/packet_io.h"
#include "../net/stack.h"
#include "netsetup.h"
#include "sentry.h"
#include <arpa/inet.h>
#include <errno.h>
#include <linux/neighbour.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* A build without the Internet layer has devices only. */
#pragma weak ip_addr_add
#pragma weak ip_route_add
#pragma weak neigh_set

static int64_t num(json_t *o, const char *key) {
  return json_integer_value(json_object_get(o, key));
}

static const char *str(json_t *o, const char *key) {
  const char *s = json_string_value(json_object_get(o, key));
  return s ? s : "";
}

static bool parse_mac(const char *text, uint8_t mac[6]) {
  return sscanf(text, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &mac[0], &mac[1], &mac[2], &mac[3], &mac[4], &mac[5]) == 6;
}

/* False if there is none. */
static bool parse_addr(json_t *o, const char *key, struct in6_addr *a) {
  const char *text = str(o, key);
  struct in_addr v4;
  if (inet_pton(AF_INET, text, &v4) == 1)
    *a = ip_from4(v4.s_addr);
  else if (inet_pton(AF_INET6, text, a) != 1)
    return false;
  return true;
}

static int add_link(struct net_namespace *ns, json_t *l, int fd, struct err *e) {
  struct packet_io_args a = {.fd = fd,
                             .name = str(l, "name"),
                             .ifindex = (int)num(l, "index"),
                             .mtu = (unsigned)num(l, "mtu"),
                             .type = ARPHRD_ETHER,
                             .multicast = json_is_true(json_object_get(l, "multicast"))};
  struct netdev *d = NULL;
  if (!parse_mac(str(l, "mac"), a.addr) || a.mtu < 68 || a.mtu > 65535) {
    close(fd);
    return err_set(e, "network interface %s: its MAC address or MTU cannot be used", a.name);
  }
  int rc = packet_io_new(ns, &a, &d);
  if (!rc && json_is_true(json_object_get(l, "up")))
    rc = netdev_set_flags(d, IFF_UP, IFF_UP);
  return rc ? err_sys(e, -rc, "network interface %s", a.name) : 0;
}

static int add_addr(struct net_namespace *ns, json_t *j, struct err *e) {
  struct netdev *d = netdev_by_index_borrow(ns, (int)num(j, "index"));
  struct ip_ifaddr a = {.prefix = (uint8_t)num(j, "prefix"),
                        .scope = (uint8_t)num(j, "scope"),
                        /* the host has looked for duplicates already */
                        .flags = ((uint32_t)num(j, "flags") & ~(uint32_t)IFA_F_TENTATIVE) | IFA_F_PERMANENT,
                        .valid_lft = UINT32_MAX,
                        .preferred_lft = UINT32_MAX,
                        .made = loop_now(),
                        .changed = loop_now()};
  if (!d || !parse_addr(j, "addr", &a.addr))
    return err_set(e, "network address %s: cannot be used", str(j, "addr"));
  if (!parse_addr(j, "peer", &a.local_peer))
    a.local_peer = a.addr;
  parse_addr(j, "broadcast", &a.broadcast);
  snprintf(a.label, sizeof a.label, "%s", *str(j, "label") ? str(j, "label") : d->name);
  int rc = ip_addr_add ? ip_addr_add(d, &a) : 0;
  /* Link-local addresses may have come with the device. */
  return rc && rc != -EEXIST ? err_sys(e, -rc, "network interface %s: address %s", d->name, str(j, "addr")) : 0;
}

static int add_route(struct net_namespace *ns, json_t *j, struct err *e) {
  struct ip_rt_entry r = {.family = (uint8_t)num(j, "family"),
                          .prefix = (uint8_t)num(j, "prefix"),
                          .type = (uint8_t)num(j, "type"),
                          .scope = (uint8_t)num(j, "scope"),
                          .protocol = (uint8_t)num(j, "protocol"),
                          .tos = (uint8_t)num(j, "tos"),
                          .table = (uint32_t)num(j, "table"),
                          .metric = (uint32_t)num(j, "metric"),
                          .mtu = (uint32_t)num(j, "mtu"),
                          .advmss = (uint32_t)num(j, "advmss"),
                          .flags = json_is_true(json_object_get(j, "onlink")) ? RTNH_F_ONLINK : 0,
                          .oif = (int)num(j, "index")};
  const struct in6_addr any4 = ip_from4(0);
  r.gateway = r.prefsrc = r.dst = r.family == AF_INET ? any4 : (struct in6_addr){0};
  parse_addr(j, "dst", &r.dst);
  parse_addr(j, "gateway", &r.gateway);
  parse_addr(j, "src", &r.prefsrc);
  int rc = ip_route_add ? ip_route_add(ns, &r, NLM_F_CREATE | NLM_F_APPEND) : 0;
  /* The prefix's own routes have come with the addresses. */
  return rc && rc != -EEXIST ? err_sys(e, -rc, "route to %s/%d", *str(j, "dst") ? str(j, "dst") : "default", r.prefix)
                             : 0;
}

/* On-link routes first: those through a gateway need them. */
static int add_routes(struct net_namespace *ns, json_t *routes, struct err *e) {
  size_t i;
  json_t *j;
  int rc = 0;
  for (int pass = 0; pass < 2; pass++)
    json_array_foreach(routes, i, j) if (!rc && !*str(j, "gateway") == !pass) rc = add_route(ns, j, e);
  return rc;
}

/* Only what somebody has set by hand comes with "start". */
static int add_neigh(struct net_namespace *ns, json_t *j, struct err *e) {
  struct neigh_entry n = {.dev = netdev_by_index_borrow(ns, (int)num(j, "index")), .state = NUD_PERMANENT};
  if (!n.dev || !parse_addr(j, "addr", &n.ip) || !parse_mac(str(j, "mac"), n.lladdr))
    return 0; /* of another kind of link: of no use here */
  int rc = neigh_set ? neigh_set(&n, NLM_F_CREATE | NLM_F_REPLACE) : 0;
  return rc ? err_sys(e, -rc, "network interface %s: neighbour %s", n.dev->name, str(j, "addr")) : 0;
}

/* The last of the descriptors, if "start" says that it is there. */
static int take_fd(json_t *network, const char *key, int *fds, int *nfds) {
  if (!json_is_true(json_object_get(network, key)) || !*nfds)
    return -1;
  int fd = fds[--*nfds];
  fds[*nfds] = -1;
  return fd;
}

int boot_network(struct sentry *s, json_t *network, int *fds, int nfds, struct err *e) {
  struct net_namespace *ns = s->k->init_nsproxy->net;
  size_t i;
  json_t *j, *links = json_object_get(network, "links");
  int dns = take_fd(network, "dns", fds, &nfds), rc = 0;
  s->network_hold = take_fd(network, "hold", fds, &nfds);
  if ((int)json_array_size(links) != nfds)
    rc = err_set(e, "network: a descriptor per interface is needed");
  json_array_foreach(links, i, j) if (!rc) {
    rc = add_link(ns, j, fds[i], e);
    fds[i] = -1;
  }
  json_array_foreach(json_object_get(network, "addrs"), i, j) if (!rc) rc = add_addr(ns, j, e);
  if (!rc)
    rc = add_routes(ns, json_object_get(network, "routes"), e);
  json_array_foreach(json_object_get(network, "neighs"), i, j) if (!rc) rc = add_neigh(ns, j, e);
  int failed = dns < 0 ? 0 : dns_relay_attach(ns, dns);
  if (failed)
    debug_log("the container's DNS server: %s", strerror(-failed));
  return rc;
}
