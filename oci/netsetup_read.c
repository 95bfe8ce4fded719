/* What an engine has configured in a network namespace, through rtnetlink(7). */
#include "netsetup.h"
#include <errno.h>
#include <net/if_arp.h>
#include <netlink/cache.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <netlink/route/neighbour.h>
#include <netlink/route/route.h>
#include <stdio.h>
#include <string.h>

#ifndef IFF_UP /* <linux/if.h> and <net/if.h> do not go together */
#include <linux/if.h>
#endif
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

/* nl_addr2str() without the prefix length. */
static json_t *text_of(struct nl_addr *a) {
  char buf[128];
  char *slash = a ? strchr(nl_addr2str(a, buf, sizeof buf), '/') : NULL;
  if (slash)
    *slash = 0;
  return a ? json_string(buf) : NULL;
}

static void set_addr(json_t *o, const char *key, struct nl_addr *a) {
  json_t *t = text_of(a);
  if (t)
    json_object_set_new(o, key, t);
}

static bool has_link(json_t *links, int index) {
  size_t i;
  json_t *l;
  json_array_foreach(links, i, l) if (json_integer_value(json_object_get(l, "index")) == index) return true;
  return false;
}

/* Tunnels that the host makes in every namespace (tunl0, sit0, …) are down, and of no use. */
static int read_links(struct nl_sock *s, json_t *links, struct err *e) {
  struct nl_cache *c;
  int rc = rtnl_link_alloc_cache(s, AF_UNSPEC, &c);
  if (rc)
    return err_set(e, "reading network interfaces: %s", nl_geterror(rc));
  for (struct nl_object *o = nl_cache_get_first(c); o && !rc; o = nl_cache_get_next(o)) {
    struct rtnl_link *l = (struct rtnl_link *)o;
    unsigned flags = rtnl_link_get_flags(l), type = rtnl_link_get_arptype(l);
    const char *name = rtnl_link_get_name(l);
    if (type == ARPHRD_LOOPBACK || (type != ARPHRD_ETHER && !(flags & IFF_UP)))
      continue;
    if (type != ARPHRD_ETHER)
      rc = err_set(e, "network interface %s: only Ethernet is supported (its type is %u)", name, type);
    else if (json_array_size(links) >= NETSETUP_LINKS)
      rc = err_set(e, "network interface %s: at most %d are supported", name, NETSETUP_LINKS);
    else
      json_array_append_new(links,
                            json_pack("{s:s,s:i,s:i,s:o*,s:b,s:b}", "name", name, "index", rtnl_link_get_ifindex(l),
                                      "mtu", (int)rtnl_link_get_mtu(l), "mac", text_of(rtnl_link_get_addr(l)), "up",
                                      (flags & IFF_UP) != 0, "multicast", (flags & IFF_MULTICAST) != 0));
  }
  nl_cache_free(c);
  return rc;
}

static int read_addrs(struct nl_sock *s, json_t *links, json_t *addrs, struct err *e) {
  struct nl_cache *c;
  int rc = rtnl_addr_alloc_cache(s, &c);
  if (rc)
    return err_set(e, "reading network addresses: %s", nl_geterror(rc));
  for (struct nl_object *o = nl_cache_get_first(c); o && json_array_size(addrs) < NETSETUP_ADDRS;
       o = nl_cache_get_next(o)) {
    struct rtnl_addr *a = (struct rtnl_addr *)o;
    int family = rtnl_addr_get_family(a);
    if (!has_link(links, rtnl_addr_get_ifindex(a)) || (family != AF_INET && family != AF_INET6))
      continue;
    json_t *j = json_pack("{s:i,s:i,s:i,s:I}", "index", rtnl_addr_get_ifindex(a), "prefix", rtnl_addr_get_prefixlen(a),
                          "scope", rtnl_addr_get_scope(a), "flags", (json_int_t)rtnl_addr_get_flags(a));
    set_addr(j, "addr", rtnl_addr_get_local(a));
    set_addr(j, "peer", rtnl_addr_get_peer(a));
    set_addr(j, "broadcast", rtnl_addr_get_broadcast(a));
    if (rtnl_addr_get_label(a))
      json_object_set_new(j, "label", json_string(rtnl_addr_get_label(a)));
    json_array_append_new(addrs, j);
  }
  nl_cache_free(c);
  return 0;
}

