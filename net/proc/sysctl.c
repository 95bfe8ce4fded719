/* Settings below /proc/sys/net: where their values are, how they are read and written (proc_dointvec() and relatives).
 */
#include "files.h"
#include "../../core/errno.h"
#include <ctype.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define VALUES_MAX 3

/* ---- where the values are ---- */

static struct ip_devconf *devconf(const struct net_where *w, struct ip_net *n) {
  switch (w->scope) {
  case NET_SCOPE_ALL:
    return &n->conf_all;
  case NET_SCOPE_DEFAULT:
    return &n->conf_default;
  case NET_SCOPE_DEV:
    return ip_dev_of(w->dev) ? &ip_dev_of(w->dev)->conf : NULL;
  default:
    return NULL;
  }
}

static void *var_base(const struct net_where *w) {
  struct ip_net *ip = ip_net_of(w->ns);
  struct inet_net *inet = inet_net_of(w->ns);
  switch (w->ent->var->base) {
  case NET_BASE_IP:
    return ip ? &ip->sysctl : NULL;
  case NET_BASE_INET:
    return inet ? &inet->sysctl : NULL;
  case NET_BASE_TCP:
    return inet && inet->tcp ? tcp_settings(inet->tcp) : NULL;
  case NET_BASE_DEV:
    return ip ? devconf(w, ip) : NULL;
  case NET_BASE_NEIGH4:
    return ip ? &ip->sysctl.neigh[0] : NULL;
  case NET_BASE_NEIGH6:
    return ip ? &ip->sysctl.neigh[1] : NULL;
  default:
    return &w->ns->unix_dgram_qlen;
  }
}

bool net_var_there(const struct net_where *w) {
  return var_base(w);
}

static int64_t get(const struct net_var *v, const char *base, unsigned i) {
  const char *at = base + v->off;
  int64_t x = v->kind == NET_VAR_BOOL   ? ((const bool *)at)[i]
              : v->kind == NET_VAR_UINT ? (int64_t)((const uint32_t *)at)[i]
                                        : (int64_t)((const int *)at)[i];
  return x * (v->div ? v->div : 1) / (v->mul ? v->mul : 1);
}

static void set(const struct net_var *v, char *base, unsigned i, int64_t x) {
  char *at = base + v->off;
  x = x * (v->mul ? v->mul : 1) / (v->div ? v->div : 1);
  if (v->kind == NET_VAR_BOOL)
    ((bool *)at)[i] = x;
  else
    ((uint32_t *)at)[i] = (uint32_t)x;
}

int64_t net_var_get(const struct net_where *w, unsigned i) {
  return get(w->ent->var, var_base(w), i);
}

/* ---- reading and writing ---- */

int net_var_show(const struct net_where *w, struct net_text *t) {
  const struct net_var *v = w->ent->var;
  for (unsigned i = 0; i < (v->count ? v->count : 1u); i++)
    nt_printf(t, "%s%lld", i ? "\t" : "", (long long)net_var_get(w, i));
  nt_puts(t, "\n");
  return 0;
}

int net_parse(const char *text, int64_t *v, int max) {
  int n = 0;
  for (;;) {
    char *end;
    text += strspn(text, " \t\n\r\v\f");
    if (!*text)
      return n ? n : -EINVAL;
    if (n == max) /* what is beyond the last value is not looked at */
      return n;
    if (!isdigit((unsigned char)*text) && !(*text == '-' && isdigit((unsigned char)text[1])))
      return -EINVAL;
    errno = 0;
    v[n++] = strtoll(text, &end, 0);
    if (errno || (*end && !isspace((unsigned char)*end)))
      return -EINVAL;
    text = end;
  }
}

ssize_t net_var_store(const struct net_where *w, const struct cred *opener, char *text, size_t n) {
  const struct net_var *v = w->ent->var;
  char *base = var_base(w);
  int64_t in[VALUES_MAX] = {0}, old[VALUES_MAX] = {0};
  int count = v->count ? v->count : 1;
  (void)opener;
  for (int i = 0; i < count; i++)
    in[i] = old[i] = get(v, base, (unsigned)i);
  int got = text[strspn(text, " \t\n")] ? net_parse(text, in, count) : 0; /* nothing changes nothing */
  if (got < 0)
    return got;
  for (int i = 0; i < got; i++)
    if (in[i] < v->min || in[i] > v->max)
      return -EINVAL;
  int r = v->check ? v->check(w, in) : 0;
  if (r)
    return r;
  for (int i = 0; i < got; i++)
    set(v, base, (unsigned)i, in[i]);
  if (v->changed)
    v->changed(w, old);
  return (ssize_t)n;
}

/* ---- net.core, net.unix ---- */

#define SOCK_BUF(n, field, least)                                                                                      \
  {                                                                                                                    \
    .name = n, .mode = S_IFREG | 0644, .init_write = true, .var = &(const struct net_var) {                            \
      .base = NET_BASE_INET, .off = offsetof(struct inet_sysctl, field), .min = least, .max = INT32_MAX                \
    }                                                                                                                  \
  }
/* The limits are the machine's: the first namespace can change them, others can only look. */
const struct net_ent net_sysctl_core[] = {
    {.name = "default_qdisc", .mode = S_IFREG | 0644, .init_only = true, .text = "noqueue\n"},
    {.name = "netdev_max_backlog", .mode = S_IFREG | 0644, .init_only = true, .text = "1000\n"},
    SOCK_BUF("optmem_max", optmem_max, 0),
    SOCK_BUF("rmem_default", rmem_default, 2304),
    SOCK_BUF("rmem_max", rmem_max, 2304),
    NET_VAR("somaxconn", .base = NET_BASE_TCP, .off = offsetof(struct tcp_settings, somaxconn), .max = INT32_MAX),
    SOCK_BUF("wmem_default", wmem_default, 4608),
    SOCK_BUF("wmem_max", wmem_max, 4608),
    {0},
};
const struct net_ent net_sysctl_unix[] = {NET_VAR("max_dgram_qlen", .base = NET_BASE_UNIX, .max = INT32_MAX), {0}};

const struct net_ent net_sysctl_ents[] = {NET_D("core", NET_DIR_CORE),
                                          NET_D("ipv4", NET_DIR_IPV4),
                                          NET_D("ipv6", NET_DIR_IPV6),
                                          NET_D("unix", NET_DIR_UNIX),
                                          {0}};
