/* What `--version` and `features` say. */
#pragma once
#define RUNSC_NOTIFY_VERSION "0.1.0"
#ifndef RUNSC_NOTIFY_COMMIT
#define RUNSC_NOTIFY_COMMIT "unknown"
#endif
