/* Permissions as an ordinary user: owner, group, other, directories, access, umask, chmod and chown rules. */
#include "guest.h"
static void modes(const char *who) {
  char line[256] = "";
  for (int m = 0; m < 8; m++) {
    char f[8];
    sprintf(f, "m%d", m);
    int r = open(f, O_RDONLY), w = open(f, O_WRONLY);
    sprintf(line + strlen(line), " %c%c%c", r >= 0 ? 'r' : '-', w >= 0 ? 'w' : '-', access(f, X_OK) == 0 ? 'x' : '-');
    close(r), close(w);
  }
  say("%s:%s", who, line);
}
int main(void) {
  struct stat st;
  for (int m = 0; m < 8; m++) {
    char f[8];
    sprintf(f, "m%d", m);
    MUST(write_file(f, "x")), MUST(chown(f, 1000, 2000)), MUST(chmod(f, m * 0111));
  }
  modes("root");
  for (int m = 0; m < 8; m++) {
    char f[8];
    sprintf(f, "m%d", m);
    MUST(chmod(f, m << 6 | 0007));
  }
  CHILD("owner") {
    become_user(1000);
    modes("owner");
  }
  CHILD("other") {
    become_user(3000);
    modes("other");
  }
  for (int m = 0; m < 8; m++) {
    char f[8];
    sprintf(f, "m%d", m);
    MUST(chmod(f, m << 3));
  }
  CHILD("group") {
    MUST(setgroups(1, (gid_t[]){2000})), MUST(setresgid(1, 1, 1)), MUST(setresuid(1234, 1234, 1234));
    modes("group");
  }
  MUST(mkdir("d", 0755)), MUST(write_file("d/f", "x")), MUST(chmod("d/f", 0666));
  const int dm[] = {0755, 0744, 0711, 0733, 0700, 0777};
  for (int i = 0; i < 6; i++) {
    MUST(chmod("d", dm[i]));
    pid_t p = fork();
    if (!p) {
      become_user(1000);
      DIR *d = opendir("d");
      say("%o: list %s, open %s, stat %s, create %s, unlink %s", dm[i], d ? "ok" : ename(errno), open("d/f", O_RDWR) >= 0 ? "ok" : ename(errno),
          stat("d/f", &st) ? ename(errno) : "ok", open("d/new", O_CREAT | O_WRONLY, 0600) >= 0 ? "ok" : ename(errno), unlink("d/new") ? ename(errno) : "ok");
      _exit(0);
    }
    waitpid(p, NULL, 0);
  }
  umask(0);
  MUST(open("u0", O_CREAT | O_WRONLY, 0666)), stat("u0", &st);
  say("umask 0: %o", st.st_mode & 07777);
  umask(027);
  MUST(open("u27", O_CREAT | O_WRONLY, 0777)), stat("u27", &st);
  say("umask 027: %o", st.st_mode & 07777);
  MUST(mkdir("ud", 0777)), stat("ud", &st);
  say("directory: %o", st.st_mode & 07777);
  umask(022);
  MUST(mkdir("sg", 0777)), MUST(chown("sg", 1000, 2000)), MUST(chmod("sg", 02777));
  MUST(open("sg/f", O_CREAT | O_WRONLY, 0644)), MUST(mkdir("sg/d", 0755));
  stat("sg/f", &st);
  say("in a set-gid directory: group %u", st.st_gid);
  stat("sg/d", &st);
  say("directory: group %u mode %o", st.st_gid, st.st_mode & 07777);
  CHILD("chmod, chown rules") {
    become_user(1000);
    SHOW(chmod("m7", 0700));
    SHOW(chmod("u0", 0700));
    SHOW(chown("m7", 0, -1));
    SHOW(chown("m7", -1, 1000));
    SHOW(chown("m7", -1, 5));
    SHOW(chown("m7", 1000, -1));
    SHOW(chown("u0", -1, -1));
    SHOW(chmod("m7", 06755));
    stat("m7", &st);
    say("mode %o gid %u", st.st_mode & 07777, st.st_gid);
    SHOW(chown("m7", 1000, 1000));
    stat("m7", &st);
    say("mode after chown %o", st.st_mode & 07777);
  }
  CHILD("access uses the real ids") {
    MUST(chmod("m0", 0600)), MUST(chown("m0", 0, 0));
    MUST(setresuid(1000, 0, 0));
    SHOW(access("m0", R_OK));
    SHOW(faccessat(AT_FDCWD, "m0", R_OK, AT_EACCESS));
    SHOW(access("m0", 99));
  }
  SHOW(chmod("nothing", 0)), SHOW(fchmodat(AT_FDCWD, "u0", 0644, 0)), SHOW(chmod("u0/x", 0));
}
