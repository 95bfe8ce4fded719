/* RTM_NEWLINK, RTM_SETLINK, RTM_DELLINK: devices are made, changed, moved and removed. rtnetlink(7), ip-link(8). */
#include "rtnl.h"
#include "../../core/errno.h"
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>

int netdev_parse_link(const void *attrs, size_t len, const struct nlattr **tb, struct nl_extack *x) {
  return nla_parse(tb, IFLA_MAX, attrs, len, rtnl_link_policy, 0, x);
}

/* ---- namespaces ---- */

static int ns_of_pid(uint32_t pid, struct net_namespace **out) {
  struct process *p = process_find_borrow(kernel_current(), (int)pid);
  struct ns_common *ns = p && p->leader ? task_ns(p->leader, NS_NET, false) : NULL;
  *out = (struct net_namespace *)ns;
  return ns ? 0 : -ESRCH;
}

static int ns_of_fd(uint32_t fd, struct net_namespace **out) {
  struct task *t = task_current();
  struct kernel *k = kernel_current();
  AUTO_FILE f = t ? fd_file(t->files, (int)fd) : NULL;
  if (!f)
    return -EBADF;
  struct ns_common *ns = k->hooks.file_ns_borrow ? k->hooks.file_ns_borrow(f) : NULL;
  if (!ns || ns->kind != NS_NET)
    return -EINVAL;
  *out = (struct net_namespace *)ns_get(ns);
  return 0;
}

int rtnl_ns_named(const struct nlattr *pid, const struct nlattr *fd, struct net_namespace **out) {
  return pid ? ns_of_pid(nla_get_u32(pid), out) : ns_of_fd(nla_get_u32(fd), out);
}

int netdev_link_ns(const struct nlattr **tb, struct net_namespace *def, struct net_namespace **out) {
  const struct task *t = task_current();
  if (!tb[IFLA_NET_NS_PID] && !tb[IFLA_NET_NS_FD]) {
    *out = (struct net_namespace *)ns_get(&def->ns);
    return 0;
  }
  int rc = rtnl_ns_named(tb[IFLA_NET_NS_PID], tb[IFLA_NET_NS_FD], out);
  if (!rc && (!net_stack_of(*out) || !t || !ns_capable(t->cred, (*out)->ns.owner, CAP_NET_ADMIN))) {
    ns_put(&(*out)->ns);
    rc = -EPERM;
  }
  return rc;
}

/* ---- settings of one device ---- */

static int get_name(const struct nlattr *a, char out[IFNAMSIZ]) {
  if (a && !nla_get_str(a, out, IFNAMSIZ))
    return -EINVAL;
  if (!a)
    out[0] = 0;
  return 0;
}

int netdev_apply_newlink(struct netdev *d, const struct nlattr **tb, struct nl_extack *x) {
  if (tb[IFLA_MTU]) {
    uint32_t mtu = nla_get_u32(tb[IFLA_MTU]);
    if (mtu < 68)
      return nl_err(x, -EINVAL, "mtu less than device minimum");
    if (mtu > 65535)
      return nl_err(x, -EINVAL, "mtu greater than device maximum");
    d->mtu = mtu;
  }
  if (tb[IFLA_ADDRESS]) {
    const uint8_t *a = nla_data(tb[IFLA_ADDRESS]);
    static const uint8_t zero[ETH_ALEN];
    if (nla_len(tb[IFLA_ADDRESS]) < d->addr_len)
      return -EINVAL;
    if (d->type == ARPHRD_ETHER && (a[0] & 1 || !memcmp(a, zero, ETH_ALEN)))
      return -EADDRNOTAVAIL;
    memcpy(d->addr, a, d->addr_len);
  }
  if (tb[IFLA_BROADCAST]) {
    if (nla_len(tb[IFLA_BROADCAST]) < d->addr_len)
      return -EINVAL;
    memcpy(d->broadcast, nla_data(tb[IFLA_BROADCAST]), d->addr_len);
  }
  if (tb[IFLA_TXQLEN])
    d->tx_queue_len = nla_get_u32(tb[IFLA_TXQLEN]);
  if (tb[IFLA_GROUP])
    d->group = nla_get_u32(tb[IFLA_GROUP]);
  return 0;
}

