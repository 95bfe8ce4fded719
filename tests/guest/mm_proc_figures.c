/* /proc/self/{status,statm,smaps,smaps_rollup,pagemap,numa_maps,map_files}: what was touched is in memory, the rest
 * not. */
#include "guest.h"
#include <sys/mman.h>

#define MB (1ul << 20)

static long field(const char *file, const char *name) {
  char line[512];
  long v = -1;
  FILE *f = fopen(file, "r");
  while (f && fgets(line, sizeof line, f))
    if (!strncmp(line, name, strlen(name)) && line[strlen(name)] == ':') {
      v = atol(line + strlen(name) + 1);
      break;
    }
  if (f)
    fclose(f);
  return v;
}

static long smaps(void *addr, const char *name) {
  char line[512], want[32];
  bool in = false;
  long v = -1;
  snprintf(want, sizeof want, "%lx-", (unsigned long)addr);
  FILE *f = fopen("/proc/self/smaps", "r");
  while (f && fgets(line, sizeof line, f)) {
    if (line[0] < 'A' || line[0] > 'Z')
      in = !strncmp(line, want, strlen(want));
    else if (in && !strncmp(line, name, strlen(name)) && line[strlen(name)] == ':')
      v = atol(line + strlen(name) + 1);
  }
  if (f)
    fclose(f);
  return v;
}

static int near(long v, long want) {
  return v >= want - 512 && v <= want + 512;
}

static uint64_t page(int fd, void *p) {
  uint64_t e = 1;
  pread(fd, &e, 8, (off_t)((unsigned long)p / 4096 * 8));
  return e;
}

int main(void) {
  long rss = field("/proc/self/status", "VmRSS"), anon = field("/proc/self/status", "RssAnon");
  long size = field("/proc/self/status", "VmSize"), shmem = field("/proc/self/status", "RssShmem");
  char *p = mmap(NULL, 32 * MB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  madvise(p, 32 * MB, MADV_NOHUGEPAGE);
  printf("mapped: size %d rss %d\n", near(field("/proc/self/status", "VmSize") - size, 32 * 1024),
         near(field("/proc/self/status", "VmRSS") - rss, 0));
  memset(p + 4 * MB, 1, 8 * MB);
  printf("touched: rss %d anon %d hwm %d\n", near(field("/proc/self/status", "VmRSS") - rss, 8192),
         near(field("/proc/self/status", "RssAnon") - anon, 8192),
         field("/proc/self/status", "VmHWM") >= field("/proc/self/status", "VmRSS"));
  printf("smaps: size %ld rss %ld anon %ld private dirty %ld\n", smaps(p, "Size"), smaps(p, "Rss"),
         smaps(p, "Anonymous"), smaps(p, "Private_Dirty"));
  mprotect(p + 6 * MB, 2 * MB, PROT_READ);
  printf("split: %ld %ld %ld\n", smaps(p, "Rss"), smaps(p + 6 * MB, "Rss"), smaps(p + 8 * MB, "Rss"));
  mprotect(p + 6 * MB, 2 * MB, PROT_READ | PROT_WRITE);
  printf("joined: %ld\n", smaps(p, "Rss"));
  int pm = open("/proc/self/pagemap", O_RDONLY);
  printf("pagemap: untouched %d touched %d file %d frame %d odd %zd %s\n", (int)(page(pm, p) >> 63),
         (int)(page(pm, p + 4 * MB) >> 63), (int)(page(pm, p + 4 * MB) >> 61 & 1),
         getuid() ? (int)(page(pm, p + 4 * MB) & ((1ull << 55) - 1)) : 0, pread(pm, &rss, 7, 0), strerror(errno));
  madvise(p + 4 * MB, 4 * MB, MADV_DONTNEED);
  printf("dontneed: %ld pagemap %d\n", smaps(p, "Rss"), (int)(page(pm, p + 4 * MB) >> 63));
  char *s = mmap(NULL, 8 * MB, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  memset(s, 1, 2 * MB);
  printf("shared: shmem %d smaps %ld pagemap file bit %d\n", near(field("/proc/self/status", "RssShmem") - shmem, 2048),
         smaps(s, "Rss"), (int)(page(pm, s) >> 61 & 1));
  munmap(p, 32 * MB);
  munmap(s, 8 * MB);
  printf("unmapped: %d peak %d\n", near(field("/proc/self/status", "RssAnon") - anon, 0),
         field("/proc/self/status", "VmPeak") >= size + 32 * 1024);
  printf("rollup: %d\n", near(field("/proc/self/smaps_rollup", "Rss") - field("/proc/self/status", "VmRSS"), 0));
  long pages = -1, statm;
  FILE *f = fopen("/proc/self/statm", "r");
  fscanf(f, "%ld %ld", &pages, &statm);
  fclose(f);
  printf("statm: %d %d\n", near(pages * 4 - field("/proc/self/status", "VmSize"), 0),
         near(statm * 4 - field("/proc/self/status", "VmRSS"), 0));
  int maps = 0, numa = 0, links = 0, c;
  for (f = fopen("/proc/self/maps", "r"); (c = fgetc(f)) != EOF;)
    maps += c == '\n';
  for (f = fopen("/proc/self/numa_maps", "r"); (c = fgetc(f)) != EOF;)
    numa += c == '\n';
  DIR *d = opendir("/proc/self/map_files");
  for (struct dirent *e; (e = readdir(d));) {
    char path[600], to[600];
    ssize_t n;
    snprintf(path, sizeof path, "/proc/self/map_files/%s", e->d_name);
    if (e->d_name[0] != '.' && (n = readlink(path, to, sizeof to - 1)) > 0) {
      to[n] = 0;
      links += strstr(to, "mm_proc_figures") != NULL;
    }
  }
  printf("numa_maps %d map_files %d\n", numa > 5 && numa <= maps, links >= 3);
  int cr = open("/proc/self/clear_refs", O_WRONLY);
  printf("clear_refs: %zd %zd %s\n", write(cr, "5", 1), write(cr, "9", 1), strerror(errno));
  return 0;
}
