/*
 * The host's own stack in the container's network namespace is to be deaf, or it would answer with TCP resets and ICMP
 * errors to what is meant for the Sentry. A table of the netdev family with one chain for all interfaces, whose policy
 * is to drop, at the ingress hook: packet sockets get their copy before it.
 *
 * With dockerd's DNS server in the namespace one thing is let through: answers to what that server asks other servers,
 * which leaves through the host's stack. The first table passes what could be such an answer (and what ARP, neighbour
 * discovery and fragments need for it), quickly; a second one, of the inet family behind connection tracking, drops
 * what is not of a conversation that the host's stack has begun. Our own traffic, sent through packet sockets, is none.
 *
 * Both tables belong to a netlink socket (NFT_TABLE_F_OWNER): the host removes them when the last descriptor of it is
 * closed, that is, when the Sentry dies, however it dies. A table that is there belongs to a live sandbox.
 */
#include "nft.h"
#include "netsetup.h"
#include "../net/dns_relay.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define TABLE "runsc-notify"
#define INGRESS "in"
#define INGRESS_PRIORITY (-500) /* before everything else */
#define ANSWERS "answers"
#define ANSWERS_PRIORITY (-150) /* behind connection tracking (-200), before NAT (-100) */
#define COMMENT 0               /* libnftnl's udata.h: the type of a table's comment */

/* "nft list tables" shows the comment: the container's id. */
static void add_table(struct nft_batch *b, int family, const char *id) {
  struct nl_msg *m = nft_message(b, NFT_MSG_NEWTABLE, NLM_F_CREATE | NLM_F_EXCL, family);
  char comment[2 + 128] = {COMMENT};
  int n = snprintf(comment + 2, sizeof comment - 2, "%s", id);
  size_t len = (size_t)n < sizeof comment - 2 ? (size_t)n + 1 : sizeof comment - 2;
  comment[1] = (char)len;
  if (m) {
    nla_put_string(m, NFTA_TABLE_NAME, TABLE);
    nla_put_u32(m, NFTA_TABLE_FLAGS, htonl(NFT_TABLE_F_OWNER));
    nla_put(m, NFTA_TABLE_USERDATA, (int)(2 + len), comment);
  }
  nft_add(b, m);
}

static void put_devices(struct nl_msg *m, json_t *links) {
  size_t i;
  json_t *l;
  struct nlattr *devs = nla_nest_start(m, NFTA_HOOK_DEVS | NLA_F_NESTED);
  json_array_foreach(links, i, l) nla_put_string(m, NFTA_DEVICE_NAME, json_string_value(json_object_get(l, "name")));
  nla_nest_end(m, devs);
}

/* A base chain that drops. links: of the netdev family. */
static void add_chain(struct nft_batch *b, int family, const char *name, uint32_t hook, int32_t priority,
                      json_t *links) {
  struct nl_msg *m = nft_message(b, NFT_MSG_NEWCHAIN, NLM_F_CREATE, family);
  if (m) {
    nla_put_string(m, NFTA_CHAIN_TABLE, TABLE);
    nla_put_string(m, NFTA_CHAIN_NAME, name);
    struct nlattr *h = nla_nest_start(m, NFTA_CHAIN_HOOK | NLA_F_NESTED);
    nla_put_u32(m, NFTA_HOOK_HOOKNUM, htonl(hook));
    nla_put_u32(m, NFTA_HOOK_PRIORITY, htonl((uint32_t)priority));
    if (links)
      put_devices(m, links);
    nla_nest_end(m, h);
    nla_put_u32(m, NFTA_CHAIN_POLICY, htonl(NF_DROP));
    nla_put_string(m, NFTA_CHAIN_TYPE, "filter");
  }
  nft_add(b, m);
}

/* ---- what could be an answer for dockerd ---- */

static void is_be16(struct nft_rule *r, uint16_t v) {
  v = htons(v);
  nft_cmp(r, NFT_CMP_EQ, &v, sizeof v);
}

static void is_u8(struct nft_rule *r, uint8_t v) {
  nft_cmp(r, NFT_CMP_EQ, &v, sizeof v);
}

