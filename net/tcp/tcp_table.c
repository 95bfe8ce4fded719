/* One stack's tables: connections by their four names, listeners, alarms; its memory and settings. */
#include "tcp_int.h"

#define TCP_BUCKETS_MIN 64u
#define TCP_BUCKETS_MAX (1u << 20)

static int alarm_cmp(const struct tcp_node *a, const struct tcp_node *b) {
  if (a->at != b->at)
    return a->at < b->at ? -1 : 1;
  return (a > b) - (a < b);
}
RB_GENERATE_INTERNAL(tcp_alarms, tcp_node, alarm, alarm_cmp, static __attribute__((unused)))

static void default_settings(struct tcp_settings *t) {
  *t = (struct tcp_settings){.syn_retries = 6,
                             .synack_retries = 5,
                             .retries1 = 3,
                             .retries2 = 15,
                             .orphan_retries = 8,
                             .keepalive_time = 7200,
                             .keepalive_intvl = 75,
                             .keepalive_probes = 9,
                             .fin_timeout = 60,
                             .max_syn_backlog = 1024,
                             .max_tw_buckets = 16384,
                             .max_orphans = 16384,
                             .somaxconn = 4096,
                             .syncookies = 1,
                             .tw_reuse = 2,
                             .ecn = 2,
                             .timestamps = 1,
                             .sack = 1,
                             .dsack = 1,
                             .window_scaling = 1,
                             .moderate_rcvbuf = 1,
                             .slow_start_after_idle = 1,
                             .challenge_ack_limit = 1000,
                             .notsent_lowat = -1,
                             .min_snd_mss = 48,
                             .base_mss = 1024,
                             .early_retrans = 3,
                             .rmem = {4096, 131072, 6291456},
                             .wmem = {4096, 87040, 4194304},
                             .mem_max = 256l << 20,
                             .congestion = "cubic"};
}

struct tcp_stack *tcp_stack_new(const struct tcp_env *env, void *ctx) {
  struct tcp_stack *s = calloc(1, sizeof *s);
  if (!s || !(s->hash = calloc(TCP_BUCKETS_MIN, sizeof *s->hash))) {
    free(s);
    return NULL;
  }
  s->env = *env;
  s->ctx = ctx;
  s->nbuckets = TCP_BUCKETS_MIN;
  s->armed = TCP_NEVER;
  TAILQ_INIT(&s->listeners);
  TAILQ_INIT(&s->soon);
  TAILQ_INIT(&s->late);
  TAILQ_INIT(&s->all);
  RB_INIT(&s->alarms);
  default_settings(&s->set);
  env->random(ctx, s->key, sizeof s->key);
  env->random(ctx, s->cookie_key, sizeof s->cookie_key);
  return s;
}

void tcp_stack_free(struct tcp_stack *s) {
  if (!s)
    return;
  struct tcp_conn *c;
  while ((c = TAILQ_FIRST(&s->all))) {
    tcp_hold(c);
    c->owned = false;
    c->ops = NULL;
    tcp_done(c, 0);
    tcp_release(c);
  }
  for (uint32_t b = 0; b < s->nbuckets; b++)
    while (s->hash[b])
      tcp_tw_free(s, (struct tcp_tw *)s->hash[b]); /* nothing else is left: listeners took their requests along */
  free(s->hash);
  free(s);
}

struct tcp_settings *tcp_settings(struct tcp_stack *s) {
  return &s->set;
}

const struct tcp_stats *tcp_stats(const struct tcp_stack *s) {
  struct tcp_stats *st = (struct tcp_stats *)&s->stats;
  st->tw = s->ntw;
  st->orphans = s->norphans;
  st->mem = (uint64_t)s->mem;
  return st;
}

/* ---- by four names ---- */

static bool key_eq(const struct tcp_key *a, const struct tcp_key *b) {
  return a->lport == b->lport && a->rport == b->rport && IN6_ARE_ADDR_EQUAL(&a->raddr, &b->raddr) &&
         IN6_ARE_ADDR_EQUAL(&a->laddr, &b->laddr);
}

