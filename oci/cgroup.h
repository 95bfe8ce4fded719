/*
 * The container's cgroups on the host: cgroups(7), v1, v2 and both. P is put into them before it makes anything; the
 * whole sandbox inherits them. Directories only, no dbus: with --systemd-cgroup the names are those that systemd would
 * give.
 */
#pragma once
#include "error.h"
#include "spec.h"
#include <jansson.h>
#include <sys/types.h>

#define CGROUP_MAX_DIRS 24
/* Processes of the sandbox itself, which pids.limit does not mean: monitor, Sentry, gofer, zygote and its warm pool,
 * runsc-notify-dns. */
#define CGROUP_OWN_PIDS 8
struct cgroup_dir {
  char *controllers; /* "cpu,cpuacct", "name=systemd", or "" for the unified hierarchy */
  char *mount;       /* where the hierarchy is mounted */
  char *path;        /* the container's directory */
  bool v2;
  bool join_only; /* no limits are set here */
};
struct cgroup {
  struct cgroup_dir d[CGROUP_MAX_DIRS];
  int n;
};

/* The path below each hierarchy's root, from linux.cgroupsPath (may be NULL). systemd: SLICE:PREFIX:NAME. */
int cgroup_path(const char *spec_path, const char *id, bool systemd, char *buf, size_t cap, struct err *e);
/* "a-b.slice" -> "/a.slice/a-b.slice" (systemd.slice(5)). */
int cgroup_expand_slice(const char *slice, char *buf, size_t cap, struct err *e);
/* Find the hierarchies in a mountinfo(5) file and plan a directory in each. */
int cgroup_plan(struct cgroup *g, const char *mountinfo, const char *rel, struct err *e);
void cgroup_free(struct cgroup *g);

/* Make the directories. optional: leave out hierarchies that we may not write to (rootless). */
int cgroup_create(struct cgroup *g, bool optional, struct err *e);
int cgroup_join(const struct cgroup *g, pid_t pid, struct err *e);
/* Only what is set is written. */
int cgroup_apply(const struct cgroup *g, const struct oci_resources *r, struct err *e);
int cgroup_apply_v1(const struct cgroup_dir *d, const struct oci_resources *r, struct err *e); /* cgroup_v1.c */
int cgroup_apply_v2(const struct cgroup_dir *d, const struct oci_resources *r, struct err *e); /* cgroup_v2.c */
/* Signal every process in them; how many there were. */
int cgroup_signal_all(const struct cgroup *g, int sig);
/* Remove the directories and those below, waiting a moment for dying processes. */
int cgroup_remove(const struct cgroup *g, struct err *e);

/* For state.json: {"cpu,cpuacct": path, …}, and back. */
json_t *cgroup_to_json(const struct cgroup *g);
int cgroup_from_json(struct cgroup *g, json_t *o);
/* runc's `events --stats` data. A new reference. */
json_t *cgroup_stats(const struct cgroup *g);

bool cgroup_has(const struct cgroup_dir *d, const char *controller);
int cgroup_write(const struct cgroup_dir *d, const char *file, const char *fmt, ...)
    __attribute__((format(printf, 3, 4))); /* 0 or -errno */
/* The first line of a file; -errno if it cannot be read. */
int cgroup_read(const struct cgroup_dir *d, const char *file, char *buf, size_t cap);
/* v2: let children of the directories above d->path use the controllers. */
int cgroup_v2_enable(const struct cgroup_dir *d, struct err *e);
/* Are we root only inside a user namespace, or not at all? */
bool cgroup_rootless(void);
