/* `events --stats`: runc's shape, made of what the host's cgroups count. Zero fields are left out. */
#include "cgroup.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void put(json_t *o, const char *key, uint64_t v) {
  if (v)
    json_object_set_new(o, key, json_integer((json_int_t)(v > INT64_MAX ? INT64_MAX : v)));
}

static uint64_t number(const struct cgroup_dir *d, const char *file) {
  char buf[64];
  return cgroup_read(d, file, buf, sizeof buf) ? 0 : strtoull(buf, NULL, 10);
}

/* A file of "key value" lines. */
static json_t *table(const struct cgroup_dir *d, const char *file) {
  char path[4096], key[128];
  uint64_t v;
  json_t *o = json_object();
  snprintf(path, sizeof path, "%s/%s", d->path, file);
  FILE *f = fopen(path, "re");
  while (f && fscanf(f, "%127s %" SCNu64, key, &v) == 2)
    put(o, key, v);
  if (f)
    fclose(f);
  return o;
}

static uint64_t field(json_t *o, const char *key) {
  return (uint64_t)json_integer_value(json_object_get(o, key));
}

static void cpu_v1(const struct cgroup_dir *d, json_t *cpu) {
  json_t *usage = json_object_get(cpu, "usage"), *percpu = json_array();
  char buf[4096], *p = buf, *end;
  put(usage, "total", number(d, "cpuacct.usage"));
  if (!cgroup_read(d, "cpuacct.usage_percpu", buf, sizeof buf))
    for (uint64_t v = strtoull(p, &end, 10); end != p; v = strtoull(p, &end, 10)) {
      json_array_append_new(percpu, json_integer((json_int_t)v));
      p = end;
    }
  json_object_set_new(usage, "percpu", percpu);
  json_t *stat = table(d, "cpuacct.stat"); /* in USER_HZ, 100 on every Linux */
  put(usage, "user", field(stat, "user") * 10000000);
  put(usage, "kernel", field(stat, "system") * 10000000);
  json_decref(stat);
}

static void throttling(const struct cgroup_dir *d, json_t *cpu, const char *time_key, uint64_t unit) {
  json_t *stat = table(d, "cpu.stat"), *t = json_object_get(cpu, "throttling");
  put(t, "periods", field(stat, "nr_periods"));
  put(t, "throttledPeriods", field(stat, "nr_throttled"));
  put(t, "throttledTime", field(stat, time_key) * unit);
  if (d->v2) {
    json_t *usage = json_object_get(cpu, "usage");
    put(usage, "total", field(stat, "usage_usec") * 1000);
    put(usage, "user", field(stat, "user_usec") * 1000);
    put(usage, "kernel", field(stat, "system_usec") * 1000);
  }
  json_decref(stat);
}

static json_t *counter(const struct cgroup_dir *d, const char *prefix) {
  static const char *const files[] = {"limit_in_bytes", "usage_in_bytes", "max_usage_in_bytes", "failcnt"};
  static const char *const keys[] = {"limit", "usage", "max", "failcnt"};
  json_t *o = json_object();
  char name[96];
  for (int i = 0; i < 4; i++) {
    snprintf(name, sizeof name, "%s.%s", prefix, files[i]);
    put(o, keys[i], number(d, name));
  }
  return o;
}

static void memory(const struct cgroup_dir *d, json_t *mem) {
  json_t *raw = table(d, "memory.stat");
  json_object_set_new(mem, "raw", raw);
  if (!d->v2) {
    put(mem, "cache", field(raw, "cache"));
    json_object_set_new(mem, "usage", counter(d, "memory"));
    json_object_set_new(mem, "swap", counter(d, "memory.memsw"));
    json_object_set_new(mem, "kernel", counter(d, "memory.kmem"));
    json_object_set_new(mem, "kernelTCP", counter(d, "memory.kmem.tcp"));
    return;
  }
  json_t *usage = json_object(), *swap = json_object();
  put(mem, "cache", field(raw, "file"));
  put(usage, "usage", number(d, "memory.current"));
  put(usage, "limit", number(d, "memory.max"));
  put(usage, "max", number(d, "memory.peak"));
  put(swap, "usage", number(d, "memory.swap.current"));
  json_object_set_new(mem, "usage", usage);
  json_object_set_new(mem, "swap", swap);
}

static void blkio_v1(const struct cgroup_dir *d, json_t *blkio) {
  char path[4096], op[32];
  unsigned major, minor;
  uint64_t v;
  json_t *list = json_array();
  snprintf(path, sizeof path, "%s/blkio.throttle.io_service_bytes_recursive", d->path);
  FILE *f = fopen(path, "re");
  while (f && fscanf(f, "%u:%u %31s %" SCNu64, &major, &minor, op, &v) == 4)
    json_array_append_new(
        list, json_pack("{s:i,s:i,s:s,s:I}", "major", major, "minor", minor, "op", op, "value", (json_int_t)v));
  if (f)
    fclose(f);
  if (json_array_size(list))
    json_object_set(blkio, "ioServiceBytesRecursive", list);
  json_decref(list);
}

json_t *cgroup_stats(const struct cgroup *g) {
  json_t *cpu = json_pack("{s:{},s:{}}", "usage", "throttling"), *mem = json_object(), *pids = json_object();
  json_t *blkio = json_object();
  for (int i = 0; i < g->n; i++) {
    const struct cgroup_dir *d = &g->d[i];
    if (d->join_only)
      continue;
    if (cgroup_has(d, "cpuacct"))
      cpu_v1(d, cpu);
    if (cgroup_has(d, "cpu") || d->v2)
      throttling(d, cpu, d->v2 ? "throttled_usec" : "throttled_time", d->v2 ? 1000 : 1);
    if (cgroup_has(d, "memory") || d->v2)
      memory(d, mem);
    if (cgroup_has(d, "blkio"))
      blkio_v1(d, blkio);
    if (cgroup_has(d, "pids") || d->v2) {
      put(pids, "current", number(d, "pids.current"));
      put(pids, "limit", number(d, "pids.max"));
    }
  }
  return json_pack("{s:o,s:o,s:o,s:o,s:{}}", "cpu", cpu, "memory", mem, "pids", pids, "blkio", blkio, "hugetlb");
}