static struct tcp_node **bucket(struct tcp_stack *s, const struct tcp_key *k) {
  return &s->hash[tcp_siphash(s->key, k, sizeof *k) & (s->nbuckets - 1)];
}

struct tcp_node *tcp_lookup(struct tcp_stack *s, const struct tcp_key *k) {
  struct tcp_node *n = *bucket(s, k);
  while (n && !key_eq(&n->key, k))
    n = n->next;
  return n;
}

static void grow(struct tcp_stack *s) {
  if (s->nnodes < s->nbuckets || s->nbuckets >= TCP_BUCKETS_MAX)
    return;
  struct tcp_node **old = s->hash, **bigger = calloc(s->nbuckets * 4, sizeof *bigger);
  if (!bigger)
    return; /* longer chains, then */
  uint32_t n = s->nbuckets;
  s->hash = bigger;
  s->nbuckets *= 4;
  for (uint32_t b = 0; b < n; b++)
    for (struct tcp_node *x = old[b], *next; x; x = next) {
      next = x->next;
      struct tcp_node **to = bucket(s, &x->key);
      x->next = *to;
      *to = x;
    }
  free(old);
}

int tcp_hash_add(struct tcp_stack *s, struct tcp_node *n) {
  if (tcp_lookup(s, &n->key))
    return -EADDRNOTAVAIL;
  grow(s);
  struct tcp_node **b = bucket(s, &n->key);
  n->next = *b;
  *b = n;
  n->hashed = true;
  s->nnodes++;
  return 0;
}

void tcp_hash_del(struct tcp_stack *s, struct tcp_node *n) {
  if (!n->hashed)
    return;
  struct tcp_node **b = bucket(s, &n->key);
  while (*b != n)
    b = &(*b)->next;
  *b = n->next;
  n->hashed = false;
  s->nnodes--;
}

bool tcp_names_taken(struct tcp_stack *s, const struct in6_addr *laddr, uint16_t lport, const struct in6_addr *raddr,
                     uint16_t rport) {
  struct tcp_key k = {*laddr, *raddr, lport, rport};
  struct tcp_node *n = tcp_lookup(s, &k);
  return n && !(n->kind == TN_TW && tcp_tw_reusable(s, (struct tcp_tw *)n));
}

/* ---- listeners: the most specific name wins; among equals with SO_REUSEPORT a hash of the peer chooses ---- */

static int listener_score(const struct tcp_conn *l, const struct tcp_key *k, int ifindex, int oif) {
  const struct in6_addr *a = &l->n.key.laddr;
  if (l->n.key.lport != k->lport)
    return -1;
  int score = 0;
  bool four = ip_is4(&k->laddr), any4 = ip_is4(a) && !ip_get4(a), any6 = IN6_IS_ADDR_UNSPECIFIED(a);
  if (any6)
    score = four ? (l->l->v6only ? -1 : 1) : 2;
  else if (any4)
    score = four ? 2 : -1;
  else
    score = IN6_ARE_ADDR_EQUAL(a, &k->laddr) ? 4 : -1;
  if (score < 0)
    return -1;
  if (l->flow.oif) {
    if (l->flow.oif != ifindex && l->flow.oif != oif)
      return -1;
    score += 8;
  }
  return score;
}

struct tcp_conn *tcp_find_listener(struct tcp_stack *s, const struct tcp_key *k, int ifindex, int oif) {
  struct tcp_conn *best = NULL, *l;
  int top = -1;
  uint32_t same = 0, pick = (uint32_t)(tcp_siphash(s->cookie_key, k, sizeof *k) >> 32);
  TAILQ_FOREACH(l, &s->listeners, aq) {
    int score = listener_score(l, k, ifindex, oif);
    if (score > top)
      top = score, best = l, same = 1;
    else if (score == top && score >= 0 && l->l->reuseport && pick % ++same == 0)
      best = l;
  }
  return best;
}

/* ---- alarms: a node's may be early (it looks again then), never late ---- */

