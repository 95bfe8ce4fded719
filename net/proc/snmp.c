/* /proc/net/snmp, netstat and snmp6: the counters of RFC 1213, 4293, 4022, 4113, and of Linux's own. What this stack
 * does not count is left out of netstat, where readers go by the names; snmp's columns are fixed. */
#include "files.h"
#include <stdio.h>

typedef unsigned long long ull;

static const struct tcp_stats *tcp_of(struct net_namespace *ns) {
  static const struct tcp_stats none;
  struct inet_net *n = inet_net_of(ns);
  return n && n->tcp ? tcp_stats(n->tcp) : &none;
}
static const struct udp_mib *udp_of(struct net_namespace *ns, bool lite, bool v6) {
  static const struct udp_mib none;
  struct inet_net *n = inet_net_of(ns);
  return n ? &n->udp_mib[lite][v6] : &none;
}

static void ip_lines(struct net_text *t, const struct ip_net *n) {
  const struct ip_mib *m = &n->mib[0];
  const uint64_t v[] = {m->in_receives,   m->in_hdr_errors,     m->in_addr_errors,
                        m->forwarded,     m->in_unknown_protos, m->in_discards,
                        m->in_delivers,   m->out_requests,      m->out_discards,
                        m->out_no_routes, m->reasm_timeout,     m->reasm_reqds,
                        m->reasm_oks,     m->reasm_fails,       m->frag_oks,
                        m->frag_fails,    m->frag_creates,      m->out_requests + m->forwarded};
  nt_puts(t, "Ip: Forwarding DefaultTTL InReceives InHdrErrors InAddrErrors ForwDatagrams InUnknownProtos InDiscards "
             "InDelivers OutRequests OutDiscards OutNoRoutes ReasmTimeout ReasmReqds ReasmOKs ReasmFails FragOKs "
             "FragFails FragCreates OutTransmits\n");
  nt_printf(t, "Ip: %d %d", n->sysctl.forward4 ? 1 : 2, n->sysctl.default_ttl);
  for (size_t i = 0; i < sizeof v / sizeof *v; i++)
    nt_printf(t, " %llu", (ull)v[i]);
  nt_puts(t, "\n");
}

/* The types that RFC 1213 gives columns, in its order. */
static const uint8_t icmp_columns[] = {3, 11, 12, 4, 5, 8, 0, 13, 14, 17, 18};

static void icmp_lines(struct net_text *t, const struct ip_mib *m) {
  int any = 0;
  nt_puts(t, "Icmp: InMsgs InErrors InCsumErrors InDestUnreachs InTimeExcds InParmProbs InSrcQuenchs InRedirects "
             "InEchos InEchoReps InTimestamps InTimestampReps InAddrMasks InAddrMaskReps OutMsgs OutErrors "
             "OutRateLimitGlobal OutRateLimitHost OutDestUnreachs OutTimeExcds OutParmProbs OutSrcQuenchs "
             "OutRedirects OutEchos OutEchoReps OutTimestamps OutTimestampReps OutAddrMasks OutAddrMaskReps\n");
  nt_printf(t, "Icmp: %llu %llu %llu", (ull)m->icmp_in, (ull)m->icmp_in_errors, (ull)m->icmp_in_csum_errors);
  for (size_t i = 0; i < sizeof icmp_columns; i++)
    nt_printf(t, " %llu", (ull)m->icmp_in_type[icmp_columns[i]]);
  nt_printf(t, " %llu 0 0 0", (ull)m->icmp_out);
  for (size_t i = 0; i < sizeof icmp_columns; i++)
    nt_printf(t, " %llu", (ull)m->icmp_out_type[icmp_columns[i]]);
  nt_puts(t, "\n");
  for (int i = 0; i < 256; i++)
    any |= m->icmp_in_type[i] || m->icmp_out_type[i];
  for (int line = 0; any && line < 2; line++) {
    nt_puts(t, "IcmpMsg:");
    for (int out = 0; out < 2; out++)
      for (int i = 0; i < 256; i++) {
        uint64_t v = out ? m->icmp_out_type[i] : m->icmp_in_type[i];
        if (v && line)
          nt_printf(t, " %llu", (ull)v);
        else if (v)
          nt_printf(t, " %sType%d", out ? "Out" : "In", i);
      }
    nt_puts(t, "\n");
  }
}

static void udp_lines(struct net_text *t, const char *name, const struct udp_mib *u) {
  nt_printf(t,
            "%s: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors InCsumErrors IgnoredMulti "
            "MemErrors\n%s: %llu %llu %llu %llu %llu %llu %llu %llu 0\n",
            name, name, (ull)u->in_datagrams, (ull)u->no_ports, (ull)u->in_errors, (ull)u->out_datagrams,
            (ull)u->rcvbuf_errors, (ull)u->sndbuf_errors, (ull)u->in_csum_errors, (ull)u->ignored_multi);
}

