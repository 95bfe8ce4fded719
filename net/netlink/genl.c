/* NETLINK_GENERIC: the controller, which names families, genl_ctrl of Linux. It is the only one: taskstats, nl80211 and
 * their like are subsystems that there are not. */
#include "netlink.h"
#include "../../core/errno.h"
#include <linux/genetlink.h>
#include <stdlib.h>

#define CTRL_VERSION 2
#define CTRL_GROUP "notify"
#define CTRL_GROUP_ID 16 /* GENL_ID_CTRL, as in Linux */

static void fill(struct nlbuf *b, uint16_t flags, uint32_t pid, uint32_t seq) {
  struct genlmsghdr g = {.cmd = CTRL_CMD_NEWFAMILY, .version = CTRL_VERSION};
  static const struct { uint32_t id, flags; } ops[] = {{CTRL_CMD_GETFAMILY, GENL_CMD_CAP_DO | GENL_CMD_CAP_DUMP}};
  size_t at = nlb_begin(b, GENL_ID_CTRL, flags, pid, seq, &g, sizeof g), list, one;
  nla_put_str(b, CTRL_ATTR_FAMILY_NAME, "nlctrl");
  nla_put_u16(b, CTRL_ATTR_FAMILY_ID, GENL_ID_CTRL);
  nla_put_u32(b, CTRL_ATTR_VERSION, CTRL_VERSION);
  nla_put_u32(b, CTRL_ATTR_HDRSIZE, 0);
  nla_put_u32(b, CTRL_ATTR_MAXATTR, CTRL_ATTR_FAMILY_NAME);
  list = nla_nest(b, CTRL_ATTR_OPS);
  for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
    one = nla_nest(b, (int)i + 1);
    nla_put_u32(b, CTRL_ATTR_OP_ID, ops[i].id);
    nla_put_u32(b, CTRL_ATTR_OP_FLAGS, ops[i].flags);
    nla_nest_end(b, one);
  }
  nla_nest_end(b, list);
  list = nla_nest(b, CTRL_ATTR_MCAST_GROUPS);
  one = nla_nest(b, 1);
  nla_put_u32(b, CTRL_ATTR_MCAST_GRP_ID, CTRL_GROUP_ID);
  nla_put_str(b, CTRL_ATTR_MCAST_GRP_NAME, CTRL_GROUP);
  nla_nest_end(b, one);
  nla_nest_end(b, list);
  nlb_end(b, at);
}

static int dump_families(struct nl_dump *d, struct nlbuf *b) {
  size_t before = b->len;
  if (d->at[0])
    return 0;
  fill(b, d->flags, d->nk->portid, d->req->nlmsg_seq);
  d->at[0] = 1;
  return b->len == before;
}

static const struct nla_policy policy[CTRL_ATTR_MAX + 1] = {
    [CTRL_ATTR_FAMILY_ID] = {NLA_U16}, [CTRL_ATTR_FAMILY_NAME] = {NLA_STRING, GENL_NAMSIZ - 1}};

static int get_family(struct nl_req *r) {
  const struct nlattr *tb[CTRL_ATTR_MAX + 1];
  char name[GENL_NAMSIZ];
  size_t off = GENL_HDRLEN, n = nl_body_len(r);
  int rc = nla_parse(tb, CTRL_ATTR_MAX, (const char *)nl_body(r) + off, n - off, policy, 0, &r->ext);
  if (rc)
    return rc;
  if (!tb[CTRL_ATTR_FAMILY_ID] && !tb[CTRL_ATTR_FAMILY_NAME])
    return -EINVAL;
  if (tb[CTRL_ATTR_FAMILY_ID] && nla_get_u16(tb[CTRL_ATTR_FAMILY_ID]) != GENL_ID_CTRL)
    return -ENOENT;
  if (tb[CTRL_ATTR_FAMILY_NAME] &&
      (!nla_get_str(tb[CTRL_ATTR_FAMILY_NAME], name, sizeof name) || strcmp(name, "nlctrl")))
    return -ENOENT;
  struct nlbuf *b = nlbuf_new(1024);
  if (!b)
    return -ENOBUFS;
  fill(b, 0, r->nk->portid, r->h->nlmsg_seq);
  rc = nl_reply(r, b);
  free(b);
  return rc;
}

static int serve(struct nl_req *r) {
  const struct genlmsghdr *g = nl_body(r);
  struct nl_dump d = {.fn = dump_families};
  if (r->h->nlmsg_type != GENL_ID_CTRL)
    return -ENOENT;
  if (nl_body_len(r) < GENL_HDRLEN)
    return -EINVAL;
  if (g->cmd != CTRL_CMD_GETFAMILY)
    return -EOPNOTSUPP;
  return (r->h->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP ? nl_dump_start(r, &d) : get_family(r);
}

void genl_input(struct netlink_sock *nk, const void *p, size_t len) {
  nl_serve(nk, p, len, serve);
}
