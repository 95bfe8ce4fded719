/* Shared subtrees: mount_namespaces(7). What is mounted where after each step, and mountinfo's optional fields. */
#include "guest.h"
#include <sys/mount.h>

static void res(const char *what, long r) {
  if (r < 0)
    say("%s: %s", what, ename(errno));
}
static void touch(const char *p) {
  int fd = open(p, O_CREAT | O_WRONLY, 0644);
  if (fd >= 0)
    close(fd);
}
/* All mounts below the test's directory: place, optional fields with groups renumbered by first appearance. */
static int known[64], nknown;
static int group(int id) {
  for (int i = 0; i < nknown; i++)
    if (known[i] == id)
      return i + 1;
  known[nknown++] = id;
  return nknown;
}
static int by_text(const void *a, const void *b) {
  return strcmp(*(char *const *)a, *(char *const *)b);
}
static void table(const char *when) {
  char cwd[PATH_MAX], line[8192], *lines[128];
  int n = 0;
  say("-- %s", when);
  MUST(getcwd(cwd, sizeof cwd) ? 0 : -1);
  FILE *f = fopen("/proc/self/mountinfo", "re");
  while (fgets(line, sizeof line, f) && n < 128) {
    char *dash = strstr(line, " - "), *save = NULL, out[1024];
    if (!dash)
      continue;
    *dash = 0;
    int field = 0;
    size_t len = 0;
    out[0] = 0;
    for (char *w = strtok_r(line, " ", &save); w; w = strtok_r(NULL, " ", &save), field++) {
      if (field == 4) {
        if (strncmp(w, cwd, strlen(cwd)) || (w[strlen(cwd)] != '/' && w[strlen(cwd)]))
          break;
        len += snprintf(out + len, sizeof out - len, ".%s", w + strlen(cwd));
      } else if (field > 5) {
        char *c = strchr(w, ':');
        if (c)
          len += snprintf(out + len, sizeof out - len, " %.*s:g%d", (int)(c - w), w, group(atoi(c + 1)));
        else
          len += snprintf(out + len, sizeof out - len, " %s", w);
      }
    }
    if (out[0])
      lines[n++] = strdup(out);
  }
  fclose(f);
  qsort(lines, n, sizeof *lines, by_text);
  for (int i = 0; i < n; i++)
    say("%s", lines[i]);
}

static void fresh(void) {
  umount2(".", MNT_DETACH);
  while (umount2("a", MNT_DETACH) == 0 || umount2("b", MNT_DETACH) == 0 || umount2("c", MNT_DETACH) == 0 ||
         umount2("d", MNT_DETACH) == 0)
    ;
  nknown = 0;
}

static void peers(void) {
  mkdir("a", 0755), mkdir("b", 0755), mkdir("c", 0755), mkdir("d", 0755);
  res("a", mount("x", "a", "tmpfs", 0, NULL));
  mkdir("a/m", 0755), mkdir("a/n", 0755);
  res("share", mount(NULL, "a", NULL, MS_SHARED, NULL));
  res("bind b", mount("a", "b", NULL, MS_BIND, NULL));
  res("bind c", mount("a", "c", NULL, MS_BIND, NULL));
  res("slave c", mount(NULL, "c", NULL, MS_SLAVE, NULL));
  res("bind d", mount("a/m", "d", NULL, MS_BIND, NULL));
  table("a shared, b peer, c slave, d peer of a part");
  res("mount in a", mount("y", "a/m", "tmpfs", 0, NULL));
  table("mounted on a/m");
  res("mount in c", mount("y", "c/n", "tmpfs", 0, NULL));
  table("mounted on c/n: stays there");
  res("mount in b", mount("y", "b/n", "tmpfs", 0, NULL));
  table("mounted on b/n: goes beneath c/n's");
  res("umount", umount("b/n"));
  table("and off again");
  int fd = open("b/m", O_RDONLY);
  res("umount busy peer", umount("a/m"));
  close(fd);
  res("umount a/m", umount("a/m"));
  table("a/m off");
  fresh();
}

