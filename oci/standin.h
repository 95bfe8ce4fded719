/*
 * Stand-ins: host processes that stand for a process inside, for engines that know only pids. P stands for init (and is
 * the parent of the Sentry), an exec stand-in for one exec'd process. They forward signals and end as theirs ended.
 */
#pragma once
#include <sys/types.h>

/* Block every signal, so that none is lost between fork and standin_wait(). */
void standin_block_signals(void);
/* Undo it in a child that is to be an ordinary process again. */
void standin_reset_signals(void);
/*
 * Serve until the process inside has ended. `sock` is a connection of control.h, as "monitor" or after "exec";
 * `sentry` is the child to wait for as well, 0 for an exec. The wait status to end with.
 */
int standin_wait(int sock, pid_t sentry);
/* End this process with that wait status: the same code or the same signal. */
_Noreturn void standin_die(int wait_status);
