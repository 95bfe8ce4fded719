# The shell at work: pipelines, globbing, here-documents, substitution, arithmetic, functions, redirections, subshells.
set -u
echo one two three | tr ' ' '\n' | sort -r | head -n 2 | cat -n
touch a1 a2 b1; echo [ab]*; echo a?; echo *
cat <<EOF2
here $((6 * 7)) $(echo sub) `echo back`
EOF2
cat <<'EOF2'
literal $HOME
EOF2
cat <<< "here-string"
f() { local x=$1; echo "f got $x, $# args"; return 7; }
f hello; echo "status $?"
(cd /; pwd; exit 3); echo "subshell $?"
{ echo out; echo err >&2; } 2>errfile >outfile; cat outfile errfile
echo append >> outfile; wc -l < outfile
for i in 1 2 3; do echo -n "$i "; done; echo
i=0; while [ $i -lt 3 ]; do i=$((i + 1)); done; echo $i
case abc in a*) echo matched;; esac
x=hello; echo ${x:1:3} ${#x} ${x/l/L} ${y:-default}
false | true; echo "${PIPESTATUS[@]}"
set -o pipefail; false | true; echo $?
diff <(echo a; echo b) <(echo a; echo c); echo "diff $?"
trap 'echo trapped' USR1; kill -USR1 $$; echo after
sleep 0.05 & wait $!; echo "waited $?"
(sleep 0.05; exit 5) & p=$!; wait $p; echo "background $?"
sh -c 'kill -TERM $$'; echo "killed $?"
nosuchcommand_x 2>/dev/null; echo "missing $?"
exec 5<outfile; read -u 5 line; echo "$line"; exec 5<&-
printf '%s|%5d|%-5s|\n' str 42 left
mkfifo ff; (echo through fifo > ff) & cat ff; wait
seq 1 1000 | awk '{s += $1} END {print s}'
yes | head -n 100000 | wc -l
head -c 100000 /dev/zero | md5sum
echo abc | { read v; echo "read $v"; }
time_out=$( { time true; } 2>&1 | grep -c real ); echo "time $time_out"
ulimit -n 50; ulimit -n
umask 077; touch private; stat -c %a private
set -m; sleep 10 & sleep 0.1; kill %1; wait %1 2>/dev/null; echo "job $?"
