/* no_sockets nftables|packet COMMAND...: runs it on a host that refuses such sockets. */
#include <errno.h>
#include <linux/netlink.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int main(int argc, char **argv) {
  scmp_filter_ctx f = seccomp_init(SCMP_ACT_ALLOW);
  if (argc < 3 || !f || seccomp_attr_set(f, SCMP_FLTATR_CTL_NNP, 0))
    return 99;
  int rc = !strcmp(argv[1], "packet")
               ? seccomp_rule_add(f, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(socket), 1, SCMP_A0_32(SCMP_CMP_EQ, AF_PACKET))
               : seccomp_rule_add(f, SCMP_ACT_ERRNO(EPROTONOSUPPORT), SCMP_SYS(socket), 2,
                                  SCMP_A0_32(SCMP_CMP_EQ, AF_NETLINK), SCMP_A2_32(SCMP_CMP_EQ, NETLINK_NETFILTER));
  if (rc || seccomp_load(f))
    return 99;
  execvp(argv[2], argv + 2);
  perror(argv[2]);
  return 127;
}
