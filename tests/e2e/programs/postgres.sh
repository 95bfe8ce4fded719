# initdb, load with eight clients over the unix socket, a crash and the recovery from it.
set -eu
export PATH=$PATH:/usr/lib/postgresql/15/bin
as() { su postgres -c "$*"; }
mkdir -p /tmp/pg && chown postgres /tmp/pg
as initdb -D /tmp/pg/d >/tmp/initdb.log 2>&1 || { cat /tmp/initdb.log; exit 1; }
start="pg_ctl -D /tmp/pg/d -w -t 60 -l /tmp/pg/log -o '-c listen_addresses= -k /tmp' start"
as "$start" >/dev/null || { cat /tmp/pg/log; exit 1; }
as pgbench -q -h /tmp -i -s 2 postgres >/tmp/init.log 2>&1 || { cat /tmp/init.log; exit 1; }
as pgbench -h /tmp -c 8 -j 2 -T "${SECONDS_OF_LOAD:-4}" postgres >/tmp/bench.log 2>&1 || { cat /tmp/bench.log; exit 1; }
grep -E 'failed|clients' /tmp/bench.log
consistent() {
  as "psql -h /tmp -Atc 'select (select sum(abalance) from pgbench_accounts) = (select sum(delta) from pgbench_history)' postgres"
}
consistent
as pg_ctl -D /tmp/pg/d -m immediate stop >/dev/null
as "$start" >/dev/null || { cat /tmp/pg/log; exit 1; }
grep -c 'redo done' /tmp/pg/log
consistent
as pg_ctl -D /tmp/pg/d -m fast stop >/dev/null
echo stopped
