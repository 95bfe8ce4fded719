#pragma once
#include <stdio.h>
/* The table of system calls in `format`: table, json or markdown. 0, or -1: unknown format or the file failed. */
int syscalls_print(FILE *f, const char *format);
