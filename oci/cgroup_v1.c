/* Limits in cgroup v1: Documentation/admin-guide/cgroup-v1 of Linux. */
#include "cgroup.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static int set(const struct cgroup_dir *d, const char *file, int64_t value, struct err *e) {
  int rc = cgroup_write(d, file, "%" PRId64, value);
  return rc ? err_sys(e, -rc, "write %" PRId64 " to %s/%s", value, d->path, file) : 0;
}

/* memory <= memory+swap holds at every moment, so which to write first depends on the direction of the change. */
static int apply_memory(const struct cgroup_dir *d, const struct oci_resources *r, struct err *e) {
  int64_t limit = r->mem_limit, swap = r->mem_swap;
  bool swap_done = false;
  if (limit == -1 && !swap)
    swap = -1; /* runc: no limit on memory means none on swap */
  if (limit && cgroup_write(d, "memory.limit_in_bytes", "%" PRId64, limit)) {
    /* A host without swap accounting has no such file; the limit is then refused for a reason of its own below. */
    if (swap)
      swap_done = !cgroup_write(d, "memory.memsw.limit_in_bytes", "%" PRId64, swap);
    if (set(d, "memory.limit_in_bytes", limit, e))
      return -1;
  }
  if (swap && !swap_done) {
    int rc = cgroup_write(d, "memory.memsw.limit_in_bytes", "%" PRId64, swap);
    if (rc && rc != -ENOENT)
      return err_sys(e, -rc, "write %" PRId64 " to %s/memory.memsw.limit_in_bytes", swap, d->path);
  }
  if (r->mem_reservation && set(d, "memory.soft_limit_in_bytes", r->mem_reservation, e))
    return -1;
  if (r->have_oom_disable && r->oom_disable && set(d, "memory.oom_control", 1, e))
    return -1;
  if (r->have_swappiness && set(d, "memory.swappiness", r->swappiness, e))
    return -1;
  return 0;
}

static int apply_cpu(const struct cgroup_dir *d, const struct oci_resources *r, struct err *e) {
  if (r->cpu_shares && set(d, "cpu.shares", r->cpu_shares, e))
    return -1;
  /* The period must fit the old quota: lift that first. */
  if (r->cpu_period && r->cpu_quota)
    cgroup_write(d, "cpu.cfs_quota_us", "-1");
  if (r->cpu_period && set(d, "cpu.cfs_period_us", r->cpu_period, e))
    return -1;
  if (r->cpu_quota && set(d, "cpu.cfs_quota_us", r->cpu_quota, e))
    return -1;
  if (r->cpu_rt_period && set(d, "cpu.rt_period_us", r->cpu_rt_period, e))
    return -1;
  return r->cpu_rt_runtime ? set(d, "cpu.rt_runtime_us", r->cpu_rt_runtime, e) : 0;
}

static int set_text(const struct cgroup_dir *d, const char *file, const char *text, struct err *e) {
  int rc = cgroup_write(d, file, "%s", text);
  return rc ? err_sys(e, -rc, "write %s to %s/%s", text, d->path, file) : 0;
}

static int throttle(const struct cgroup_dir *d, const char *file, const struct oci_blkio_list *l, struct err *e) {
  for (size_t i = 0; i < l->n; i++) {
    int rc = cgroup_write(d, file, "%" PRId64 ":%" PRId64 " %" PRIu64, l->v[i].major, l->v[i].minor, l->v[i].value);
    if (rc)
      return err_sys(e, -rc, "write %s/%s", d->path, file);
  }
  return 0;
}

static int apply_blkio(const struct cgroup_dir *d, const struct oci_resources *r, struct err *e) {
  if (r->blkio_weight) {
    int rc = cgroup_write(d, "blkio.weight", "%" PRId64, r->blkio_weight);
    if (rc == -ENOENT) /* since the CFQ scheduler left, only BFQ weighs */
      rc = cgroup_write(d, "blkio.bfq.weight", "%" PRId64, r->blkio_weight);
    if (rc && rc != -ENOENT)
      return err_sys(e, -rc, "write %s/blkio.weight", d->path);
  }
  return throttle(d, "blkio.throttle.read_bps_device", &r->read_bps, e) ||
                 throttle(d, "blkio.throttle.write_bps_device", &r->write_bps, e) ||
                 throttle(d, "blkio.throttle.read_iops_device", &r->read_iops, e) ||
                 throttle(d, "blkio.throttle.write_iops_device", &r->write_iops, e)
             ? -1
             : 0;
}

static int device_rule(const struct cgroup_dir *d, bool allow, char type, int64_t major, int64_t minor,
                       const char *access) {
  char ma[24] = "*", mi[24] = "*";
  if (major >= 0)
    snprintf(ma, sizeof ma, "%" PRId64, major);
  if (minor >= 0)
    snprintf(mi, sizeof mi, "%" PRId64, minor);
  return cgroup_write(d, allow ? "devices.allow" : "devices.deny", "%c %s:%s %s", type, ma, mi, access);
}

/*
 * The sandbox opens no device but /dev/null, and its file trees are mounted nodev, so the rules guard against our own
 * mistakes only. The defaults that runc adds come last: engines rely on them after "deny all".
 */
static int apply_devices(const struct cgroup_dir *d, const struct oci_resources *r, struct err *e) {
  static const struct {
    int major, minor;
  } always[] = {{1, 3}, {1, 5}, {1, 7}, {1, 8}, {1, 9}, {5, 0}, {5, 1}, {5, 2}, {136, -1}};
  for (size_t i = 0; i < r->ndevices; i++) {
    const struct oci_device_rule *k = &r->devices[i];
    int rc =
        device_rule(d, k->allow, k->type, k->type == 'a' ? -1 : k->major, k->type == 'a' ? -1 : k->minor, k->access);
    if (rc && rc != -EPERM) /* a parent that allows less: the result is no weaker */
      return err_sys(e, -rc, "write %s/devices", d->path);
  }
  for (size_t i = 0; r->ndevices && i < sizeof always / sizeof *always; i++)
    device_rule(d, true, 'c', always[i].major, always[i].minor, "rwm");
  return 0;
}

int cgroup_apply_v1(const struct cgroup_dir *d, const struct oci_resources *r, struct err *e) {
  if (cgroup_has(d, "memory") && apply_memory(d, r, e))
    return -1;
  if (cgroup_has(d, "cpu") && apply_cpu(d, r, e))
    return -1;
  if (cgroup_has(d, "cpuset") && ((r->cpus && *r->cpus && set_text(d, "cpuset.cpus", r->cpus, e)) ||
                                  (r->mems && *r->mems && set_text(d, "cpuset.mems", r->mems, e))))
    return -1;
  if (cgroup_has(d, "pids") && r->pids_limit &&
      (r->pids_limit < 0 ? set_text(d, "pids.max", "max", e) : set(d, "pids.max", r->pids_limit + CGROUP_OWN_PIDS, e)))
    return -1;
  if (cgroup_has(d, "blkio") && apply_blkio(d, r, e))
    return -1;
  return cgroup_has(d, "devices") ? apply_devices(d, r, e) : 0;
}
