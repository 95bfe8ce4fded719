#include "state.h"
#include "spec.h"
#include "spec_json.h"
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static const char *const status_names[] = {"creating", "created", "running", "paused", "stopped"};
static const char *const state_files[] = {"state.json", "status",       "config.json",
                                          "lock",       "control.sock", "state.json.new"};

const char *state_status_name(enum oci_status s) {
  return status_names[s];
}

int state_check_id(const char *id, struct err *e) {
  if (!id || !*id)
    return err_set(e, "container id cannot be empty");
  if (strlen(id) > 1024 || !strcmp(id, ".") || !strcmp(id, ".."))
    return err_set(e, "invalid container ID format: %.64s", id);
  for (const char *p = id; *p; p++)
    if (!isalnum((unsigned char)*p) && !strchr("_+.-", *p))
      return err_set(e, "invalid container ID format: %.64s", id);
  return 0;
}

void state_default_root(char *buf, size_t cap) {
  const char *run = getenv("XDG_RUNTIME_DIR");
  if (geteuid() != 0 && run && *run == '/')
    snprintf(buf, cap, "%s/runsc-notify", run);
  else
    snprintf(buf, cap, "/run/runsc-notify");
}

static int mkdir_all(const char *path, mode_t mode) {
  char *p = strdup(path);
  int rc = p ? 0 : -1;
  for (char *s = p ? strchr(p + 1, '/') : NULL; s && !rc; s = strchr(s + 1, '/')) {
    *s = 0;
    if (mkdir(p, mode) && errno != EEXIST)
      rc = -1;
    *s = '/';
  }
  if (!rc && mkdir(p, mode) && errno != EEXIST)
    rc = -1;
  free(p);
  return rc;
}

static int container_init(struct container *c, const char *root, const char *id) {
  *c = (struct container){.dir = -1, .lock = -1, .root = strdup(root), .id = strdup(id), .state = json_object()};
  return c->root && c->id && c->state ? 0 : -1;
}

static int open_dir(struct container *c, const char *root, const char *id) {
  char path[4096];
  if (snprintf(path, sizeof path, "%s/%s", root, id) >= (int)sizeof path) {
    errno = ENAMETOOLONG;
    return -1;
  }
  c->dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  return c->dir < 0 ? -1 : 0;
}

int state_create(struct container *c, const char *root, const char *id, struct err *e) {
  char path[4096];
  if (container_init(c, root, id))
    return err_set(e, "out of memory");
  if (state_check_id(id, e))
    goto bad;
  if (mkdir_all(root, 0711)) {
    err_sys(e, errno, "mkdir %s", root);
    goto bad;
  }
  snprintf(path, sizeof path, "%s/%s", root, id);
  if (mkdir(path, 0711)) {
    if (errno == EEXIST)
      err_set(e, "container with given ID already exists");
    else
      err_sys(e, errno, "mkdir %s", path);
    goto bad;
  }
  if (open_dir(c, root, id)) {
    err_sys(e, errno, "open %s", path);
    goto bad;
  }
  if (state_lock(c, 0, e)) {
    state_remove(c, &(struct err){""});
    goto bad;
  }
  return 0;
bad:
  state_close(c);
  return -1;
}

int state_open(struct container *c, const char *root, const char *id, struct err *e) {
  struct err ignored;
  if (container_init(c, root, id)) {
    state_close(c);
    return err_set(e, "out of memory");
  }
  if (state_check_id(id, e)) {
    state_close(c);
    return -1;
  }
  if (open_dir(c, root, id)) {
    int rc = errno == ENOENT || errno == ENOTDIR ? 1 : -1;
    if (rc == 1)
      err_set(e, "container does not exist");
    else
      err_sys(e, errno, "open %s/%s", root, id);
    state_close(c);
    return rc;
  }
  /* A `create` that was killed early leaves none: the container is then one that never came to be. */
  json_t *state = state_read_json(c, "state.json", &ignored);
  if (state) {
    json_decref(c->state);
    c->state = state;
  }
  return 0;
}

int state_lock(struct container *c, int timeout_ms, struct err *e) {
  int fd = openat(c->dir, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0)
    return err_sys(e, errno, "open %s/%s/lock", c->root, c->id);
  for (int waited = 0;; waited += 10) {
    if (!flock(fd, timeout_ms < 0 ? LOCK_EX : LOCK_EX | LOCK_NB))
      break;
    if (errno == EINTR)
      continue;
    if (errno != EWOULDBLOCK || waited >= timeout_ms) {
      err_sys(e, errno, "lock %s/%s: another command is at work on this container", c->root, c->id);
      close(fd);
      return -1;
    }
    nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
  }
  c->lock = fd;
  /* Whoever held it before may have deleted the container. */
  struct stat st;
  if (fstat(c->dir, &st) || st.st_nlink == 0)
    return err_set(e, "container does not exist");
  return 0;
}

void state_close(struct container *c) {
  if (c->lock >= 0)
    close(c->lock);
  if (c->dir >= 0)
    close(c->dir);
  free(c->root);
  free(c->id);
  json_decref(c->state);
  *c = (struct container){.dir = -1, .lock = -1};
}

