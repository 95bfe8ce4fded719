/* memfd_create: mapping, sealing, sharing by descriptor. */
#include "guest.h"
int main(void) {
  int fd = MUST(memfd_create("name", MFD_ALLOW_SEALING | MFD_CLOEXEC));
  SHOW(fcntl(fd, F_GETFD));
  SHOW(ftruncate(fd, 8192));
  char *p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  strcpy(p, "hello");
  char buf[64] = "";
  SHOW(pread(fd, buf, 5, 0));
  say("%s", buf);
  CHILD("shared with a child") strcpy(p, "world");
  say("%s", p);
  SHOW(fcntl(fd, F_GET_SEALS));
  SHOW(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK));
  SHOW(ftruncate(fd, 4096));
  SHOW(ftruncate(fd, 12288));
  SHOW(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW));
  SHOW(ftruncate(fd, 16384));
  SHOW(pwrite(fd, "x", 1, 12288));
  SHOW(pwrite(fd, "x", 1, 0));
  SHOW(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE)); /* a writable shared mapping exists */
  munmap(p, 8192);
  SHOW(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
  SHOW(pwrite(fd, "x", 1, 0));
  YES(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED);
  say("%s", ename(errno));
  YES(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0) != MAP_FAILED);
  SHOW(fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL));
  SHOW(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK));
  SHOW(fcntl(fd, F_GET_SEALS));
  int plain = MUST(memfd_create("", 0));
  SHOW(fcntl(plain, F_GET_SEALS));
  SHOW(fcntl(plain, F_ADD_SEALS, F_SEAL_WRITE));
  SHOW(memfd_create("x", 0x8000));
  SHOW(syscall(SYS_memfd_create, 8, 0));
  char name[300];
  memset(name, 'n', 299), name[299] = 0;
  SHOW(memfd_create(name, 0));
  snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
  ssize_t n = readlink(name, buf, sizeof buf - 1);
  buf[n > 0 ? n : 0] = 0;
  say("%s", buf);
  struct stat st;
  fstat(fd, &st);
  say("mode %o nlink %d size %ld", st.st_mode, (int)st.st_nlink, (long)st.st_size);
  SHOW(fcntl(0, F_GET_SEALS));
}