static void rearm(struct tcp_stack *s) {
  struct tcp_node *first = RB_MIN(tcp_alarms, &s->alarms);
  int64_t at = first ? first->at : TCP_NEVER;
  if (at == s->armed)
    return;
  s->armed = at;
  s->env.arm(s->ctx, at);
}

void tcp_alarm(struct tcp_stack *s, struct tcp_node *n, int64_t at) {
  if (n->armed && at != TCP_NEVER && n->at <= at)
    return;
  if (n->armed)
    RB_REMOVE(tcp_alarms, &s->alarms, n);
  n->armed = at != TCP_NEVER;
  n->at = at;
  if (n->armed)
    RB_INSERT(tcp_alarms, &s->alarms, n);
  rearm(s);
}

void tcp_run_timers(struct tcp_stack *s) {
  int64_t now = tcp_now(s);
  struct tcp_node *n;
  s->armed = TCP_NEVER; /* it fired */
  while ((n = RB_MIN(tcp_alarms, &s->alarms)) && n->at <= now) {
    RB_REMOVE(tcp_alarms, &s->alarms, n);
    n->armed = false;
    if (n->kind == TN_CONN)
      tcp_conn_timer((struct tcp_conn *)n);
    else if (n->kind == TN_REQ)
      tcp_req_timer((struct tcp_req *)n);
    else
      tcp_tw_free(s, (struct tcp_tw *)n);
  }
  rearm(s);
}

/* ---- small services ---- */

void *tcp_port_get(struct tcp_stack *s, void *port) {
  return port && s->env.port_get ? s->env.port_get(port) : port;
}
void tcp_port_put(struct tcp_stack *s, void *port) {
  if (port && s->env.port_put)
    s->env.port_put(port);
}
bool tcp_mem_charge(struct tcp_stack *s, long n) {
  if (s->mem + n > s->set.mem_max)
    return false;
  s->mem += n;
  return true;
}
void tcp_mem_force(struct tcp_stack *s, long n) {
  s->mem += n;
}

int tcp_each(struct tcp_stack *s, bool (*fn)(void *arg, const struct tcp_entry *e), void *arg) {
  struct tcp_conn *c;
  TAILQ_FOREACH(c, &s->all, all) {
    struct tcp_status st;
    tcp_status(c, &st);
    struct tcp_entry e = {.c = c,
                          .user = c->user,
                          .listener = c->parent ? c->parent->user : NULL,
                          .laddr = c->n.key.laddr,
                          .raddr = c->n.key.raddr,
                          .lport = c->n.key.lport,
                          .rport = c->n.key.rport,
                          .state = c->state,
                          .txq = st.outq,
                          .rxq = c->l ? c->l->naccept : st.inq,
                          .retransmits = c->retries,
                          .probes = c->probes,
                          .oif = c->flow.oif,
                          .mark = c->flow.mark};
    if (c->l)
      e.txq = (uint32_t)c->l->backlog;
    int64_t at = c->t_retx < c->t_tlp ? c->t_retx : c->t_tlp;
    e.timer = at != TCP_NEVER ? 1 : c->t_persist != TCP_NEVER ? 4 : c->t_keep != TCP_NEVER ? 2 : 0;
    e.timer_at = e.timer == 1 ? at : e.timer == 4 ? c->t_persist : e.timer ? c->t_keep : 0;
    if (!fn(arg, &e))
      return 1;
  }
  for (uint32_t b = 0; b < s->nbuckets; b++)
    for (struct tcp_node *n = s->hash[b]; n; n = n->next) {
      if (n->kind == TN_CONN)
        continue;
      bool tw = n->kind == TN_TW;
      struct tcp_entry e = {.laddr = n->key.laddr,
                            .raddr = n->key.raddr,
                            .lport = n->key.lport,
                            .rport = n->key.rport,
                            .state = tw ? TCP_TIME_WAIT : TCP_SYN_RECV,
                            .timer = tw ? 3 : 1,
                            .timer_at = n->at};
      if (!tw)
        e.listener = ((struct tcp_req *)n)->listener->user;
      if (!fn(arg, &e))
        return 1;
    }
  return 0;
}