static int set_mtu(struct netdev *d, uint32_t mtu, struct nl_extack *x) {
  int rc = mtu > INT32_MAX ? -EINVAL : netdev_set_mtu(d, mtu);
  if (rc == -EINVAL)
    return nl_err(x, rc, mtu < 68 ? "mtu less than device minimum" : "mtu greater than device maximum");
  return rc;
}

static int set_addr(struct netdev *d, const struct nlattr *a) {
  /* What the launcher handed over has the host's address: frames to another one would not come. */
  if (!d->ops->kind)
    return -EOPNOTSUPP;
  return nla_len(a) < d->addr_len ? -EINVAL : netdev_set_addr(d, nla_data(a));
}

static int set_broadcast(struct netdev *d, const struct nlattr *a) {
  if (nla_len(a) < d->addr_len)
    return -EINVAL;
  memcpy(d->broadcast, nla_data(a), d->addr_len);
  net_event(d, NETDEV_CHANGE);
  return 0;
}

static int set_alias(struct netdev *d, const struct nlattr *a) {
  if (!nla_get_str(a, d->alias, sizeof d->alias))
    return -EINVAL;
  net_event(d, NETDEV_CHANGE);
  return 0;
}

/* do_set_master(): 0 lets it go */
static int set_master(struct netdev *d, uint32_t index, struct nl_extack *x) {
  struct netdev *m = index ? netdev_by_index_borrow(d->ns, (int)index) : NULL;
  if (index && !m)
    return -EINVAL;
  if (m == d->master)
    return 0;
  if (d->master) {
    const struct netdev_kind *old = netdev_kind_of(d->master);
    int rc = old && old->del_port ? old->del_port(d->master, d) : -EOPNOTSUPP;
    if (rc)
      return rc;
  }
  if (!m)
    return 0;
  const struct netdev_kind *k = netdev_kind_of(m);
  if (!k || !k->add_port)
    return -EOPNOTSUPP;
  return d->type == ARPHRD_LOOPBACK || m == d ? -EINVAL : k->add_port(m, d, x);
}

/* The rest of what is known by name but cannot be changed here. */
static int refused(const struct nlattr **tb) {
  static const uint8_t unsupported[] = {IFLA_MAP,       IFLA_CARRIER,    IFLA_VFINFO_LIST, IFLA_VF_PORTS,
                                        IFLA_PORT_SELF, IFLA_PROTO_DOWN, IFLA_XDP,         IFLA_IF_NETNSID};
  for (size_t i = 0; i < sizeof unsupported; i++)
    if (tb[unsupported[i]])
      return -EOPNOTSUPP;
  return 0;
}

static int set_inet6(const struct nlattr *a, struct nl_extack *x) {
  const struct nlattr *tb[IFLA_INET6_MAX + 1];
  int rc = nla_parse_nested(tb, IFLA_INET6_MAX, a, NULL, x);
  if (rc)
    return rc;
  if (!tb[IFLA_INET6_TOKEN] && !tb[IFLA_INET6_ADDR_GEN_MODE])
    return -EINVAL;
  if (tb[IFLA_INET6_ADDR_GEN_MODE] && nla_len(tb[IFLA_INET6_ADDR_GEN_MODE]) >= 1 &&
      nla_get_u8(tb[IFLA_INET6_ADDR_GEN_MODE]) == IN6_ADDR_GEN_MODE_EUI64 && !tb[IFLA_INET6_TOKEN])
    return 0; /* it is that way */
  return -EOPNOTSUPP;
}

static int set_af_spec(const struct nlattr *spec, struct nl_extack *x) {
  const struct nlattr *a = nla_data(spec);
  size_t left = nla_len(spec);
  for (; nla_ok(a, left); a = nla_next(a, &left)) {
    int rc = nla_type(a) == AF_INET6 ? set_inet6(a, x) : nla_type(a) == AF_INET ? -EOPNOTSUPP : -EAFNOSUPPORT;
    if (rc)
      return rc;
  }
  return 0;
}

