/*
 * A packet filter in front of the host's stack: one table of the netdev family with a chain per interface, whose policy
 * is to drop, at the ingress hook; packet sockets get their copy before it. Without it the host would answer with TCP
 * resets and ICMP errors to what is meant for the Sentry. Written as nfnetlink messages (nf_tables.h): that is little,
 * and libnftables would be a large library to link.
 */
#include "netsetup.h"
#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define TABLE "runsc-notify"
#define PRIORITY (-500) /* before everything else */

static struct nl_msg *message(int type, int flags, uint32_t seq, int family, int res_id) {
  struct nl_msg *m = nlmsg_alloc();
  struct nfgenmsg g = {.nfgen_family = (uint8_t)family, .version = NFNETLINK_V0, .res_id = htons((uint16_t)res_id)};
  if (m && (!nlmsg_put(m, 0, seq, type, 0, NLM_F_REQUEST | flags) || nlmsg_append(m, &g, sizeof g, NLMSG_ALIGNTO))) {
    nlmsg_free(m);
    m = NULL;
  }
  return m;
}

static struct nl_msg *nft(int op, int flags, uint32_t seq) {
  return message(NFNL_SUBSYS_NFTABLES << 8 | op, flags | NLM_F_ACK, seq, NFPROTO_NETDEV, 0);
}

/* Appends m to the batch and frees it. */
static int add(char *batch, size_t cap, size_t *len, struct nl_msg *m) {
  if (!m)
    return -ENOMEM;
  struct nlmsghdr *h = nlmsg_hdr(m);
  int rc = *len + NLMSG_ALIGN(h->nlmsg_len) > cap ? -E2BIG : 0;
  if (!rc) {
    memcpy(batch + *len, h, h->nlmsg_len);
    *len += NLMSG_ALIGN(h->nlmsg_len);
  }
  nlmsg_free(m);
  return rc;
}

static struct nl_msg *new_table(uint32_t seq) {
  struct nl_msg *m = nft(NFT_MSG_NEWTABLE, NLM_F_CREATE | NLM_F_EXCL, seq);
  if (m)
    nla_put_string(m, NFTA_TABLE_NAME, TABLE);
  return m;
}

static struct nl_msg *new_chain(uint32_t seq, const char *dev, json_int_t index) {
  struct nl_msg *m = nft(NFT_MSG_NEWCHAIN, NLM_F_CREATE, seq);
  char name[32];
  if (!m)
    return NULL;
  snprintf(name, sizeof name, "in-%d", (int)index);
  nla_put_string(m, NFTA_CHAIN_TABLE, TABLE);
  nla_put_string(m, NFTA_CHAIN_NAME, name);
  struct nlattr *hook = nla_nest_start(m, NFTA_CHAIN_HOOK | NLA_F_NESTED);
  nla_put_u32(m, NFTA_HOOK_HOOKNUM, htonl(NF_NETDEV_INGRESS));
  nla_put_u32(m, NFTA_HOOK_PRIORITY, htonl((uint32_t)PRIORITY));
  nla_put_string(m, NFTA_HOOK_DEV, dev);
  nla_nest_end(m, hook);
  nla_put_u32(m, NFTA_CHAIN_POLICY, htonl(NF_DROP));
  nla_put_string(m, NFTA_CHAIN_TYPE, "filter");
  return m;
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

static int send_batch(char *batch, size_t len, unsigned nacks) {
  struct nl_sock *s = nl_socket_alloc();
  int rc = s ? 0 : -ENOMEM;
  if (!rc && nl_connect(s, NETLINK_NETFILTER))
    rc = -errno ? -errno : -EPROTONOSUPPORT;
  if (!rc && nl_sendto(s, batch, len) < 0)
    rc = -EIO;
  if (!rc)
    rc = answers(nl_socket_get_fd(s), nacks);
  nl_socket_free(s);
  return rc;
}

int netsetup_silence(json_t *links) {
  char batch[16384];
  size_t len = 0, i;
  uint32_t seq = 1;
  json_t *l;
  int rc = add(batch, sizeof batch, &len, message(NFNL_MSG_BATCH_BEGIN, 0, seq++, AF_UNSPEC, NFNL_SUBSYS_NFTABLES));
  if (!rc)
    rc = add(batch, sizeof batch, &len, new_table(seq++));
  json_array_foreach(links, i, l) if (!rc) rc = add(
      batch, sizeof batch, &len,
      new_chain(seq++, json_string_value(json_object_get(l, "name")), json_integer_value(json_object_get(l, "index"))));
  if (!rc)
    rc = add(batch, sizeof batch, &len, message(NFNL_MSG_BATCH_END, 0, seq++, AF_UNSPEC, NFNL_SUBSYS_NFTABLES));
  return rc ? rc : send_batch(batch, len, (unsigned)json_array_size(links) + 1);
}

int netsetup_unsilence(void) {
  char batch[1024];
  size_t len = 0;
  struct nl_msg *m = nft(NFT_MSG_DELTABLE, 0, 2);
  if (m)
    nla_put_string(m, NFTA_TABLE_NAME, TABLE);
  int rc = add(batch, sizeof batch, &len, message(NFNL_MSG_BATCH_BEGIN, 0, 1, AF_UNSPEC, NFNL_SUBSYS_NFTABLES));
  rc = rc ? rc : add(batch, sizeof batch, &len, m);
  rc = rc ? rc : add(batch, sizeof batch, &len, message(NFNL_MSG_BATCH_END, 0, 3, AF_UNSPEC, NFNL_SUBSYS_NFTABLES));
  return rc ? rc : send_batch(batch, len, 1);
}
