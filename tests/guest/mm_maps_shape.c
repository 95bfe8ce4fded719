/* /proc/self/maps: one line per area, merged and split as areas are, with rights, offset and name. */
#include "guest.h"
static void area(const char *what, char *p, size_t len) {
  FILE *f = fopen("/proc/self/maps", "re");
  char line[5000];
  say("%s", what);
  while (fgets(line, sizeof line, f)) {
    unsigned long a, b, off, ino;
    char prot[8], dev[16], name[4096] = "";
    if (sscanf(line, "%lx-%lx %7s %lx %15s %lu %4095s", &a, &b, prot, &off, dev, &ino, name) < 6)
      say("malformed line %s", line);
    if (b <= (uintptr_t)p || a >= (uintptr_t)p + len)
      continue;
    long from = a < (uintptr_t)p ? 0 : (long)(a - (uintptr_t)p) / 4096;
    long to = b > (uintptr_t)p + len ? (long)len / 4096 : (long)(b - (uintptr_t)p) / 4096;
    const char *slash = strrchr(name, '/');
    say("  %ld-%ld %s off %lx ino %s %s", from, to, prot, off, ino ? "yes" : "no", slash ? slash + 1 : name);
  }
  fclose(f);
}
int main(void) {
  char *p = mmap(NULL, 10 * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  area("one", p, 10 * 4096);
  mprotect(p + 2 * 4096, 4096, PROT_READ);
  mprotect(p + 4 * 4096, 2 * 4096, PROT_READ | PROT_WRITE);
  munmap(p + 8 * 4096, 4096);
  area("split", p, 10 * 4096);
  mprotect(p, 8 * 4096, PROT_READ);
  area("merged", p, 10 * 4096);
  int fd = MUST(open("file", O_RDWR | O_CREAT, 0600));
  ftruncate(fd, 4 * 4096);
  char *q = mmap(NULL, 3 * 4096, PROT_READ, MAP_SHARED, fd, 4096);
  area("file", q, 3 * 4096);
  mprotect(q + 4096, 4096, PROT_READ | PROT_WRITE);
  area("file split", q, 3 * 4096);
  char *r = mmap(NULL, 3 * 4096, PROT_READ, MAP_PRIVATE, fd, 0);
  mprotect(r + 4096, 2 * 4096, PROT_READ | PROT_WRITE);
  r[4096] = r[2 * 4096] = 1;
  mprotect(r + 4096, 4096, PROT_READ);
  area("written and protected again, as a dynamic linker does", r, 3 * 4096);
  unlink("file");
  char buf[8192] = "";
  read_file("/proc/self/maps", buf, sizeof buf);
  YES(strstr(buf, "file (deleted)") != NULL);
  char big[65536];
  read_file("/proc/self/maps", big, sizeof big);
  YES(strstr(big, "[stack]") != NULL);
  YES(strstr(big, "[heap]") != NULL);
  YES(strstr(big, "[vdso]") != NULL);
  YES(strstr(big, "mm_maps_shape") != NULL);
  unsigned long prev = 0, a, b;
  bool sorted = true;
  for (char *l = strtok(big, "\n"); l; l = strtok(NULL, "\n")) {
    if (sscanf(l, "%lx-%lx", &a, &b) == 2 && !strstr(l, "[vsyscall]")) {
      sorted &= a >= prev && b > a;
      prev = b;
    }
  }
  YES(sorted);
  char local;
  area("this variable's area is the stack", (char *)((uintptr_t)&local & ~4095UL), 4096);
}
