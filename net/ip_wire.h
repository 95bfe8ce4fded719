/* Headers of the Internet layer as they are on the wire: RFC 791, 792, 826, 2236, 3376, 3810, 4443, 4861, 8200. All
 * fields in network order; packed, because nothing promises alignment. */
#pragma once
#include <netinet/in.h>
#include <stdint.h>

#define WIRE __attribute__((packed))

struct WIRE ip4_hdr {
  uint8_t vihl, tos;
  uint16_t len, id, off;
  uint8_t ttl, proto;
  uint16_t csum;
  uint32_t src, dst;
};
#define IP4_DF 0x4000u
#define IP4_MF 0x2000u
#define IP4_OFFMASK 0x1fffu
#define IP4_HDR 20u
#define IP4_HDR_MAX 60u

struct WIRE ip6_hdr_wire {
  uint32_t vtf; /* version, traffic class, flow label */
  uint16_t plen;
  uint8_t next, hops;
  struct in6_addr src, dst;
};
#define IP6_HDR 40u

struct WIRE ip6_frag_hdr {
  uint8_t next, reserved;
  uint16_t off; /* in units of 8 in the upper 13 bits; bit 0: more */
  uint32_t id;
};

struct WIRE icmp_hdr { /* both versions */
  uint8_t type, code;
  uint16_t csum;
  union {
    struct WIRE {
      uint16_t id, seq;
    } echo;
    struct WIRE {
      uint16_t unused, mtu;
    } frag;
    uint32_t word;
  };
};

struct WIRE arp_packet { /* Ethernet and IPv4 */
  uint16_t hrd, pro;
  uint8_t hln, pln;
  uint16_t op;
  uint8_t sha[6];
  uint32_t spa;
  uint8_t tha[6];
  uint32_t tpa;
};

struct WIRE nd_msg {    /* neighbour solicitation and advertisement; options follow */
  struct icmp_hdr icmp; /* word: R, S, O of an advertisement */
  struct in6_addr target;
};