static int move(struct nl_req *r, struct netdev *d, const struct nlattr **tb, const char *name) {
  struct net_namespace *to;
  int rc = netdev_link_ns(tb, r->ns, &to);
  if (rc)
    return rc;
  if (to != d->ns && name[0] && strcmp(name, d->name))
    rc = netdev_by_name_borrow(to, name) ? -EEXIST : netdev_rename(d, name);
  if (!rc)
    rc = netdev_move(d, to);
  if (rc == -EINVAL)
    nl_err(&r->ext, rc, "The interface netns is immutable");
  else if (rc == -EEXIST)
    nl_err(&r->ext, rc, "An interface with the same name exists in the target netns");
  ns_put(&to->ns);
  return rc;
}

static int set_flags(struct netdev *d, const struct ifinfomsg *m) {
  if (!m->ifi_flags && !m->ifi_change)
    return 0;
  return netdev_set_flags(d, m->ifi_flags, m->ifi_change ? m->ifi_change : UINT32_MAX);
}

/* do_setlink(): in its order. Linux keeps what was done before an error, too. */
static int change(struct nl_req *r, struct netdev *d, const struct nlattr **tb) {
  struct nl_extack *x = &r->ext;
  char name[IFNAMSIZ];
  int rc = get_name(tb[IFLA_IFNAME], name);
  if (!rc && (tb[IFLA_NET_NS_PID] || tb[IFLA_NET_NS_FD]))
    rc = move(r, d, tb, name);
  if (!rc)
    rc = refused(tb);
  if (!rc && tb[IFLA_ADDRESS])
    rc = set_addr(d, tb[IFLA_ADDRESS]);
  if (!rc && tb[IFLA_MTU])
    rc = set_mtu(d, nla_get_u32(tb[IFLA_MTU]), x);
  if (!rc && tb[IFLA_GROUP]) {
    d->group = nla_get_u32(tb[IFLA_GROUP]);
    net_event(d, NETDEV_CHANGE);
  }
  if (!rc && ((const struct ifinfomsg *)nl_body(r))->ifi_index > 0 && name[0])
    rc = netdev_rename(d, name);
  if (!rc && tb[IFLA_IFALIAS])
    rc = set_alias(d, tb[IFLA_IFALIAS]);
  if (!rc && tb[IFLA_BROADCAST])
    rc = set_broadcast(d, tb[IFLA_BROADCAST]);
  if (!rc && tb[IFLA_MASTER])
    rc = set_master(d, nla_get_u32(tb[IFLA_MASTER]), x);
  if (!rc)
    rc = set_flags(d, nl_body(r));
  if (!rc && tb[IFLA_TXQLEN]) {
    d->tx_queue_len = nla_get_u32(tb[IFLA_TXQLEN]);
    net_event(d, NETDEV_CHANGE);
  }
  if (!rc && tb[IFLA_AF_SPEC])
    rc = set_af_spec(tb[IFLA_AF_SPEC], x);
  return rc;
}

/* ---- new ones ---- */

struct link_kind {
  char name[64];
  const struct nlattr *data, *port_kind, *port_data;
};

static int parse_kind(const struct nlattr *info, struct link_kind *k, struct nl_extack *x) {
  static const struct nla_policy policy[IFLA_INFO_MAX + 1] = {[IFLA_INFO_KIND] = {NLA_STRING, 55},
                                                              [IFLA_INFO_DATA] = {NLA_NESTED},
                                                              [IFLA_INFO_SLAVE_KIND] = {NLA_STRING, 55},
                                                              [IFLA_INFO_SLAVE_DATA] = {NLA_NESTED}};
  const struct nlattr *tb[IFLA_INFO_MAX + 1];
  *k = (struct link_kind){0};
  int rc = info ? nla_parse_nested(tb, IFLA_INFO_MAX, info, policy, x) : 0;
  if (!info || rc)
    return rc;
  if (tb[IFLA_INFO_KIND] && !nla_get_str(tb[IFLA_INFO_KIND], k->name, sizeof k->name))
    return -EINVAL;
  k->data = tb[IFLA_INFO_DATA];
  k->port_kind = tb[IFLA_INFO_SLAVE_KIND];
  k->port_data = tb[IFLA_INFO_SLAVE_DATA];
  return 0;
}

static int change_kind(struct netdev *d, const struct link_kind *k, struct nl_extack *x) {
  const struct netdev_kind *nk = netdev_kind_of(d);
  if (k->name[0]) {
    if (!nk || strcmp(nk->kind, k->name))
      return -EOPNOTSUPP;
    int rc = !k->data ? 0 : nk->changelink ? nk->changelink(d, k->data, x) : -EOPNOTSUPP;
    if (rc)
      return rc;
  }
  if (k->port_data) {
    const struct netdev_kind *m = d->master ? netdev_kind_of(d->master) : NULL;
    return m && m->change_port ? m->change_port(d->master, d, k->port_data, x) : -EOPNOTSUPP;
  }
  return 0;
}