NET_SHOW(net_show_snmp) {
  const struct ip_net *n = ip_net_of(w->ns);
  const struct tcp_stats *s = tcp_of(w->ns);
  if (!n)
    return 0;
  ip_lines(t, n);
  icmp_lines(t, &n->mib[0]);
  nt_printf(t,
            "Tcp: RtoAlgorithm RtoMin RtoMax MaxConn ActiveOpens PassiveOpens AttemptFails EstabResets CurrEstab "
            "InSegs OutSegs RetransSegs InErrs OutRsts InCsumErrors\n"
            "Tcp: 1 200 120000 -1 %llu %llu %llu %llu %llu %llu %llu %llu %llu %llu %llu\n",
            (ull)s->active_opens, (ull)s->passive_opens, (ull)s->attempt_fails, (ull)s->estab_resets,
            (ull)s->curr_estab, (ull)s->in_segs, (ull)s->out_segs, (ull)s->retrans_segs, (ull)s->in_errs,
            (ull)s->out_rsts, (ull)s->in_csum_errs);
  udp_lines(t, "Udp", udp_of(w->ns, false, false));
  udp_lines(t, "UdpLite", udp_of(w->ns, true, false));
  return 0;
}

struct counter {
  const char *name;
  uint64_t value;
};

static void block(struct net_text *t, const char *title, const struct counter *c, size_t n) {
  nt_puts(t, title);
  for (size_t i = 0; i < n; i++)
    nt_printf(t, " %s", c[i].name);
  nt_printf(t, "\n%s", title);
  for (size_t i = 0; i < n; i++)
    nt_printf(t, " %llu", (ull)c[i].value);
  nt_puts(t, "\n");
}

NET_SHOW(net_show_netstat) {
  const struct ip_net *n = ip_net_of(w->ns);
  const struct tcp_stats *s = tcp_of(w->ns);
  if (!n)
    return 0;
  const struct ip_mib *m = &n->mib[0];
  const struct counter tcp[] = {
      {"SyncookiesSent", s->syncookies_sent},
      {"SyncookiesRecv", s->syncookies_recv},
      {"SyncookiesFailed", s->syncookies_failed},
      {"RcvPruned", s->rcv_pruned},
      {"TW", s->tw},
      {"TWRecycled", s->tw_recycled},
      {"PAWSEstab", s->paws_estab},
      {"DelayedACKs", s->delayed_acks},
      {"ListenOverflows", s->listen_overflows},
      {"ListenDrops", s->listen_drops},
      {"TCPRenoRecovery", s->reno_recovery},
      {"TCPSackRecovery", s->sack_recovery},
      {"TCPFullUndo", s->undo},
      {"TCPFastRetrans", s->fast_retrans},
      {"TCPTimeouts", s->timeouts},
      {"TCPLossProbes", s->loss_probes},
      {"TCPDSACKOldSent", s->dsack_sent},
      {"TCPDSACKRecv", s->dsack_recv},
      {"TCPAbortOnData", s->abort_on_data},
      {"TCPAbortOnClose", s->abort_on_close},
      {"TCPAbortOnMemory", s->abort_on_memory},
      {"TCPAbortOnTimeout", s->abort_on_timeout},
      {"TCPBacklogDrop", s->backlog_drop},
      {"IPReversePathFilter", m->rp_filter},
      {"TCPOFOQueue", s->ofo_queue},
      {"TCPOFODrop", s->ofo_drop},
      {"TCPChallengeACK", s->challenge_ack},
      {"TCPKeepAlive", s->keepalive},
  };
  const struct counter ip[] = {
      {"InNoRoutes", m->in_no_routes},
      {"InTruncatedPkts", m->in_truncated},
      {"InMcastPkts", m->in_mcast},
      {"OutMcastPkts", m->out_mcast},
      {"InBcastPkts", m->in_bcast},
      {"OutBcastPkts", m->out_bcast},
      {"InOctets", m->in_octets},
      {"OutOctets", m->out_octets},
      {"InMcastOctets", m->in_mcast_octets},
      {"OutMcastOctets", m->out_mcast_octets},
      {"InBcastOctets", m->in_bcast_octets},
      {"OutBcastOctets", m->out_bcast_octets},
      {"InCsumErrors", m->in_csum_errors},
      {"InNoECTPkts", m->in_ecn[0]},
      {"InECT1Pkts", m->in_ecn[1]},
      {"InECT0Pkts", m->in_ecn[2]},
      {"InCEPkts", m->in_ecn[3]},
      {"ReasmOverlaps", m->reasm_overlaps},
  };
  block(t, "TcpExt:", tcp, sizeof tcp / sizeof *tcp);
  block(t, "IpExt:", ip, sizeof ip / sizeof *ip);
  return 0;
}

/* ---- snmp6: a line each ---- */

static void line6(struct net_text *t, const char *prefix, const char *name, uint64_t v) {
  char full[48];
  snprintf(full, sizeof full, "%s%s", prefix, name);
  nt_printf(t, "%-32s\t%llu\n", full, (ull)v);
}

