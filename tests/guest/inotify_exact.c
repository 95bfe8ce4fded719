/* inotify(7): the end of watched objects, one-shot and exclusive watches, masks, overflow, unmounts, limits. */
#include "guest.h"
#include <sys/inotify.h>
#include <sys/mount.h>

static const char *const names[32] = {"ACCESS", "MODIFY", "ATTRIB", "CLOSE_WRITE", "CLOSE_NOWRITE", "OPEN",
                                      "MOVED_FROM", "MOVED_TO", "CREATE", "DELETE", "DELETE_SELF", "MOVE_SELF",
                                      [13] = "UNMOUNT", [14] = "OVERFLOW", [15] = "IGNORED", [30] = "ISDIR"};
static int fd;
static void drain(const char *what) {
  _Alignas(8) char buf[8192];
  ssize_t n;
  say("%s:", what);
  while ((n = read(fd, buf, sizeof buf)) > 0)
    for (ssize_t off = 0; off < n;) {
      struct inotify_event *e = (void *)(buf + off);
      char line[300] = "";
      for (int i = 0; i < 32; i++)
        if (e->mask & 1u << i)
          strcat(strcat(line, " "), names[i] ? names[i] : "?");
      say("  wd %d%s %s%s", e->wd, line, e->len ? e->name : "-", e->cookie ? " cookie" : "");
      off += sizeof *e + e->len;
    }
}
static void make(const char *p) {
  close(open(p, O_CREAT | O_WRONLY, 0644));
}
static int add(const char *p, uint32_t mask) {
  int r = inotify_add_watch(fd, p, mask);
  say("watch %s: %s", p, r < 0 ? ename(errno) : "ok");
  return r;
}

static void ends(void) {
  make("f");
  add("f", IN_ALL_EVENTS);
  int o = open("f", O_RDWR);
  unlink("f");
  drain("unlinked while open");
  write(o, "x", 1);
  close(o);
  drain("closed");
  make("f"), make("g");
  add("f", IN_ALL_EVENTS);
  rename("g", "f");
  drain("renamed over");
  make("h");
  link("h", "h2");
  add("h", IN_ALL_EVENTS);
  unlink("h");
  drain("one of two names");
  unlink("h2");
  drain("the other");
  mkdir("dir", 0755);
  add("dir", IN_ALL_EVENTS);
  o = open("dir", O_RDONLY);
  rmdir("dir");
  drain("rmdir while open");
  close(o);
  drain("closed");
  make("f2");
  int wd = add("f2", IN_ALL_EVENTS);
  inotify_rm_watch(fd, wd);
  drain("removed");
  show("remove again", inotify_rm_watch(fd, wd));
  show("remove 99", inotify_rm_watch(fd, 99));
  show("remove of a pipe", inotify_rm_watch(0, 1));
}

static void masks(void) {
  mkdir("d", 0755);
  show("no bits", inotify_add_watch(fd, "d", 0));
  show("unknown bits only", inotify_add_watch(fd, "d", 0x00800000));
  show("add and create", inotify_add_watch(fd, "d", IN_OPEN | IN_MASK_ADD | IN_MASK_CREATE));
  show("onlydir", inotify_add_watch(fd, "f", IN_OPEN | IN_ONLYDIR));
  int wd = add("d", IN_CREATE);
  say("same wd %d", inotify_add_watch(fd, "d", IN_DELETE | IN_MASK_ADD) == wd);
  show("exists", inotify_add_watch(fd, "d", IN_OPEN | IN_MASK_CREATE));
  make("d/x");
  unlink("d/x");
  drain("create and delete");
  inotify_add_watch(fd, "d", IN_DELETE);
  make("d/x");
  unlink("d/x");
  drain("delete only");
  inotify_rm_watch(fd, wd);
  drain("gone");
  wd = add("d", IN_CREATE | IN_ONESHOT);
  make("d/1"), make("d/2");
  drain("one shot");
  symlink("d", "l");
  wd = add("l", IN_ALL_EVENTS | IN_DONT_FOLLOW);
  make("d/3");
  drain("not followed");
  unlink("l");
  drain("link removed");
  wd = add("d", IN_ALL_EVENTS | IN_EXCL_UNLINK);
  int o = open("d/1", O_RDWR);
  unlink("d/1");
  write(o, "x", 1);
  close(o);
  drain("excl_unlink");
  inotify_add_watch(fd, "d", IN_ALL_EVENTS);
  o = open("d/2", O_RDWR);
  unlink("d/2");
  write(o, "x", 1);
  close(o);
  drain("without");
  make("d/y");
  o = open("d/y", O_RDWR);
  for (int i = 0; i < 5; i++)
    pwrite(o, "x", 1, 0);
  ftruncate(o, 0);
  fchmod(o, 0600);
  futimens(o, NULL);
  fsync(o);
  close(o);
  drain("coalesced");
  opendir("d");
  chmod("d", 0700);
  mkdir("d/s", 0755);
  rename("d/s", "d/t");
  rename("d", "e");
  make("e/z");
  rename("e/z", "zz");
  rename("zz", "e/zz");
  link("e/zz", "e/zl");
  symlink("x", "e/sl");
  mkfifo("e/ff", 0600);
  rmdir("e/t");
  drain("directory");
  char b[8];
  make("e/name");
  show("small buffer", read(fd, b, sizeof b));
  int n = 0;
  ioctl(fd, FIONREAD, &n);
  say("FIONREAD %d", n);
  drain("rest");
  inotify_rm_watch(fd, wd);
  drain("end");
}

static void overflow(void) {
  int q = inotify_init1(IN_NONBLOCK), max = 16384, n = 0, last = 0, wd = 0;
  inotify_add_watch(q, "f", IN_OPEN | IN_CLOSE_NOWRITE);
  for (int i = 0; i < max / 2 + 10; i++)
    close(open("f", O_RDONLY));
  _Alignas(8) static char buf[65536];
  ssize_t r;
  while ((r = read(q, buf, sizeof buf)) > 0)
    for (ssize_t off = 0; off < r;) {
      struct inotify_event *e = (void *)(buf + off);
      n++;
      last = e->mask;
      wd = e->wd;
      off += sizeof *e + e->len;
    }
  say("%d events, the last %x of %d", n, last, wd);
  close(q);
}

int main(void) {
  MUST(unshare(CLONE_NEWNS));
  MUST(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
  mkdir("m", 0755);
  MUST(mount("x", "m", "tmpfs", 0, NULL));
  MUST(chdir("m"));
  fd = MUST(inotify_init1(IN_NONBLOCK));
  ends();
  masks();
  overflow();
  mkdir("mnt", 0755);
  MUST(mount("x", "mnt", "tmpfs", 0, NULL));
  make("mnt/file");
  add("mnt/file", IN_ALL_EVENTS);
  add("mnt", IN_ALL_EVENTS);
  show("umount", umount("mnt"));
  drain("unmounted");
  show("bad flags", inotify_init1(0x10));
  close(fd);
  CHILD("limit") {
    become_user(54321);
    int i = 0;
    for (; i < 1000 && inotify_init() >= 0; i++)
      ;
    say("%d instances: %s", i, ename(errno));
  }
  CHILD("no right to read") {
    close(open("secret", O_CREAT | O_WRONLY, 0600));
    become_user(1000);
    fd = inotify_init();
    show("watch", inotify_add_watch(fd, "secret", IN_OPEN));
  }
  return 0;
}