static void add_route(json_t *links, json_t *routes, struct rtnl_route *r) {
  struct rtnl_nexthop *nh = rtnl_route_get_nnexthops(r) ? rtnl_route_nexthop_n(r, 0) : NULL;
  int type = rtnl_route_get_type(r), index = nh ? rtnl_route_nh_get_ifindex(nh) : 0;
  uint32_t mtu = 0, advmss = 0, table = rtnl_route_get_table(r);
  struct nl_addr *dst = rtnl_route_get_dst(r);
  /* Local, broadcast and multicast routes come with the addresses. */
  if (table == RT_TABLE_LOCAL || (type != RTN_UNICAST && type != RTN_BLACKHOLE && type != RTN_UNREACHABLE &&
                                  type != RTN_PROHIBIT && type != RTN_THROW))
    return;
  if (type == RTN_UNICAST && !has_link(links, index))
    return;
  rtnl_route_get_metric(r, RTAX_MTU, &mtu);
  rtnl_route_get_metric(r, RTAX_ADVMSS, &advmss);
  json_t *j = json_pack("{s:i,s:i,s:I,s:I,s:i,s:i,s:i,s:i,s:I,s:I}", "family", rtnl_route_get_family(r), "prefix",
                        dst ? (int)nl_addr_get_prefixlen(dst) : 0, "metric", (json_int_t)rtnl_route_get_priority(r),
                        "table", (json_int_t)table, "type", type, "scope", rtnl_route_get_scope(r), "protocol",
                        rtnl_route_get_protocol(r), "tos", rtnl_route_get_tos(r), "mtu", (json_int_t)mtu, "advmss",
                        (json_int_t)advmss);
  if (dst && nl_addr_get_len(dst))
    set_addr(j, "dst", dst);
  set_addr(j, "src", rtnl_route_get_pref_src(r));
  if (nh) {
    set_addr(j, "gateway", rtnl_route_nh_get_gateway(nh));
    json_object_set_new(j, "index", json_integer(index));
    json_object_set_new(j, "onlink", json_boolean(rtnl_route_nh_get_flags(nh) & RTNH_F_ONLINK));
  }
  json_array_append_new(routes, j);
}

static int read_routes(struct nl_sock *s, json_t *links, json_t *routes, struct err *e) {
  struct nl_cache *c;
  int rc = rtnl_route_alloc_cache(s, AF_UNSPEC, 0, &c);
  if (rc)
    return err_set(e, "reading routes: %s", nl_geterror(rc));
  for (struct nl_object *o = nl_cache_get_first(c); o && json_array_size(routes) < NETSETUP_ROUTES;
       o = nl_cache_get_next(o))
    add_route(links, routes, (struct rtnl_route *)o);
  nl_cache_free(c);
  return 0;
}

/* Only what somebody has set by hand: the rest is the host's own knowledge. */
static int read_neighs(struct nl_sock *s, json_t *links, json_t *neighs, struct err *e) {
  struct nl_cache *c;
  int rc = rtnl_neigh_alloc_cache(s, &c);
  if (rc)
    return err_set(e, "reading neighbours: %s", nl_geterror(rc));
  for (struct nl_object *o = nl_cache_get_first(c); o && json_array_size(neighs) < NETSETUP_ADDRS;
       o = nl_cache_get_next(o)) {
    struct rtnl_neigh *n = (struct rtnl_neigh *)o;
    if (!(rtnl_neigh_get_state(n) & NUD_PERMANENT) || !has_link(links, rtnl_neigh_get_ifindex(n)) ||
        !rtnl_neigh_get_lladdr(n) || !rtnl_neigh_get_dst(n))
      continue;
    json_t *j = json_pack("{s:i}", "index", rtnl_neigh_get_ifindex(n));
    set_addr(j, "addr", rtnl_neigh_get_dst(n));
    set_addr(j, "mac", rtnl_neigh_get_lladdr(n));
    json_array_append_new(neighs, j);
  }
  nl_cache_free(c);
  return 0;
}

void netsetup_take_addrs(json_t *links) {
  struct nl_sock *s = nl_socket_alloc();
  struct nl_cache *c = NULL;
  if (s && !nl_connect(s, NETLINK_ROUTE) && !rtnl_addr_alloc_cache(s, &c))
    for (struct nl_object *o = nl_cache_get_first(c); o; o = nl_cache_get_next(o))
      if (has_link(links, rtnl_addr_get_ifindex((struct rtnl_addr *)o)))
        rtnl_addr_delete(s, (struct rtnl_addr *)o, 0);
  nl_cache_free(c);
  nl_socket_free(s);
}

json_t *netsetup_read(struct err *e) {
  json_t *links = json_array(), *addrs = json_array(), *routes = json_array(), *neighs = json_array();
  struct nl_sock *s = nl_socket_alloc();
  int rc = !s || nl_connect(s, NETLINK_ROUTE) ? err_set(e, "rtnetlink cannot be reached") : 0;
  rc = rc || read_links(s, links, e) || read_addrs(s, links, addrs, e) || read_routes(s, links, routes, e) ||
               read_neighs(s, links, neighs, e)
           ? -1
           : 0;
  nl_socket_free(s);
  json_t *all = json_pack("{s:o,s:o,s:o,s:o}", "links", links, "addrs", addrs, "routes", routes, "neighs", neighs);
  if (!rc)
    return all;
  json_decref(all);
  return NULL;
}
