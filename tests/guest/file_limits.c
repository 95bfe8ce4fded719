/* RLIMIT_FSIZE and SIGXFSZ, RLIMIT_NOFILE, fallocate, seals, set-id bits lost by writing, close_range. */
#include "guest.h"
#include <linux/falloc.h>
static void on(int sig) { say("%s", signame(sig)); }
int main(void) {
  struct stat st;
  int f = MUST(open("f", O_RDWR | O_CREAT, 0600));
  signal(SIGXFSZ, on);
  struct rlimit r = {1000, 10000}, old;
  getrlimit(RLIMIT_FSIZE, &old);
  setrlimit(RLIMIT_FSIZE, &r);
  char b[600] = "";
  SHOW(write(f, b, 600));
  SHOW(write(f, b, 600));
  SHOW(write(f, b, 600));
  SHOW(pwrite(f, b, 10, 2000));
  SHOW(ftruncate(f, 1001));
  SHOW(ftruncate(f, 500));
  SHOW(fallocate(f, 0, 0, 2000));
  int a = MUST(open("f", O_WRONLY | O_APPEND));
  SHOW(write(a, b, 600));
  SHOW(write(a, b, 1));
  r.rlim_cur = r.rlim_max;
  setrlimit(RLIMIT_FSIZE, &r);
  SHOW(fallocate(f, 0, 0, 5000));
  SHOW(fstat(f, &st));
  say("size %ld", (long)st.st_size);
  SHOW(fallocate(f, FALLOC_FL_KEEP_SIZE, 0, 9000));
  SHOW(fallocate(f, FALLOC_FL_PUNCH_HOLE, 0, 10));
  SHOW(fallocate(f, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096));
  SHOW(fallocate(f, 0, -1, 10));
  SHOW(fallocate(f, 0, 0, 0));
  SHOW(fallocate(f, 0x1000, 0, 1));
  SHOW(fallocate(MUST(open("f", O_RDONLY)), 0, 0, 1));
  SHOW(fstat(f, &st));
  say("size %ld", (long)st.st_size);
  int p[2];
  MUST(pipe(p));
  SHOW(fallocate(p[1], 0, 0, 1));
  SHOW(ftruncate(p[1], 0));
  SHOW(lseek(p[0], 0, SEEK_SET));
  SHOW(pread(p[0], b, 1, 0));
  SHOW(posix_fadvise(p[0], 0, 0, 0));
  SHOW(posix_fadvise(f, 0, 0, 99));
  SHOW(fsync(p[0]));
  SHOW(fdatasync(f));
  SHOW(sync_file_range(f, 0, 10, 99));
  SHOW(sync_file_range(f, -1, 10, 0));
  SHOW(sync_file_range(f, 0, 0, 2));
  SHOW(syncfs(f));
  SHOW(readahead(f, 0, 100));

  int m = MUST(memfd_create("m", MFD_ALLOW_SEALING));
  SHOW(fcntl(m, F_GET_SEALS));
  SHOW(ftruncate(m, 4096));
  SHOW(fcntl(m, F_ADD_SEALS, F_SEAL_SHRINK));
  SHOW(ftruncate(m, 100));
  SHOW(ftruncate(m, 8192));
  SHOW(fcntl(m, F_ADD_SEALS, F_SEAL_GROW));
  SHOW(ftruncate(m, 9000));
  SHOW(pwrite(m, b, 10, 8190));
  char *map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, m, 0);
  SHOW(fcntl(m, F_ADD_SEALS, F_SEAL_WRITE));
  map[0] = 7;
  SHOW(pread(m, b, 1, 0));
  say("%d", b[0]);
  munmap(map, 4096);
  SHOW(fcntl(m, F_ADD_SEALS, F_SEAL_WRITE));
  SHOW(write(m, b, 1));
  say("mmap %d", mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, m, 0) != MAP_FAILED);
  SHOW(fcntl(m, F_ADD_SEALS, F_SEAL_SEAL));
  SHOW(fcntl(m, F_ADD_SEALS, F_SEAL_GROW));
  SHOW(fcntl(f, F_GET_SEALS) == -1 || 1);
  SHOW(fcntl(memfd_create("n", 0), F_GET_SEALS));

  r = (struct rlimit){20, 100};
  setrlimit(RLIMIT_NOFILE, &r);
  int n = 0;
  while (dup(f) >= 0)
    n++;
  say("%d %s", n > 5, ename(errno));
  SHOW(dup2(f, 20));
  SHOW(dup2(f, 19));
  SHOW(fcntl(f, F_DUPFD, 20));
  SHOW(open("f", O_RDONLY));
  SHOW(syscall(SYS_close_range, 10, 3, 0));
  SHOW(syscall(SYS_close_range, 15, ~0u, 4));
  SHOW(fcntl(19, F_GETFD));
  SHOW(syscall(SYS_close_range, 10, ~0u, 0));
  SHOW(fcntl(19, F_GETFD));
  SHOW(syscall(SYS_close_range, 10, 20, 99));

  if (geteuid() == 0) {
    int s = MUST(open("s", O_RDWR | O_CREAT, 0755));
    chmod("s", 06755);
    chown("s", 1000, 1000);
    SHOW(fstat(s, &st));
    say("%o", st.st_mode);
    chmod("s", 06777);
    SHOW(write(s, "x", 1));
    fstat(s, &st);
    say("root %o", st.st_mode);
    if (fork() == 0) {
      setresuid(1001, 1001, 1001);
      SHOW(write(s, "x", 1));
      fstat(s, &st);
      say("user %o", st.st_mode);
      _exit(0);
    }
    wait(NULL);
  }
  return 0;
}
