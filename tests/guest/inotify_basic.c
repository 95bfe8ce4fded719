/* inotify(7): what happens to entries of a watched directory and to a watched file, in order. */
#include "guest.h"
#include <sys/inotify.h>
static const struct {
  uint32_t bit;
  const char *name;
} bits[] = {{IN_ACCESS, "ACCESS"},
            {IN_MODIFY, "MODIFY"},
            {IN_ATTRIB, "ATTRIB"},
            {IN_CLOSE_WRITE, "CLOSE_WRITE"},
            {IN_CLOSE_NOWRITE, "CLOSE_NOWRITE"},
            {IN_OPEN, "OPEN"},
            {IN_MOVED_FROM, "MOVED_FROM"},
            {IN_MOVED_TO, "MOVED_TO"},
            {IN_CREATE, "CREATE"},
            {IN_DELETE, "DELETE"},
            {IN_DELETE_SELF, "DELETE_SELF"},
            {IN_MOVE_SELF, "MOVE_SELF"},
            {IN_IGNORED, "IGNORED"},
            {IN_ISDIR, "ISDIR"},
            {IN_Q_OVERFLOW, "OVERFLOW"}};
static int fd;
static void drain(const char *what) {
  _Alignas(8) char buf[4096];
  uint32_t cookie = 0;
  ssize_t n = read(fd, buf, sizeof buf);
  say("%s:", what);
  for (ssize_t off = 0; n > 0 && off < n;) {
    struct inotify_event *e = (void *)(buf + off);
    char line[200] = "";
    for (size_t i = 0; i < sizeof bits / sizeof *bits; i++)
      if (e->mask & bits[i].bit)
        strcat(strcat(line, " "), bits[i].name);
    if (e->mask & IN_MOVED_TO)
      strcat(line, e->cookie == cookie ? " (same cookie)" : " (OTHER cookie)");
    cookie = e->cookie;
    say("  wd %d%s %s", e->wd, line, e->len ? e->name : "-");
    off += sizeof *e + e->len;
  }
}
int main(void) {
  char c;
  fd = MUST(inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  SHOW(read(fd, &c, 1));
  mkdir("d", 0755);
  SHOW(inotify_add_watch(fd, "d", IN_ALL_EVENTS));
  int f = open("d/a", O_CREAT | O_RDWR, 0644);
  drain("create");
  write(f, "xy", 2);
  lseek(f, 0, SEEK_SET);
  read(f, &c, 1);
  close(f);
  drain("write, read, close");
  f = open("d/a", O_RDONLY);
  close(f);
  drain("open, close");
  chmod("d/a", 0600);
  drain("chmod");
  rename("d/a", "d/b");
  drain("rename");
  mkdir("d/sub", 0755);
  rmdir("d/sub");
  drain("mkdir, rmdir");
  link("d/b", "d/c");
  symlink("b", "d/l");
  drain("link, symlink");
  SHOW(inotify_add_watch(fd, "d/b", IN_MODIFY | IN_ATTRIB | IN_DELETE_SELF));
  SHOW(inotify_add_watch(fd, "d", IN_DELETE)); /* changes the first */
  f = open("d/b", O_WRONLY | O_TRUNC);
  write(f, "1", 1), write(f, "2", 1), write(f, "3", 1); /* equal events are one */
  close(f);
  drain("writes");
  unlink("d/c");
  drain("one of two links");
  unlink("d/b");
  drain("the last link");
  SHOW(inotify_rm_watch(fd, 2));
  SHOW(inotify_rm_watch(fd, 1));
  drain("removed");
  SHOW(inotify_add_watch(fd, "nowhere", IN_MODIFY));
  SHOW(inotify_add_watch(fd, "d", 0));
  SHOW(inotify_add_watch(fd, "d/l", IN_ONLYDIR | IN_DONT_FOLLOW | IN_MODIFY));
  SHOW(inotify_add_watch(0, "d", IN_MODIFY));
  SHOW(inotify_init1(1));
  SHOW(inotify_add_watch(fd, "d", IN_CREATE | IN_ONESHOT));
  close(creat("d/x", 0600)), close(creat("d/y", 0600));
  drain("one shot");
  struct pollfd p = {fd, POLLIN};
  SHOW(poll(&p, 1, 0));
  SHOW(inotify_add_watch(fd, "d", IN_CREATE));
  close(creat("d/z", 0600));
  SHOW(poll(&p, 1, 0));
  int n;
  SHOW(ioctl(fd, FIONREAD, &n));
  say("%d bytes", n);
  SHOW(read(fd, &c, 1));
}
