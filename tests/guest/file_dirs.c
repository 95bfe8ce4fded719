/* mkdir, rmdir, getdents: contents, types, removal while open, errors, a directory with 1,000 entries. */
#include "guest.h"
static int cmp(const void *a, const void *b) { return strcmp(*(char **)a, *(char **)b); }
static void list(const char *path) {
  DIR *d = opendir(path);
  if (!d) {
    say("%s: %s", path, ename(errno));
    return;
  }
  char *names[64];
  int n = 0;
  struct dirent *e;
  while ((e = readdir(d)) && n < 64) {
    char b[300];
    struct stat st;
    fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW);
    snprintf(b, sizeof b, "%s type %d ino %s", e->d_name, e->d_type, e->d_ino == st.st_ino || !strcmp(e->d_name, "..") ? "right" : "WRONG");
    names[n++] = strdup(b);
  }
  closedir(d);
  qsort(names, n, sizeof *names, cmp);
  for (int i = 0; i < n; i++)
    say("  %s", names[i]);
}
int main(void) {
  struct stat st;
  SHOW(mkdir("d", 0755)), SHOW(mkdir("d", 0755)), SHOW(mkdir("no/d", 0755)), SHOW(mkdir("", 0755)), SHOW(mkdir("d/trailing/", 0755)), SHOW(mkdir("d/.", 0755));
  stat("d", &st);
  MUST(write_file("d/file", "")), MUST(symlink("x", "d/link")), MUST(mkfifo("d/fifo", 0600));
  list("d");
  SHOW(rmdir("d")), SHOW(rmdir("d/trailing/.")), SHOW(rmdir("d/trailing/..")), SHOW(rmdir("d/trailing")), SHOW(rmdir("d/file")), SHOW(rmdir("nothing"));
  SHOW(unlink("d")), SHOW(unlink("d/nothing")), SHOW(unlinkat(AT_FDCWD, "d/file", AT_REMOVEDIR)), SHOW(unlinkat(AT_FDCWD, "d", 0)), SHOW(unlinkat(AT_FDCWD, "d", 0x99));
  SHOW(unlink("d/file/")), SHOW(rmdir("/")), SHOW(mkdir("/", 0755));
  MUST(mkdir("big", 0755));
  for (int i = 0; i < 1000; i++) {
    char n[64];
    sprintf(n, "big/entry-%04d-with-a-rather-long-name", i);
    close(MUST(open(n, O_CREAT | O_WRONLY, 0644)));
  }
  DIR *d = opendir("big");
  struct dirent *e;
  int n = 0, seen[1000] = {0}, dots = 0;
  long mark = 0;
  char marked[256] = "";
  while ((e = readdir(d))) {
    int k;
    if (sscanf(e->d_name, "entry-%d-", &k) == 1)
      seen[k]++;
    else
      dots++;
    n++;
    if (n == 500)
      mark = telldir(d);
    if (n == 501)
      strcpy(marked, e->d_name);
  }
  int once = 0;
  for (int i = 0; i < 1000; i++)
    once += seen[i] == 1;
  say("entries %d, dots %d, each once %d", n, dots, once);
  seekdir(d, mark);
  e = readdir(d);
  YES(e && !strcmp(e->d_name, marked));
  rewinddir(d);
  n = 0;
  while ((e = readdir(d))) /* remove while reading */
    if (e->d_name[0] != '.')
      n += unlinkat(dirfd(d), e->d_name, 0) == 0;
  closedir(d);
  say("removed %d", n);
  SHOW(rmdir("big"));
  MUST(mkdir("open", 0755));
  int fd = MUST(open("open", O_RDONLY | O_DIRECTORY));
  SHOW(rmdir("open"));
  char buf[1024];
  SHOW(syscall(SYS_getdents64, fd, buf, sizeof buf));
  SHOW(openat(fd, "x", O_CREAT | O_WRONLY, 0600));
  SHOW(fstat(fd, &st)), say("nlink %d", (int)st.st_nlink);
  fd = MUST(open("d", O_RDONLY));
  SHOW(syscall(SYS_getdents64, fd, buf, 10));
  SHOW(syscall(SYS_getdents64, fd, 8, sizeof buf));
  SHOW(syscall(SYS_getdents64, 0, buf, sizeof buf));
  SHOW(syscall(SYS_getdents64, 99, buf, sizeof buf));
  SHOW(lseek(fd, 0, SEEK_SET));
}
