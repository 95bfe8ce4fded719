/* The mount options of proc(5): hidepid=, gid=, subset=. */
#include "guest.h"
#include <dirent.h>
#include <grp.h>
#include <sched.h>
#include <sys/mount.h>

static void res(const char *what, long r) {
  say("%s: %s", what, r < 0 ? ename(errno) : "ok");
}
static int count_pids(void) {
  DIR *d = opendir("p");
  struct dirent *e;
  int n = 0;
  while (d && (e = readdir(d)))
    n += *e->d_name >= '0' && *e->d_name <= '9';
  closedir(d);
  return n;
}
static void look(pid_t other) {
  char path[64];
  snprintf(path, sizeof path, "p/%d", other);
  struct stat st;
  res("stat", stat(path, &st));
  res("open", open(path, O_RDONLY | O_DIRECTORY));
  snprintf(path, sizeof path, "p/%d/stat", other);
  res("file", open(path, O_RDONLY));
  res("self", open("p/self/stat", O_RDONLY));
}

static void as_user(pid_t other, gid_t gid) {
  fflush(stdout);
  CHILD("as a user") {
    setgroups(0, NULL);
    setgid(gid);
    setuid(65534);
    look(other);
    say("sees others %d", count_pids() > 1);
  }
}

static void options(const char *wanted) {
  char line[4096];
  FILE *f = fopen("/proc/self/mountinfo", "re");
  while (fgets(line, sizeof line, f)) {
    char *at = strstr(line, " - proc hide rw");
    if (at && !strstr(line, "unreachable"))
      say("%s: %.*s", wanted, (int)strcspn(at + 15, "\n"), at + 15);
  }
  fclose(f);
}

int main(void) {
  static const char *const all[] = {"hidepid=0", "hidepid=1", "hidepid=invisible,gid=77", "hidepid=ptraceable",
                                    "hidepid=2,subset=pid"};
  MUST(unshare(CLONE_NEWNS));
  MUST(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
  mkdir("p", 0755);
  chmod(".", 0755);
  pid_t other = fork();
  if (!other) {
    pause();
    _exit(0);
  }
  for (unsigned i = 0; i < sizeof all / sizeof *all; i++) {
    res(all[i], mount("hide", "p", "proc", 0, all[i]));
    options(all[i]);
    if (i != 3) /* what root has looked up is known to be there */
      look(other);
    as_user(other, 65534);
    if (strstr(all[i], "gid"))
      as_user(other, 77);
    res("uptime", access("p/uptime", F_OK));
    umount2("p", MNT_DETACH);
  }
  res("bad", mount("hide", "p", "proc", 0, "hidepid=3"));
  res("bad", mount("hide", "p", "proc", 0, "hidepid=no"));
  res("bad", mount("hide", "p", "proc", 0, "subset=all"));
  res("mount", mount("hide", "p", "proc", 0, NULL));
  res("remount", mount(NULL, "p", NULL, MS_REMOUNT, "hidepid=2"));
  options("remount");
  as_user(other, 65534);
  umount2("p", MNT_DETACH);
  kill(other, SIGKILL);
  waitpid(other, NULL, 0);
  return 0;
}
