# InnoDB: make a data directory, start, answer, stop, start again.
set -eu
mkdir -p /tmp/my /run/mysqld && chown mysql /tmp/my /run/mysqld
mariadb-install-db --user=mysql --datadir=/tmp/my --skip-test-db >/tmp/my.log 2>&1 || { tail -n 20 /tmp/my.log; exit 1; }
start() {
  mariadbd --user=mysql --datadir=/tmp/my --skip-networking --socket=/tmp/my.sock >/tmp/my.log 2>&1 &
  for _ in $(seq 200); do mariadb-admin -S /tmp/my.sock ping >/dev/null 2>&1 && return 0; sleep 0.1; done
  cat /tmp/my.log
  return 1
}
start
mariadb -S /tmp/my.sock -e "create database d; use d; create table t(a int primary key, b text);
  insert into t select seq, repeat('x', 100) from seq_1_to_1000; select count(*), sum(a) from t"
mariadb-admin -S /tmp/my.sock shutdown
wait
start
mariadb -S /tmp/my.sock -Ne "select count(*), sum(length(b)) from d.t"
mariadb-admin -S /tmp/my.sock shutdown
wait
echo stopped
