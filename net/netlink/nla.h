/*
 * Netlink messages and their attributes, netlink(7): taking apart what a guest sent, putting together what it is told.
 *
 * What is parsed lies in the Sentry's own copy of the request, at an address that is a multiple of four; attributes
 * that nla_parse() gave are known to lie in it whole. Values are read with nla_get_*(): an attribute that is too short
 * for its type did not get past the policy.
 */
#pragma once
#include <linux/netlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* libnl, which the launcher is linked with, has functions of these names: the linker must not mix them up. */
#define nla_ok nl_attr_ok
#define nla_parse nl_attr_parse
#define nla_parse_nested nl_attr_parse_nested
#define nla_put nl_attr_put
#define nla_nest_end nl_attr_nest_end
#define nla_nest_cancel nl_attr_nest_cancel

/* What an error is told with, NETLINK_EXT_ACK: all of it borrowed. */
struct nl_extack {
  const char *msg;
  const void *bad; /* the attribute (in the request) that is at fault */
  int miss_type;   /* an attribute that is missing, -1: none; miss_nest: from where (NULL: the message) */
  const void *miss_nest;
};
/* Sets the message and returns err, in one expression. */
static inline int nl_err(struct nl_extack *x, int err, const char *msg) {
  if (x)
    x->msg = msg;
  return err;
}
static inline int nl_err_attr(struct nl_extack *x, int err, const struct nlattr *bad, const char *msg) {
  if (x)
    x->bad = bad;
  return nl_err(x, err, msg);
}

/* ---- taking apart ---- */
enum nla_type {
  NLA_UNSPEC, /* any content; len: the least */
  NLA_U8,     /* numbers may be longer than they have to be, as Linux's deprecated parsing allows */
  NLA_U16,
  NLA_U32,
  NLA_U64,
  NLA_FLAG,
  NLA_STRING, /* len: the most, without the NUL; the NUL may be missing */
  NLA_BINARY, /* len: the most */
  NLA_EXACT,  /* len: exactly */
  NLA_NESTED,
  NLA_REJECT,
};
struct nla_policy {
  uint8_t type; /* enum nla_type */
  uint16_t len;
};
static inline int nla_type(const struct nlattr *a) {
  return a->nla_type & NLA_TYPE_MASK;
}
static inline size_t nla_len(const struct nlattr *a) {
  return a->nla_len - NLA_HDRLEN;
}
static inline const void *nla_data(const struct nlattr *a) {
  return (const char *)a + NLA_HDRLEN;
}
#define NLA_STRICT 1u /* no unknown types, nothing behind the last attribute, numbers of the right length */
/* tb[0…max] of attributes by type, NULL where there is none, the last where there are several. pol: max + 1 entries,
 * or NULL. 0, -EINVAL, -ERANGE. */
int nla_parse(const struct nlattr **tb, int max, const void *attrs, size_t len, const struct nla_policy *pol,
              unsigned flags, struct nl_extack *x);
int nla_parse_nested(const struct nlattr **tb, int max, const struct nlattr *nest, const struct nla_policy *pol,
                     struct nl_extack *x);
bool nla_ok(const struct nlattr *a, size_t left); /* it lies within `left` bytes, with its header */
/* for (a = nla_first(p, len); nla_ok(a, left); a = nla_next(a, &left)) */
static inline const struct nlattr *nla_next(const struct nlattr *a, size_t *left) {
  size_t n = NLA_ALIGN(a->nla_len);
  *left = n < *left ? *left - n : 0;
  return (const struct nlattr *)((const char *)a + n);
}
static inline uint8_t nla_get_u8(const struct nlattr *a) {
  return *(const uint8_t *)nla_data(a);
}
static inline uint16_t nla_get_u16(const struct nlattr *a) {
  uint16_t v;
  memcpy(&v, nla_data(a), sizeof v);
  return v;
}
static inline uint32_t nla_get_u32(const struct nlattr *a) {
  uint32_t v;
  memcpy(&v, nla_data(a), sizeof v);
  return v;
}
static inline uint64_t nla_get_u64(const struct nlattr *a) {
  uint64_t v;
  memcpy(&v, nla_data(a), sizeof v);
  return v;
}
/* Copies a string, with a NUL at its end in any case. False: it does not fit in cap. */
bool nla_get_str(const struct nlattr *a, char *out, size_t cap);

/* ---- putting together ---- */
/* A buffer of fixed size, multiples of four. What does not fit sets `full`, and nlb_end() takes the message back. */
struct nlbuf {
  uint8_t *data;
  size_t len, cap;
  bool full;
};
/* Zeroed room of len bytes, padded; NULL: full. */
void *nlb_put(struct nlbuf *b, size_t len);
/* A message begins: its place, for nlb_end(). body: the family's header. */
size_t nlb_begin(struct nlbuf *b, uint16_t type, uint16_t flags, uint32_t pid, uint32_t seq, const void *body,
                 size_t n);
int nlb_end(struct nlbuf *b, size_t at); /* 0; -EMSGSIZE: it did not fit, the buffer is as before nlb_begin() */
void nla_put(struct nlbuf *b, int type, const void *p, size_t n);
static inline void nla_put_u8(struct nlbuf *b, int type, uint8_t v) {
  nla_put(b, type, &v, sizeof v);
}
static inline void nla_put_u16(struct nlbuf *b, int type, uint16_t v) {
  nla_put(b, type, &v, sizeof v);
}
static inline void nla_put_u32(struct nlbuf *b, int type, uint32_t v) {
  nla_put(b, type, &v, sizeof v);
}
static inline void nla_put_u64(struct nlbuf *b, int type, uint64_t v) {
  nla_put(b, type, &v, sizeof v);
}
static inline void nla_put_str(struct nlbuf *b, int type, const char *s) {
  nla_put(b, type, s, strlen(s) + 1);
}
size_t nla_nest(struct nlbuf *b, int type); /* without NLA_F_NESTED: give it in `type` where Linux sets it */
void nla_nest_end(struct nlbuf *b, size_t at);
void nla_nest_cancel(struct nlbuf *b, size_t at);
