/* What the sandbox's own processes are allowed on the host: nothing, as a user of their own. */
#pragma once
#include <sys/types.h>

/* The uid of the sandbox whose stand-in P is; 0 (keep one's own) where the caller is not root. */
unsigned rights_uid(pid_t p);
/* Give up groups, ids (uid 0: keep them), all capabilities for good, and set no_new_privs. NULL, or the name of the
 * step that failed, with errno. */
const char *rights_drop(unsigned uid);
