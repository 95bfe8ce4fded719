/* rtnetlink(7): requests find their function, changes their listeners. See rtnl.h. */
#include "rtnl.h"
#include "../../core/errno.h"
#include <linux/capability.h>
#include <stdlib.h>

static const struct rtnl_op *const tables[] = {rtnl_link_ops,  rtnl_addr_ops,   rtnl_route_ops, rtnl_neigh_ops,
                                               rtnl_rule_ops,  rtnl_conf_ops,   rtnl_nsid_ops,  rtnl_tc_ops,
                                               rtnl_label_ops, rtnl_bridge_ops, rtnl_prop_ops};

static const struct rtnl_op *exactly(int type, int family, bool dump) {
  for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
    for (const struct rtnl_op *o = tables[i]; o->type; o++)
      if (o->type == type && o->family == family && (dump ? o->dump != NULL : o->doit != NULL))
        return o;
  return NULL;
}

/* Of the family, or of none in particular. */
static const struct rtnl_op *find_op(int type, int family, bool dump) {
  const struct rtnl_op *o = exactly(type, family, dump);
  return o ? o : exactly(type, AF_UNSPEC, dump);
}

static int start_dump(struct nl_req *r, const struct rtnl_op *o) {
  struct nl_dump d = {0};
  if (r->nk->dump)
    return -EBUSY;
  d.err = o->dump(r, &d);
  d.ext = r->ext;
  return nl_dump_start(r, &d); /* what is wrong with the request, its end says */
}

/* rtnetlink_rcv_msg() */
static int serve(struct nl_req *r) {
  int type = r->h->nlmsg_type;
  if (type < RTM_BASE || type > RTM_BASE + 119)
    return -EOPNOTSUPP;
  if (nl_body_len(r) < sizeof(struct rtgenmsg))
    return 0;
  int family = ((const struct rtgenmsg *)nl_body(r))->rtgen_family,
      kind = (type - RTM_BASE) % 4; /* new, del, get, set */
  if (kind != 2 && !nl_capable(r->nk, CAP_NET_ADMIN))
    return -EPERM;
  bool dump = kind == 2 && r->h->nlmsg_flags & NLM_F_DUMP;
  const struct rtnl_op *o = find_op(type, family, dump);
  if (!o)
    return -EOPNOTSUPP;
  if (kind == 1 && r->h->nlmsg_flags & NLM_F_BULK)
    return nl_err(&r->ext, -EOPNOTSUPP, "Bulk delete is not supported");
  return dump ? start_dump(r, o) : o->doit(r);
}

void rtnl_input(struct netlink_sock *nk, const void *p, size_t len) {
  nl_serve(nk, p, len, serve);
}

/* ---- changes ---- */

void rtnl_tell(struct net_namespace *ns, unsigned group,
               void (*fill)(struct nlbuf *b, void *arg, uint32_t pid, uint32_t seq), void *arg) {
  struct nl_net *n = nl_net_of(ns);
  const struct nl_req *r = n ? n->current : NULL;
  bool echo = r && r->h->nlmsg_flags & NLM_F_ECHO;
  if (!n || (!echo && !nl_has_listeners(ns, NETLINK_ROUTE, group)))
    return;
  struct nlbuf *b = nlbuf_new(NL_REPLY_MAX);
  if (!b)
    return;
  fill(b, arg, r ? r->nk->portid : 0, r ? r->h->nlmsg_seq : 0);
  if (b->len && !b->full) {
    nl_multicast(ns, NETLINK_ROUTE, group, b->data, b->len, echo ? r->nk : NULL);
    if (echo)
      (void)nl_deliver(r->nk, b->data, b->len, 0);
  }
  free(b);
}

static uint32_t generation(const struct nl_dump *d, enum nl_generation g) {
  const struct nl_net *n = nl_net_of(d->ns);
  return n ? n->gen[g] : 0;
}
uint32_t rtnl_gen_link(struct nl_dump *d) {
  return generation(d, NL_GEN_LINK);
}
uint32_t rtnl_gen_addr(struct nl_dump *d) {
  return generation(d, NL_GEN_ADDR);
}
uint32_t rtnl_gen_route(struct nl_dump *d) {
  return generation(d, NL_GEN_ROUTE);
}
uint32_t rtnl_gen_neigh(struct nl_dump *d) {
  return generation(d, NL_GEN_NEIGH);
}

/* ---- what the objects share ---- */

bool rtnl_get_addr(const struct nlattr *a, int family, struct in6_addr *out) {
  if (nla_len(a) != (family == AF_INET ? 4 : 16))
    return false;
  if (family == AF_INET)
    *out = ip_from4(nla_get_u32(a));
  else
    memcpy(out, nla_data(a), sizeof *out);
  return true;
}

void rtnl_put_addr(struct nlbuf *b, int type, const struct in6_addr *a) {
  if (ip_is4(a))
    nla_put(b, type, &a->s6_addr[12], 4);
  else
    nla_put(b, type, a, sizeof *a);
}

const void *rtnl_header(const struct nl_req *r, size_t n) {
  return nl_body_len(r) >= n ? nl_body(r) : NULL;
}

int rtnl_clock(int64_t ns) {
  return (int)(ns / (NS_PER_S / 100));
}
