/* Filters of inet_diag: sock_diag(7), the programs that ss(8) sends for "dport = :80 and dst 10.0.0.0/8". */
#pragma once
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct diag_entry { /* what a program can look at */
  int family;
  struct in6_addr src, dst; /* mapped for IPv4 */
  uint16_t sport, dport;
  int ifindex;
  uint32_t mark;
  bool port_given; /* bind(2) named the port */
};
/* Every jump leads forward to the beginning of an instruction, or to the end (accept) or 4 behind it (reject), and
 * every instruction has its operands. admin: may it look at marks? 0, -EINVAL, -EPERM. */
int diag_bc_check(const void *bc, size_t len, bool admin);
bool diag_bc_run(const void *bc, size_t len, const struct diag_entry *e); /* of one that was checked */
