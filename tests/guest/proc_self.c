/* /proc/self: what programs read there, by shape. */
#include "guest.h"
static char b[65536];
static const char *line(const char *file, const char *key) {
  static char l[300];
  read_file(file, b, sizeof b);
  char *p = strstr(b, key);
  if (!p)
    return "(missing)";
  snprintf(l, sizeof l, "%.*s", (int)strcspn(p, "\n"), p);
  return l;
}
int main(int argc, char **argv) {
  int pid;
  char comm[32], st;
  int ppid, pgrp, sess, tty, tpgid;
  read_file("/proc/self/stat", b, sizeof b);
  int n = sscanf(b, "%d (%31[^)]) %c %d %d %d %d %d", &pid, comm, &st, &ppid, &pgrp, &sess, &tty, &tpgid);
  say("stat: %d fields read, comm %s state %c, ids %d, tty %d", n, comm, st, pid == getpid() && ppid == getppid() && pgrp == getpgrp() && sess == getsid(0), tty);
  int fields = 1;
  for (char *p = b; *p; p++)
    fields += *p == ' ';
  YES(fields >= 52);
  say("%s", line("/proc/self/status", "Name:")), say("%s", line("/proc/self/status", "State:")), say("%s", line("/proc/self/status", "Uid:")), say("%s", line("/proc/self/status", "Groups:")), say("%s", line("/proc/self/status", "SigIgn:")), say("%s", line("/proc/self/status", "NoNewPrivs:"));
  const char *keys[] = {"Umask:", "Tgid:", "Pid:", "PPid:", "TracerPid:", "Gid:", "FDSize:", "VmSize:", "VmRSS:", "VmPeak:", "Threads:", "SigPnd:", "ShdPnd:", "SigBlk:", "SigCgt:", "CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:", "Seccomp:", "Cpus_allowed:", "voluntary_ctxt_switches:"};
  for (unsigned i = 0; i < sizeof keys / sizeof *keys; i++)
    if (!strcmp(line("/proc/self/status", keys[i]), "(missing)"))
      say("status has no %s", keys[i]);
  ssize_t k = read_file("/proc/self/cmdline", b, sizeof b);
  YES(k == (ssize_t)strlen(argv[0]) + 1 && !strcmp(b, argv[0]));
  setenv("LATE", "1", 1);
  k = read_file("/proc/self/environ", b, sizeof b);
  YES(k > 0 && memmem(b, k, "HOME=", 5) && !memmem(b, k, "LATE=", 5));
  k = readlink("/proc/self/exe", b, sizeof b - 1), b[k > 0 ? k : 0] = 0;
  say("exe %s", strrchr(b, '/') ? strrchr(b, '/') + 1 : b);
  char cwd[PATH_MAX];
  k = readlink("/proc/self/cwd", b, sizeof b - 1), b[k > 0 ? k : 0] = 0;
  YES(!strcmp(b, getcwd(cwd, sizeof cwd)));
  k = readlink("/proc/self/root", b, sizeof b - 1), b[k > 0 ? k : 0] = 0;
  say("root %s", b);
  k = readlink("/proc/self", b, sizeof b - 1), b[k > 0 ? k : 0] = 0;
  YES(atoi(b) == getpid());
  k = readlink("/proc/thread-self", b, sizeof b - 1), b[k > 0 ? k : 0] = 0;
  YES(strstr(b, "/task/") != NULL);
  YES(sscanf(line("/proc/self/statm", ""), "%*d %*d %*d %*d %*d %*d %d", &n) == 1);
  YES(strstr(line("/proc/self/mountinfo", " / / "), " - ") != NULL);
  YES(strcmp(line("/proc/self/mounts", " / "), "(missing)") != 0);
  YES(strcmp(line("/proc/self/limits", "Max open files"), "(missing)") != 0);
  YES(read_file("/proc/self/cgroup", b, sizeof b) > 0);
  YES(read_file("/proc/self/oom_score_adj", b, sizeof b) > 0);
  SHOW(read_file("/proc/self/nothing", b, sizeof b)), SHOW(open("/proc/999999", O_RDONLY)), SHOW(open("/proc/self/stat/x", O_RDONLY)), SHOW(mkdir("/proc/x", 0755)), SHOW(unlink("/proc/self/stat"));
  CHILD("comm can be written") {
    int fd = MUST(open("/proc/self/comm", O_WRONLY));
    SHOW(write(fd, "renamed", 7)), say("%s", line("/proc/self/comm", ""));
  }
  DIR *d = opendir("/proc/self/fd");
  struct dirent *e;
  int fds = 0;
  while ((e = readdir(d)))
    fds += e->d_name[0] != '.';
  closedir(d);
  say("descriptors %d", fds);
  say("%s", line("/proc/self/fdinfo/0", "pos:"));
  d = opendir("/proc");
  bool self = false, mine = false;
  while ((e = readdir(d)))
    self |= !strcmp(e->d_name, "self"), mine |= atoi(e->d_name) == getpid();
  YES(self && mine);
  pid_t z = fork();
  if (!z)
    _exit(0);
  wait_state(z, 'Z');
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/cmdline", z);
  SHOW(read_file(path, b, sizeof b));
  snprintf(path, sizeof path, "/proc/%d/exe", z);
  SHOW(readlink(path, b, sizeof b));
  reap("zombie", z);
  CHILD("another user's") {
    snprintf(path, sizeof path, "/proc/%d/environ", getppid());
    become_user(1000);
    SHOW(open(path, O_RDONLY));
  }
}
