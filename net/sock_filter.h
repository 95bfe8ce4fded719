/*
 * Socket filters, socket(7) and Documentation/networking/filter.rst: SO_ATTACH_FILTER and its relatives, for every
 * family. A program is checked when it is attached and immutable then; sockets that accept(2) makes share their
 * listener's.
 */
#pragma once
#include "pbuf.h"
#include "socket.h"

struct sock_filter_prog;

/* The filter options of SOL_SOCKET: -ENOPROTOOPT if opt is none of them. Setting one copies the program from guest
 * memory and may park. A program's length is counted in instructions: SO_GET_FILTER takes *len as room for so many and
 * gives how many there are, the bytes being 8 times that. */
int sock_filter_setsockopt(struct socket *s, int opt, const void *val, socklen_t len);
int sock_filter_getsockopt(struct socket *s, int opt, void *val, socklen_t *len);
void sock_filter_inherit(struct socket *s, const struct socket *from);
void sock_filter_free(struct socket *s);
/* A program of a guest's (struct sock_fprog at val): -EFAULT, -EINVAL, -ENOMEM. Parks. For PACKET_FANOUT_DATA and
 * SO_ATTACH_REUSEPORT_CBPF. */
int sock_filter_load(const void *val, socklen_t len, struct sock_filter_prog **out);
void sock_filter_prog_put(struct sock_filter_prog *f); /* NULL is fine */

/* What f says of the packet from `base` on: how many bytes of it are wanted. */
uint32_t sock_filter_run(const struct sock_filter_prog *f, const struct pbuf *p, uint32_t base);
/* May the socket have the packet (from p->data)? *keep is how many bytes of it, at most p->len; without a filter all.
 */
bool sock_filter_pass(const struct socket *s, const struct pbuf *p, uint32_t *keep);
/* The same for messages that are no packets: AF_UNIX, AF_NETLINK. */
bool sock_filter_pass_bytes(const struct socket *s, const void *msg, uint32_t len, uint32_t *keep);
