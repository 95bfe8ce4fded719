/* A user opens his own pipe through /proc/self/fd, and another's not; files on namespaces. */
#include "guest.h"

static void through_proc(const char *what, int fd, int flags) {
  char p[64];
  snprintf(p, sizeof p, "/proc/self/fd/%d", fd);
  int r = open(p, flags);
  say("%s: %s", what, r < 0 ? ename(errno) : "ok");
  if (r >= 0)
    close(r);
}

int main(void) {
  int roots[2], own[2], s[2];
  struct stat st;
  MUST(pipe(roots));
  CHILD("user") {
    become_user(1000);
    prctl(PR_SET_DUMPABLE, 1);
    MUST(pipe(own));
    MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
    fstat(own[0], &st);
    say("pipe %d %d %o", st.st_uid, st.st_gid, st.st_mode);
    fstat(s[0], &st);
    say("socket %d %d %o", st.st_uid, st.st_gid, st.st_mode);
    fstat(roots[0], &st);
    say("root's pipe %d %d", st.st_uid, st.st_gid);
    through_proc("own, read", own[0], O_RDONLY);
    through_proc("own, write", own[0], O_WRONLY);
    through_proc("socket", s[0], O_RDWR);
    through_proc("root's", roots[1], O_WRONLY);
    OK(open("/proc/self/ns/user", O_RDONLY));
    stat("/proc/self/ns/uts", &st);
    say("namespace %d %o", st.st_uid, st.st_mode);
  }
}
