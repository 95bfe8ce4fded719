#include "nft.h"
#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter/nfnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <string.h>
#include <sys/socket.h>

/* ---- batches ---- */

static struct nl_msg *message(struct nft_batch *b, int type, int flags, int family, int res_id) {
  struct nl_msg *m = b->error ? NULL : nlmsg_alloc();
  struct nfgenmsg g = {.nfgen_family = (uint8_t)family, .version = NFNETLINK_V0, .res_id = htons((uint16_t)res_id)};
  if (m &&
      (!nlmsg_put(m, 0, b->seq++, type, 0, NLM_F_REQUEST | flags) || nlmsg_append(m, &g, sizeof g, NLMSG_ALIGNTO))) {
    nlmsg_free(m);
    m = NULL;
  }
  return m;
}

void nft_add(struct nft_batch *b, struct nl_msg *m) {
  struct nlmsghdr *h = m ? nlmsg_hdr(m) : NULL;
  if (!h || b->error)
    b->error = b->error ? b->error : -ENOMEM;
  else if (b->len + NLMSG_ALIGN(h->nlmsg_len) > sizeof b->bytes)
    b->error = -E2BIG;
  if (h && !b->error) {
    memcpy(b->bytes + b->len, h, h->nlmsg_len);
    b->len += NLMSG_ALIGN(h->nlmsg_len);
    b->acks += (h->nlmsg_flags & NLM_F_ACK) != 0;
  }
  if (m)
    nlmsg_free(m);
}

void nft_begin(struct nft_batch *b) {
  memset(b, 0, sizeof *b);
  b->seq = 1;
  nft_add(b, message(b, NFNL_MSG_BATCH_BEGIN, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES));
}

struct nl_msg *nft_message(struct nft_batch *b, int op, int flags, int family) {
  return message(b, NFNL_SUBSYS_NFTABLES << 8 | op, flags | NLM_F_ACK, family, 0);
}

/* The first error among n answers; with none for a second the host has lost one. */
static int answers(int fd, unsigned n) {
  struct timeval second = {.tv_sec = 1};
  char buf[8192];
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &second, sizeof second);
  while (n) {
    ssize_t got = recv(fd, buf, sizeof buf, 0);
    if (got < 0 && errno == EINTR)
      continue;
    if (got <= 0)
      return got ? -errno : -EPROTO;
    int left = (int)got;
    for (struct nlmsghdr *h = (struct nlmsghdr *)buf; NLMSG_OK(h, (unsigned)left); h = NLMSG_NEXT(h, left)) {
      struct nlmsgerr *err = NLMSG_DATA(h);
      if (h->nlmsg_type != NLMSG_ERROR || h->nlmsg_len < NLMSG_LENGTH(sizeof *err))
        continue;
      if (err->error)
        return err->error;
      if (n)
        n--;
    }
  }
  return 0;
}

int nft_commit(struct nft_batch *b, int sock) {
  nft_add(b, message(b, NFNL_MSG_BATCH_END, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES));
  if (b->error)
    return b->error;
  struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
  if (sendto(sock, b->bytes, b->len, 0, (struct sockaddr *)&kernel, sizeof kernel) < 0)
    return -errno;
  return answers(sock, b->acks);
}

/* ---- rules ---- */

static void put_be32(struct nl_msg *m, int attr, uint32_t v) {
  nla_put_u32(m, attr, htonl(v));
}

struct nft_rule nft_rule(struct nft_batch *b, int family, const char *table, const char *chain) {
  struct nft_rule r = {.m = nft_message(b, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND, family)};
  if (!r.m)
    return r;
  nla_put_string(r.m, NFTA_RULE_TABLE, table);
  nla_put_string(r.m, NFTA_RULE_CHAIN, chain);
  r.list = nla_nest_start(r.m, NFTA_RULE_EXPRESSIONS | NLA_F_NESTED);
  return r;
}

struct expr {
  struct nlattr *elem, *data;
};

static struct expr begin(struct nft_rule *r, const char *name) {
  struct expr x = {.elem = nla_nest_start(r->m, NFTA_LIST_ELEM | NLA_F_NESTED)};
  nla_put_string(r->m, NFTA_EXPR_NAME, name);
  x.data = nla_nest_start(r->m, NFTA_EXPR_DATA | NLA_F_NESTED);
  return x;
}

static void end(struct nft_rule *r, struct expr x) {
  nla_nest_end(r->m, x.data);
  nla_nest_end(r->m, x.elem);
}

static void put_value(struct nl_msg *m, int attr, const void *v, uint32_t len) {
  struct nlattr *a = nla_nest_start(m, attr | NLA_F_NESTED);
  nla_put(m, NFTA_DATA_VALUE, (int)len, v);
  nla_nest_end(m, a);
}

void nft_meta(struct nft_rule *r, uint32_t key) {
  if (!r->m)
    return;
  struct expr x = begin(r, "meta");
  put_be32(r->m, NFTA_META_KEY, key);
  put_be32(r->m, NFTA_META_DREG, NFT_REG_1);
  end(r, x);
}

void nft_ct(struct nft_rule *r, uint32_t key) {
  if (!r->m)
    return;
  struct expr x = begin(r, "ct");
  put_be32(r->m, NFTA_CT_KEY, key);
  put_be32(r->m, NFTA_CT_DREG, NFT_REG_1);
  end(r, x);
}

void nft_payload(struct nft_rule *r, uint32_t base, uint32_t offset, uint32_t len) {
  if (!r->m)
    return;
  struct expr x = begin(r, "payload");
  put_be32(r->m, NFTA_PAYLOAD_DREG, NFT_REG_1);
  put_be32(r->m, NFTA_PAYLOAD_BASE, base);
  put_be32(r->m, NFTA_PAYLOAD_OFFSET, offset);
  put_be32(r->m, NFTA_PAYLOAD_LEN, len);
  end(r, x);
}

void nft_mask(struct nft_rule *r, const void *mask, uint32_t len) {
  static const uint8_t zeros[16];
  if (!r->m)
    return;
  struct expr x = begin(r, "bitwise");
  put_be32(r->m, NFTA_BITWISE_SREG, NFT_REG_1);
  put_be32(r->m, NFTA_BITWISE_DREG, NFT_REG_1);
  put_be32(r->m, NFTA_BITWISE_LEN, len);
  put_value(r->m, NFTA_BITWISE_MASK, mask, len);
  put_value(r->m, NFTA_BITWISE_XOR, zeros, len);
  end(r, x);
}

void nft_cmp(struct nft_rule *r, uint32_t op, const void *v, uint32_t len) {
  if (!r->m)
    return;
  struct expr x = begin(r, "cmp");
  put_be32(r->m, NFTA_CMP_SREG, NFT_REG_1);
  put_be32(r->m, NFTA_CMP_OP, op);
  put_value(r->m, NFTA_CMP_DATA, v, len);
  end(r, x);
}

void nft_rule_end(struct nft_batch *b, struct nft_rule *r, int verdict) {
  if (r->m) {
    struct expr x = begin(r, "immediate");
    put_be32(r->m, NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
    struct nlattr *data = nla_nest_start(r->m, NFTA_IMMEDIATE_DATA | NLA_F_NESTED);
    struct nlattr *v = nla_nest_start(r->m, NFTA_DATA_VERDICT | NLA_F_NESTED);
    put_be32(r->m, NFTA_VERDICT_CODE, (uint32_t)verdict);
    nla_nest_end(r->m, v);
    nla_nest_end(r->m, data);
    end(r, x);
    nla_nest_end(r->m, r->list);
  }
  nft_add(b, r->m);
}
