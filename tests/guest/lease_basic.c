/* Leases: fcntl(2), F_SETLEASE and F_GETLEASE. */
#include "guest.h"

static volatile sig_atomic_t told;
static volatile int give = -1, lease_fd = -1;
static void on_break(int sig, siginfo_t *si, void *uc) {
  (void)sig, (void)uc, (void)si;
  told++;
  if (give >= 0)
    fcntl(lease_fd, F_SETLEASE, give);
}
static const char *kind(int r) {
  return r == F_RDLCK ? "read" : r == F_WRLCK ? "write" : r == F_UNLCK ? "none" : ename(errno);
}
#define GET(fd) say("lease: %s", kind(fcntl(fd, F_GETLEASE)))

static void rules(const char *path) {
  int ro = MUST(open(path, O_RDONLY)), rw = MUST(open(path, O_RDWR));
  GET(ro);
  SHOW(fcntl(ro, F_SETLEASE, F_RDLCK));
  SHOW(fcntl(rw, F_SETLEASE, F_WRLCK));
  SHOW(fcntl(ro, F_SETLEASE, 7));
  SHOW(fcntl(ro, F_SETLEASE, F_UNLCK));
  close(ro);
  SHOW(fcntl(rw, F_SETLEASE, F_RDLCK));
  SHOW(fcntl(rw, F_SETLEASE, F_WRLCK));
  GET(rw);
  int d = dup(rw);
  GET(d);
  SHOW(fcntl(d, F_SETLEASE, F_UNLCK));
  GET(rw);
  close(d);
  close(rw);
  ro = MUST(open(path, O_RDONLY));
  int ro2 = MUST(open(path, O_RDONLY));
  SHOW(fcntl(ro, F_SETLEASE, F_WRLCK));
  SHOW(fcntl(ro, F_SETLEASE, F_RDLCK));
  SHOW(fcntl(ro2, F_SETLEASE, F_RDLCK));
  SHOW(fcntl(ro2, F_SETLEASE, F_UNLCK));
  close(ro2);
  SHOW(fcntl(ro, F_SETLEASE, F_WRLCK));
  GET(ro);
  SHOW(fcntl(ro, F_SETLEASE, F_RDLCK));
  GET(ro);
  close(ro);
  int p[2];
  MUST(pipe(p));
  SHOW(fcntl(p[0], F_SETLEASE, F_RDLCK));
  close(p[0]), close(p[1]);
  if (geteuid() == 0) {
    CHILD("not the owner") {
      ro = MUST(open(path, O_RDONLY));
      MUST(setresuid(65534, 65534, 65534));
      SHOW(fcntl(ro, F_SETLEASE, F_RDLCK));
    }
  }
}

/* The holder is this process; a child opens. */
static void broken(const char *path, int hold, int open_flags, int answer, const char *what) {
  told = 0;
  lease_fd = MUST(open(path, O_RDONLY));
  give = answer;
  MUST(fcntl(lease_fd, F_SETLEASE, hold));
  pid_t c = child_fork();
  if (!c) {
    close(lease_fd);
    int fd = open(path, open_flags);
    say("%s: %s", what, fd < 0 ? ename(errno) : "opened");
    _exit(0);
  }
  reap("opener", c);
  say("told %d", (int)told);
  GET(lease_fd);
  close(lease_fd);
}

int main(void) {
  char path[] = "leaseXXXXXX";
  int fd = MUST(mkstemp(path));
  MUST(write(fd, "data", 4));
  MUST(fchmod(fd, 0666));
  close(fd);
  rules(path);
  on_siginfo(SIGIO, on_break, SA_RESTART);
  broken(path, F_RDLCK, O_RDONLY, F_UNLCK, "a reader and a read lease");
  broken(path, F_RDLCK, O_WRONLY, F_UNLCK, "a writer and a read lease");
  broken(path, F_WRLCK, O_RDONLY, F_RDLCK, "a reader and a write lease");
  broken(path, F_WRLCK, O_RDWR, F_UNLCK, "a writer and a write lease");
  broken(path, F_WRLCK, O_RDONLY | O_NONBLOCK, -1, "who cannot wait");
  broken(path, F_RDLCK, O_RDWR | O_NONBLOCK, -1, "who cannot wait");
  told = 0;
  give = F_UNLCK;
  lease_fd = MUST(open(path, O_RDONLY));
  MUST(fcntl(lease_fd, F_SETLEASE, F_RDLCK));
  CHILD("truncating") {
    SHOW(truncate(path, 0));
  }
  say("told %d", (int)told);
  close(lease_fd);
  /* SIGRTMIN with a descriptor. */
  unlink(path);
}
