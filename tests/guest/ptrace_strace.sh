#!/bin/bash
# strace(1) on small programs: the lines it prints, without numbers that differ from run to run.
norm() { sed -E 's/\[pid +[0-9]+\]/[pid N]/; s/Process [0-9]+/Process N/; s/0x[0-9a-f]+/ADDR/g; s/(si_pid|child_tidptr|pid)=[0-9]+/\1=N/g; s/ +=/ =/; s/= [0-9]{2,}$/= N/; s/kill\([0-9]+,/kill(N,/; s/wait4\([0-9-]+,/wait4(N,/; s/si_(uid|utime|stime)=[0-9]+/si_\1=N/g'; }
t=$(mktemp -d); trap 'rm -rf $t' EXIT; cd "$t" || exit 1
echo "-- write, exec, exit"
strace -o o -e trace=write,exit_group,getcwd /bin/echo hello; norm <o
echo "-- failed and injected calls"
strace -o o -e trace=chdir -e inject=chdir:error=EIO:when=1 sh -c 'cd /; cd /tmp; cd /nowhere' 2>/dev/null; norm <o
strace -o o -e trace=getppid -e inject=getppid:retval=77 sh -c 'echo $PPID'; norm <o
strace -o o -e trace=none -e inject=write:signal=USR1:when=1 echo x; echo "status $?"; norm <o
echo "-- children"
strace -f -o o -e trace=exit_group sh -c '(exit 3); /bin/true; exit 4' ; echo "status $?"; norm <o | sed 's/^[0-9]* *//' | sort
echo "-- signals"
strace -o o -e trace=kill,rt_sigreturn bash -c 'trap "echo got" USR1; kill -USR1 $$; kill -TERM $$'; echo "status $?"; norm <o
echo "-- summary"
strace -f -c -o o sh -c 'ls / | wc >/dev/null'; awk '$NF == "execve" || $NF == "wait4" || $NF == "pipe2" {print $NF, $4}' o | sort
echo "-- only what a filter traces"
strace -f --seccomp-bpf -o o -e trace=chdir sh -c 'cd /; (cd /usr); cd /tmp'; norm <o | sed 's/^[0-9]* *//' | sort
echo "-- attach"
sleep 60 & p=$!
strace -q -p $p -o o -e trace=clock_nanosleep,restart_syscall & s=$!
while ! grep -q "TracerPid:[[:space:]]*[1-9]" /proc/$p/status; do sleep 0.05; done
kill -INT $s; wait $s; grep "TracerPid" /proc/$p/status; kill $p; wait $p; echo "status $?"
