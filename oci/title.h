/* The name and command line that ps(1) shows of a process that was forked without exec. */
#pragma once
/* Once, first thing in main: moves the environment away so that its room can be used too. */
void title_init(int argc, char **argv);
/* "name id": the command line; name (at most 15 bytes count) becomes comm. */
void title_set(const char *comm, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
