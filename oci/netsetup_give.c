/* The addresses and routes of a namespace as they were when netsetup_read() had read them. */
#include "netsetup.h"
#include <netlink/route/addr.h>
#include <netlink/route/route.h>
#include <string.h>

static int64_t num(json_t *o, const char *key) {
  return json_integer_value(json_object_get(o, key));
}

/* NULL: there is none. The caller drops it. */
static struct nl_addr *addr_of(json_t *o, const char *key) {
  const char *text = json_string_value(json_object_get(o, key));
  struct nl_addr *a = NULL;
  return text && !nl_addr_parse(text, AF_UNSPEC, &a) ? a : NULL;
}

static void give_addr(struct nl_sock *s, json_t *j) {
  struct rtnl_addr *a = rtnl_addr_alloc();
  struct nl_addr *local = addr_of(j, "addr"), *broadcast = addr_of(j, "broadcast"), *peer = addr_of(j, "peer");
  if (a && local) {
    nl_addr_set_prefixlen(local, (int)num(j, "prefix"));
    rtnl_addr_set_ifindex(a, (int)num(j, "index"));
    rtnl_addr_set_local(a, local);
    rtnl_addr_set_prefixlen(a, (int)num(j, "prefix"));
    rtnl_addr_set_scope(a, (int)num(j, "scope"));
    if (peer)
      rtnl_addr_set_peer(a, peer);
    if (broadcast)
      rtnl_addr_set_broadcast(a, broadcast);
    if (json_object_get(j, "label"))
      rtnl_addr_set_label(a, json_string_value(json_object_get(j, "label")));
    rtnl_addr_add(s, a, NLM_F_CREATE);
  }
  nl_addr_put(local);
  nl_addr_put(broadcast);
  nl_addr_put(peer);
  rtnl_addr_put(a);
}

static void set_nexthop(struct rtnl_route *r, json_t *j) {
  struct rtnl_nexthop *nh = rtnl_route_nh_alloc();
  struct nl_addr *gateway = addr_of(j, "gateway");
  if (nh) {
    rtnl_route_nh_set_ifindex(nh, (int)num(j, "index"));
    if (gateway)
      rtnl_route_nh_set_gateway(nh, gateway);
    if (json_is_true(json_object_get(j, "onlink")))
      rtnl_route_nh_set_flags(nh, RTNH_F_ONLINK);
    rtnl_route_add_nexthop(r, nh);
  }
  nl_addr_put(gateway);
}

static void give_route(struct nl_sock *s, json_t *j) {
  struct rtnl_route *r = rtnl_route_alloc();
  struct nl_addr *dst = addr_of(j, "dst"), *src = addr_of(j, "src");
  if (!dst && !nl_addr_parse("default", (int)num(j, "family"), &dst))
    nl_addr_set_prefixlen(dst, 0);
  if (r && dst) {
    if (json_object_get(j, "dst"))
      nl_addr_set_prefixlen(dst, (int)num(j, "prefix"));
    rtnl_route_set_family(r, (uint8_t)num(j, "family"));
    rtnl_route_set_dst(r, dst);
    if (src)
      rtnl_route_set_pref_src(r, src);
    rtnl_route_set_table(r, (uint32_t)num(j, "table"));
    rtnl_route_set_priority(r, (uint32_t)num(j, "metric"));
    rtnl_route_set_scope(r, (uint8_t)num(j, "scope"));
    rtnl_route_set_protocol(r, (uint8_t)num(j, "protocol"));
    rtnl_route_set_type(r, (uint8_t)num(j, "type"));
    set_nexthop(r, j);
    rtnl_route_add(s, r, NLM_F_CREATE);
  }
  nl_addr_put(dst);
  nl_addr_put(src);
  rtnl_route_put(r);
}

/* What is there already is left as it is. On-link routes first: those through a gateway need them. */
int netsetup_give_addrs(json_t *network, struct err *e) {
  struct nl_sock *s = nl_socket_alloc();
  size_t i;
  json_t *j;
  int rc = !s || nl_connect(s, NETLINK_ROUTE) ? err_set(e, "rtnetlink cannot be reached") : 0;
  json_array_foreach(json_object_get(network, "addrs"), i, j) if (!rc) give_addr(s, j);
  for (int pass = 0; pass < 2; pass++)
    json_array_foreach(json_object_get(network, "routes"), i, j) if (!rc && !json_object_get(j, "gateway") == !pass)
        give_route(s, j);
  nl_socket_free(s);
  return rc;
}
