/* Where a container's cgroups are. */
#include "cgroup.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int cgroup_expand_slice(const char *slice, char *buf, size_t cap, struct err *e) {
  const char *suffix = ".slice";
  size_t len = strlen(slice), out = 0;
  buf[0] = 0;
  if (!strcmp(slice, "-.slice"))
    return 0;
  if (len < 7 || strcmp(slice + len - 6, suffix) || strchr(slice, '/') || slice[0] == '-' || slice[len - 7] == '-' ||
      strstr(slice, "--"))
    return err_set(e, "linux.cgroupsPath: invalid slice name: %s", slice);
  for (size_t i = 0; i <= len - 6; i++) {
    if (slice[i] != '-' && i != len - 6)
      continue;
    int n = snprintf(buf + out, cap - out, "/%.*s.slice", (int)i, slice);
    if (n < 0 || (size_t)n >= cap - out)
      return err_set(e, "linux.cgroupsPath: slice name is too long: %s", slice);
    out += (size_t)n;
  }
  return 0;
}

static int systemd_path(const char *spec_path, const char *id, char *buf, size_t cap, struct err *e) {
  char copy[1024], slice_path[2048];
  const char *slice = "system.slice", *prefix = "runsc-notify", *name = id;
  if (spec_path && *spec_path) {
    if (strlen(spec_path) >= sizeof copy)
      return err_set(e, "linux.cgroupsPath: is too long");
    strcpy(copy, spec_path);
    char *a = strchr(copy, ':'), *b = a ? strchr(a + 1, ':') : NULL;
    if (!b || strchr(b + 1, ':'))
      return err_set(e,
                     "linux.cgroupsPath: expected to be of format \"slice:prefix:name\" for systemd cgroups, got "
                     "\"%s\" instead",
                     spec_path);
    *a = *b = 0;
    slice = *copy ? copy : slice;
    prefix = a + 1;
    name = b + 1;
  }
  if (!*name || strchr(name, '/') || strchr(prefix, '/'))
    return err_set(e, "linux.cgroupsPath: \"%s\" has no valid unit name", spec_path);
  if (cgroup_expand_slice(slice, slice_path, sizeof slice_path, e))
    return -1;
  size_t n = strlen(name);
  int len;
  if (n > 6 && !strcmp(name + n - 6, ".slice"))
    len = snprintf(buf, cap, "%s/%s", slice_path, name);
  else if (*prefix)
    len = snprintf(buf, cap, "%s/%s-%s.scope", slice_path, prefix, name);
  else
    len = snprintf(buf, cap, "%s/%s.scope", slice_path, name);
  return len >= (int)cap ? err_set(e, "linux.cgroupsPath: is too long") : 0;
}

/* "a/./b//c/.." -> "/a/b". ".." never leaves the root, as in runc's CleanPath. */
static int clean(const char *in, char *out, size_t cap) {
  size_t n = 0;
  while (*in) {
    while (*in == '/')
      in++;
    size_t len = strcspn(in, "/");
    if (len == 2 && !strncmp(in, "..", 2)) {
      while (n && out[--n] != '/')
        ;
    } else if (len && !(len == 1 && *in == '.')) {
      if (n + 1 + len >= cap)
        return -1;
      out[n++] = '/';
      memcpy(out + n, in, len);
      n += len;
    }
    in += len;
  }
  out[n] = 0;
  return n ? 0 : -1;
}

int cgroup_path(const char *spec_path, const char *id, bool systemd, char *buf, size_t cap, struct err *e) {
  if (systemd)
    return systemd_path(spec_path, id, buf, cap, e);
  if (clean(spec_path && *spec_path ? spec_path : id, buf, cap))
    return err_set(e, "linux.cgroupsPath: \"%s\" is no usable path", spec_path ? spec_path : "");
  return 0;
}

/* mountinfo(5) writes blanks as \040. */
static void unescape(char *s) {
  char *o = s;
  for (; *s; s++) {
    if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] && s[3]) {
      *o++ = (char)((s[1] - '0') * 64 + (s[2] - '0') * 8 + (s[3] - '0'));
      s += 3;
    } else {
      *o++ = *s;
    }
  }
  *o = 0;
}

