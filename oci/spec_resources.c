/* `linux.resources`, of config.json and of `update`. */
#include "spec_json.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int number(json_t *o, const char *key, const char *prefix, int64_t *out, struct err *e) {
  char path[160];
  snprintf(path, sizeof path, "%s.%s", prefix, key);
  return js_int(o, key, path, INT64_MIN, INT64_MAX, out, e);
}

static int parse_memory(struct oci_resources *r, json_t *o, const char *prefix, struct err *e) {
  int64_t swappiness = INT64_MIN;
  r->have_oom_disable = json_is_boolean(json_object_get(o, "disableOOMKiller"));
  if (number(o, "limit", prefix, &r->mem_limit, e) || number(o, "reservation", prefix, &r->mem_reservation, e) ||
      number(o, "swap", prefix, &r->mem_swap, e) || number(o, "kernel", prefix, &r->mem_kernel, e) ||
      number(o, "kernelTCP", prefix, &r->mem_kernel_tcp, e) || number(o, "swappiness", prefix, &swappiness, e) ||
      js_bool(o, "disableOOMKiller", "linux.resources.memory.disableOOMKiller", &r->oom_disable, e))
    return -1;
  if (r->mem_limit < -1 || r->mem_swap < -1 || r->mem_reservation < -1)
    return err_set(e, "%s: a limit must be -1 or a number of bytes", prefix);
  if (r->mem_limit > 0 && r->mem_swap > 0 && r->mem_swap < r->mem_limit)
    return err_set(e, "%s.swap: must not be below %s.limit (it counts memory and swap)", prefix, prefix);
  r->have_swappiness = swappiness >= 0;
  r->swappiness = r->have_swappiness ? swappiness : 0;
  if (swappiness > 100)
    return err_set(e, "%s.swappiness: must be between 0 and 100", prefix);
  return 0;
}

static int parse_cpu(struct oci_resources *r, json_t *o, const char *prefix, struct err *e) {
  if (number(o, "shares", prefix, &r->cpu_shares, e) || number(o, "quota", prefix, &r->cpu_quota, e) ||
      number(o, "period", prefix, &r->cpu_period, e) || number(o, "realtimeRuntime", prefix, &r->cpu_rt_runtime, e) ||
      number(o, "realtimePeriod", prefix, &r->cpu_rt_period, e))
    return -1;
  if (r->cpu_shares < 0 || r->cpu_period < 0)
    return err_set(e, "%s: shares and period must not be negative", prefix);
  return js_str(o, "cpus", "linux.resources.cpu.cpus", &r->cpus, e) ||
                 js_str(o, "mems", "linux.resources.cpu.mems", &r->mems, e)
             ? -1
             : 0;
}

static int parse_blkio_list(json_t *o, const char *key, const char *prefix, const char *value_key,
                            struct oci_blkio_list *out, struct err *e) {
  char path[160];
  json_t *list, *d;
  size_t i;
  snprintf(path, sizeof path, "%s.%s", prefix, key);
  if (js_list(o, key, path, &list, e))
    return -1;
  if (!list || !json_array_size(list))
    return 0;
  out->v = calloc(json_array_size(list), sizeof *out->v);
  if (!out->v)
    return err_set(e, "%s: out of memory", path);
  json_array_foreach(list, i, d) {
    int64_t major = 0, minor = 0, value = 0;
    snprintf(path, sizeof path, "%s.%s[%zu]", prefix, key, i);
    if (js_int(d, "major", path, 0, INT32_MAX, &major, e) || js_int(d, "minor", path, 0, INT32_MAX, &minor, e) ||
        js_int(d, value_key, path, 0, INT64_MAX, &value, e))
      return -1;
    out->v[out->n++] = (struct oci_blkio_dev){.major = major, .minor = minor, .value = (uint64_t)value};
  }
  return 0;
}

