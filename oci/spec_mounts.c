/* `mounts`: options as mount(8) and runc understand them. */
#include "spec_json.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>

#ifndef ARRAY_SIZE
#define ARRAY_SIZE(a) (sizeof(a) / sizeof *(a))
#endif

static const struct {
  const char *name;
  bool clear;
  unsigned long flag;
} mount_options[] = {
    {"async", true, MS_SYNCHRONOUS},
    {"atime", true, MS_NOATIME},
    {"bind", false, MS_BIND},
    {"defaults", false, 0},
    {"dev", true, MS_NODEV},
    {"diratime", true, MS_NODIRATIME},
    {"dirsync", false, MS_DIRSYNC},
    {"exec", true, MS_NOEXEC},
    {"iversion", false, MS_I_VERSION},
    {"mand", false, MS_MANDLOCK},
    {"noatime", false, MS_NOATIME},
    {"nodev", false, MS_NODEV},
    {"nodiratime", false, MS_NODIRATIME},
    {"noexec", false, MS_NOEXEC},
    {"noiversion", true, MS_I_VERSION},
    {"nomand", true, MS_MANDLOCK},
    {"norelatime", true, MS_RELATIME},
    {"nostrictatime", true, MS_STRICTATIME},
    {"nosuid", false, MS_NOSUID},
    {"rbind", false, MS_BIND | MS_REC},
    {"relatime", false, MS_RELATIME},
    {"remount", false, MS_REMOUNT},
    {"ro", false, MS_RDONLY},
    {"rro", false, MS_RDONLY},
    {"rw", true, MS_RDONLY},
    {"strictatime", false, MS_STRICTATIME},
    {"suid", true, MS_NOSUID},
    {"sync", false, MS_SYNCHRONOUS},
    /* Propagation means nothing inside: the container's mount namespace has no peers. */
    {"private", false, 0},
    {"rprivate", false, 0},
    {"rshared", false, 0},
    {"rslave", false, 0},
    {"runbindable", false, 0},
    {"shared", false, 0},
    {"slave", false, 0},
    {"unbindable", false, 0},
    /* SELinux labels of podman's volumes */
    {"z", false, 0},
    {"Z", false, 0},
};

static int append_data(struct oci_mount *m, const char *option, struct err *e) {
  size_t old = m->data ? strlen(m->data) : 0, n = old + strlen(option) + 2;
  char *data = realloc(m->data, n);
  if (!data)
    return err_set(e, "mounts: out of memory");
  m->data = data;
  snprintf(data + old, n - old, "%s%s", old ? "," : "", option);
  return 0;
}

static int apply_option(struct oci_mount *m, const char *option, struct err *e) {
  for (size_t i = 0; i < ARRAY_SIZE(mount_options); i++) {
    if (strcmp(option, mount_options[i].name))
      continue;
    if (mount_options[i].clear)
      m->flags &= ~mount_options[i].flag;
    else
      m->flags |= mount_options[i].flag;
    return 0;
  }
  if (!strcmp(option, "tmpcopyup")) {
    m->tmpcopyup = true;
    return 0;
  }
  return append_data(m, option, e);
}

static int parse_mount(struct oci_mount *m, json_t *o, size_t i, struct err *e) {
  char path[64];
  m->data = strdup("");
  if (!m->data)
    return err_set(e, "mounts: out of memory");
  snprintf(path, sizeof path, "mounts[%zu].destination", i);
  if (js_str(o, "destination", path, &m->destination, e))
    return -1;
  if (!m->destination || !*m->destination)
    return err_set(e, "%s: must not be empty", path);
  snprintf(path, sizeof path, "mounts[%zu].type", i);
  if (js_str(o, "type", path, &m->type, e))
    return -1;
  snprintf(path, sizeof path, "mounts[%zu].source", i);
  if (js_str(o, "source", path, &m->source, e))
    return -1;
  snprintf(path, sizeof path, "mounts[%zu].options", i);
  if (js_strv(o, "options", path, &m->options, e))
    return -1;
  for (size_t j = 0; j < m->options.n; j++)
    if (apply_option(m, m->options.v[j], e))
      return -1;
  /* Like runc: an option makes a bind mount whatever the type says. */
  m->bind = (m->flags & MS_BIND) || (m->type && !strcmp(m->type, "bind"));
  m->tree = -1;
  if (m->bind && (!m->source || !*m->source))
    return err_set(e, "mounts[%zu].source: must not be empty for a bind mount", i);
  if (!m->bind && (!m->type || !*m->type))
    return err_set(e, "mounts[%zu].type: must not be empty", i);
  return 0;
}

int spec_parse_mounts(struct oci_spec *s, json_t *list, struct err *e) {
  size_t i;
  json_t *o;
  s->mounts = calloc(json_array_size(list) + 1, sizeof *s->mounts);
  if (!s->mounts)
    return err_set(e, "mounts: out of memory");
  json_array_foreach(list, i, o) {
    s->nmounts = i + 1; /* so that a half-parsed one is freed too */
    if (!json_is_object(o))
      return err_set(e, "mounts[%zu]: must be an object", i);
    if (parse_mount(&s->mounts[i], o, i, e))
      return -1;
  }
  return 0;
}

int spec_number_trees(struct oci_spec *s) {
  int n = 1;
  for (size_t i = 0; i < s->nmounts; i++)
    if (s->mounts[i].bind)
      s->mounts[i].tree = n++;
  return n;
}
