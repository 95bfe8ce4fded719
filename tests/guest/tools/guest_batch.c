/*
 * Runs many programs one after another, each in a fresh directory with stdin from /dev/null and a time limit, and
 * frames what each printed: "@@> name", then "@@< name STATUS LENGTH", then that many bytes. The runner uses it both
 * natively and in the sandbox, so that both sides see the same surroundings.
 *   guest_batch TIMEOUT_S TMPDIR PROGRAM...
 */
#include "../guest.h"
#include <ftw.h>

static int remove_entry(const char *path, const struct stat *st, int flag, struct FTW *ftw) {
  return remove(path), 0;
}

static char out[1 << 20];

static void put_all(const char *p, size_t n) {
  while (n) {
    ssize_t w = write(1, p, n);
    if (w < 0 && errno == EINTR)
      continue;
    if (w <= 0)
      _exit(98);
    p += w, n -= w;
  }
}

/* Everything the program prints until it has ended; false if it had to be killed. */
static bool collect(int fd, pid_t pid, int64_t deadline, size_t *len, int *status) {
  bool in_time = true, ended = false;
  while (!ended) {
    struct pollfd pf = {fd, POLLIN, 0};
    int left = deadline - now_ms() > 0 ? (int)(deadline - now_ms()) : 0;
    int r = poll(&pf, 1, left < 20 ? left : 20);
    if (r > 0) {
      char drop[4096];
      bool full = *len == sizeof out;
      ssize_t n = read(fd, full ? drop : out + *len, full ? sizeof drop : sizeof out - *len);
      if (n > 0)
        *len += full ? 0 : n;
      else if (n == 0 || errno != EINTR)
        break;
    }
    if (waitpid(pid, status, WNOHANG) == pid)
      ended = true;
    if (in_time && now_ms() >= deadline) {
      in_time = false;
      kill(-pid, SIGKILL);
      kill(pid, SIGKILL);
    }
  }
  if (!ended) { /* it closed its output first */
    while (waitpid(pid, status, WNOHANG) == 0) {
      if (now_ms() >= deadline) {
        in_time = false;
        kill(-pid, SIGKILL);
        kill(pid, SIGKILL);
      }
      msleep(1);
    }
  }
  fcntl(fd, F_SETFL, O_NONBLOCK);
  ssize_t n;
  while (*len < sizeof out && (n = read(fd, out + *len, sizeof out - *len)) > 0)
    *len += n;
  return in_time;
}

int main(int argc, char **argv) {
  if (argc < 4)
    return 2;
  int timeout = atoi(argv[1]);
  for (int i = 3; i < argc; i++) {
    const char *name = strrchr(argv[i], '/') ? strrchr(argv[i], '/') + 1 : argv[i];
    char head[512], dir[PATH_MAX];
    put_all(head, snprintf(head, sizeof head, "@@> %s\n", name));
    snprintf(dir, sizeof dir, "%s/g.XXXXXX", argv[2]);
    if (!mkdtemp(dir) || chmod(dir, 0755)) {
      put_all(head, snprintf(head, sizeof head, "@@< %s mkdtemp-%s 0\n", name, ename(errno)));
      continue;
    }
    int p[2];
    MUST(pipe2(p, O_CLOEXEC));
    pid_t pid = fork();
    if (pid == 0) {
      setpgid(0, 0);
      int null = open("/dev/null", O_RDONLY);
      dup2(null, 0);
      dup2(p[1], 1);
      dup2(p[1], 2);
      if (null > 2)
        close(null);
      syscall(SYS_close_range, 3, ~0u, 0);
      umask(022);
      if (chdir(dir))
        _exit(97);
      setenv("LC_ALL", "C", 1);
      setenv("HOME", dir, 1);
      setenv("GUEST_DIR", dir, 1);
      if (strlen(name) > 3 && !strcmp(name + strlen(name) - 3, ".py"))
        execlp("python3", "python3", argv[i], NULL);
      else if (strlen(name) > 3 && !strcmp(name + strlen(name) - 3, ".sh"))
        execlp("bash", "bash", argv[i], NULL);
      else
        execl(argv[i], argv[i], NULL);
      say("exec: %s", ename(errno));
      _exit(96);
    }
    close(p[1]);
    size_t len = 0;
    int st = 0;
    bool in_time = pid > 0 && collect(p[0], pid, now_ms() + timeout * 1000LL, &len, &st);
    close(p[0]);
    kill(-pid, SIGKILL);
    char verdict[64];
    if (!in_time)
      snprintf(verdict, sizeof verdict, "timeout");
    else if (WIFSIGNALED(st))
      snprintf(verdict, sizeof verdict, "signal-%s", signame(WTERMSIG(st)));
    else
      snprintf(verdict, sizeof verdict, "exit-%d", WEXITSTATUS(st));
    put_all(head, snprintf(head, sizeof head, "@@< %s %s %zu\n", name, verdict, len));
    put_all(out, len);
    MUST(chdir("/"));
    nftw(dir, remove_entry, 32, FTW_DEPTH | FTW_PHYS);
  }
  return 0;
}
