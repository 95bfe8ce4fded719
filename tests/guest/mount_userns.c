/* Mount namespaces of a less privileged user namespace: mount_namespaces(7), "Restrictions on mount namespaces". */
#include "guest.h"
#include <sys/mount.h>
#include <sys/sysmacros.h>

static void res(const char *what, long r) {
  say("%s: %s", what, r < 0 ? ename(errno) : "ok");
}
static int slaves(void) {
  char line[4096];
  int n = 0;
  FILE *f = fopen("/proc/self/mountinfo", "re");
  while (fgets(line, sizeof line, f))
    n += strstr(line, "/m/sh ") && strstr(line, " master:") && !strstr(line, " shared:");
  fclose(f);
  return n;
}

static void inside(void) {
  MUST(unshare(CLONE_NEWUSER | CLONE_NEWNS));
  write_file("/proc/self/setgroups", "deny");
  MUST(write_file("/proc/self/uid_map", "0 0 1"));
  MUST(write_file("/proc/self/gid_map", "0 0 1"));
  say("shared became slave: %d", slaves());
  res("make it shared", mount(NULL, "m/sh", NULL, MS_SHARED, NULL));
  res("umount of a locked one", umount("m/ro"));
  res("detach of a locked one", umount2("m/ro", MNT_DETACH));
  res("move of a locked one", mount("m/ro", "x", NULL, MS_MOVE, NULL));
  res("remount rw", mount(NULL, "m/ro", NULL, MS_REMOUNT | MS_BIND | MS_NOSUID, NULL));
  res("remount without nosuid", mount(NULL, "m/ro", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL));
  res("remount as it is", mount(NULL, "m/ro", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID, NULL));
  res("more", mount(NULL, "m/ro", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NOEXEC, NULL));
  res("noatime", mount(NULL, "m/ro", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NOATIME, NULL));
  res("plain bind over locked", mount("m", "x", NULL, MS_BIND, NULL));
  res("recursive bind", mount("m", "x", NULL, MS_BIND | MS_REC, NULL));
  res("umount of a part of it", umount("x/ro"));
  res("detach the whole", umount2("x", MNT_DETACH));
  res("tmpfs", mount("y", "x", "tmpfs", 0, "size=1m"));
  res("remount", mount(NULL, "x", NULL, MS_REMOUNT, "size=2m"));
  res("mknod", mknod("x/null", S_IFCHR | 0666, makedev(1, 3)));
  res("umount", umount("x"));
  res("remount of a foreign file system", mount(NULL, "m", NULL, MS_REMOUNT, "size=2m"));
  res("ramfs", mount("y", "x", "ramfs", 0, NULL));
  res("devtmpfs", mount("y", "x", "devtmpfs", 0, NULL));
  res("proc of another's pid namespace", mount("y", "x", "proc", 0, NULL));
  res("sysfs of another's net namespace", mount("y", "x", "sysfs", 0, NULL));
  res("unknown", mount("y", "x", "nosuchfs", 0, NULL));
}

int main(void) {
  MUST(unshare(CLONE_NEWNS));
  MUST(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
  mkdir("m", 0755), mkdir("x", 0755);
  MUST(mount("t", "m", "tmpfs", 0, NULL));
  mkdir("m/ro", 0755), mkdir("m/sh", 0755), mkdir("m/src", 0755);
  MUST(mount("m/src", "m/ro", NULL, MS_BIND, NULL));
  MUST(mount(NULL, "m/ro", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID, NULL));
  MUST(mount("t", "m/sh", "tmpfs", 0, NULL));
  MUST(mount(NULL, "m/sh", NULL, MS_SHARED, NULL));
  CHILD("in a user namespace") {
    inside();
  }
  mkdir("m/sh/d", 0755);
  return 0;
}
