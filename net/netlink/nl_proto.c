/* The protocols of AF_NETLINK: a line each. What a kernel without the subsystem lacks is -EPROTONOSUPPORT. */
#include "netlink.h"
#include "rtnl.h"

static const struct nl_proto protos[] = {
    {NETLINK_ROUTE, RTNLGRP_MAX_KNOWN, .recv_all = true, .input = rtnl_input},
    {NETLINK_USERSOCK, 32, .send_all = true},
    {NETLINK_SOCK_DIAG, 32, .recv_all = true, .input = diag_input},
    {NETLINK_AUDIT, 32, .recv_all = true, .input = audit_input, .join = audit_join},
    {NETLINK_KOBJECT_UEVENT, 32, .recv_all = true}, /* devices neither come nor go: nothing is ever said */
    {NETLINK_GENERIC, 32, .recv_all = true, .input = genl_input},
};

const struct nl_proto *nl_proto_find(int protocol) {
  for (size_t i = 0; i < sizeof protos / sizeof *protos; i++)
    if (protos[i].protocol == protocol)
      return &protos[i];
  return NULL;
}
