/* mount(2), umount2(2): bind, remount, move, options, errors; mount_namespaces(7): a namespace of one's own. */
#include "guest.h"
#include <sys/mount.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>

static void res(const char *what, long r) {
  say("%s: %s", what, r < 0 ? ename(errno) : "ok");
}
static void touch(const char *p) {
  int fd = open(p, O_CREAT | O_WRONLY, 0644);
  if (fd >= 0)
    close(fd);
}
static void exists(const char *p) {
  say("%s %s", p, access(p, F_OK) ? ename(errno) : "exists");
}
/* The options of the topmost mount at a place, relative to the test's directory. */
static void options_of(const char *rel) {
  char cwd[PATH_MAX], want[PATH_MAX * 2], line[8192], found[8192] = "";
  MUST(getcwd(cwd, sizeof cwd) ? 0 : -1);
  snprintf(want, sizeof want, " %s/%s ", cwd, rel);
  FILE *f = fopen("/proc/self/mountinfo", "re");
  while (fgets(line, sizeof line, f)) {
    char *at = strstr(line, want);
    if (at)
      snprintf(found, sizeof found, "%s", at + strlen(want));
  }
  fclose(f);
  char *end = strchr(found, '\n');
  if (end)
    *end = 0;
  /* numbers of groups differ */
  for (char *p = found; (p = strchr(p, ':'));) {
    p++;
    while (*p >= '0' && *p <= '9')
      *p++ = '#';
  }
  say("%s: [%s]", rel, found);
}

static void binds(void) {
  mkdir("a", 0755), mkdir("b", 0755), mkdir("c", 0755);
  touch("a/file");
  res("bind", mount("a", "b", NULL, MS_BIND, NULL));
  exists("b/file");
  res("bind file on dir", mount("a/file", "c", NULL, MS_BIND, NULL));
  res("bind dir on file", mount("a", "a/file", NULL, MS_BIND, NULL));
  res("bind nothing", mount("", "c", NULL, MS_BIND, NULL));
  res("bind missing", mount("missing", "c", NULL, MS_BIND, NULL));
  res("remount ro", mount(NULL, "b", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID, NULL));
  res("write in ro bind", open("b/new", O_CREAT | O_WRONLY, 0644));
  res("write in the original", open("a/new", O_CREAT | O_WRONLY, 0644));
  res("remount of no mount point", mount(NULL, "a", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL));
  res("rmdir of a mount point", rmdir("b"));
  res("rename of a mount point", rename("b", "bb"));
  res("unlink of a mount point", unlink("b"));
  res("move", mount("b", "c", NULL, MS_MOVE, NULL));
  exists("b/file");
  exists("c/file");
  res("move of no mount", mount("a", "b", NULL, MS_MOVE, NULL));
  res("move into itself", mount("c", "c", NULL, MS_MOVE, NULL));
  int fd = open("c/file", O_RDONLY);
  res("umount busy", umount2("c", 0));
  close(fd);
  res("umount", umount2("c", 0));
  res("umount again", umount2("c", 0));
  res("umount missing", umount2("nothing", 0));
  res("umount bad flags", umount2("c", 0x100));
}

static void tmpfs(void) {
  struct stat st;
  struct statfs fs;
  mkdir("t", 0755);
  res("tmpfs", mount("src", "t", "tmpfs", MS_NODEV, "size=1m,nr_inodes=10,mode=0710,uid=7,gid=8"));
  MUST(stat("t", &st));
  say("mode %o uid %u gid %u", st.st_mode & 07777, st.st_uid, st.st_gid);
  MUST(statfs("t", &fs));
  say("blocks %ld files %ld type %lx", (long)fs.f_blocks, (long)fs.f_files, (long)fs.f_type);
  int fd = open("t/big", O_CREAT | O_RDWR, 0644);
  static char buf[1 << 20];
  say("write %zd", write(fd, buf, sizeof buf));
  res("write more", write(fd, buf, 1));
  res("remount ro, busy", mount(NULL, "t", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL));
  close(fd);
  int n = 0;
  char name[32];
  for (; n < 20; n++) {
    snprintf(name, sizeof name, "t/f%d", n);
    if ((fd = open(name, O_CREAT | O_WRONLY, 0600)) < 0)
      break;
    close(fd);
  }
  say("%d files: %s", n, ename(errno));
  res("grow", mount(NULL, "t", NULL, MS_REMOUNT, "size=2m"));
  MUST(statfs("t", &fs));
  say("blocks %ld", (long)fs.f_blocks);
  res("remount ro", mount(NULL, "t", NULL, MS_REMOUNT | MS_RDONLY, NULL));
  res("create", open("t/zz", O_CREAT | O_WRONLY, 0600));
  options_of("t");
  res("remount rw", mount(NULL, "t", NULL, MS_REMOUNT | MS_NOEXEC, NULL));
  options_of("t");
  res("detach", umount2("t", MNT_DETACH));
  res("bad option", mount("x", "t", "tmpfs", 0, "nonsense=1"));
  res("bad size", mount("x", "t", "tmpfs", 0, "size=abc"));
  res("unknown type", mount("x", "t", "nosuchfs", 0, NULL));
  res("no type", mount("x", "t", NULL, 0, NULL));
  res("file as place", mount("x", "a/file", "tmpfs", 0, NULL));
  res("over itself", mount("one", "t", "tmpfs", 0, NULL));
  touch("t/one");
  res("covered", mount("two", "t", "tmpfs", MS_NOATIME, NULL));
  exists("t/one");
  res("uncover", umount("t"));
  exists("t/one");
  res("umount", umount("t"));
}