static void pass_arp_replies(struct nft_batch *b) {
  struct nft_rule r = nft_rule(b, NFPROTO_NETDEV, TABLE, INGRESS);
  nft_meta(&r, NFT_META_PROTOCOL);
  is_be16(&r, ETH_P_ARP);
  nft_payload(&r, NFT_PAYLOAD_NETWORK_HEADER, 6, 2);
  is_be16(&r, ARPOP_REPLY);
  nft_rule_end(b, &r, NF_ACCEPT);
}

/* From port 53 to one of the ports that are set aside for the host's stack. */
static void pass_answers(struct nft_batch *b, uint8_t proto) {
  uint16_t lo[2] = {htons(DNS_PORT), htons(DNS_HOST_PORT_LO)}, hi[2] = {htons(DNS_PORT), htons(DNS_HOST_PORT_HI)};
  struct nft_rule r = nft_rule(b, NFPROTO_NETDEV, TABLE, INGRESS);
  nft_meta(&r, NFT_META_L4PROTO);
  is_u8(&r, proto);
  nft_payload(&r, NFT_PAYLOAD_TRANSPORT_HEADER, 0, sizeof lo);
  nft_cmp(&r, NFT_CMP_GTE, lo, sizeof lo);
  nft_cmp(&r, NFT_CMP_LTE, hi, sizeof hi);
  nft_rule_end(b, &r, NF_ACCEPT);
}

static void pass_protocol(struct nft_batch *b, uint8_t proto) {
  struct nft_rule r = nft_rule(b, NFPROTO_NETDEV, TABLE, INGRESS);
  nft_meta(&r, NFT_META_L4PROTO);
  is_u8(&r, proto);
  nft_rule_end(b, &r, NF_ACCEPT);
}

/* Only the first has ports. */
static void pass_later_fragments(struct nft_batch *b) {
  static const uint8_t offset[2] = {0x1f, 0xff}, none[2];
  struct nft_rule r = nft_rule(b, NFPROTO_NETDEV, TABLE, INGRESS);
  nft_meta(&r, NFT_META_PROTOCOL);
  is_be16(&r, ETH_P_IP);
  nft_payload(&r, NFT_PAYLOAD_NETWORK_HEADER, 6, 2);
  nft_mask(&r, offset, sizeof offset);
  nft_cmp(&r, NFT_CMP_NEQ, none, sizeof none);
  nft_rule_end(b, &r, NF_ACCEPT);
  r = nft_rule(b, NFPROTO_NETDEV, TABLE, INGRESS);
  nft_meta(&r, NFT_META_PROTOCOL);
  is_be16(&r, ETH_P_IPV6);
  nft_payload(&r, NFT_PAYLOAD_NETWORK_HEADER, 6, 1);
  is_u8(&r, IPPROTO_FRAGMENT);
  nft_rule_end(b, &r, NF_ACCEPT);
}

/* ---- what is one ---- */

static void drop_all_but_answers(struct nft_batch *b) {
  const uint16_t loopback = ARPHRD_LOOPBACK;
  const uint32_t begun_here = NF_CT_STATE_BIT(IP_CT_ESTABLISHED) | NF_CT_STATE_BIT(IP_CT_RELATED), none = 0;
  add_chain(b, NFPROTO_INET, ANSWERS, NF_INET_PRE_ROUTING, ANSWERS_PRIORITY, NULL);
  struct nft_rule r = nft_rule(b, NFPROTO_INET, TABLE, ANSWERS);
  nft_meta(&r, NFT_META_IIFTYPE);
  nft_cmp(&r, NFT_CMP_EQ, &loopback, sizeof loopback);
  nft_rule_end(b, &r, NF_ACCEPT);
  r = nft_rule(b, NFPROTO_INET, TABLE, ANSWERS);
  nft_ct(&r, NFT_CT_STATE);
  nft_mask(&r, &begun_here, sizeof begun_here);
  nft_cmp(&r, NFT_CMP_NEQ, &none, sizeof none);
  nft_rule_end(b, &r, NF_ACCEPT);
  r = nft_rule(b, NFPROTO_INET, TABLE, ANSWERS); /* not tracked: neighbour advertisements */
  nft_meta(&r, NFT_META_L4PROTO);
  is_u8(&r, IPPROTO_ICMPV6);
  nft_payload(&r, NFT_PAYLOAD_TRANSPORT_HEADER, 0, 1);
  is_u8(&r, 136);
  nft_rule_end(b, &r, NF_ACCEPT);
}

