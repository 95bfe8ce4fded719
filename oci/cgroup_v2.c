/* Limits in cgroup v2: Documentation/admin-guide/cgroup-v2.rst of Linux. */
#include "cgroup.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int cgroup_v2_enable(const struct cgroup_dir *d, struct err *e) {
  char have[512], *save = NULL;
  struct cgroup_dir up = {.path = d->mount};
  if (cgroup_read(&up, "cgroup.controllers", have, sizeof have))
    return err_set(e, "%s/cgroup.controllers cannot be read", d->mount);
  char *path = strdup(d->path), *s = path ? path + strlen(d->mount) : NULL;
  /* At the root and at each directory above the container's own. */
  while (s && *s) {
    char list[512];
    char keep = *s;
    *s = 0;
    up.path = path;
    snprintf(list, sizeof list, "%s", have);
    for (char *c = strtok_r(list, " ", &save); c; c = strtok_r(NULL, " ", &save))
      cgroup_write(&up, "cgroup.subtree_control", "+%s", c); /* one by one: some may be in use by processes here */
    *s = keep;
    s = strchr(s + 1, '/');
  }
  free(path);
  return 0;
}

static int set(const struct cgroup_dir *d, const char *file, int64_t value, struct err *e) {
  int rc = value < 0 ? cgroup_write(d, file, "max") : cgroup_write(d, file, "%" PRId64, value);
  return rc ? err_sys(e, -rc, "write %" PRId64 " to %s/%s", value, d->path, file) : 0;
}

static int apply_memory(const struct cgroup_dir *d, const struct oci_resources *r, struct err *e) {
  /* The specification's swap counts memory too; v2's does not. */
  if (r->mem_swap) {
    int64_t swap = r->mem_swap < 0 || r->mem_limit <= 0 ? -1 : r->mem_swap - r->mem_limit;
    int rc =
        swap < 0 ? cgroup_write(d, "memory.swap.max", "max") : cgroup_write(d, "memory.swap.max", "%" PRId64, swap);
    if (rc && rc != -ENOENT)
      return err_sys(e, -rc, "write %s/memory.swap.max", d->path);
  }
  if (r->mem_limit && set(d, "memory.max", r->mem_limit, e))
    return -1;
  return r->mem_reservation ? set(d, "memory.low", r->mem_reservation, e) : 0;
}

static int apply_cpu(const struct cgroup_dir *d, const struct oci_resources *r, struct err *e) {
  if (r->cpu_shares) {
    /* [2, 262144] onto [1, 10000], as runc and systemd do it */
    int64_t shares = r->cpu_shares < 2 ? 2 : r->cpu_shares > 262144 ? 262144 : r->cpu_shares;
    if (set(d, "cpu.weight", 1 + (shares - 2) * 9999 / 262142, e))
      return -1;
  }
  if (r->cpu_quota || r->cpu_period) {
    int64_t period = r->cpu_period ? r->cpu_period : 100000;
    int rc = r->cpu_quota > 0 ? cgroup_write(d, "cpu.max", "%" PRId64 " %" PRId64, r->cpu_quota, period)
                              : cgroup_write(d, "cpu.max", "max %" PRId64, period);
    if (rc)
      return err_sys(e, -rc, "write %s/cpu.max", d->path);
  }
  return 0;
}

static int io_max(const struct cgroup_dir *d, const char *key, const struct oci_blkio_list *l, struct err *e) {
  for (size_t i = 0; i < l->n; i++) {
    int rc = cgroup_write(d, "io.max", "%" PRId64 ":%" PRId64 " %s=%" PRIu64, l->v[i].major, l->v[i].minor, key,
                          l->v[i].value);
    if (rc)
      return err_sys(e, -rc, "write %s/io.max", d->path);
  }
  return 0;
}

static int apply_io(const struct cgroup_dir *d, const struct oci_resources *r, struct err *e) {
  if (r->blkio_weight) {
    /* [10, 1000] onto [1, 10000] */
    int64_t weight = 1 + (r->blkio_weight - 10) * 9999 / 990;
    int rc = cgroup_write(d, "io.bfq.weight", "%" PRId64, r->blkio_weight);
    if (rc == -ENOENT)
      rc = cgroup_write(d, "io.weight", "%" PRId64, weight);
    if (rc && rc != -ENOENT)
      return err_sys(e, -rc, "write %s/io.weight", d->path);
  }
  return io_max(d, "rbps", &r->read_bps, e) || io_max(d, "wbps", &r->write_bps, e) ||
                 io_max(d, "riops", &r->read_iops, e) || io_max(d, "wiops", &r->write_iops, e)
             ? -1
             : 0;
}

int cgroup_apply_v2(const struct cgroup_dir *d, const struct oci_resources *r, struct err *e) {
  const char *key;
  json_t *v;
  if (apply_memory(d, r, e) || apply_cpu(d, r, e) || apply_io(d, r, e))
    return -1;
  if (r->pids_limit && set(d, "pids.max", r->pids_limit < 0 ? -1 : r->pids_limit + CGROUP_OWN_PIDS, e))
    return -1;
  for (int i = 0; i < 2; i++) {
    const char *text = i ? r->mems : r->cpus, *file = i ? "cpuset.mems" : "cpuset.cpus";
    int rc = text && *text ? cgroup_write(d, file, "%s", text) : 0;
    if (rc)
      return err_sys(e, -rc, "write %s to %s/%s", text, d->path, file);
  }
  json_object_foreach(r->unified, key, v) {
    int rc = cgroup_write(d, key, "%s", json_string_value(v));
    if (rc)
      return err_sys(e, -rc, "write %s/%s", d->path, key);
  }
  return 0;
}