static void expire(void) {
  res("tmpfs", mount("x", "t", "tmpfs", 0, NULL));
  res("expire with force", umount2("t", MNT_EXPIRE | MNT_FORCE));
  res("expire 1", umount2("t", MNT_EXPIRE));
  touch("t/used");
  res("expire 2", umount2("t", MNT_EXPIRE));
  res("expire 3", umount2("t", MNT_EXPIRE));
  symlink("t", "l");
  res("tmpfs", mount("x", "t", "tmpfs", 0, NULL));
  res("nofollow", umount2("l", UMOUNT_NOFOLLOW));
  res("follow", umount2("l", 0));
}

static void rec(void) {
  mkdir("r", 0755), mkdir("r/s", 0755), mkdir("q", 0755);
  res("r", mount("r", "r", NULL, MS_BIND, NULL));
  res("r/s", mount("x", "r/s", "tmpfs", 0, NULL));
  touch("r/s/in");
  res("plain bind", mount("r", "q", NULL, MS_BIND, NULL));
  exists("q/s/in");
  res("umount", umount("q"));
  res("recursive bind", mount("r", "q", NULL, MS_BIND | MS_REC, NULL));
  exists("q/s/in");
  res("umount with children", umount("q"));
  res("detach", umount2("q", MNT_DETACH));
  res("umount r", umount2("r", MNT_DETACH));
  exists("r/s/in");
}

static void flags(void) {
  mkdir("n", 0755);
  res("mount", mount("x", "n", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOSYMFOLLOW | MS_STRICTATIME, NULL));
  options_of("n");
  mknod("n/null", S_IFCHR | 0666, makedev(1, 3));
  res("nodev", open("n/null", O_RDWR));
  symlink("/etc/passwd", "n/link");
  res("nosymfollow", open("n/link", O_RDONLY));
  char b[64];
  say("readlink %zd", readlink("n/link", b, sizeof b));
  int fd = open("n/prog", O_CREAT | O_WRONLY, 0755);
  write(fd, "#!/bin/true\n", 12);
  close(fd);
  execl("n/prog", "prog", NULL);
  say("noexec: %s", ename(errno));
  res("remount keeps atime", mount(NULL, "n", NULL, MS_REMOUNT | MS_BIND, NULL));
  options_of("n");
  res("remount noatime", mount(NULL, "n", NULL, MS_REMOUNT | MS_BIND | MS_NOATIME | MS_NODIRATIME, NULL));
  options_of("n");
  res("umount", umount("n"));
}

static void in_child(void) {
  CHILD("child namespace") {
    res("unshare", unshare(CLONE_NEWNS));
    res("mount", mount("x", "t", "tmpfs", 0, NULL));
    touch("t/only-here");
    exists("t/only-here");
  }
  exists("t/only-here");
  CHILD("rmdir of what is mounted elsewhere") {
    int p[2], q[2];
    pipe(p), pipe(q);
    mkdir("gone", 0755);
    pid_t c = fork();
    if (!c) {
      unshare(CLONE_NEWNS);
      mount("x", "gone", "tmpfs", 0, NULL);
      write(p[1], "x", 1);
      char b;
      read(q[0], &b, 1);
      exists("gone");
      _exit(0);
    }
    char b;
    read(p[0], &b, 1);
    res("rmdir", rmdir("gone"));
    write(q[1], "x", 1);
    reap("holder", c);
  }
  CHILD("unprivileged") {
    become_user(1000);
    res("mount", mount("x", "t", "tmpfs", 0, NULL));
    res("umount", umount2("t", 0));
    res("umount bad path", umount2("/nothing/at/all", 0));
    res("unshare", unshare(CLONE_NEWNS));
  }
}

int main(void) {
  MUST(unshare(CLONE_NEWNS));
  MUST(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
  binds();
  tmpfs();
  expire();
  rec();
  flags();
  in_child();
  return 0;
}
