/* Landlock: rulesets and their errors, what is denied where, layers, reparenting, truncation, ptrace, mounts. Prints
 * nothing that depends on the version. */
#include "guest.h"
#include <linux/landlock.h>
#include <sys/mount.h>
#include <sys/ptrace.h>

#define TRUNCATE (1ull << 14)
#define ALL ((1ull << 15) - 1)
#define FILES (LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_READ_FILE | TRUNCATE)
#define READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR | LANDLOCK_ACCESS_FS_EXECUTE)

static int create(uint64_t handled) {
  return syscall(444, &handled, sizeof handled, 0);
}
static int add(int rs, const char *path, uint64_t allowed) {
  int fd = open(path, O_PATH | O_CLOEXEC);
  struct landlock_path_beneath_attr a = {allowed, fd};
  int r = syscall(445, rs, LANDLOCK_RULE_PATH_BENEATH, &a, 0);
  int e = errno;
  close(fd);
  errno = e;
  return r;
}
static int restrict_self(int rs) {
  return syscall(446, rs, 0);
}
struct rule {
  const char *path;
  uint64_t allowed;
};
static void sandbox(uint64_t handled, const struct rule *r) {
  int rs = MUST(create(handled));
  for (; r->path; r++)
    MUST(add(rs, r->path, r->allowed & handled));
  MUST(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
  MUST(restrict_self(rs));
  close(rs);
}
#define SANDBOX(handled, ...) sandbox(handled, (struct rule[]){__VA_ARGS__, {0}})

static void try(const char *path, int flags) {
  int fd = open(path, flags, 0644);
  say("  open %s %x: %s", path, flags & ~O_CLOEXEC, fd < 0 ? ename(errno) : "ok");
  if (fd >= 0)
    close(fd);
}

static void calls(void) {
  uint64_t h = LANDLOCK_ACCESS_FS_READ_FILE;
  uint64_t big[4] = {h, 0, 0, 1ull << 60};
  YES(syscall(444, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION) >= 2);
  SHOW(syscall(444, NULL, 0, 1u << 30));
  SHOW(syscall(444, &h, 8, LANDLOCK_CREATE_RULESET_VERSION));
  SHOW(syscall(444, NULL, 8, 0));
  SHOW(syscall(444, &h, 4, 0));
  SHOW(syscall(444, big, 32, 0));
  SHOW(syscall(444, &h, 5000, 0));
  SHOW(create(0));
  SHOW(create(1ull << 60));
  int rs = MUST(create(h));
  struct landlock_path_beneath_attr a = {h, -1};
  SHOW(syscall(445, rs, LANDLOCK_RULE_PATH_BENEATH, &a, 0));
  SHOW(syscall(445, rs, LANDLOCK_RULE_PATH_BENEATH, &a, 1));
  SHOW(syscall(445, rs, 77, &a, 0));
  SHOW(syscall(445, -1, LANDLOCK_RULE_PATH_BENEATH, &a, 0));
  SHOW(syscall(445, 0, LANDLOCK_RULE_PATH_BENEATH, &a, 0));
  SHOW(syscall(445, rs, LANDLOCK_RULE_PATH_BENEATH, NULL, 0));
  a.parent_fd = rs;
  SHOW(syscall(445, rs, LANDLOCK_RULE_PATH_BENEATH, &a, 0));
  int p[2];
  MUST(pipe(p));
  a.parent_fd = p[0];
  SHOW(syscall(445, rs, LANDLOCK_RULE_PATH_BENEATH, &a, 0));
  SHOW(add(rs, ".", 0));
  SHOW(add(rs, ".", LANDLOCK_ACCESS_FS_WRITE_FILE));
  SHOW(add(rs, ".", h));
  int rd = MUST(create(LANDLOCK_ACCESS_FS_READ_DIR));
  SHOW(add(rd, "in/f", LANDLOCK_ACCESS_FS_READ_DIR));
  char b[8];
  SHOW(read(rs, b, 8));
  SHOW(write(rs, b, 8));
  YES(fcntl(rs, F_GETFD) == FD_CLOEXEC);
  CHILD("unprivileged") {
    become_user(1000);
    SHOW(restrict_self(rs));
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    SHOW(restrict_self(-1));
    SHOW(restrict_self(p[0]));
    SHOW(syscall(446, rs, 1u << 30));
    SHOW(restrict_self(rs));
  }
  CHILD("privileged") SHOW(restrict_self(rs));
  CHILD("layers") {
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    for (int i = 0; i < 16; i++)
      MUST(restrict_self(rs));
    SHOW(restrict_self(rs));
    try("in/f", O_RDONLY);
    try("/etc/passwd", O_RDONLY);
  }
}

static void reading(void) {
  CHILD("read only below in") {
    int before = MUST(open("out/f", O_RDWR)), dir = MUST(open(".", O_RDONLY | O_DIRECTORY));
    SANDBOX(ALL, {"in", READ}, {"/usr", READ}, {"/lib", READ}, {"/lib64", READ});
    try("in/f", O_RDONLY);
    try("in/f", O_RDWR);
    try("in/f", O_WRONLY | O_TRUNC);
    try("in", O_RDONLY | O_DIRECTORY);
    try("in/new", O_CREAT | O_RDWR);
    try("in", O_TMPFILE | O_RDWR);
    try("out/f", O_RDONLY);
    try("out/f", O_PATH);
    try("out", O_RDONLY | O_DIRECTORY);
    try("in/../out/f", O_RDONLY);
    try("in/link", O_RDONLY);
    try("in/hard", O_RDONLY);
    try("out/hard", O_RDONLY);
    try("nothing", O_RDONLY);
    char b[8];
    SHOW(pread(before, b, 1, 0));
    SHOW(ftruncate(before, 3));
    char p[64];
    snprintf(p, sizeof p, "/proc/self/fd/%d", before);
    SHOW(open(p, O_RDONLY));
    SHOW(openat(dir, "out/f", O_RDONLY));
    OK(mkdir("in/d", 0755));
    OK(rmdir("in/sub"));
    OK(unlink("in/f"));
    OK(symlink("x", "in/s"));
    OK(mkfifo("in/p", 0600));
    OK(mknod("in/r", S_IFREG | 0600, 0));
    OK(truncate("in/f", 1));
    OK(link("in/f", "in/l"));
    OK(rename("in/f", "in/l"));
    OK(rename("in/f", "out/l"));
    struct stat st;
    OK(stat("out/f", &st));
    OK(access("out/f", R_OK));
    OK(chmod("out/f", 0600));
    OK(chdir("out"));
    struct sockaddr_un un = {AF_UNIX, "../in/sock"};
    int s = socket(AF_UNIX, SOCK_STREAM, 0);
    OK(bind(s, (void *)&un, sizeof un));
    int pp[2];
    OK(pipe(pp));
    snprintf(p, sizeof p, "/proc/self/fd/%d", pp[0]);
    int m = memfd_create("x", 0);
    OK(ftruncate(m, 100));
    CHILD("exec allowed") execl("/usr/bin/true", "true", NULL);
    CHILD("exec denied") {
      execl("./prog", "prog", NULL);
      say("  exec: %s", ename(errno));
    }
  }
  CHILD("a file alone") {
    SANDBOX(FILES, {"out/f", LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE});
    try("out/f", O_RDWR);
    try("out/f", O_WRONLY | O_TRUNC);
    try("out/g", O_RDONLY);
    try("out/new", O_CREAT | O_WRONLY);
    int fd = MUST(open("out/f", O_RDWR));
    OK(ftruncate(fd, 1));
    OK(truncate("out/f", 1));
    OK(mkdir("out/nothandled", 0755));
    OK(rmdir("out/nothandled"));
    try("out", O_RDONLY | O_DIRECTORY);
  }
}

static void nested(void) {
  CHILD("two layers") {
    SANDBOX(ALL, {"in", ALL}, {"out", READ});
    SANDBOX(LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG, {"out", ALL}, {"in/sub", ALL});
    try("in/f", O_RDONLY);
    try("in/f", O_WRONLY);
    try("in/sub/a", O_CREAT | O_WRONLY);
    try("out/f", O_WRONLY);
    try("out/f", O_RDONLY);
    CHILD("inherited") {
      try("out/f", O_WRONLY);
      SANDBOX(LANDLOCK_ACCESS_FS_READ_FILE, {"out", ALL});
      try("out/f", O_RDONLY);
      try("in/f", O_RDONLY);
    }
    OK(unlink("in/sub/a"));
  }
}

static void refer(void) {
  CHILD("without REFER") {
    SANDBOX(ALL & ~LANDLOCK_ACCESS_FS_REFER, {".", ALL});
    OK(rename("in/f", "in/f2"));
    OK(rename("in/f2", "in/f"));
    OK(rename("in/f", "out/f2"));
    OK(link("in/f", "out/f2"));
    OK(link("in/f", "in/f2"));
    OK(unlink("in/f2"));
  }
  CHILD("with REFER on both") {
    SANDBOX(ALL, {"in", ALL}, {"out", ALL});
    OK(rename("in/f", "out/f2"));
    OK(rename("out/f2", "in/f"));
    OK(link("in/f", "out/f2"));
    OK(unlink("out/f2"));
    OK(rename("in/f", "third/f"));
    OK(renameat2(AT_FDCWD, "in/f", AT_FDCWD, "out/f", RENAME_EXCHANGE));
    OK(renameat2(AT_FDCWD, "in/f", AT_FDCWD, "out/f", RENAME_EXCHANGE));
  }
  CHILD("more at the destination") {
    uint64_t some = ALL & ~LANDLOCK_ACCESS_FS_EXECUTE;
    SANDBOX(ALL, {"in", some}, {"out", ALL});
    OK(rename("in/f", "out/f2"));
    OK(link("in/f", "out/f2"));
    OK(rename("out/g", "in/g"));
    OK(rename("in/g", "out/g"));
    OK(renameat2(AT_FDCWD, "in/f", AT_FDCWD, "out/f", RENAME_EXCHANGE));
    OK(rename("in/sub", "out/sub"));
  }
  CHILD("not allowed to remove") {
    SANDBOX(ALL, {"in", ALL & ~LANDLOCK_ACCESS_FS_REMOVE_FILE}, {"out", ALL});
    OK(rename("in/f", "out/f2"));
    OK(link("in/f", "out/f2"));
    OK(unlink("out/f2"));
  }
  CHILD("a rule of its own goes along") {
    SANDBOX(ALL, {"in", ALL & ~LANDLOCK_ACCESS_FS_EXECUTE}, {"in/f", LANDLOCK_ACCESS_FS_EXECUTE}, {"out", ALL});
    OK(rename("in/f", "out/f2"));
    OK(rename("out/f2", "in/f"));
  }
}

static void others(void) {
  CHILD("ptrace") {
    int up[2];
    MUST(pipe(up));
    pid_t free_one = child_fork();
    if (!free_one) {
      pause();
      _exit(0);
    }
    SANDBOX(ALL, {"/", ALL});
    OK(ptrace(PTRACE_ATTACH, free_one, 0, 0));
    OK(ptrace(PTRACE_SEIZE, free_one, 0, 0));
    pid_t inner = child_fork();
    if (!inner) {
      pid_t parent = getppid();
      SANDBOX(ALL, {"/", ALL});
      OK(ptrace(PTRACE_SEIZE, parent, 0, 0));
      OK(ptrace(PTRACE_TRACEME, 0, 0, 0));
      _exit(0);
    }
    reap("inner", inner);
    kill(free_one, SIGKILL);
    waitpid(free_one, NULL, 0);
  }
  CHILD("mounts") {
    MUST(unshare(CLONE_NEWNS));
    MUST(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
    MUST(mount("t", "third", "tmpfs", 0, NULL));
    MUST(write_file("third/x", "x"));
    SANDBOX(ALL, {".", READ});
    try("third/x", O_RDONLY);
    try("third/x", O_WRONLY);
    OK(mount("t", "third", "tmpfs", 0, NULL));
    OK(umount("third"));
    OK(mount(NULL, "third", NULL, MS_REMOUNT, NULL));
  }
  CHILD("a rule on a mount point hidden by a mount") {
    MUST(unshare(CLONE_NEWNS));
    MUST(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
    int rs = MUST(create(LANDLOCK_ACCESS_FS_READ_FILE));
    MUST(add(rs, "third", LANDLOCK_ACCESS_FS_READ_FILE));
    MUST(mount("t", "third", "tmpfs", 0, NULL));
    MUST(write_file("third/x", "x"));
    MUST(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    MUST(restrict_self(rs));
    try("third/x", O_RDONLY);
  }
  CHILD("a ruleset that changes later") {
    int rs = MUST(create(LANDLOCK_ACCESS_FS_READ_FILE));
    MUST(add(rs, "in", LANDLOCK_ACCESS_FS_READ_FILE));
    MUST(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    MUST(restrict_self(rs));
    MUST(add(rs, "out", LANDLOCK_ACCESS_FS_READ_FILE));
    try("in/f", O_RDONLY);
    try("out/f", O_RDONLY);
  }
}

int main(void) {
  if (syscall(444, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION) < 0) {
    say("no Landlock");
    return 0;
  }
  MUST(chmod(".", 0755));
  mkdir("in", 0755), mkdir("out", 0755), mkdir("in/sub", 0755), mkdir("third", 0755);
  MUST(write_file("in/f", "inside")), MUST(write_file("out/f", "outside")), MUST(write_file("out/g", "g"));
  MUST(write_file("out/prog", "#!/bin/sh\n")), chmod("out/prog", 0755);
  MUST(symlink("../out/f", "in/link"));
  MUST(link("out/f", "in/hard"));
  MUST(link("out/g", "out/hard"));
  calls();
  reading();
  nested();
  refer();
  others();
}