int state_remove(struct container *c, struct err *e) {
  char path[4096];
  for (size_t i = 0; i < sizeof state_files / sizeof *state_files; i++)
    unlinkat(c->dir, state_files[i], 0);
  snprintf(path, sizeof path, "%s/%s", c->root, c->id);
  if (rmdir(path) && errno != ENOENT)
    return err_sys(e, errno, "remove %s", path);
  return 0;
}

int state_write(struct container *c, const char *name, const void *data, size_t len, struct err *e) {
  const char *tmp = "state.json.new";
  int fd = openat(c->dir, tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0)
    return err_sys(e, errno, "create %s/%s/%s", c->root, c->id, name);
  for (size_t n = 0; n < len;) {
    ssize_t w = write(fd, (const char *)data + n, len - n);
    if (w < 0 && errno == EINTR)
      continue;
    if (w <= 0) {
      err_sys(e, errno, "write %s/%s/%s", c->root, c->id, name);
      close(fd);
      return -1;
    }
    n += (size_t)w;
  }
  close(fd);
  if (renameat(c->dir, tmp, c->dir, name))
    return err_sys(e, errno, "rename %s/%s/%s", c->root, c->id, name);
  return 0;
}

int state_save(struct container *c, struct err *e) {
  char *text = json_dumps(c->state, JSON_COMPACT);
  if (!text)
    return err_set(e, "state of container %s cannot be written as JSON", c->id);
  int rc = state_write(c, "state.json", text, strlen(text), e);
  free(text);
  return rc;
}

json_t *state_read_json(struct container *c, const char *name, struct err *e) {
  char path[64];
  int fd = openat(c->dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) {
    err_sys(e, errno, "open %s/%s/%s", c->root, c->id, name);
    return NULL;
  }
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  json_t *doc = js_load_file(path, e);
  close(fd);
  return doc;
}

uint64_t proc_start_time(pid_t pid, bool *zombie) {
  char path[64], buf[1024], state;
  uint64_t start;
  snprintf(path, sizeof path, "/proc/%d/stat", pid);
  *zombie = false;
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return 0;
  ssize_t n = read(fd, buf, sizeof buf - 1);
  close(fd);
  if (n <= 0)
    return 0;
  buf[n] = 0;
  char *p = strrchr(buf, ')'); /* the name may hold anything, but is the last thing in parentheses */
  if (!p || sscanf(p + 1, " %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %" SCNu64,
                   &state, &start) != 2)
    return 0;
  *zombie = state == 'Z' || state == 'X';
  return start;
}

void state_set_pid(struct container *c, pid_t pid) {
  bool zombie;
  json_object_set_new(c->state, "pid", json_integer(pid));
  json_object_set_new(c->state, "startTime", json_integer((json_int_t)proc_start_time(pid, &zombie)));
}

pid_t state_pid(const struct container *c) {
  return (pid_t)json_integer_value(json_object_get(c->state, "pid"));
}

bool state_alive(const struct container *c) {
  bool zombie;
  pid_t pid = state_pid(c);
  if (pid <= 0)
    return false;
  uint64_t start = proc_start_time(pid, &zombie);
  return start && !zombie && start == (uint64_t)json_integer_value(json_object_get(c->state, "startTime"));
}

enum oci_status state_status(const struct container *c) {
  char buf[16] = "";
  if (!state_alive(c))
    return OCI_STOPPED;
  int fd = openat(c->dir, "status", O_RDONLY | O_CLOEXEC);
  if (fd >= 0) {
    if (read(fd, buf, sizeof buf - 1) < 0)
      buf[0] = 0;
    close(fd);
  }
  for (int i = OCI_CREATED; i <= OCI_PAUSED; i++)
    if (!strncmp(buf, status_names[i], strlen(status_names[i])))
      return (enum oci_status)i;
  return OCI_CREATING;
}

const char *state_str(const struct container *c, const char *key) {
  return json_string_value(json_object_get(c->state, key));
}

static void copy_key(json_t *to, const struct container *c, const char *key) {
  json_t *v = json_object_get(c->state, key);
  if (v)
    json_object_set(to, key, v);
}

json_t *state_oci(const struct container *c, enum oci_status status, bool for_hooks) {
  json_t *o = json_object();
  json_object_set_new(o, "ociVersion", json_string(OCI_VERSION));
  json_object_set_new(o, "id", json_string(c->id));
  json_object_set_new(o, "pid", json_integer(status == OCI_STOPPED ? 0 : state_pid(c)));
  json_object_set_new(o, "status", json_string(state_status_name(status)));
  copy_key(o, c, "bundle");
  if (!for_hooks) {
    copy_key(o, c, "rootfs");
    copy_key(o, c, "created");
  }
  copy_key(o, c, "annotations");
  if (!for_hooks)
    json_object_set_new(o, "owner", json_string(state_str(c, "owner") ? state_str(c, "owner") : ""));
  return o;
}

void state_socket_address(const struct container *c, const char *name, struct sockaddr_un *a) {
  *a = (struct sockaddr_un){.sun_family = AF_UNIX};
  snprintf(a->sun_path, sizeof a->sun_path, "/proc/self/fd/%d/%s", c->dir, name);
}
