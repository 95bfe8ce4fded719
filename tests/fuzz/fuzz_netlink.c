/* Whole requests to rtnetlink, sock_diag and generic netlink, as a guest's send(2) brings them; what is answered is
 * read back message by message. Everything of net/netlink/ but the sockets' own calls; the Internet layer below it is
 * real. */
#include "../../net/netlink/inet_diag_bc.h"
#include "../../net/netlink/netlink.h"
#include "../../net/netlink/rtnl.h"
#include "net_stub.h"

/* ---- what netlink stands on beside what net_stub.h has ---- */

static struct task fuzz_task;
static struct process fuzz_proc;
static struct cred fuzz_cred;
struct task *task_current(void) {
  return &fuzz_task;
}
struct kernel *kernel_current(void) {
  return &fuzz_kernel;
}
bool ns_capable(const struct cred *c, const struct user_namespace *u, int cap) {
  return true;
}
void cred_put(struct cred *c) {}
struct cred *cred_get(struct cred *c) {
  return c;
}
int pid_vnr(const struct pid *p) {
  return 1;
}
struct net_namespace *net_current_ns_borrow(void) {
  return &fuzz_ns;
}
bool sock_filter_pass_bytes(const struct socket *s, const void *msg, uint32_t len, uint32_t *keep) {
  return *keep = len, true;
}
struct ns_common *ns_get(struct ns_common *ns) {
  return ns;
}
void ns_put(struct ns_common *ns) {}
struct process *process_find_borrow(struct kernel *k, int pid) {
  return NULL;
}
struct ns_common *task_ns(struct task *t, enum ns_kind kind, bool children) {
  return NULL;
}
struct file *fd_file(struct fdtable *t, int fd) {
  return NULL;
}
void file_put(struct file *f) {}
uint32_t kuid_here(uint32_t kuid) {
  return kuid;
}
uint32_t from_kuid_munged(const struct user_namespace *u, uint32_t kuid) {
  return kuid;
}
struct ucred ucred_here(struct kernel *k, const struct ucred *c) {
  return *c;
}
struct socket *socket_from_file(struct file *f) {
  return NULL;
}
int64_t socket_deadline(int64_t timeo) {
  return 0;
}
struct fiber *fiber_self(void) {
  return NULL;
}
int task_wait_uninterruptible(struct waitq *q, uint32_t events, int64_t deadline) {
  return 0;
}
int socket_wait(struct waitq *q, uint32_t events, int64_t deadline) {
  return -1;
}
int socket_take_error(struct socket *s) {
  return 0;
}
int waitq_wake_n(struct waitq *q, uint32_t events, int n) {
  return 0;
}
ssize_t uio_copy_from(struct uio *u, void *p, size_t len) {
  return 0;
}
struct netdev *netdev_by_name_borrow(struct net_namespace *ns, const char *name) {
  return !strcmp(name, "lo") ? &fuzz_lo : !strcmp(name, "eth0") ? &fuzz_eth : NULL;
}
int netdev_set_flags(struct netdev *d, unsigned flags, unsigned mask) {
  return 0;
}
int netdev_set_mtu(struct netdev *d, unsigned mtu) {
  return 0;
}
int netdev_set_addr(struct netdev *d, const uint8_t *addr) {
  for (int i = 0; i < d->addr_len; i++) /* it is there */
    d->addr[i] = addr[i];
  return 0;
}
int netdev_rename(struct netdev *d, const char *name) {
  return strlen(name) < IFNAMSIZ ? 0 : -1;
}
int netdev_move(struct netdev *d, struct net_namespace *to) {
  return -1;
}
int netdev_alt_add(struct netdev *d, const char *name) {
  return strlen(name) < ALTIFNAMSIZ ? 0 : -1;
}
int netdev_alt_del(struct netdev *d, const char *name) {
  return strlen(name) < ALTIFNAMSIZ ? 0 : -1;
}
/* No bridges: what their requests are refused for is tried. */
#include "../../net/bridge.h"
int bridge_fdb_each(struct bridge *br, bool (*fn)(void *arg, struct bridge *br, const struct bridge_entry *e),
                    void *arg) {
  return 0;
}
int bridge_fdb_add(struct bridge *br, struct bridge_port *port, const uint8_t *addr, bool local, bool is_static,
                   bool exclusive) {
  return 0;
}
int bridge_fdb_del(struct bridge *br, struct bridge_port *port, const uint8_t *addr) {
  return 0;
}
struct bridge_entry *bridge_fdb_find_borrow(struct bridge *br, const uint8_t *addr) {
  return NULL;
}
void bridge_fdb_flush(struct bridge *br, struct bridge_port *port, bool all) {}
void netdev_unlist(struct netdev *d) {}
void netdev_put(struct netdev *d) {}
void net_event(struct netdev *d, enum netdev_event ev) {}
const struct netdev_kind *netdev_kind_find(const char *name) {
  return NULL;
}
const struct netdev_kind *netdev_kind_of(const struct netdev *d) {
  return NULL;
}
/* sock_diag's tables are empty: its requests and programs are what is tried. */
#include "../../net/inet/tcp_sock.h"
#include "../../net/unix_diag.h"
int inet_each(struct inet_net *n, enum inet_table t, bool (*fn)(void *arg, struct inet_sock *is), void *arg) {
  return 0;
}
int tcp_each(struct tcp_stack *s, bool (*fn)(void *arg, const struct tcp_entry *e), void *arg) {
  return 0;
}
void tcp_status(const struct tcp_conn *c, struct tcp_status *st) {}
int tcp_get_option(const struct tcp_conn *c, enum tcp_option o, int *v) {
  return -1;
}
void tcp_get_info(const struct tcp_conn *c, struct tcp_info *ti) {}
const char *tcp_congestion(const struct tcp_conn *c) {
  return "";
}
void tcp_abort(struct tcp_conn *c, int err) {}
void unix_each(const struct net_namespace *ns, bool (*fn)(void *arg, const struct unix_info *u), void *arg) {}

