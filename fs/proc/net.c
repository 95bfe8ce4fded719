/* /proc/PID/net. The contents are net/'s; without them the tables are there, and empty. */
#include "proc.h"
#include "../../core/errno.h"
#include <string.h>

static void put(void *b, const void *p, size_t n) {
  sb_put(b, p, n);
}

static const struct {
  const char *name, *header;
} fallback[] = {
    {"arp", "IP address       HW type     Flags       HW address            Mask     Device\n"},
    {"dev", "Inter-|   Receive                                                |  Transmit\n"
            " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls "
            "carrier compressed\n"
            "    lo:       0       0    0    0    0     0          0         0        0       0    0    0    0     0   "
            "    0          0\n"},
    {"if_inet6", ""},
    {"igmp", "Idx\tDevice    : Count Querier\tGroup    Users Timer\tReporter\n"},
    {"ipv6_route", ""},
    {"netlink", "sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    Drops    Inode\n"},
    {"netstat", "TcpExt:\nTcpExt:\nIpExt:\nIpExt:\n"},
    {"packet", "sk               RefCnt Type Proto  Iface R Rmem   User   Inode\n"},
    {"protocols", ""},
    {"raw", "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref "
            "pointer drops\n"},
    {"raw6", "  sl  local_address                         remote_address                        st tx_queue rx_queue "
             "tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n"},
    {"route", "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT"
              "                                                       \n"},
    {"snmp", ""},
    {"snmp6", ""},
    {"sockstat", "sockets: used 0\nTCP: inuse 0 orphan 0 tw 0 alloc 0 mem 0\nUDP: inuse 0 mem 0\nUDPLITE: inuse 0\n"
                 "RAW: inuse 0\nFRAG: inuse 0 memory 0\n"},
    {"sockstat6", "TCP6: inuse 0\nUDP6: inuse 0\nUDPLITE6: inuse 0\nRAW6: inuse 0\nFRAG6: inuse 0 memory 0\n"},
    {"tcp", "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode"
            "                                                     \n"},
    {"tcp6", "  sl  local_address                         remote_address                        st tx_queue rx_queue "
             "tr tm->when retrnsmt   uid  timeout inode\n"},
    {"udp", "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref "
            "pointer drops             \n"},
    {"udp6", "  sl  local_address                         remote_address                        st tx_queue rx_queue "
             "tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n"},
    {"unix", "Num       RefCount Protocol Flags    Type St Inode Path\n"},
};

static int net_show(struct inode *i, struct sbuf *b) {
  struct kernel *k = synth_kernel(i);
  const char *name = synth_ent_of(i)->name;
  int r = k->hooks.net_proc ? k->hooks.net_proc(k, name, put, b) : -ENOENT;
  if (r != -ENOENT)
    return r;
  for (size_t j = 0; j < sizeof fallback / sizeof *fallback; j++)
    if (!strcmp(fallback[j].name, name))
      sb_puts(b, fallback[j].header);
  return 0;
}

#define FILE_ENT(n)                                                                                                    \
  { .name = n, .mode = S_IFREG | 0444, .show = net_show }
const struct synth_ent proc_net_entries[] = {
    FILE_ENT("arp"),        FILE_ENT("dev"),
    FILE_ENT("if_inet6"),   FILE_ENT("igmp"),
    FILE_ENT("ipv6_route"), FILE_ENT("netlink"),
    FILE_ENT("netstat"),    FILE_ENT("packet"),
    FILE_ENT("protocols"),  FILE_ENT("raw"),
    FILE_ENT("raw6"),       FILE_ENT("route"),
    FILE_ENT("snmp"),       FILE_ENT("snmp6"),
    FILE_ENT("sockstat"),   FILE_ENT("sockstat6"),
    FILE_ENT("tcp"),        FILE_ENT("tcp6"),
    FILE_ENT("udp"),        FILE_ENT("udp6"),
    FILE_ENT("unix"),       {0},
};
