/* The kernel's end of netlink: requests are taken apart and acknowledged, dumps made piece by piece. See netlink.h. */
#include "netlink.h"
#include "../../core/errno.h"
#include "../../core/fiber.h"
#include "../../core/timers.h"
#include "../../core/wait.h"
#include <stdlib.h>
#include <time.h>

#define SERVE_SLICE 2000000 /* ns */

struct nlbuf *nlbuf_new(size_t cap) {
  struct nlbuf *b = malloc(sizeof *b + cap);
  if (b)
    *b = (struct nlbuf){.data = (uint8_t *)(b + 1), .cap = cap};
  return b;
}

int nl_reply(struct nl_req *r, struct nlbuf *b) {
  /* Linux does not tell the sender that its own queue was too full for the answer; the reader finds out. */
  (void)nl_deliver(r->nk, b->data, b->len, 0);
  return 0;
}

/* ---- acknowledgements: netlink_ack() ---- */

static void put_offset(struct nlbuf *b, const struct nl_req *r, int type, const void *at) {
  size_t off = (size_t)((const char *)at - (const char *)r->h);
  if (off < r->h->nlmsg_len)
    nla_put_u32(b, type, (uint32_t)off);
}

static void put_tlvs(struct nlbuf *b, const struct nl_req *r, int err) {
  const struct nl_extack *x = &r->ext;
  if (x->msg)
    nla_put_str(b, NLMSGERR_ATTR_MSG, x->msg);
  if (!err)
    return;
  if (x->bad)
    put_offset(b, r, NLMSGERR_ATTR_OFFS, x->bad);
  if (x->miss_type >= 0)
    nla_put_u32(b, NLMSGERR_ATTR_MISS_TYPE, (uint32_t)x->miss_type);
  if (x->miss_nest)
    put_offset(b, r, NLMSGERR_ATTR_MISS_NEST, x->miss_nest);
}

static void acknowledge(struct nl_req *r, int err) {
  struct netlink_sock *nk = r->nk;
  size_t quoted = err && !nk->cap_ack ? nl_body_len(r) : 0;
  bool tlvs = nk->ext_ack && (r->ext.msg || (err && (r->ext.bad || r->ext.miss_type >= 0)));
  struct nlbuf *b = nlbuf_new(NLMSG_ALIGN(quoted) + 512);
  if (!b) {
    nk->sock->err = ENOBUFS;
    return;
  }
  struct nlmsgerr e = {.error = err, .msg = *r->h};
  uint16_t flags = (uint16_t)((err && !nk->cap_ack ? 0 : NLM_F_CAPPED) | (tlvs ? NLM_F_ACK_TLVS : 0));
  size_t at = nlb_begin(b, NLMSG_ERROR, flags, nk->portid, r->h->nlmsg_seq, &e, sizeof e);
  void *p = quoted ? nlb_put(b, quoted) : NULL;
  if (p)
    memcpy(p, nl_body(r), quoted);
  if (tlvs)
    put_tlvs(b, r, err);
  if (!nlb_end(b, at))
    nl_reply(r, b);
  free(b);
}

static void serve_one(struct netlink_sock *nk, const struct nlmsghdr *h, int (*fn)(struct nl_req *r)) {
  struct nl_req r = {.nk = nk, .ns = nk->ns, .h = h, .ext = {.miss_type = -1}};
  int rc = 0;
  if (h->nlmsg_flags & NLM_F_REQUEST && h->nlmsg_type >= NLMSG_MIN_TYPE) {
    nk->net->current = &r;
    rc = fn(&r);
    if (nk->net)
      nk->net->current = NULL;
  }
  if (rc != NL_QUIET && (rc || h->nlmsg_flags & NLM_F_ACK))
    acknowledge(&r, rc);
}

