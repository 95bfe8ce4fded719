/* /proc's system-wide files, by shape. */
#include "guest.h"
static char b[262144];
static bool has(const char *file, const char *what) { return read_file(file, b, sizeof b) > 0 && strstr(b, what); }
int main(void) {
  const char *mem[] = {"MemTotal:", "MemFree:", "MemAvailable:", "Buffers:", "Cached:", "SwapTotal:", "SwapFree:"};
  for (int i = 0; i < 7; i++)
    say("meminfo %s %d", mem[i], has("/proc/meminfo", mem[i]));
  YES(has("/proc/stat", "cpu ") && has("/proc/stat", "\nbtime ") && has("/proc/stat", "\nprocesses "));
  YES(has("/proc/cpuinfo", "processor\t: 0") && has("/proc/cpuinfo", "flags\t\t:"));
  double up, idle, l1, l2, l3;
  int run, total, last;
  read_file("/proc/uptime", b, sizeof b);
  YES(sscanf(b, "%lf %lf", &up, &idle) == 2 && up > 0);
  read_file("/proc/loadavg", b, sizeof b);
  YES(sscanf(b, "%lf %lf %lf %d/%d %d", &l1, &l2, &l3, &run, &total, &last) == 6);
  YES(has("/proc/version", "Linux version "));
  YES(has("/proc/filesystems", "tmpfs") && has("/proc/filesystems", "nodev\tproc"));
  YES(has("/proc/mounts", " /proc proc "));
  const char *sys[] = {"/proc/sys/kernel/ostype", "/proc/sys/kernel/osrelease", "/proc/sys/kernel/hostname", "/proc/sys/kernel/pid_max", "/proc/sys/kernel/random/uuid", "/proc/sys/kernel/random/boot_id",
                       "/proc/sys/kernel/ngroups_max", "/proc/sys/kernel/cap_last_cap", "/proc/sys/fs/file-max", "/proc/sys/fs/pipe-max-size", "/proc/sys/vm/overcommit_memory", "/proc/sys/kernel/threads-max"};
  for (unsigned i = 0; i < sizeof sys / sizeof *sys; i++)
    say("%s %s", sys[i], read_file(sys[i], b, sizeof b) > 0 ? "readable" : ename(errno));
  read_file("/proc/sys/kernel/ostype", b, sizeof b), say("%s", strtok(b, "\n"));
  char u1[64], u2[64];
  read_file("/proc/sys/kernel/random/uuid", u1, 64), read_file("/proc/sys/kernel/random/uuid", u2, 64);
  YES(strlen(u1) == 37 && strcmp(u1, u2));
  struct stat st;
  SHOW(stat("/proc/self", &st)), SHOW(lstat("/proc/self", &st)), say("link %d", S_ISLNK(st.st_mode));
  SHOW(stat("/proc/meminfo", &st)), say("mode %o size %ld", st.st_mode, (long)st.st_size);
  int fd = MUST(open("/proc/meminfo", O_RDONLY));
  char a[10], c[10];
  read(fd, a, 10), pread(fd, c, 10, 0);
  YES(!memcmp(a, c, 10));
  SHOW(lseek(fd, 0, SEEK_SET)), SHOW(read(fd, a, 10)), SHOW(write(fd, "x", 1));
  YES(sysconf(_SC_PHYS_PAGES) > 1000);
}