static int parse_blkio(struct oci_resources *r, json_t *o, const char *prefix, struct err *e) {
  if (number(o, "weight", prefix, &r->blkio_weight, e))
    return -1;
  if (r->blkio_weight && (r->blkio_weight < 10 || r->blkio_weight > 1000))
    return err_set(e, "%s.weight: must be between 10 and 1000", prefix);
  return parse_blkio_list(o, "weightDevice", prefix, "weight", &r->weight_dev, e) ||
                 parse_blkio_list(o, "throttleReadBpsDevice", prefix, "rate", &r->read_bps, e) ||
                 parse_blkio_list(o, "throttleWriteBpsDevice", prefix, "rate", &r->write_bps, e) ||
                 parse_blkio_list(o, "throttleReadIOPSDevice", prefix, "rate", &r->read_iops, e) ||
                 parse_blkio_list(o, "throttleWriteIOPSDevice", prefix, "rate", &r->write_iops, e)
             ? -1
             : 0;
}

static int parse_device_rules(struct oci_resources *r, json_t *o, const char *prefix, struct err *e) {
  char path[160];
  json_t *list, *d;
  size_t i;
  snprintf(path, sizeof path, "%s.devices", prefix);
  if (js_list(o, "devices", path, &list, e))
    return -1;
  if (!list || !json_array_size(list))
    return 0;
  r->devices = calloc(json_array_size(list), sizeof *r->devices);
  if (!r->devices)
    return err_set(e, "%s: out of memory", path);
  json_array_foreach(list, i, d) {
    struct oci_device_rule *rule = &r->devices[i];
    const char *type = NULL;
    *rule = (struct oci_device_rule){.type = 'a', .major = -1, .minor = -1, .access = "rwm"};
    snprintf(path, sizeof path, "%s.devices[%zu]", prefix, i);
    if (js_bool(d, "allow", path, &rule->allow, e) || js_str(d, "type", path, &type, e) ||
        js_int(d, "major", path, -1, INT32_MAX, &rule->major, e) ||
        js_int(d, "minor", path, -1, INT32_MAX, &rule->minor, e) || js_str(d, "access", path, &rule->access, e))
      return -1;
    if (type && *type && (strlen(type) != 1 || !strchr("abc", *type)))
      return err_set(e, "%s.type: must be one of a, b and c", path);
    if (type && *type)
      rule->type = *type;
    if (!*rule->access || strspn(rule->access, "rwm") != strlen(rule->access))
      return err_set(e, "%s.access: must be made of r, w and m", path);
    r->ndevices++;
  }
  return 0;
}

int spec_parse_resources(struct oci_resources *r, json_t *o, const char *prefix, struct err *e) {
  char path[128];
  json_t *mem, *cpu, *pids, *blkio;
  snprintf(path, sizeof path, "%s.memory", prefix);
  if (js_obj(o, "memory", path, &mem, e) || parse_memory(r, mem, path, e))
    return -1;
  snprintf(path, sizeof path, "%s.cpu", prefix);
  if (js_obj(o, "cpu", path, &cpu, e) || parse_cpu(r, cpu, path, e))
    return -1;
  snprintf(path, sizeof path, "%s.pids", prefix);
  if (js_obj(o, "pids", path, &pids, e) || number(pids, "limit", path, &r->pids_limit, e))
    return -1;
  snprintf(path, sizeof path, "%s.blockIO", prefix);
  if (js_obj(o, "blockIO", path, &blkio, e) || parse_blkio(r, blkio, path, e))
    return -1;
  snprintf(path, sizeof path, "%s.unified", prefix);
  if (js_obj(o, "unified", path, &r->unified, e))
    return -1;
  const char *key;
  json_t *v;
  json_object_foreach(r->unified, key, v) {
    if (!json_is_string(v) || strchr(key, '/') || !strcmp(key, "..") || !strchr(key, '.'))
      return err_set(e, "%s: \"%s\" must be a file name of the cgroup with a string", path, key);
  }
  return parse_device_rules(r, o, prefix, e);
}

void spec_free_resources(struct oci_resources *r) {
  free(r->devices);
  free(r->read_bps.v);
  free(r->write_bps.v);
  free(r->read_iops.v);
  free(r->write_iops.v);
  free(r->weight_dev.v);
  *r = (struct oci_resources){0};
}
