/* Descriptors of processes that outlive the command that made them. */
#pragma once
/* Close everything from 3 up but the n descriptors of `keep` (entries below 3 are ignored; it is sorted in place). */
void fds_close_others(int *keep, int n);
/* Point 0, 1 and 2 at /dev/null; `err` >= 0 becomes 2 instead. */
void fds_null_stdio(int err);
