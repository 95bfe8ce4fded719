/* Further names of links, RTM_NEWLINKPROP and RTM_DELLINKPROP; their counters alone, RTM_GETSTATS. ip-link(8),
 * "property"; ip-stats(8). */
#include "rtnl.h"
#include "../../core/errno.h"
#include <stdlib.h>

static int change_name(struct netdev *d, const struct nlattr *a, bool add) {
  char name[ALTIFNAMSIZ];
  if (!nla_get_str(a, name, sizeof name))
    return -ERANGE;
  return add ? netdev_alt_add(d, name) : netdev_alt_del(d, name);
}

static int change_props(struct nl_req *r) {
  const struct nlattr *tb[IFLA_MAX + 1];
  struct netdev *d;
  int rc = rtnl_parse_link(r, tb, &r->ext);
  if (!rc)
    rc = rtnl_find_link(r, tb, &d);
  if (rc || !tb[IFLA_PROP_LIST])
    return rc;
  const struct nlattr *a = nla_data(tb[IFLA_PROP_LIST]);
  size_t left = nla_len(tb[IFLA_PROP_LIST]);
  bool any = false;
  for (; !rc && nla_ok(a, left); a = nla_next(a, &left)) {
    if (nla_type(a) != IFLA_ALT_IFNAME)
      rc = -EINVAL;
    else
      rc = change_name(d, a, r->h->nlmsg_type == RTM_NEWLINKPROP);
    any |= !rc;
  }
  if (any)
    net_event(d, NETDEV_CHANGE);
  return rc;
}

/* ---- counters ---- */

static void fill_stats(struct nlbuf *b, const struct netdev *d, uint32_t mask, uint16_t flags, uint32_t pid,
                       uint32_t seq) {
  struct if_stats_msg m = {.ifindex = (uint32_t)d->ifindex, .filter_mask = mask};
  size_t at = nlb_begin(b, RTM_NEWSTATS, flags, pid, seq, &m, sizeof m);
  if (mask & IFLA_STATS_FILTER_BIT(IFLA_STATS_LINK_64))
    nla_put(b, IFLA_STATS_LINK_64, &d->stats, sizeof d->stats);
  nlb_end(b, at);
}

static int get_stats(struct nl_req *r) {
  const struct if_stats_msg *m = rtnl_header(r, sizeof *m);
  if (!m)
    return nl_err(&r->ext, -EINVAL, "Invalid header for stats dump");
  struct netdev *d = m->ifindex ? netdev_by_index_borrow(r->ns, (int)m->ifindex) : NULL;
  if (!d)
    return m->ifindex ? -ENODEV : -EINVAL;
  if (!m->filter_mask)
    return nl_err(&r->ext, -EINVAL, "Filter mask must be set for stats get");
  struct nlbuf *b = nlbuf_new(1024);
  if (!b)
    return -ENOBUFS;
  fill_stats(b, d, m->filter_mask, 0, r->nk->portid, r->h->nlmsg_seq);
  int rc = nl_reply(r, b);
  free(b);
  return rc;
}

static int dump_stats(struct nl_dump *d, struct nlbuf *b) {
  struct netdev *dev;
  for (; (dev = rtnl_next_dev(d->ns, d->at[0])); d->at[0] = dev->ifindex) {
    size_t before = b->len;
    fill_stats(b, dev, d->arg.u32[0], d->flags, d->nk->portid, d->req->nlmsg_seq);
    if (b->len == before)
      return 1;
  }
  return 0;
}

static int start_stats(struct nl_req *r, struct nl_dump *d) {
  const struct if_stats_msg *m = rtnl_header(r, sizeof *m);
  d->fn = dump_stats;
  d->generation = rtnl_gen_link;
  if (!m)
    return nl_err(&r->ext, -EINVAL, "Invalid header for stats dump");
  d->arg.u32[0] = m->filter_mask;
  return m->filter_mask ? 0 : nl_err(&r->ext, -EINVAL, "Filter mask must be set for stats dump");
}

/* Next hops as objects of their own: none can be made. */
static int dump_nothing(struct nl_dump *d, struct nlbuf *b) {
  return 0;
}
static int start_nothing(struct nl_req *r, struct nl_dump *d) {
  d->fn = dump_nothing;
  return 0;
}

const struct rtnl_op rtnl_prop_ops[] = {
    {RTM_NEWLINKPROP, AF_UNSPEC, change_props, NULL},
    {RTM_DELLINKPROP, AF_UNSPEC, change_props, NULL},
    {RTM_GETSTATS, AF_UNSPEC, get_stats, start_stats},
    {RTM_GETNEXTHOP, AF_UNSPEC, NULL, start_nothing},
    {0},
};