/* ---- one input: which protocol, flags, then datagrams {length, bytes}; bytes: a datagram as it is, or {type, flags,
 * body} that a good header is made for ---- */

int rtnetlink_stack_init(struct net_stack *st);
void rtnetlink_stack_fini(struct net_stack *st);

static void check_answer(const struct nl_msg *m) {
  size_t off = 0;
  while (off < m->len) {
    const struct nlmsghdr *h = (const void *)(m->data + off);
    if (m->len - off < sizeof *h || h->nlmsg_len < sizeof *h || h->nlmsg_len > m->len - off)
      abort();
    off += NLMSG_ALIGN(h->nlmsg_len);
  }
}

static void read_answers(struct netlink_sock *nk) {
  for (int i = 0; i < 64 && !TAILQ_EMPTY(&nk->queue); i++) {
    check_answer(TAILQ_FIRST(&nk->queue));
    netlink_flush(nk);
    if (nk->dump)
      nl_dump_continue(nk);
  }
  netlink_flush(nk);
  nl_dump_free(nk->dump);
  nk->dump = NULL;
}

static void run_program(const uint8_t *data, size_t len) {
  struct diag_entry e = {AF_INET6, {{{0}}}, {{{0}}}, 80, 1024, 1, 0, true};
  e.src.s6_addr[10] = e.src.s6_addr[11] = 0xff;
  uint8_t *p = malloc(len + 1);
  memcpy(p, data, len);
  if (!diag_bc_check(p, len, true))
    (void)diag_bc_run(p, len, &e);
  free(p);
}

/* Ends where the memory ends, so that a byte too far is noticed. */
static void input(struct netlink_sock *nk, const uint8_t *data, size_t len, bool make) {
  size_t head = make && len >= 2 ? NLMSG_HDRLEN : 0, body = head ? len - 2 : len;
  uint8_t *copy = malloc(head + body + !(head + body));
  if (head) {
    struct nlmsghdr h = {.nlmsg_len = (uint32_t)(head + body), .nlmsg_type = data[0], .nlmsg_seq = 1};
    h.nlmsg_flags =
        (uint16_t)(NLM_F_REQUEST | (data[1] & 1 ? NLM_F_DUMP : (data[1] & 0x3e) << 7 | (data[1] & 0x40) >> 4));
    memcpy(copy, &h, sizeof h);
  }
  memcpy(copy + head, data + (head ? 2 : 0), body);
  nk->proto->input(nk, copy, head + body);
  free(copy);
}

static bool without_device(void *arg, const struct ip_rt_entry *e) {
  *(struct ip_rt_entry *)arg = *e;
  return e->oif;
}
/* Those that no device takes along when it goes. */
static void drop_rejecting_routes(struct ip_net *n, int family) {
  struct ip_rt_entry e;
  do {
    e.oif = 1;
    ip_route_each(&fuzz_ns, family, without_device, &e);
  } while (!e.oif && !ip_route_del_exact(n, &e));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
  static const int protocols[] = {NETLINK_ROUTE, NETLINK_SOCK_DIAG, NETLINK_GENERIC, NETLINK_AUDIT};
  struct socket s = {.k = &fuzz_kernel, .opt = {.rcvbuf = 8192, .sndbuf = 65536}};
  struct netlink_sock nk = {.sock = &s, .ns = &fuzz_ns, .cred = &fuzz_cred, .portid = 1, .bound = true};
  struct pid pid = {0};
  if (len < 2)
    return 0;
  fuzz_proc.pid = &pid;
  fuzz_task.proc = &fuzz_proc;
  fuzz_task.k = &fuzz_kernel;
  fuzz_task.cred = &fuzz_cred;
  struct ip_net *n = fuzz_begin();
  if (rtnetlink_stack_init(&fuzz_st))
    abort();
  nk.net = nl_net_of(&fuzz_ns);
  nk.proto = nl_proto_find(protocols[data[0] & 3]);
  nk.strict = data[0] & 4;
  nk.ext_ack = data[0] & 8;
  nk.cap_ack = data[0] & 16;
  nk.max_recv = data[1] * 128u;
  TAILQ_INIT(&nk.queue);
  LIST_INSERT_HEAD(&nk.net->socks[nk.proto->protocol], &nk, link);
  for (unsigned g = 1; data[0] & 32 && g <= nk.proto->ngroups; g++)
    netlink_join(&nk, g, true);
  bool made = data[0] & 64;
  data += 2, len -= 2;
  run_program(data, len);
  for (int i = 0; len >= 2 && i < 16; i++) {
    size_t want = data[0] | (data[1] & 7) << 8;
    data += 2, len -= 2;
    want = want < len ? want : len;
    input(&nk, data, want, made);
    read_answers(&nk);
    data += want, len -= want;
    fuzz_now += NS_PER_S;
  }
  for (unsigned g = 1; g <= nk.proto->ngroups; g++)
    netlink_join(&nk, g, false);
  drop_rejecting_routes(n, AF_INET);
  drop_rejecting_routes(n, AF_INET6);
  LIST_REMOVE(&nk, link);
  rtnetlink_stack_fini(&fuzz_st);
  fuzz_end(n);
  return 0;
}