static void ip6_lines(struct net_text *t, const struct ip_mib *m) {
  const struct counter c[] = {
      {"InReceives", m->in_receives},
      {"InHdrErrors", m->in_hdr_errors},
      {"InTooBigErrors", 0},
      {"InNoRoutes", m->in_no_routes},
      {"InAddrErrors", m->in_addr_errors},
      {"InUnknownProtos", m->in_unknown_protos},
      {"InTruncatedPkts", m->in_truncated},
      {"InDiscards", m->in_discards},
      {"InDelivers", m->in_delivers},
      {"OutForwDatagrams", m->forwarded},
      {"OutRequests", m->out_requests},
      {"OutDiscards", m->out_discards},
      {"OutNoRoutes", m->out_no_routes},
      {"ReasmTimeout", m->reasm_timeout},
      {"ReasmReqds", m->reasm_reqds},
      {"ReasmOKs", m->reasm_oks},
      {"ReasmFails", m->reasm_fails},
      {"FragOKs", m->frag_oks},
      {"FragFails", m->frag_fails},
      {"FragCreates", m->frag_creates},
      {"InMcastPkts", m->in_mcast},
      {"OutMcastPkts", m->out_mcast},
      {"InOctets", m->in_octets},
      {"OutOctets", m->out_octets},
      {"InMcastOctets", m->in_mcast_octets},
      {"OutMcastOctets", m->out_mcast_octets},
      {"InBcastOctets", 0},
      {"OutBcastOctets", 0},
      {"InNoECTPkts", m->in_ecn[0]},
      {"InECT1Pkts", m->in_ecn[1]},
      {"InECT0Pkts", m->in_ecn[2]},
      {"InCEPkts", m->in_ecn[3]},
      {"OutTransmits", m->out_requests + m->forwarded},
  };
  for (size_t i = 0; i < sizeof c / sizeof *c; i++)
    line6(t, "Ip6", c[i].name, c[i].value);
}

static void icmp6_lines(struct net_text *t, const struct ip_mib *m) {
  static const struct {
    uint8_t type;
    const char *name;
  } types[] = {{1, "DestUnreachs"},
               {2, "PktTooBigs"},
               {3, "TimeExcds"},
               {4, "ParmProblems"},
               {128, "Echos"},
               {129, "EchoReplies"},
               {130, "GroupMembQueries"},
               {131, "GroupMembResponses"},
               {132, "GroupMembReductions"},
               {133, "RouterSolicits"},
               {134, "RouterAdvertisements"},
               {135, "NeighborSolicits"},
               {136, "NeighborAdvertisements"},
               {137, "Redirects"},
               {143, "MLDv2Reports"}};
  line6(t, "Icmp6", "InMsgs", m->icmp_in);
  line6(t, "Icmp6", "InErrors", m->icmp_in_errors);
  line6(t, "Icmp6", "OutMsgs", m->icmp_out);
  line6(t, "Icmp6", "OutErrors", 0);
  line6(t, "Icmp6", "InCsumErrors", m->icmp_in_csum_errors);
  line6(t, "Icmp6", "OutRateLimitHost", 0);
  for (int out = 0; out < 2; out++)
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
      line6(t, out ? "Icmp6Out" : "Icmp6In", types[i].name, (out ? m->icmp_out_type : m->icmp_in_type)[types[i].type]);
  for (int out = 0; out < 2; out++)
    for (int i = 0; i < 256; i++) {
      char name[16];
      uint64_t v = (out ? m->icmp_out_type : m->icmp_in_type)[i];
      snprintf(name, sizeof name, "Type%d", i);
      if (v)
        line6(t, out ? "Icmp6Out" : "Icmp6In", name, v);
    }
}

static void udp6_lines(struct net_text *t, const char *prefix, const struct udp_mib *u) {
  line6(t, prefix, "InDatagrams", u->in_datagrams);
  line6(t, prefix, "NoPorts", u->no_ports);
  line6(t, prefix, "InErrors", u->in_errors);
  line6(t, prefix, "OutDatagrams", u->out_datagrams);
  line6(t, prefix, "RcvbufErrors", u->rcvbuf_errors);
  line6(t, prefix, "SndbufErrors", u->sndbuf_errors);
  line6(t, prefix, "InCsumErrors", u->in_csum_errors);
}

NET_SHOW(net_show_snmp6) {
  const struct ip_net *n = ip_net_of(w->ns);
  if (!n)
    return 0;
  ip6_lines(t, &n->mib[1]);
  icmp6_lines(t, &n->mib[1]);
  udp6_lines(t, "Udp6", udp_of(w->ns, false, true));
  line6(t, "Udp6", "IgnoredMulti", udp_of(w->ns, false, true)->ignored_multi);
  line6(t, "Udp6", "MemErrors", 0);
  udp6_lines(t, "UdpLite6", udp_of(w->ns, true, true));
  line6(t, "UdpLite6", "MemErrors", 0);
  return 0;
}
