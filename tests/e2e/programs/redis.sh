# Over a unix socket: load, a snapshot by fork, the append-only file, and what is there after a restart.
set -eu
mkdir /tmp/r && cd /tmp/r
c() { redis-cli -s /tmp/r/s "$@"; }
start() {
  redis-server --port 0 --unixsocket /tmp/r/s --dir /tmp/r --appendonly yes >>/tmp/r/log 2>&1 &
  for _ in $(seq 100); do [ "$(c ping 2>/dev/null)" = PONG ] && return 0; sleep 0.1; done
  cat /tmp/r/log
  return 1
}
start
redis-benchmark -s /tmp/r/s -n 5000 -q -t set,get,lpush >/dev/null
for i in $(seq 20); do c set "k$i" "v$i" >/dev/null; done
c bgsave >/dev/null
for _ in $(seq 100); do c info persistence | grep -q 'rdb_bgsave_in_progress:0' && break; sleep 0.1; done
c bgrewriteaof >/dev/null
for _ in $(seq 100); do c info persistence | grep -q 'aof_rewrite_in_progress:0' && break; sleep 0.1; done
c info persistence | tr -d '\r' | grep -E '^(rdb_last_bgsave|aof_last_bgrewrite|aof_last_write)_status'
c shutdown >/dev/null || true
wait
start
c get k7
c llen mylist
c shutdown >/dev/null || true
wait
ls
