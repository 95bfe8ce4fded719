#pragma once

/* The debug log (--debug-log), for us: never seen by guests. */
void debug_log(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