/* A datagram may hold thousands of requests: others have their turn between two of them. */
static void give_way(int64_t *since) {
  struct timespec ts;
  clock_gettime(CLOCK_MONOTONIC, &ts);
  int64_t now = timespec_ns(&ts);
  if (!*since || !fiber_self()) {
    *since = now;
  } else if (now - *since > SERVE_SLICE) {
    (void)task_wait_uninterruptible(NULL, 0, loop_now());
    *since = 0;
  }
}

void nl_serve(struct netlink_sock *nk, const void *p, size_t len, int (*fn)(struct nl_req *r)) {
  int64_t since = 0;
  while (len >= NLMSG_HDRLEN && nk->net) {
    const struct nlmsghdr *h = p;
    if (h->nlmsg_len < NLMSG_HDRLEN || h->nlmsg_len > len)
      return;
    serve_one(nk, h, fn);
    give_way(&since);
    size_t step = NLMSG_ALIGN((size_t)h->nlmsg_len);
    if (step > len)
      return;
    p = (const char *)p + step;
    len -= step;
  }
}

/* ---- dumps ---- */

void nl_dump_free(struct nl_dump *d) {
  if (!d)
    return;
  if (d->ns)
    ns_put(&d->ns->ns);
  free(d->req);
  free(d);
}

static void put_done(struct nl_dump *d, struct nlbuf *b, int err) {
  bool text = err && d->nk->ext_ack && d->ext.msg;
  uint16_t flags = (uint16_t)(NLM_F_MULTI | (d->flags & NLM_F_DUMP_INTR) | (text ? NLM_F_ACK_TLVS : 0));
  size_t at = nlb_begin(b, NLMSG_DONE, flags, d->nk->portid, d->req->nlmsg_seq, &err, sizeof err);
  if (text)
    nla_put_str(b, NLMSGERR_ATTR_MSG, d->ext.msg);
  nlb_end(b, at);
}

/* One batch to the queue. */
static void batch(struct netlink_sock *nk) {
  struct nl_dump *d = nk->dump;
  if (nl_queue_full(nk))
    return; /* when some of it has been read */
  size_t room = nk->max_recv > NL_DUMP_MIN ? nk->max_recv : NL_DUMP_MIN;
  struct nlbuf *b = nlbuf_new(room > d->min ? room : d->min);
  if (!b) {
    nk->sock->err = ENOBUFS; /* as the kernel without memory: the dump is at its end */
    nk->dump = NULL;
    nl_dump_free(d);
    return;
  }
  uint32_t gen = d->generation ? d->generation(d) : 0;
  if (d->begun && gen != d->seen)
    d->flags |= NLM_F_DUMP_INTR;
  d->begun = true;
  d->seen = gen;
  int rc = d->err ? d->err : d->ended ? 0 : d->fn(d, b);
  d->ended |= rc <= 0;
  if (rc > 0 && !b->len)
    rc = -EMSGSIZE; /* not even one fits */
  bool done = rc < 0 || !b->len || (!rc && !d->split && b->cap - b->len >= NLMSG_SPACE(sizeof rc));
  if (rc < 0)
    b->len = 0;
  if (done)
    put_done(d, b, rc);
  nl_deliver_part(nk, b->data, b->len);
  free(b);
  if (done) {
    nk->dump = NULL;
    nl_dump_free(d);
  }
}

void nl_dump_continue(struct netlink_sock *nk) {
  if (nk->net)
    batch(nk);
}

int nl_dump_start(struct nl_req *r, const struct nl_dump *like) {
  struct netlink_sock *nk = r->nk;
  if (nk->dump)
    return -EBUSY;
  struct nl_dump *d = malloc(sizeof *d);
  struct nlmsghdr *copy = malloc(r->h->nlmsg_len);
  if (!d || !copy) {
    free(d);
    free(copy);
    return -ENOBUFS;
  }
  *d = *like;
  memcpy(copy, r->h, r->h->nlmsg_len);
  d->nk = nk;
  d->req = copy;
  if (!d->ns)
    d->ns = (struct net_namespace *)ns_get(&r->ns->ns);
  d->flags |= NLM_F_MULTI;
  nk->dump = d;
  batch(nk);
  return NL_QUIET;
}
