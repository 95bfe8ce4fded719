#include "spec.h"
#include "spec_json.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int parse_hook_list(struct oci_hooks *h, json_t *hooks, const char *key, struct err *e) {
  char path[96];
  json_t *list, *o;
  size_t i;
  snprintf(path, sizeof path, "hooks.%s", key);
  if (js_list(hooks, key, path, &list, e))
    return -1;
  if (!list || !json_array_size(list))
    return 0;
  h->v = calloc(json_array_size(list), sizeof *h->v);
  if (!h->v)
    return err_set(e, "%s: out of memory", path);
  json_array_foreach(list, i, o) {
    struct oci_hook *k = &h->v[h->n++];
    snprintf(path, sizeof path, "hooks.%s[%zu].path", key, i);
    if (js_str(o, "path", path, &k->path, e))
      return -1;
    if (!k->path || k->path[0] != '/')
      return err_set(e, "%s: must be an absolute path", path);
    snprintf(path, sizeof path, "hooks.%s[%zu]", key, i);
    if (js_strv(o, "args", path, &k->args, e) || js_strv(o, "env", path, &k->env, e) ||
        js_int(o, "timeout", path, 0, 86400 * 365, &k->timeout, e))
      return -1;
  }
  return 0;
}

int spec_parse_hooks(struct oci_spec *s, json_t *o, struct err *e) {
  if (parse_hook_list(&s->prestart, o, "prestart", e) || parse_hook_list(&s->create_runtime, o, "createRuntime", e) ||
      parse_hook_list(&s->create_container, o, "createContainer", e) ||
      parse_hook_list(&s->start_container, o, "startContainer", e) ||
      parse_hook_list(&s->poststart, o, "poststart", e) || parse_hook_list(&s->poststop, o, "poststop", e))
    return -1;
  /* These run inside the container before its program; running none would be worse than saying so. */
  if (s->start_container.n)
    return err_set(e, "hooks.startContainer: not supported");
  return 0;
}

static int parse_version(struct oci_spec *s, struct err *e) {
  if (js_str(s->doc, "ociVersion", "ociVersion", &s->oci_version, e))
    return -1;
  if (!s->oci_version || !*s->oci_version)
    return err_set(e, "ociVersion: must be set");
  if (strncmp(s->oci_version, "1.", 2))
    return err_set(e, "ociVersion: version %s is not supported, only 1.x", s->oci_version);
  return 0;
}

static int parse_root(struct oci_spec *s, struct err *e) {
  json_t *root;
  if (js_obj(s->doc, "root", "root", &root, e))
    return -1;
  if (!root)
    return err_set(e, "root: must be set");
  if (js_str(root, "path", "root.path", &s->root_path, e) ||
      js_bool(root, "readonly", "root.readonly", &s->root_readonly, e))
    return -1;
  if (!s->root_path || !*s->root_path)
    return err_set(e, "root.path: must not be empty");
  return 0;
}

static int parse_all(struct oci_spec *s, struct err *e) {
  json_t *process, *mounts, *hooks, *lin, *v;
  const char *key;
  if (!json_is_object(s->doc))
    return err_set(e, "config: must be a JSON object");
  if (parse_version(s, e) || parse_root(s, e) || js_obj(s->doc, "process", "process", &process, e))
    return -1;
  if (!process)
    return err_set(e, "process: must be set");
  s->have_process = true;
  if (spec_parse_process(&s->process, process, "process", e) || js_list(s->doc, "mounts", "mounts", &mounts, e) ||
      js_obj(s->doc, "hooks", "hooks", &hooks, e) || js_obj(s->doc, "linux", "linux", &lin, e) ||
      js_obj(s->doc, "annotations", "annotations", &s->annotations, e) ||
      js_str(s->doc, "hostname", "hostname", &s->hostname, e) ||
      js_str(s->doc, "domainname", "domainname", &s->domainname, e))
    return -1;
  json_object_foreach(s->annotations, key, v) {
    if (!json_is_string(v))
      return err_set(e, "annotations.%s: must be a string", key);
  }
  if (s->hostname && strlen(s->hostname) > 64)
    return err_set(e, "hostname: is longer than 64 characters");
  if (s->domainname && strlen(s->domainname) > 64)
    return err_set(e, "domainname: is longer than 64 characters");
  if (spec_parse_mounts(s, mounts, e) || (hooks && spec_parse_hooks(s, hooks, e)) ||
      (lin && spec_parse_linux(s, lin, e)))
    return -1;
  if (s->hostname && *s->hostname && lin && !s->ns[OCI_NS_UTS].present)
    return err_set(e, "hostname: unable to set hostname without a private UTS namespace");
  /* Apart, because Docker's names 350 calls, which few want to see in the state and the log. */
  if (js_obj(lin, "seccomp", "linux.seccomp", &s->seccomp, e))
    return -1;
  json_incref(s->seccomp);
  json_object_del(lin, "seccomp");
  return 0;
}

int spec_parse(struct oci_spec *s, json_t *doc, struct err *e) {
  *s = (struct oci_spec){.doc = json_incref(doc), .process.umask = -1};
  if (!parse_all(s, e))
    return 0;
  spec_free(s);
  return -1;
}

int spec_load(struct oci_spec *s, const char *path, struct err *e) {
  json_t *doc = js_load_file(path, e);
  *s = (struct oci_spec){.process.umask = -1};
  if (!doc)
    return -1;
  int rc = spec_parse(s, doc, e);
  json_decref(doc);
  return rc;
}

static void free_hooks(struct oci_hooks *h) {
  for (size_t i = 0; i < h->n; i++) {
    free(h->v[i].args.v);
    free(h->v[i].env.v);
  }
  free(h->v);
}

void spec_free(struct oci_spec *s) {
  struct oci_hooks *hooks[] = {&s->prestart,        &s->create_runtime, &s->create_container,
                               &s->start_container, &s->poststart,      &s->poststop};
  for (size_t i = 0; i < sizeof hooks / sizeof *hooks; i++)
    free_hooks(hooks[i]);
  for (size_t i = 0; i < s->nmounts; i++) {
    free(s->mounts[i].options.v);
    free(s->mounts[i].data);
  }
  free(s->mounts);
  spec_free_process(&s->process);
  spec_free_resources(&s->res);
  free(s->uidmap);
  free(s->gidmap);
  free(s->devices);
  free(s->masked.v);
  free(s->readonly.v);
  free(s->seccomp_prog.insns);
  json_decref(s->seccomp);
  json_decref(s->doc);
  *s = (struct oci_spec){.process.umask = -1};
}
