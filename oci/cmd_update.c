/* update: new limits on the container's cgroups. */
#include "cmd.h"
#include "spec_json.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
  OPT_BLKIO = 256,
  OPT_CPU_PERIOD,
  OPT_CPU_QUOTA,
  OPT_CPU_SHARE,
  OPT_CPUS,
  OPT_MEMS,
  OPT_MEMORY,
  OPT_RESERVATION,
  OPT_SWAP,
  OPT_PIDS,
  OPT_IGNORED_ARG
};
static const struct option options[] = {
    {"resources", required_argument, NULL, 'r'},
    {"blkio-weight", required_argument, NULL, OPT_BLKIO},
    {"cpu-period", required_argument, NULL, OPT_CPU_PERIOD},
    {"cpu-quota", required_argument, NULL, OPT_CPU_QUOTA},
    {"cpu-share", required_argument, NULL, OPT_CPU_SHARE},
    {"cpuset-cpus", required_argument, NULL, OPT_CPUS},
    {"cpuset-mems", required_argument, NULL, OPT_MEMS},
    {"memory", required_argument, NULL, OPT_MEMORY},
    {"memory-reservation", required_argument, NULL, OPT_RESERVATION},
    {"memory-swap", required_argument, NULL, OPT_SWAP},
    {"pids-limit", required_argument, NULL, OPT_PIDS},
    {"kernel-memory", required_argument, NULL, OPT_IGNORED_ARG},
    {"kernel-memory-tcp", required_argument, NULL, OPT_IGNORED_ARG},
    {"cpu-rt-period", required_argument, NULL, OPT_IGNORED_ARG},
    {"cpu-rt-runtime", required_argument, NULL, OPT_IGNORED_ARG},
    {0},
};

/* "100m", "1g", "-1" */
static int bytes(const char *text, int64_t *out) {
  char *end;
  long long n = strtoll(text, &end, 10);
  int shift = 0;
  if (end == text)
    return -1;
  switch (*end | 0x20) {
  case 'k':
    shift = 10;
    break;
  case 'm':
    shift = 20;
    break;
  case 'g':
    shift = 30;
    break;
  case 't':
    shift = 40;
    break;
  }
  if (shift)
    end++;
  if (*end && strcmp(end, "b") && strcmp(end, "B"))
    return -1;
  return __builtin_mul_overflow(n, 1ll << shift, out) ? -1 : 0;
}

static int take(struct oci_resources *r, int c) {
  switch (c) {
  case OPT_BLKIO:
    return bytes(optarg, &r->blkio_weight);
  case OPT_CPU_PERIOD:
    return bytes(optarg, &r->cpu_period);
  case OPT_CPU_QUOTA:
    return bytes(optarg, &r->cpu_quota);
  case OPT_CPU_SHARE:
    return bytes(optarg, &r->cpu_shares);
  case OPT_CPUS:
    r->cpus = optarg;
    return 0;
  case OPT_MEMS:
    r->mems = optarg;
    return 0;
  case OPT_MEMORY:
    return bytes(optarg, &r->mem_limit);
  case OPT_RESERVATION:
    return bytes(optarg, &r->mem_reservation);
  case OPT_SWAP:
    return bytes(optarg, &r->mem_swap);
  case OPT_PIDS:
    return bytes(optarg, &r->pids_limit);
  case OPT_IGNORED_ARG:
    return 0;
  default:
    return -1;
  }
}

static int apply(struct globals *g, const char *id, const struct oci_resources *r, struct err *e) {
  struct container c;
  struct cgroup cg;
  if (state_open(&c, g->root, id, e))
    return -1;
  int rc;
  if (state_status(&c) == OCI_STOPPED) {
    rc = err_set(e, "container not running");
  } else {
    container_cgroup(&c, &cg);
    rc = cgroup_apply(&cg, r, e);
    cgroup_free(&cg);
  }
  state_close(&c);
  return rc;
}

int cmd_update(struct globals *g, int argc, char **argv) {
  struct oci_resources r = {0};
  struct err e;
  const char *file = NULL;
  json_t *doc = NULL;
  int c, rc = 0;
  while ((c = getopt_long(argc, argv, "r:", options, NULL)) != -1) {
    if (c == 'r')
      file = optarg;
    else if (take(&r, c))
      return cli_usage(g, argv[0], "unknown option or bad value");
  }
  const char *id = cli_only_id(g, argc, argv);
  if (!id)
    return 1;
  if (file) {
    doc = js_load_file(file, &e);
    rc = doc ? spec_parse_resources(&r, doc, "resources", &e) : -1;
  }
  if (!rc)
    rc = apply(g, id, &r, &e);
  spec_free_resources(&r);
  json_decref(doc);
  return rc ? cli_fail(g, &e) : 0;
}
