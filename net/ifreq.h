/*
 * netdevice(7), arp(7), rtentry: what sockets answer about devices, addresses, routes and neighbours. Guest memory is
 * copied in before anything is looked up: no device is held over a park.
 */
#pragma once
#include "netdev.h"
#include "socket.h"
#include <stdint.h>

struct ifreq;

/* The ioctls that any socket has. -ENOTTY: not one of them. */
long net_ifreq_ioctl(struct socket *s, unsigned cmd, uint64_t arg);

/* ---- for net_ifreq_ioctl() ---- */
struct net_namespace *socket_net_borrow(struct socket *s); /* the namespace it was made in */
bool net_admin(const struct net_namespace *ns);            /* CAP_NET_ADMIN over its owner */
/* ifreq_inet.c: IPv4 addresses of AF_INET and AF_PACKET sockets; SIOCGIFCONF of all; IPv6 ones of AF_INET6. -ENOTTY */
long net_inet_ioctl(struct net_namespace *ns, unsigned cmd, uint64_t arg);
long net_inet6_ioctl(struct net_namespace *ns, unsigned cmd, uint64_t arg);
long net_ifconf(struct net_namespace *ns, uint64_t arg);
/* ifreq_route.c */
long net_route_ioctl(struct net_namespace *ns, unsigned cmd, uint64_t arg);
long net_route6_ioctl(struct net_namespace *ns, unsigned cmd, uint64_t arg);
long net_arp_ioctl(struct net_namespace *ns, unsigned cmd, uint64_t arg);
/* ethtool.c: SIOCETHTOOL */
long net_ethtool(struct net_namespace *ns, const char *name, uint64_t data);
