/*
 * Messages of nf_tables (linux/netfilter/nf_tables.h), as many as netsetup_silence.c needs: little, where libnftables
 * would be a large library to link. A batch is one transaction; the first failure sticks and makes the rest no-ops.
 */
#pragma once
#include <netinet/in.h> /* before <linux/in.h>, which gives way to it */
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <stddef.h>
#include <stdint.h>

#define NFT_BATCH_BYTES 16384 /* well below a netlink socket's send buffer */

struct nft_batch {
  char bytes[NFT_BATCH_BYTES];
  size_t len;
  uint32_t seq;
  unsigned acks; /* answers to wait for */
  int error;     /* 0 or -errno */
};
struct nl_msg;
struct nlattr;

void nft_begin(struct nft_batch *b);
/* A message of the batch: build it with nla_put*(), then nft_add(). NULL is passed on. */
struct nl_msg *nft_message(struct nft_batch *b, int op, int flags, int family);
void nft_add(struct nft_batch *b, struct nl_msg *m);
/* Send it over a netlink socket and wait for the answers. 0 or -errno: nothing has changed. */
int nft_commit(struct nft_batch *b, int sock);

/* A rule: nft_rule(), expressions in order, nft_rule_end(). */
struct nft_rule {
  struct nl_msg *m;
  struct nlattr *list;
};
struct nft_rule nft_rule(struct nft_batch *b, int family, const char *table, const char *chain);
void nft_meta(struct nft_rule *r, uint32_t key); /* NFT_META_*; loads the register that nft_is() looks at */
void nft_ct(struct nft_rule *r, uint32_t key);   /* NFT_CT_* */
void nft_payload(struct nft_rule *r, uint32_t base, uint32_t offset, uint32_t len);
void nft_mask(struct nft_rule *r, const void *mask, uint32_t len);
void nft_cmp(struct nft_rule *r, uint32_t op, const void *v, uint32_t len); /* NFT_CMP_*: as bytes */
void nft_rule_end(struct nft_batch *b, struct nft_rule *r, int verdict);    /* NF_ACCEPT, NF_DROP */