/* The host's stack takes its ports where ours looks last. The namespace is the container's own: nobody sets it back. */
static int set_ports_aside(void) {
  int fd = open("/proc/sys/net/ipv4/ip_local_port_range", O_WRONLY | O_CLOEXEC);
  int rc = fd < 0 || dprintf(fd, "%d %d", DNS_HOST_PORT_LO, DNS_HOST_PORT_HI) < 0 ? -errno : 0;
  if (fd >= 0)
    close(fd);
  return rc;
}

/* ---- the interface ---- */

static int open_netfilter(void) {
  struct sockaddr_nl any = {.nl_family = AF_NETLINK};
  int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
  if (fd >= 0 && !bind(fd, (struct sockaddr *)&any, sizeof any))
    return fd;
  int err = errno;
  if (fd >= 0)
    close(fd);
  return -err;
}

int netsetup_silence(json_t *links, const char *id, bool answers, int *hold) {
  struct nft_batch b;
  int rc = answers ? set_ports_aside() : 0, sock = rc ? rc : open_netfilter();
  if (sock < 0)
    return sock;
  nft_begin(&b);
  add_table(&b, NFPROTO_NETDEV, id);
  add_chain(&b, NFPROTO_NETDEV, INGRESS, NF_NETDEV_INGRESS, INGRESS_PRIORITY, links);
  if (answers) {
    pass_arp_replies(&b);
    pass_answers(&b, IPPROTO_UDP);
    pass_answers(&b, IPPROTO_TCP);
    pass_protocol(&b, IPPROTO_ICMP);
    pass_protocol(&b, IPPROTO_ICMPV6);
    pass_later_fragments(&b);
    add_table(&b, NFPROTO_INET, id);
    drop_all_but_answers(&b);
  }
  rc = nft_commit(&b, sock);
  if (rc)
    close(sock);
  else
    *hold = sock;
  return rc;
}

/* The comment of our table, out of an answer to NFT_MSG_GETTABLE. */
static void read_comment(const struct nlmsghdr *h, char *id, size_t cap) {
  struct nlattr *a = nlmsg_find_attr((struct nlmsghdr *)h, (int)sizeof(struct nfgenmsg), NFTA_TABLE_USERDATA);
  const char *u = a ? nla_data(a) : NULL;
  int len = a ? nla_len(a) : 0;
  snprintf(id, cap, "unknown");
  if (len > 2 && u[0] == COMMENT && (uint8_t)u[1] + 2 <= len)
    snprintf(id, cap, "%.*s", (uint8_t)u[1], u + 2);
}

bool netsetup_silenced_by(char *id, size_t cap) {
  struct nft_batch b = {.seq = 1};
  char buf[4096];
  bool found = false;
  int sock = open_netfilter();
  struct nl_msg *m = sock >= 0 ? nft_message(&b, NFT_MSG_GETTABLE, 0, NFPROTO_NETDEV) : NULL;
  if (m && !nla_put_string(m, NFTA_TABLE_NAME, TABLE) &&
      send(sock, nlmsg_hdr(m), nlmsg_hdr(m)->nlmsg_len, 0) == (ssize_t)nlmsg_hdr(m)->nlmsg_len) {
    ssize_t n = recv(sock, buf, sizeof buf, MSG_DONTWAIT);
    const struct nlmsghdr *h = (struct nlmsghdr *)buf;
    found = n > 0 && NLMSG_OK(h, (unsigned)n) && h->nlmsg_type == (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWTABLE);
    if (found)
      read_comment(h, id, cap);
  }
  if (m)
    nlmsg_free(m);
  if (sock >= 0)
    close(sock);
  return found;
}
