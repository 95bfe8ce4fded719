/* The life of a container's cgroup directories. */
#include "cgroup.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

bool cgroup_rootless(void) {
  unsigned inside = 0, outside = 0, size = 0;
  if (geteuid() != 0)
    return true;
  FILE *f = fopen("/proc/self/uid_map", "re");
  if (!f)
    return false;
  int n = fscanf(f, "%u %u %u", &inside, &outside, &size);
  fclose(f);
  return n == 3 && !(inside == 0 && outside == 0 && size == 4294967295u);
}

int cgroup_write(const struct cgroup_dir *d, const char *file, const char *fmt, ...) {
  char path[4096], text[512];
  va_list ap;
  va_start(ap, fmt);
  vsnprintf(text, sizeof text, fmt, ap);
  va_end(ap);
  snprintf(path, sizeof path, "%s/%s", d->path, file);
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0)
    return -errno;
  int rc = write(fd, text, strlen(text)) < 0 ? -errno : 0;
  close(fd);
  return rc;
}

static int read_line(const char *dir, const char *file, char *buf, size_t cap) {
  char path[4096];
  snprintf(path, sizeof path, "%s/%s", dir, file);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return -errno;
  ssize_t n = read(fd, buf, cap - 1);
  int err = errno;
  close(fd);
  if (n < 0)
    return -err;
  buf[n] = 0;
  buf[strcspn(buf, "\n")] = 0;
  return 0;
}

int cgroup_read(const struct cgroup_dir *d, const char *file, char *buf, size_t cap) {
  return read_line(d->path, file, buf, cap);
}

/* A new cpuset has no CPUs and takes no process until it is given its parent's. */
static void inherit_cpuset(const char *dir) {
  static const char *const files[] = {"cpuset.cpus", "cpuset.mems"};
  char parent[4096], value[1024];
  snprintf(parent, sizeof parent, "%s", dir);
  *strrchr(parent, '/') = 0;
  for (int i = 0; i < 2; i++) {
    if (read_line(dir, files[i], value, sizeof value) || *value || read_line(parent, files[i], value, sizeof value))
      continue;
    struct cgroup_dir d = {.path = (char *)dir};
    cgroup_write(&d, files[i], "%s", value);
  }
}

static int make_dirs(const struct cgroup_dir *d) {
  char *path = strdup(d->path);
  int rc = path ? 0 : -ENOMEM;
  char *s = path ? path + strlen(d->mount) : NULL;
  while (!rc && s) {
    s = strchr(s + 1, '/');
    if (s)
      *s = 0;
    if (mkdir(path, 0755) && errno != EEXIST)
      rc = -errno;
    else if (!d->v2 && cgroup_has(d, "cpuset"))
      inherit_cpuset(path);
    if (s)
      *s = '/';
  }
  free(path);
  return rc;
}

static void drop_dir(struct cgroup *g, int i) {
  free(g->d[i].controllers);
  free(g->d[i].mount);
  free(g->d[i].path);
  memmove(&g->d[i], &g->d[i + 1], sizeof g->d[0] * (size_t)(g->n - i - 1));
  g->n--;
}

int cgroup_create(struct cgroup *g, bool optional, struct err *e) {
  for (int i = 0; i < g->n;) {
    int rc = make_dirs(&g->d[i]);
    /* Named hierarchies carry no limits: systemd's may be read-only or somebody else's. */
    bool may_drop = optional || g->d[i].join_only || !strncmp(g->d[i].controllers, "name=", 5);
    if (rc && may_drop) {
      drop_dir(g, i);
      continue;
    }
    if (rc) {
      err_sys(e, -rc, "mkdir %s", g->d[i].path);
      cgroup_remove(g, &(struct err){""});
      return -1;
    }
    if (g->d[i].v2 && !g->d[i].join_only && cgroup_v2_enable(&g->d[i], e) && !optional)
      return -1;
    i++;
  }
  return 0;
}

int cgroup_join(const struct cgroup *g, pid_t pid, struct err *e) {
  for (int i = 0; i < g->n; i++) {
    int rc = cgroup_write(&g->d[i], "cgroup.procs", "%d", pid);
    if (rc)
      return err_sys(e, -rc, "write %d to %s/cgroup.procs", pid, g->d[i].path);
  }
  return 0;
}

int cgroup_apply(const struct cgroup *g, const struct oci_resources *r, struct err *e) {
  for (int i = 0; i < g->n; i++)
    if (g->d[i].join_only)
      continue;
    else if (g->d[i].v2 ? cgroup_apply_v2(&g->d[i], r, e) : cgroup_apply_v1(&g->d[i], r, e))
      return -1;
  return 0;
}

static int signal_procs(const char *dir, int sig) {
  char path[4096];
  int n = 0, pid;
  snprintf(path, sizeof path, "%s/cgroup.procs", dir);
  FILE *f = fopen(path, "re");
  if (!f)
    return 0;
  while (fscanf(f, "%d", &pid) == 1)
    if (pid > 0 && !kill(pid, sig))
      n++;
  fclose(f);
  return n;
}

int cgroup_signal_all(const struct cgroup *g, int sig) {
  int most = 0;
  for (int i = 0; i < g->n; i++) {
    int n = signal_procs(g->d[i].path, sig);
    most = n > most ? n : most;
  }
  return most;
}

/* The directory and its children, depth first: guests cannot make any, but tools on the host can. */
static int remove_tree(const char *path) {
  if (!rmdir(path) || errno == ENOENT)
    return 0;
  if (errno != EBUSY && errno != ENOTEMPTY)
    return -errno;
  DIR *d = opendir(path);
  struct dirent *de;
  while (d && (de = readdir(d))) {
    char sub[4096];
    if (de->d_type != DT_DIR || de->d_name[0] == '.')
      continue;
    if (snprintf(sub, sizeof sub, "%s/%s", path, de->d_name) < (int)sizeof sub)
      remove_tree(sub);
  }
  if (d)
    closedir(d);
  return !rmdir(path) || errno == ENOENT ? 0 : -errno;
}

int cgroup_remove(const struct cgroup *g, struct err *e) {
  int rc = 0;
  for (int i = 0; i < g->n; i++) {
    int err = remove_tree(g->d[i].path);
    /* A process that has died leaves its cgroup a moment later. */
    for (int try = 0; err == -EBUSY && try < 100; try++) {
      nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
      err = remove_tree(g->d[i].path);
    }
    if (err && err != -EROFS)
      rc = err_sys(e, -err, "remove cgroup %s", g->d[i].path);
  }
  return rc;
}
