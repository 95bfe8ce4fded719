/*
 * The OCI runtime specification's config.json, parsed and checked (https://github.com/opencontainers/runtime-spec,
 * config.md and config-linux.md). Strings are borrowed from the JSON document, which the spec owns.
 */
#pragma once
#include "error.h"
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SPEC_MAX_BYTES (16 << 20)
#define OCI_VERSION "1.0.2-dev"

struct oci_strv { /* v is NULL-terminated, or NULL when n is 0 and the field was absent */
  size_t n;
  const char **v;
};

struct oci_rlimit {
  int resource; /* RLIMIT_* */
  uint64_t soft, hard;
};

struct oci_process {
  bool terminal;
  uint16_t rows, cols; /* consoleSize; 0: not given */
  uint32_t uid, gid;
  uint32_t *additional_gids;
  size_t nadditional_gids;
  int umask; /* -1: not given */
  struct oci_strv args, env;
  const char *cwd;
  bool have_caps; /* absent: no capability at all, as runc */
  uint64_t cap_bounding, cap_effective, cap_inheritable, cap_permitted, cap_ambient; /* bit n: capability n */
  struct oci_rlimit *rlimits;
  size_t nrlimits;
  bool no_new_privileges;
  bool have_oom_score_adj;
  int oom_score_adj;
};

struct oci_mount {
  const char *destination, *type, *source;
  struct oci_strv options;
  /* made of the options */
  unsigned long flags; /* MS_RDONLY, MS_NOSUID, …, MS_BIND, MS_REC */
  bool bind;           /* a bind mount: served by the gofer as a tree of its own */
  bool tmpcopyup;      /* podman: the image's files are copied into the tmpfs */
  char *data;          /* what the file system itself takes ("size=1m,mode=755"); "" if nothing. Owned */
  int tree;            /* bind: number of the gofer's tree; set by spec_number_trees */
};

struct oci_hook {
  const char *path;
  struct oci_strv args, env;
  int64_t timeout; /* seconds; 0: none */
};
struct oci_hooks {
  struct oci_hook *v;
  size_t n;
};

enum oci_ns {
  OCI_NS_PID,
  OCI_NS_NETWORK,
  OCI_NS_MOUNT,
  OCI_NS_IPC,
  OCI_NS_UTS,
  OCI_NS_USER,
  OCI_NS_CGROUP,
  OCI_NS_TIME,
  OCI_NNS
};
struct oci_namespace {
  bool present;
  const char *path; /* NULL: a new one */
};

struct oci_idmap {
  uint32_t container, host, size;
};

struct oci_device_rule {
  bool allow;
  char type;            /* 'a', 'b', 'c' */
  int64_t major, minor; /* -1: all */
  const char *access;
};
struct oci_device {
  const char *path;
  char type; /* 'b', 'c', 'u', 'p' */
  int64_t major, minor;
  uint32_t mode, uid, gid;
};
struct oci_blkio_dev {
  int64_t major, minor;
  uint64_t value;
};
struct oci_blkio_list {
  struct oci_blkio_dev *v;
  size_t n;
};

/* 0 means unset everywhere, as engines use it, except where a have_ field stands beside it. */
struct oci_resources {
  int64_t mem_limit, mem_reservation, mem_swap, mem_kernel, mem_kernel_tcp;
  bool have_swappiness, have_oom_disable, oom_disable;
  int64_t swappiness;
  int64_t cpu_shares, cpu_quota, cpu_period, cpu_rt_runtime, cpu_rt_period;
  const char *cpus, *mems;
  int64_t pids_limit;
  int64_t blkio_weight;
  struct oci_blkio_list read_bps, write_bps, read_iops, write_iops, weight_dev;
  struct oci_device_rule *devices;
  size_t ndevices;
  json_t *unified; /* v2: file name -> text; borrowed */
};

struct sock_filter;
struct oci_seccomp { /* a compiled profile; no instructions: none */
  struct sock_filter *insns;
  unsigned len;
  bool log; /* SECCOMP_FILTER_FLAG_LOG */
};

struct oci_spec {
  json_t *doc;
  const char *oci_version;
  struct oci_process process;
  bool have_process;
  const char *root_path; /* as given: relative to the bundle */
  bool root_readonly;
  const char *hostname, *domainname;
  struct oci_mount *mounts;
  size_t nmounts;
  struct oci_hooks prestart, create_runtime, create_container, start_container, poststart, poststop;
  json_t *annotations; /* borrowed; may be NULL */

  struct oci_namespace ns[OCI_NNS];
  struct oci_idmap *uidmap, *gidmap;
  size_t nuidmap, ngidmap;
  const char *cgroups_path;
  struct oci_resources res;
  struct oci_device *devices;
  size_t ndevices;
  struct oci_strv masked, readonly;
  json_t *sysctl;                  /* borrowed; name -> value */
  json_t *seccomp;                 /* counted; no longer in doc; NULL: none */
  struct oci_seccomp seccomp_prog; /* what spec_compile_seccomp() made of it */
};

/* Parse and check. On failure -1, *e names the field, and *s is as after spec_free(). Takes its own reference on doc.
 */
int spec_parse(struct oci_spec *s, json_t *doc, struct err *e);
int spec_load(struct oci_spec *s, const char *path, struct err *e);
void spec_free(struct oci_spec *s);

/* A bare process object (exec --process). `path` is the prefix of field names in errors, e.g. "process". */
int spec_parse_process(struct oci_process *p, json_t *o, const char *path, struct err *e);
void spec_free_process(struct oci_process *p);
/* Bare resources (update --resources). */
int spec_parse_resources(struct oci_resources *r, json_t *o, const char *path, struct err *e);
void spec_free_resources(struct oci_resources *r);
/* The parts of spec.c that live in files of their own. */
int spec_parse_mounts(struct oci_spec *s, json_t *list, struct err *e);
int spec_parse_hooks(struct oci_spec *s, json_t *o, struct err *e);
int spec_parse_linux(struct oci_spec *s, json_t *o, struct err *e);

/* s->seccomp into s->seccomp_prog, as --oci-seccomp asks for. 0, or -1 with *e. */
int spec_compile_seccomp(struct oci_spec *s, struct err *e);

/* Number the gofer's trees: 0 is the root, each bind mount gets the next. The number of trees. */
int spec_number_trees(struct oci_spec *s);
/* "CAP_CHOWN" -> 0; -1 if unknown. */
int spec_cap_number(const char *name);
const char *spec_cap_name(int cap);       /* NULL beyond the last */
int spec_rlimit_number(const char *name); /* "RLIMIT_NOFILE"; -1 if unknown */

/* What `spec` writes: runc's default configuration. A new reference. */
json_t *spec_default(bool rootless);
