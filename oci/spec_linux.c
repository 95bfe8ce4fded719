/* The `linux` object: namespaces, id mappings, devices, paths to hide. Resources are in spec_resources.c. */
#include "spec_json.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const ns_names[OCI_NNS] = {"pid", "network", "mount", "ipc", "uts", "user", "cgroup", "time"};

static int parse_namespaces(struct oci_spec *s, json_t *lin, struct err *e) {
  json_t *list, *o;
  size_t i;
  char path[64];
  if (js_list(lin, "namespaces", "linux.namespaces", &list, e))
    return -1;
  json_array_foreach(list, i, o) {
    const char *type = NULL, *file = NULL;
    int ns = 0;
    snprintf(path, sizeof path, "linux.namespaces[%zu].type", i);
    if (js_str(o, "type", path, &type, e))
      return -1;
    while (ns < OCI_NNS && (!type || strcmp(type, ns_names[ns])))
      ns++;
    if (ns == OCI_NNS)
      return err_set(e, "%s: namespace \"%s\" does not exist", path, type ? type : "");
    if (s->ns[ns].present)
      return err_set(e, "%s: %s is given twice", path, type);
    snprintf(path, sizeof path, "linux.namespaces[%zu].path", i);
    if (js_str(o, "path", path, &file, e))
      return -1;
    if (file && *file && *file != '/')
      return err_set(e, "%s: must be an absolute path", path);
    s->ns[ns] = (struct oci_namespace){.present = true, .path = file && *file ? file : NULL};
  }
  return 0;
}

static int parse_idmap(json_t *lin, const char *key, struct oci_idmap **out, size_t *n, struct err *e) {
  json_t *list, *o;
  size_t i;
  char path[64];
  snprintf(path, sizeof path, "linux.%s", key);
  if (js_list(lin, key, path, &list, e))
    return -1;
  if (!list || !json_array_size(list))
    return 0;
  *out = calloc(json_array_size(list), sizeof **out);
  if (!*out)
    return err_set(e, "%s: out of memory", path);
  json_array_foreach(list, i, o) {
    int64_t c = -1, h = -1, size = 0;
    snprintf(path, sizeof path, "linux.%s[%zu]", key, i);
    if (js_int(o, "containerID", path, 0, UINT32_MAX, &c, e) || js_int(o, "hostID", path, 0, UINT32_MAX, &h, e) ||
        js_int(o, "size", path, 0, UINT32_MAX, &size, e))
      return -1;
    if (c < 0 || h < 0 || size <= 0)
      return err_set(e, "%s: containerID, hostID and size must be set", path);
    (*out)[(*n)++] = (struct oci_idmap){.container = (uint32_t)c, .host = (uint32_t)h, .size = (uint32_t)size};
  }
  return 0;
}

static int parse_device(struct oci_device *d, json_t *o, size_t i, struct err *e) {
  char path[64];
  const char *type = NULL;
  int64_t mode = 0666, uid = 0, gid = 0;
  snprintf(path, sizeof path, "linux.devices[%zu].path", i);
  if (js_str(o, "path", path, &d->path, e))
    return -1;
  if (!d->path || d->path[0] != '/')
    return err_set(e, "%s: must be an absolute path", path);
  snprintf(path, sizeof path, "linux.devices[%zu].type", i);
  if (js_str(o, "type", path, &type, e))
    return -1;
  if (!type || strlen(type) != 1 || !strchr("bcup", *type))
    return err_set(e, "%s: must be one of b, c, u and p", path);
  d->type = *type;
  snprintf(path, sizeof path, "linux.devices[%zu]", i);
  if (js_int(o, "major", path, 0, INT32_MAX, &d->major, e) || js_int(o, "minor", path, 0, INT32_MAX, &d->minor, e) ||
      js_int(o, "fileMode", path, 0, 0777777, &mode, e) || js_int(o, "uid", path, 0, UINT32_MAX - 1, &uid, e) ||
      js_int(o, "gid", path, 0, UINT32_MAX - 1, &gid, e))
    return -1;
  d->mode = (uint32_t)mode & 07777;
  d->uid = (uint32_t)uid;
  d->gid = (uint32_t)gid;
  return 0;
}

static int parse_devices(struct oci_spec *s, json_t *lin, struct err *e) {
  json_t *list, *o;
  size_t i;
  if (js_list(lin, "devices", "linux.devices", &list, e))
    return -1;
  if (!list || !json_array_size(list))
    return 0;
  s->devices = calloc(json_array_size(list), sizeof *s->devices);
  if (!s->devices)
    return err_set(e, "linux.devices: out of memory");
  json_array_foreach(list, i, o) {
    if (parse_device(&s->devices[i], o, i, e))
      return -1;
    s->ndevices++;
  }
  return 0;
}

static int parse_sysctl(struct oci_spec *s, json_t *lin, struct err *e) {
  const char *key;
  json_t *v;
  if (js_obj(lin, "sysctl", "linux.sysctl", &s->sysctl, e))
    return -1;
  json_object_foreach(s->sysctl, key, v) if (!json_is_string(v)) return err_set(e, "linux.sysctl.%s: must be a string",
                                                                                key);
  return 0;
}

int spec_parse_linux(struct oci_spec *s, json_t *o, struct err *e) {
  json_t *res;
  if (parse_namespaces(s, o, e) || parse_idmap(o, "uidMappings", &s->uidmap, &s->nuidmap, e) ||
      parse_idmap(o, "gidMappings", &s->gidmap, &s->ngidmap, e) || parse_devices(s, o, e) || parse_sysctl(s, o, e) ||
      js_str(o, "cgroupsPath", "linux.cgroupsPath", &s->cgroups_path, e) ||
      js_strv(o, "maskedPaths", "linux.maskedPaths", &s->masked, e) ||
      js_strv(o, "readonlyPaths", "linux.readonlyPaths", &s->readonly, e) ||
      js_obj(o, "resources", "linux.resources", &res, e))
    return -1;
  if ((s->nuidmap || s->ngidmap) && !s->ns[OCI_NS_USER].present)
    return err_set(e, "linux.uidMappings: needs a user namespace in linux.namespaces");
  if (s->ns[OCI_NS_USER].present && !s->ns[OCI_NS_USER].path && (!s->nuidmap || !s->ngidmap))
    return err_set(e, "linux.uidMappings: a new user namespace needs uidMappings and gidMappings");
  for (size_t i = 0; i < s->masked.n; i++)
    if (s->masked.v[i][0] != '/')
      return err_set(e, "linux.maskedPaths[%zu]: must be an absolute path", i);
  for (size_t i = 0; i < s->readonly.n; i++)
    if (s->readonly.v[i][0] != '/')
      return err_set(e, "linux.readonlyPaths[%zu]: must be an absolute path", i);
  return res ? spec_parse_resources(&s->res, res, "linux.resources", e) : 0;
}
