#!/bin/bash
# /proc/sys/net is the caller's network namespace's: values, ranges, vectors, who may write.
if [ "$1" != inside ]; then exec unshare -rn "$BASH" "$0" inside; fi
cd /proc/sys/net || exit 1
put() { # FILE VALUE
  if printf '%s' "$2" 2>/dev/null >"$1"; then r=ok; else r=refused; fi 2>/dev/null
  echo "$1 <- '$2': $r, $(cat "$1" | tr '\t' ' ')"
}
for f in core/somaxconn ipv4/ip_default_ttl ipv4/ip_local_port_range ipv4/ip_unprivileged_port_start ipv4/ping_group_range \
  ipv4/ip_nonlocal_bind ipv4/tcp_syn_retries ipv4/tcp_keepalive_time ipv4/tcp_keepalive_intvl ipv4/tcp_keepalive_probes \
  ipv4/tcp_fin_timeout ipv4/tcp_sack ipv4/tcp_timestamps ipv4/tcp_window_scaling ipv4/tcp_tw_reuse \
  ipv4/ip_local_reserved_ports ipv4/icmp_echo_ignore_all ipv4/igmp_max_memberships ipv4/udp_rmem_min \
  ipv6/bindv6only ipv6/ip_nonlocal_bind ipv6/conf/lo/disable_ipv6 ipv6/conf/lo/mtu ipv4/tcp_notsent_lowat \
  ipv4/conf/lo/accept_local ipv4/neigh/lo/gc_stale_time unix/max_dgram_qlen; do
  echo "$f $(stat -c %A $f) $(cat $f | tr '\t' ' ')"
done
put core/somaxconn 17
put core/somaxconn -1
put core/somaxconn 1x
put core/somaxconn ' 128 '
put core/somaxconn ''
put core/somaxconn 0x20
put ipv4/ip_default_ttl 0
put ipv4/ip_default_ttl 255
put ipv4/ip_default_ttl 256
put ipv4/ip_local_port_range '20000 30000'
put ipv4/ip_local_port_range '30000 20000'
put ipv4/ip_local_port_range '1000 2000'
put ipv4/ip_local_port_range '21000'
put ipv4/ip_unprivileged_port_start 30000
put ipv4/ip_unprivileged_port_start 0
put ipv4/ip_unprivileged_port_start 80
put ipv4/ip_local_reserved_ports '8080,9148-9150,9151'
put ipv4/ip_local_reserved_ports '70000'
put ipv4/ip_local_reserved_ports 'x'
put ipv4/ip_local_reserved_ports ''
put ipv4/ping_group_range '0 0'
put ipv4/ping_group_range '1 0'
put ipv4/ping_group_range '5 9'
put ipv4/tcp_syn_retries 0
put ipv4/tcp_syn_retries 127
put ipv4/tcp_syn_retries 128
put ipv4/tcp_rmem '4096 87380 1000000'
put ipv4/tcp_rmem '0 1 2'
put ipv4/tcp_congestion_control reno
put ipv4/tcp_congestion_control nonsense
put ipv4/tcp_notsent_lowat 4294967295
put ipv4/tcp_tw_reuse 3
put ipv4/conf/all/route_localnet 1
put ipv4/conf/lo/route_localnet 1
put ipv4/ip_forward 1
put ipv6/bindv6only 1
put unix/max_dgram_qlen 3
put ipv4/conf/nosuch/forwarding 1
printf 5 >core/rmem_max
cat ipv4/route/flush
echo 1 >ipv4/route/flush && echo flushed
ls ipv4/conf ipv6/neigh
unshare -n cat core/somaxconn ipv4/ip_default_ttl
unshare -rn sh -c 'echo 99 >core/somaxconn; cat core/somaxconn'
cat core/somaxconn
# An open file stays with the namespace it was opened in.
exec 3<core/somaxconn
unshare -n sh -c 'cat <&3'
