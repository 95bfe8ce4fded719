/* Netlink attributes: see nla.h. */
#include "nla.h"
#include "../../core/errno.h"

bool nla_ok(const struct nlattr *a, size_t left) {
  return left >= sizeof *a && a->nla_len >= sizeof *a && a->nla_len <= left;
}

static const uint16_t fixed[] = {[NLA_U8] = 1, [NLA_U16] = 2, [NLA_U32] = 4, [NLA_U64] = 8};

/* Lengths as Linux's validate_nla() checks them. */
static int check(const struct nlattr *a, const struct nla_policy *p, unsigned flags) {
  size_t n = nla_len(a), text = n;
  switch (p->type) {
  case NLA_REJECT:
    return -EINVAL;
  case NLA_U8:
  case NLA_U16:
  case NLA_U32:
  case NLA_U64:
    return n < fixed[p->type] || ((flags & NLA_STRICT) && n != fixed[p->type]) ? -ERANGE : 0;
  case NLA_FLAG:
    return n ? -ERANGE : 0;
  case NLA_STRING:
    if (n && !((const char *)nla_data(a))[n - 1])
      text--;
    return p->len && (!n || text > p->len) ? -ERANGE : 0;
  case NLA_BINARY:
    return p->len && n > p->len ? -ERANGE : 0;
  case NLA_EXACT:
    return n != p->len ? -ERANGE : 0;
  case NLA_NESTED:
    return n && n < NLA_HDRLEN ? -ERANGE : 0;
  default:
    return n < p->len ? -ERANGE : 0;
  }
}

int nla_parse(const struct nlattr **tb, int max, const void *attrs, size_t len, const struct nla_policy *pol,
              unsigned flags, struct nl_extack *x) {
  const struct nlattr *a = attrs;
  memset(tb, 0, (size_t)(max + 1) * sizeof *tb);
  for (; nla_ok(a, len); a = nla_next(a, &len)) {
    int type = nla_type(a);
    if (!type || type > max) {
      if (flags & NLA_STRICT)
        return nl_err_attr(x, -EINVAL, a, "Unknown attribute type");
      continue;
    }
    int rc = pol ? check(a, &pol[type], flags) : 0;
    if (rc)
      return nl_err_attr(x, rc, a, rc == -ERANGE ? "Attribute failed policy validation" : "Unsupported attribute");
    tb[type] = a;
  }
  if (len && (flags & NLA_STRICT))
    return nl_err(x, -EINVAL, "bytes leftover after parsing attributes");
  return 0;
}

int nla_parse_nested(const struct nlattr **tb, int max, const struct nlattr *nest, const struct nla_policy *pol,
                     struct nl_extack *x) {
  return nla_parse(tb, max, nla_data(nest), nla_len(nest), pol, 0, x);
}

bool nla_get_str(const struct nlattr *a, char *out, size_t cap) {
  size_t n = strnlen(nla_data(a), nla_len(a));
  if (n >= cap)
    return false;
  memcpy(out, nla_data(a), n);
  out[n] = 0;
  return true;
}

/* ---- putting together ---- */

void *nlb_put(struct nlbuf *b, size_t len) {
  size_t n = NLMSG_ALIGN(len);
  if (b->full || n < len || n > b->cap - b->len) {
    b->full = true;
    return NULL;
  }
  void *p = b->data + b->len;
  memset(p, 0, n);
  b->len += n;
  return p;
}

size_t nlb_begin(struct nlbuf *b, uint16_t type, uint16_t flags, uint32_t pid, uint32_t seq, const void *body,
                 size_t n) {
  size_t at = b->len;
  struct nlmsghdr *h = nlb_put(b, NLMSG_LENGTH(n));
  if (h) {
    *h = (struct nlmsghdr){.nlmsg_type = type, .nlmsg_flags = flags, .nlmsg_seq = seq, .nlmsg_pid = pid};
    if (n)
      memcpy(NLMSG_DATA(h), body, n);
  }
  return at;
}

int nlb_end(struct nlbuf *b, size_t at) {
  if (b->full) {
    b->len = at;
    b->full = false;
    return -EMSGSIZE;
  }
  struct nlmsghdr *h = (struct nlmsghdr *)(b->data + at);
  h->nlmsg_len = (uint32_t)(b->len - at);
  return 0;
}

void nla_put(struct nlbuf *b, int type, const void *p, size_t n) {
  struct nlattr *a = n <= UINT16_MAX - NLA_HDRLEN ? nlb_put(b, NLA_HDRLEN + n) : NULL;
  if (!a) {
    b->full = true;
    return;
  }
  a->nla_len = (uint16_t)(NLA_HDRLEN + n);
  a->nla_type = (uint16_t)type;
  if (n)
    memcpy((char *)a + NLA_HDRLEN, p, n);
}

size_t nla_nest(struct nlbuf *b, int type) {
  size_t at = b->len;
  nla_put(b, type, NULL, 0);
  return at;
}

void nla_nest_end(struct nlbuf *b, size_t at) {
  if (b->full)
    return;
  struct nlattr *a = (struct nlattr *)(b->data + at);
  if (b->len - at > UINT16_MAX)
    b->full = true;
  else
    a->nla_len = (uint16_t)(b->len - at);
}

void nla_nest_cancel(struct nlbuf *b, size_t at) {
  if (!b->full)
    b->len = at;
}