static int create(struct nl_req *r, const struct nlattr **tb, const struct link_kind *k) {
  const struct ifinfomsg *m = nl_body(r);
  char name[IFNAMSIZ];
  struct netdev *d = NULL;
  struct net_namespace *ns;
  const struct netdev_kind *kind = netdev_kind_find(k->name);
  if (!kind || !kind->newlink)
    return nl_err(&r->ext, -EOPNOTSUPP, "Unknown device type");
  int rc = get_name(tb[IFLA_IFNAME], name);
  if (!rc)
    rc = netdev_link_ns(tb, r->ns, &ns);
  if (rc)
    return rc;
  if (!name[0])
    snprintf(name, sizeof name, "%.10s%%d", kind->kind);
  struct netdev_newlink n = {
      .ns = ns, .req_ns = r->ns, .name = name, .ifindex = m->ifi_index, .tb = tb, .data = k->data, .ext = &r->ext};
  rc = kind->newlink(&n, &d);
  if (!rc) {
    rc = tb[IFLA_MASTER] ? set_master(d, nla_get_u32(tb[IFLA_MASTER]), &r->ext) : 0;
    if (!rc)
      rc = set_flags(d, m);
    if (rc)
      (kind->dellink ? kind->dellink : netdev_unlist)(d);
    netdev_put(d);
  }
  ns_put(&ns->ns);
  return rc;
}

static int change_group(struct nl_req *r, uint32_t group, const struct nlattr **tb) {
  struct netdev *d;
  long at = 0;
  while ((d = rtnl_next_dev(r->ns, at))) {
    at = d->ifindex;
    int rc = d->group == group ? change(r, d, tb) : 0;
    if (rc)
      return rc;
  }
  return 0;
}

int rtnl_newlink(struct nl_req *r) {
  const struct nlattr *tb[IFLA_MAX + 1];
  struct link_kind k;
  struct netdev *d = NULL;
  int rc = rtnl_parse_link(r, tb, &r->ext);
  if (!rc)
    rc = parse_kind(tb[IFLA_LINKINFO], &k, &r->ext);
  if (rc)
    return rc;
  const struct ifinfomsg *m = nl_body(r);
  if (m->ifi_index < 0)
    return nl_err(&r->ext, -EINVAL, "ifindex can't be negative");
  (void)rtnl_find_link(r, tb, &d);
  if (d) {
    if (r->h->nlmsg_flags & NLM_F_EXCL)
      return -EEXIST;
    if (r->h->nlmsg_flags & NLM_F_REPLACE)
      return -EOPNOTSUPP;
    rc = change_kind(d, &k, &r->ext);
    return rc ? rc : change(r, d, tb);
  }
  if (!(r->h->nlmsg_flags & NLM_F_CREATE)) {
    if (!m->ifi_index && tb[IFLA_GROUP])
      return change_group(r, nla_get_u32(tb[IFLA_GROUP]), tb);
    return -ENODEV;
  }
  if (tb[IFLA_MAP] || tb[IFLA_PROTINFO])
    return -EOPNOTSUPP;
  return create(r, tb, &k);
}

int rtnl_setlink(struct nl_req *r) {
  const struct nlattr *tb[IFLA_MAX + 1];
  struct netdev *d;
  int rc = rtnl_parse_link(r, tb, &r->ext);
  if (!rc)
    rc = rtnl_find_link(r, tb, &d);
  return rc ? rc : change(r, d, tb);
}

int rtnl_dellink(struct nl_req *r) {
  const struct nlattr *tb[IFLA_MAX + 1];
  struct netdev *d;
  int rc = rtnl_parse_link(r, tb, &r->ext);
  if (!rc)
    rc = rtnl_find_link(r, tb, &d);
  if (rc)
    return rc;
  const struct netdev_kind *k = netdev_kind_of(d);
  if (!k)
    return -EOPNOTSUPP;
  (k->dellink ? k->dellink : netdev_unlist)(d);
  return 0;
}
