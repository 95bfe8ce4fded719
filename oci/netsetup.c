/* Sending "start" with the container's network: see netsetup.h. A child enters the namespaces, reads, opens and sends,
 * for there is no way back out of a user namespace. */
#include "netsetup.h"
#include "control.h"
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

static int open_all(json_t *links, int *fds, struct err *e) {
  size_t i;
  json_t *l;
  json_array_foreach(links, i, l) {
    fds[i] = open_packet_socket((int)json_integer_value(json_object_get(l, "index")));
    /* A link that is down is bound all the same, and says so. */
    if (fds[i] < 0)
      return err_sys(e, errno, "network interface %s: packet socket", json_string_value(json_object_get(l, "name")));
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

/* False: the interfaces are not to be used. */
static bool make_deaf(json_t *links, int tell) {
  char text[300], why[128];
  int rc = netsetup_silence(links);
  if (!rc)
    return true;
  if (rc == -EEXIST) {
    say(tell, 'W', "another sandbox uses this network namespace: the container has only lo");
    return false;
  }
  snprintf(text, sizeof text, "the host's stack cannot be silenced with nf_tables (%s): its addresses are taken off",
           err_text(-rc, why, sizeof why));
  netsetup_take_addrs(links);
  say(tell, 'W', text);
  return true;
}

static int child(int sock, pid_t pid, int tell) {
  struct err e;
  int fds[NETSETUP_LINKS], nfds = 0;
  json_t *start = json_pack("{s:s}", "op", "start"), *network = NULL;
  if (enter_network_of(pid, &e)) {
    if (geteuid() == 0) {
      say(tell, 'E', e.msg);
      return 1;
    }
    say(tell, 'W', e.msg); /* a rootless sandbox has made its namespace by itself: there is nothing in it */
  } else if (!(network = netsetup_read(&e))) {
    say(tell, 'E', e.msg);
    return 1;
  }
  json_t *links = json_object_get(network, "links");
  if (json_array_size(links) && make_deaf(links, tell)) {
    if (open_all(links, fds, &e)) {
      say(tell, 'E', e.msg);
      return 1;
    }
    nfds = (int)json_array_size(links);
    json_object_set(start, "network", network);
  }
  if (control_send(sock, start, fds, nfds, &e)) {
    say(tell, 'E', e.msg);
    return 1;
  }
  return 0;
}

int netsetup_start(int sock, pid_t pid, char *warning, size_t cap, struct err *e) {
  int pipefd[2], status = 0;
  char text[600] = "";
  *warning = 0;
  if (!has_own_network(pid)) {
    json_t *start = json_pack("{s:s}", "op", "start");
    int rc = control_send(sock, start, NULL, 0, e);
    json_decref(start);
    return rc;
  }
  if (pipe2(pipefd, O_CLOEXEC))
    return err_sys(e, errno, "pipe");
  pid_t c = fork();
  if (c == 0)
    _exit(child(sock, pid, pipefd[1]));
  close(pipefd[1]);
  size_t got = 0;
  ssize_t n;
  while (c > 0 && got < sizeof text - 1 && (n = read(pipefd[0], text + got, sizeof text - 1 - got)) != 0)
    if (n > 0)
      got += (size_t)n;
    else if (errno != EINTR)
      break;
  close(pipefd[0]);
  if (c < 0)
    return err_sys(e, errno, "fork");
  while (waitpid(c, &status, 0) < 0 && errno == EINTR)
    ;
  if (status)
    return err_set(e, "%s", *text == 'E' ? text + 1 : "setting the network up failed");
  if (*text == 'W')
    snprintf(warning, cap, "%s", text + 1);
  return 0;
}

void netsetup_undo(const char *ns_path) {
  if (same_file(ns_path, "/proc/self/ns/net") || same_file(ns_path, "/proc/1/ns/net"))
    return;
  pid_t c = fork();
  if (c == 0)
    _exit(enter(ns_path, CLONE_NEWNET) ? 1 : netsetup_unsilence() != 0);
  while (c > 0 && waitpid(c, NULL, 0) < 0 && errno == EINTR)
    ;
}
