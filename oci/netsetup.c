/* Sending "start" with the container's network: see netsetup.h. A child enters the namespaces, reads, opens and sends,
 * for there is no way back out of a user namespace. */
#include "netsetup.h"
#include "cgroup.h"
#include "control.h"
#include "dns_asker.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Well above the sum of the windows that our TCP announces: what does not fit is lost. */
#define RECEIVE_BYTES (32 << 20)
#define SEND_BYTES (8 << 20)

/* What the child has found and made; it ends soon, and nothing is freed. */
struct setup {
  struct container *c;
  int tell;                          /* the parent's pipe */
  int fds[NETSETUP_LINKS + 2], nfds; /* a packet socket per link; the hold on the filter; the DNS asker's socket */
  json_t *network, *links;           /* links: borrowed */
};

static const char *name_of(json_t *link) {
  return json_string_value(json_object_get(link, "name"));
}

/* ---- namespaces ---- */

static bool same_file(const char *a, const char *b) {
  struct stat x, y;
  return !stat(a, &x) && !stat(b, &y) && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/* Does pid have a network namespace of its own, neither the caller's nor the host's? */
static bool has_own_network(pid_t pid) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/ns/net", pid);
  return !same_file(path, "/proc/self/ns/net") && !same_file(path, "/proc/1/ns/net");
}

static int enter(const char *path, int kind) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  int rc = fd < 0 || setns(fd, kind) ? -1 : 0;
  if (fd >= 0)
    close(fd);
  return rc;
}

static int enter_network_of(pid_t pid, struct err *e) {
  char user[64], net[64];
  snprintf(user, sizeof user, "/proc/%d/ns/user", pid);
  snprintf(net, sizeof net, "/proc/%d/ns/net", pid);
  int fd = open(net, O_RDONLY | O_CLOEXEC);
  if (fd >= 0 && !same_file(user, "/proc/self/ns/user"))
    (void)!enter(user, CLONE_NEWUSER); /* setns() says whether it was needed */
  int rc = fd < 0 || setns(fd, CLONE_NEWNET) ? err_sys(e, errno, "enter the container's network namespace") : 0;
  if (fd >= 0)
    close(fd);
  return rc;
}

/* ---- packet sockets ---- */

/* Nothing for other stations, and no VLAN's: the tag is taken off where a packet socket does not see it. */
static int attach_filter(int fd) {
  struct sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_VLAN_TAG_PRESENT)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_PKTTYPE)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PACKET_OTHERHOST, 1, 0),
      BPF_STMT(BPF_RET | BPF_K, 0xffffffff),
      BPF_STMT(BPF_RET | BPF_K, 0),
  };
  struct sock_fprog p = {.len = sizeof code / sizeof *code, .filter = code};
  int one = 1;
  return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &p, sizeof p) ||
                 setsockopt(fd, SOL_SOCKET, SO_LOCK_FILTER, &one, sizeof one)
             ? -1
             : 0;
}

static void set_buffer(int fd, int force, int plain, int bytes) {
  if (setsockopt(fd, SOL_SOCKET, force, &bytes, sizeof bytes))
    setsockopt(fd, SOL_SOCKET, plain, &bytes, sizeof bytes); /* up to net.core.{r,w}mem_max */
}

static int open_packet_socket(int index) {
  int one = 1, fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
  if (fd < 0)
    return -1;
  set_buffer(fd, SO_RCVBUFFORCE, SO_RCVBUF, RECEIVE_BYTES);
  set_buffer(fd, SO_SNDBUFFORCE, SO_SNDBUF, SEND_BYTES);
  struct sockaddr_ll a = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = index};
  if (!setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof one) &&
      !setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof one) && !attach_filter(fd) &&
      !bind(fd, (struct sockaddr *)&a, sizeof a)) /* last: from here on frames come */
    return fd;
  int err = errno;
  close(fd);
  errno = err;
  return -1;
}

static int open_all(struct setup *s, struct err *e) {
  size_t i;
  json_t *l;
  json_array_foreach(s->links, i, l) {
    int fd = open_packet_socket((int)json_integer_value(json_object_get(l, "index")));
    /* A link that is down is bound all the same, and says so. */
    if (fd < 0)
      return err_sys(e, errno, "network interface %s: packet socket", name_of(l));
    s->fds[s->nfds++] = fd;
  }
  return 0;
}

/* ---- the child ---- */

/* What it has to say: "E" or "W" and a sentence, or nothing. */
static void say(int fd, char what, const char *text) {
  char buf[600];
  int n = snprintf(buf, sizeof buf, "%c%s", what, text);
  (void)!write(fd, buf, (size_t)n < sizeof buf ? (size_t)n : sizeof buf - 1);
}

/* An interface that is up and has no address is one that somebody has not finished setting up. */
static int check_addresses(const struct setup *s, struct err *e) {
  size_t i, j;
  json_t *l, *a;
  json_array_foreach(s->links, i, l) {
    bool found = !json_is_true(json_object_get(l, "up"));
    json_array_foreach(json_object_get(s->network, "addrs"), j,
                       a) if (json_equal(json_object_get(a, "index"), json_object_get(l, "index"))) found = true;
    if (!found)
      return err_set(e, "network interface %s has no address", name_of(l));
  }
  return 0;
}

