/* RTM_NEWNSID, RTM_GETNSID: numbers that one network namespace knows others by. ip-netns(8), "set", "list-id". */
#include "rtnl.h"
#include "../../core/errno.h"
#include <linux/net_namespace.h>
#include <stdlib.h>

#define NSIDS_MAX 4096

static int number_of(const struct nl_net *n, const struct nl_net *peer) {
  for (unsigned i = 0; i < n->nids; i++)
    if (n->ids[i].peer == peer)
      return n->ids[i].id;
  return NETNSA_NSID_NOT_ASSIGNED;
}

static bool taken(const struct nl_net *n, int id) {
  for (unsigned i = 0; i < n->nids; i++)
    if (n->ids[i].id == id)
      return true;
  return false;
}

static int assign(struct nl_net *n, struct nl_net *peer, int want) {
  int id = want < 0 ? 0 : want;
  if (n->nids >= NSIDS_MAX)
    return -ENOSPC;
  if (want >= 0 && taken(n, want))
    return -EEXIST;
  while (taken(n, id))
    id++;
  struct nl_nsid *v = realloc(n->ids, (n->nids + 1) * sizeof *v);
  if (!v)
    return -ENOMEM;
  n->ids = v;
  v[n->nids++] = (struct nl_nsid){peer, id};
  return id;
}

int rtnl_nsid(struct nl_net *n, struct nl_net *peer, bool make) {
  if (!n || !peer)
    return NETNSA_NSID_NOT_ASSIGNED;
  int id = number_of(n, peer);
  return id < 0 && make ? assign(n, peer, -1) : id;
}

static void fill(struct nlbuf *b, uint16_t type, uint16_t flags, uint32_t pid, uint32_t seq, int id) {
  struct rtgenmsg m = {.rtgen_family = AF_UNSPEC};
  size_t at = nlb_begin(b, type, flags, pid, seq, &m, sizeof m);
  nla_put_u32(b, NETNSA_NSID, (uint32_t)id);
  nlb_end(b, at);
}

static void fill_told(struct nlbuf *b, void *arg, uint32_t pid, uint32_t seq) {
  fill(b, RTM_NEWNSID, 0, pid, seq, *(int *)arg);
}

static const struct nla_policy policy[NETNSA_MAX + 1] = {
    [NETNSA_NSID] = {NLA_U32}, [NETNSA_PID] = {NLA_U32}, [NETNSA_FD] = {NLA_U32}, [NETNSA_TARGET_NSID] = {NLA_U32}};

static int parse(struct nl_req *r, const struct nlattr **tb) {
  size_t off = NLMSG_ALIGN(sizeof(struct rtgenmsg)), n = nl_body_len(r);
  return nla_parse(tb, NETNSA_MAX, (const char *)nl_body(r) + off, n > off ? n - off : 0, policy, 0, &r->ext);
}

/* The namespace by process or file; counted. */
static int peer_of(struct nl_req *r, const struct nlattr **tb, struct net_namespace **out) {
  const struct nlattr *bad = tb[NETNSA_PID] ? tb[NETNSA_PID] : tb[NETNSA_FD];
  if (!bad)
    return nl_err(&r->ext, -EINVAL, "Peer netns reference is missing");
  int rc = rtnl_ns_named(tb[NETNSA_PID], tb[NETNSA_FD], out);
  return rc ? nl_err_attr(&r->ext, rc, bad, "Peer netns reference is invalid") : 0;
}

static int new_nsid(struct nl_req *r) {
  const struct nlattr *tb[NETNSA_MAX + 1];
  struct nl_net *n = nl_net_of(r->ns);
  struct net_namespace *peer;
  int rc = parse(r, tb);
  if (rc)
    return rc;
  if (!tb[NETNSA_NSID])
    return nl_err(&r->ext, -EINVAL, "nsid is missing");
  rc = peer_of(r, tb, &peer);
  if (rc)
    return rc;
  int want = (int)nla_get_u32(tb[NETNSA_NSID]), id;
  struct nl_net *p = nl_net_of(peer);
  if (!p)
    rc = -EINVAL;
  else if (number_of(n, p) >= 0)
    rc = nl_err_attr(&r->ext, -EEXIST, tb[NETNSA_PID] ? tb[NETNSA_PID] : tb[NETNSA_FD],
                     "Peer netns already has a nsid assigned");
  else if ((id = assign(n, p, want)) < 0)
    rc = id == -EEXIST ? nl_err_attr(&r->ext, id, tb[NETNSA_NSID], "The specified nsid is already used") : id;
  else
    rtnl_tell(r->ns, RTNLGRP_NSID, fill_told, &id);
  ns_put(&peer->ns);
  return rc;
}

static int get_nsid(struct nl_req *r) {
  const struct nlattr *tb[NETNSA_MAX + 1];
  struct net_namespace *peer = NULL;
  struct nl_net *n = nl_net_of(r->ns);
  int rc = parse(r, tb), id = NETNSA_NSID_NOT_ASSIGNED;
  if (rc)
    return rc;
  if (tb[NETNSA_TARGET_NSID])
    return -EOPNOTSUPP;
  if (tb[NETNSA_NSID]) {
    id = (int)nla_get_u32(tb[NETNSA_NSID]);
    if (!taken(n, id))
      return nl_err_attr(&r->ext, -ENOENT, tb[NETNSA_NSID], "Peer netns reference is invalid");
  } else {
    rc = peer_of(r, tb, &peer);
    if (rc)
      return rc;
    id = nl_net_of(peer) ? number_of(n, nl_net_of(peer)) : id;
    ns_put(&peer->ns);
  }
  struct nlbuf *b = nlbuf_new(128);
  if (!b)
    return -ENOBUFS;
  fill(b, RTM_NEWNSID, 0, r->nk->portid, r->h->nlmsg_seq, id);
  rc = nl_reply(r, b);
  free(b);
  return rc;
}

static int dump_nsids(struct nl_dump *d, struct nlbuf *b) {
  const struct nl_net *n = nl_net_of(d->ns);
  for (; n && d->at[0] < (long)n->nids; d->at[0]++) {
    size_t before = b->len;
    fill(b, RTM_NEWNSID, d->flags, d->nk->portid, d->req->nlmsg_seq, n->ids[d->at[0]].id);
    if (b->len == before)
      return 1;
  }
  return 0;
}

static int start_nsids(struct nl_req *r, struct nl_dump *d) {
  d->fn = dump_nsids;
  return 0;
}

const struct rtnl_op rtnl_nsid_ops[] = {
    {RTM_NEWNSID, AF_UNSPEC, new_nsid, NULL}, {RTM_GETNSID, AF_UNSPEC, get_nsid, start_nsids}, {0}};
