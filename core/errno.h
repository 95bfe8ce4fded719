/*
 * Errors are negative errno values. Beside the public ones, the kernel-internal codes of Linux's include/linux/errno.h:
 * they never reach a guest; task_run.c turns them into -EINTR or a restart (signal(7), "Interruption of system calls").
 */
#pragma once
#include <errno.h>

#define ERESTARTSYS 512           /* restart if the handler has SA_RESTART or there is no handler */
#define ERESTARTNOINTR 513        /* always restart */
#define ERESTARTNOHAND 514        /* restart if there is no handler */
#define ERESTART_RESTARTBLOCK 516 /* without a handler, go on with task->restart */
#define ENOTSUPP_DISPATCH 530     /* internal: a handler does not know the call */