/* The super options of a v1 hierarchy: flags and controllers; keep the controllers. */
static char *controllers_of(char *opts) {
  static const char *const flags[] = {"rw",          "ro", "xattr", "noprefix", "clone_children", "cpuset_v2_mode",
                                      "favordynmods"};
  char out[256] = "", *save = NULL;
  for (char *o = strtok_r(opts, ",", &save); o; o = strtok_r(NULL, ",", &save)) {
    bool flag = !strncmp(o, "release_agent=", 14);
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
      flag |= !strcmp(o, flags[i]);
    if (flag || strlen(out) + strlen(o) + 2 > sizeof out)
      continue;
    if (*out)
      strcat(out, ",");
    strcat(out, o);
  }
  return strdup(out);
}

static int add_dir(struct cgroup *g, const char *mount, char *controllers, bool v2, const char *rel) {
  struct cgroup_dir *d = &g->d[g->n];
  for (int i = 0; i < g->n; i++)
    if (!strcmp(g->d[i].controllers, controllers)) { /* mounted twice: the first is as good */
      free(controllers);
      return 0;
    }
  if (g->n == CGROUP_MAX_DIRS) {
    free(controllers);
    return 0;
  }
  *d = (struct cgroup_dir){.controllers = controllers, .mount = strdup(mount), .v2 = v2};
  if (!d->controllers || !d->mount || asprintf(&d->path, "%s%s", mount, rel) < 0)
    return -1;
  g->n++;
  return 0;
}

int cgroup_plan(struct cgroup *g, const char *mountinfo, const char *rel, struct err *e) {
  *g = (struct cgroup){0};
  FILE *f = fopen(mountinfo, "re");
  char *line = NULL;
  size_t cap = 0;
  int rc = 0;
  bool v1 = false;
  if (!f)
    return err_set(e, "%s cannot be read", mountinfo);
  while (!rc && getline(&line, &cap, f) > 0) {
    char mount[1024], fstype[64], opts[1024];
    char *dash = strstr(line, " - ");
    if (!dash || sscanf(line, "%*s %*s %*s %*s %1023s", mount) != 1 ||
        sscanf(dash + 3, "%63s %*s %1023s", fstype, opts) != 2)
      continue;
    unescape(mount);
    if (!strcmp(fstype, "cgroup")) {
      v1 = true;
      rc = add_dir(g, mount, controllers_of(opts), false, rel);
    } else if (!strcmp(fstype, "cgroup2")) {
      rc = add_dir(g, mount, strdup(""), true, rel);
    }
  }
  free(line);
  fclose(f);
  if (rc)
    return err_set(e, "out of memory");
  /* Hybrid: the controllers are in v1. Like runc we are also in the unified hierarchy, without limits there. */
  for (int i = 0; v1 && i < g->n; i++)
    if (g->d[i].v2)
      g->d[i].join_only = true;
  return 0;
}

void cgroup_free(struct cgroup *g) {
  for (int i = 0; i < g->n; i++) {
    free(g->d[i].controllers);
    free(g->d[i].mount);
    free(g->d[i].path);
  }
  g->n = 0;
}

json_t *cgroup_to_json(const struct cgroup *g) {
  json_t *list = json_array();
  for (int i = 0; i < g->n; i++)
    json_array_append_new(list,
                          json_pack("{s:s,s:s,s:s,s:b,s:b}", "controllers", g->d[i].controllers, "mount", g->d[i].mount,
                                    "path", g->d[i].path, "v2", g->d[i].v2, "joinOnly", g->d[i].join_only));
  return list;
}

int cgroup_from_json(struct cgroup *g, json_t *list) {
  size_t i;
  json_t *o;
  *g = (struct cgroup){0};
  json_array_foreach(list, i, o) {
    const char *controllers, *mount, *path;
    int v2, join_only;
    if (g->n == CGROUP_MAX_DIRS || json_unpack(o, "{s:s,s:s,s:s,s:b,s:b}", "controllers", &controllers, "mount", &mount,
                                               "path", &path, "v2", &v2, "joinOnly", &join_only))
      break;
    g->d[g->n++] = (struct cgroup_dir){.controllers = strdup(controllers),
                                       .mount = strdup(mount),
                                       .path = strdup(path),
                                       .v2 = v2,
                                       .join_only = join_only};
  }
  return 0;
}

bool cgroup_has(const struct cgroup_dir *d, const char *controller) {
  size_t n = strlen(controller);
  for (const char *p = d->controllers; *p;) {
    size_t len = strcspn(p, ",");
    if (len == n && !strncmp(p, controller, n))
      return true;
    p += len + (p[len] == ',');
  }
  return false;
}
