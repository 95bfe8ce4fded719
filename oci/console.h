/* Terminals on the host: pseudo-terminals for containers, handing them to engines, and relaying the user's own. */
#pragma once
#include "error.h"
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct console {
  int master, slave;
};
/* A new pty; rows and cols 0: as the host gives it. */
int console_open(struct console *c, uint16_t rows, uint16_t cols, struct err *e);
void console_close(struct console *c);
/* Connect to the engine's socket and pass the master in the one message it expects (OCI_ENGINES: section 5). */
int console_send(const char *socket_path, int master, struct err *e);

/*
 * Be the user's terminal until `child` has ended: raw mode, bytes both ways, sizes, signals to this process forwarded
 * to the child. master < 0: no terminal, only wait. The child's wait status.
 */
int console_relay(int master, pid_t child);