static void chains(void) {
  res("a", mount("x", "a", "tmpfs", 0, NULL));
  mkdir("a/m", 0755), mkdir("a/n", 0755);
  res("share", mount(NULL, "a", NULL, MS_SHARED, NULL));
  res("bind b", mount("a", "b", NULL, MS_BIND, NULL));
  res("slave b", mount(NULL, "b", NULL, MS_SLAVE, NULL));
  res("share b", mount(NULL, "b", NULL, MS_SHARED, NULL));
  res("bind c", mount("b", "c", NULL, MS_BIND, NULL));
  res("bind d", mount("b", "d", NULL, MS_BIND, NULL));
  res("slave d", mount(NULL, "d", NULL, MS_SLAVE, NULL));
  table("a -> b,c -> d");
  res("mount", mount("y", "a/m", "tmpfs", 0, NULL));
  table("a/m");
  res("b private", mount(NULL, "b", NULL, MS_PRIVATE, NULL));
  table("b private");
  res("c slave", mount(NULL, "c", NULL, MS_SLAVE, NULL));
  table("c no longer shared: d hangs on a");
  res("unbindable", mount(NULL, "d", NULL, MS_UNBINDABLE, NULL));
  table("d unbindable");
  if (mount("d", "b", NULL, MS_BIND, NULL))
    say("bind of unbindable: %s", ename(errno));
  if (mount(NULL, "d", NULL, MS_SHARED | MS_PRIVATE, NULL))
    say("two types: %s", ename(errno));
  if (mount(NULL, "a/n", NULL, MS_SHARED, NULL))
    say("no mount point: %s", ename(errno));
  if (mount("a/m", "b", NULL, MS_MOVE, NULL))
    say("move out of a shared one: %s", ename(errno));
  fresh();
}

static void moving(void) {
  res("a", mount("x", "a", "tmpfs", 0, NULL));
  mkdir("a/m", 0755);
  res("share", mount(NULL, "a", NULL, MS_SHARED, NULL));
  res("bind b", mount("a", "b", NULL, MS_BIND, NULL));
  res("c", mount("z", "c", "tmpfs", 0, NULL));
  mkdir("c/s", 0755);
  res("c/s", mount("z", "c/s", "tmpfs", 0, NULL));
  touch("c/s/in");
  res("move c to a/m", mount("c", "a/m", NULL, MS_MOVE, NULL));
  table("c moved to a/m with c/s");
  say("b/m/s/in %d", access("b/m/s/in", F_OK));
  res("make all private", mount(NULL, "a", NULL, MS_PRIVATE | MS_REC, NULL));
  table("a rprivate");
  fresh();
}

static void namespaces(void) {
  int p[2], q[2];
  char b;
  res("a", mount("x", "a", "tmpfs", 0, NULL));
  mkdir("a/m", 0755), mkdir("a/n", 0755);
  res("share", mount(NULL, "a", NULL, MS_SHARED, NULL));
  pipe(p), pipe(q);
  pid_t c = child_fork();
  if (!c) {
    MUST(unshare(CLONE_NEWNS));
    write(p[1], "x", 1);
    read(q[0], &b, 1);
    table("child: after the parent mounted a/m");
    mount("y", "a/n", "tmpfs", 0, NULL);
    write(p[1], "x", 1);
    read(q[0], &b, 1);
    res("slave", mount(NULL, "/", NULL, MS_SLAVE | MS_REC, NULL));
    table("child: rslave");
    res("umount", umount("a/n"));
    _exit(0);
  }
  read(p[0], &b, 1);
  res("a/m", mount("y", "a/m", "tmpfs", 0, NULL));
  write(q[1], "x", 1);
  read(p[0], &b, 1);
  table("parent: after the child mounted a/n");
  write(q[1], "x", 1);
  reap("child", c);
  table("parent: child's umount stays there");
  fresh();
}

int main(void) {
  MUST(unshare(CLONE_NEWNS));
  MUST(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
  peers();
  chains();
  moving();
  namespaces();
  return 0;
}
