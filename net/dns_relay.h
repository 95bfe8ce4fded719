/*
 * Docker's embedded DNS server, inside the sandbox. On a user-defined network dockerd listens on two ports of
 * 127.0.0.11 in the container's network namespace of the host, and NAT rules there lead port 53 to them. Neither those
 * sockets nor those rules are our stack's. So queries to 127.0.0.11:53 are taken out of lo's traffic here and handed,
 * as messages, to a small process that stays in the host's namespace and asks there (oci/dns_asker.c); its answers go
 * back as packets from 127.0.0.11:53. UDP is one datagram each way (RFC 768, RFC 1035 4.2.1); TCP (RFC 1035 4.2.2, RFC
 * 7766) is served by a TCP stack of the relay's own, so that a guest may bind port 53, and sees no sockets that are not
 * its own: as with Docker's NAT.
 */
#pragma once
#include "ip.h"

struct dns_relay;

#define DNS_SERVER 0x7f00000bu /* 127.0.0.11 */
#define DNS_PORT 53
/*
 * dockerd's own questions to the servers behind it leave from the host's stack, which has the container's addresses
 * too. The launcher keeps its local ports out of our stack's way.
 */
#define DNS_HOST_PORT_LO 61000
#define DNS_HOST_PORT_HI 65535

/* To the asking process and back, SOCK_SEQPACKET: this and one DNS message. */
struct dns_relay_msg {
  uint32_t id;
  uint8_t tcp;
  uint8_t failed; /* back: there is no answer, and no DNS message either */
  uint16_t zero;
};
#define DNS_MESSAGE_MIN 12 /* bytes: the header */
#define DNS_MESSAGE_MAX 65535
#define DNS_TIMEOUT_S 20 /* dockerd gives up earlier: 4 s for each of its servers */

/* Weak: a build without this file has no relay. Answer in ns from now on. Takes fd over, also on failure: -ENOMEM,
 * -EBUSY (it does already). */
int dns_relay_attach(struct net_namespace *ns, int fd);
/* A packet for one of our own addresses, data at the transport header: true if it was the relay's (taken over). */
bool dns_relay_input(struct net_namespace *ns, struct pbuf *p, const struct ip_info *i) __attribute__((weak));
/* Is a TCP or UDP packet that no socket here wants (p->transport is its header) an answer to what the host's stack has
 * asked? Then it is not for us to refuse. */
bool dns_relay_is_host_flow(struct net_namespace *ns, const struct pbuf *p, const struct ip_info *i)
    __attribute__((weak));
