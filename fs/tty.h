/*
 * Terminals: the line discipline N_TTY (termios(3), tty_ioctl(4), drivers/tty/n_tty.c), pseudo-terminals (pty(7)), and
 * the console, whose wire is a host terminal put into raw mode.
 */
#pragma once
#include "vfs.h"

struct tty;
/* The container's terminal over a host pty slave (or any host tty) fd, which becomes the Sentry's. It appears as
 * /dev/pts/N and /dev/console. The result is a file open for reading and writing on it, to be fds 0..2 of init. */
int tty_console_new(struct kernel *k, int host_fd, struct file **out);
/* The host terminal's size changed (a stand-in got SIGWINCH): read it and tell the foreground group. */
void tty_console_resized(struct file *f);
/* A host descriptor (pipe, /dev/null, file) as an open file of a guest: the container's stdio without a terminal. Takes
 * fd over. */
int hostfd_file_new(struct kernel *k, int fd, struct file **out);
/* Make the console the controlling terminal of t's session (t is a session leader). */
int tty_set_controlling(struct file *f, struct task *t);
/* The leader of a session died: hang its terminal up. For kernel_hooks. */
void tty_session_exit(struct process *leader);
