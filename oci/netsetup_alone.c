/*
 * Who else lives in the container's network namespace? `--network container:X` and pods put several containers into
 * one. A stack of our own takes the interfaces away from the host's, and with them from every process that uses it.
 */
#include "netsetup.h"
#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool lives_here(const char *pid, const struct stat *here) {
  char path[300];
  struct stat st;
  snprintf(path, sizeof path, "/proc/%s/ns/net", pid);
  return !stat(path, &st) && st.st_dev == here->st_dev && st.st_ino == here->st_ino;
}

static void read_comm(const char *pid, char *comm, size_t cap) {
  char path[300];
  snprintf(path, sizeof path, "/proc/%s/comm", pid);
  FILE *f = fopen(path, "re");
  if (!f || !fgets(comm, (int)cap, f))
    *comm = 0;
  if (f)
    fclose(f);
  comm[strcspn(comm, "\n")] = 0;
}

/* What only keeps a pod's namespaces open, and sandboxes of ours: those that use the interfaces have said so by other
 * means (netsetup_silence.c). */
static bool harmless(const char *comm) {
  static const char *const names[] = {"pause", "catatonit", "conmon"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (!strcmp(comm, names[i]))
      return true;
  return !strncmp(comm, "runsc-notify-", 13);
}

int netsetup_check_alone(pid_t p, struct err *e) {
  struct stat here;
  struct dirent *de;
  int rc = 0;
  DIR *d = stat("/proc/thread-self/ns/net", &here) ? NULL : opendir("/proc");
  while (d && !rc && (de = readdir(d))) {
    char comm[32];
    int pid = isdigit((unsigned char)*de->d_name) ? atoi(de->d_name) : 0;
    if (!pid || pid == p || pid == getpid() || !lives_here(de->d_name, &here))
      continue;
    read_comm(de->d_name, comm, sizeof comm);
    if (*comm && !harmless(comm))
      rc = err_set(e, "the network namespace is in use by process %d (%s), which would be cut off: it cannot be shared",
                   pid, comm);
  }
  if (d)
    closedir(d);
  return rc;
}

static bool annotated_as_pod(json_t *annotations) {
  static const char *const keys[] = {"io.kubernetes.cri-o.ContainerType", "io.kubernetes.cri.container-type"};
  for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
    const char *v = json_string_value(json_object_get(annotations, keys[i]));
    if (v && !strcmp(v, "sandbox"))
      return true;
  }
  return false;
}

/* podman says it only with its program: "catatonit -P". */
bool netsetup_only_holds(const struct oci_spec *s) {
  const struct oci_strv *a = &s->process.args;
  const char *name = a->n ? strrchr(a->v[0], '/') : NULL;
  name = name ? name + 1 : a->n ? a->v[0] : "";
  return annotated_as_pod(s->annotations) || (a->n == 1 && !strcmp(name, "pause")) ||
         (a->n == 2 && !strcmp(name, "catatonit") && !strcmp(a->v[1], "-P"));
}