/* Where nf_tables are missing the host's stack loses its addresses; `delete` gives them back. */
static int take_addresses(struct setup *s, int why, struct err *e) {
  char *text = json_dumps(s->network, JSON_COMPACT), buf[300], reason[128];
  if (!text || state_write(s->c, NETSETUP_TAKEN, text, strlen(text), e))
    return text ? -1 : err_set(e, "out of memory");
  free(text);
  netsetup_take_addrs(s->links);
  snprintf(buf, sizeof buf, "the host's stack cannot be silenced with nf_tables (%s): its addresses are taken off",
           err_text(why, reason, sizeof reason));
  say(s->tell, 'W', buf);
  return 0;
}

static int make_deaf(struct setup *s, bool dns, struct err *e) {
  char other[128];
  int hold = -1, rc = netsetup_silence(s->links, s->c->id, dns, &hold);
  if (rc && netsetup_silenced_by(other, sizeof other))
    return err_set(
        e, "network interface %s is in use by the sandbox of container %s: a network namespace cannot be shared",
        name_of(json_array_get(s->links, 0)), other);
  if (rc && dns)
    rc = netsetup_silence(s->links, s->c->id, false, &hold);
  if (rc)
    return take_addresses(s, -rc, e);
  s->fds[s->nfds++] = hold;
  json_object_set_new(s->network, "hold", json_true());
  return 0;
}

/* Without it names are not resolved: the container can do without that, and says so itself. */
static void start_dns(struct setup *s) {
  struct err e;
  struct cgroup cg;
  bool have = !cgroup_from_json(&cg, json_object_get(s->c->state, "cgroups"));
  int fd = dns_asker_start(state_pid(s->c), s->c->id, have ? &cg : NULL, &e);
  if (fd < 0) {
    say(s->tell, 'W', e.msg);
    return;
  }
  s->fds[s->nfds++] = fd;
  json_object_set_new(s->network, "dns", json_true());
}

static int set_up(struct setup *s, struct err *e) {
  bool dns = dns_server_is_here();
  if (!(s->network = netsetup_read(e)))
    return -1;
  s->links = json_object_get(s->network, "links");
  if (!json_array_size(s->links)) {
    s->network = NULL;
    return 0;
  }
  if (check_addresses(s, e) || netsetup_check_alone(state_pid(s->c), e) || open_all(s, e) || make_deaf(s, dns, e))
    return -1;
  if (dns)
    start_dns(s);
  return 0;
}

static int child(struct setup *s, int sock) {
  struct err e;
  json_t *start = json_pack("{s:s}", "op", "start");
  int rc = enter_network_of(state_pid(s->c), &e);
  if (rc && geteuid() != 0) {
    say(s->tell, 'W', e.msg); /* a rootless sandbox has made its namespace by itself: there is nothing in it */
    rc = 0;
  } else if (!rc) {
    rc = set_up(s, &e);
  }
  if (!rc && s->network)
    json_object_set(start, "network", s->network);
  if (!rc)
    rc = control_send(sock, start, s->fds, s->nfds, &e);
  if (rc)
    say(s->tell, 'E', e.msg);
  return rc ? 1 : 0;
}

int netsetup_check_namespace(const struct oci_namespace *n, struct err *e) {
  if (n->present && (!n->path || !(same_file(n->path, "/proc/self/ns/net") || same_file(n->path, "/proc/1/ns/net"))))
    return 0;
  return err_set(e, "linux.namespaces: the host's network cannot be used by a sandbox: give the container a network of "
                    "its own, or run it with --network none");
}

int netsetup_start(struct container *c, int sock, char *warning, size_t cap, struct err *e) {
  int pipefd[2], status = 0;
  char text[600] = "";
  *warning = 0;
  if (!has_own_network(state_pid(c))) {
    json_t *start = json_pack("{s:s}", "op", "start");
    int rc = control_send(sock, start, NULL, 0, e);
    json_decref(start);
    return rc;
  }
  if (pipe2(pipefd, O_CLOEXEC))
    return err_sys(e, errno, "pipe");
  pid_t pid = fork();
  if (pid == 0)
    _exit(child(&(struct setup){.c = c, .tell = pipefd[1]}, sock));
  close(pipefd[1]);
  size_t got = 0;
  ssize_t n;
  while (pid > 0 && got < sizeof text - 1 && (n = read(pipefd[0], text + got, sizeof text - 1 - got)) != 0)
    if (n > 0)
      got += (size_t)n;
    else if (errno != EINTR)
      break;
  close(pipefd[0]);
  if (pid < 0)
    return err_sys(e, errno, "fork");
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
    ;
  if (status)
    return err_set(e, "%s", *text == 'E' ? text + 1 : "setting the network up failed");
  if (*text == 'W')
    snprintf(warning, cap, "%s", text + 1);
  return 0;
}

void netsetup_undo(struct container *c, const char *ns_path) {
  struct err ignored;
  json_t *network = state_read_json(c, NETSETUP_TAKEN, &ignored);
  if (!network)
    return;
  if (!same_file(ns_path, "/proc/self/ns/net") && !same_file(ns_path, "/proc/1/ns/net")) {
    pid_t pid = fork();
    if (pid == 0)
      _exit(enter(ns_path, CLONE_NEWNET) || netsetup_give_addrs(network, &ignored));
    while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
      ;
  }
  json_decref(network);
}
