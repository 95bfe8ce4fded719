/* execve: every error a path or a file can give. */
#include "guest.h"
static char *argv[] = {"x", NULL}, *env[] = {NULL};
static void try(const char *what, const char *path) {
  execve(path, argv, env);
  say("%s: %s", what, ename(errno));
}
int main(void) {
  try("missing", "./missing");
  try("empty path", "");
  try("NULL", NULL);
  try("directory", "/");
  try("through a file", "/etc/passwd/x");
  mkdir("d", 0755);
  MUST(write_file("empty", ""));
  MUST(write_file("text", "hello"));
  MUST(write_file("elf", "\177ELF garbage that is long enough to be looked at by any loader ..........................."));
  MUST(write_file("truncated", "\177ELF\2\1\1"));
  try("not executable", "./text");
  chmod("empty", 0755), chmod("text", 0755), chmod("elf", 0755), chmod("truncated", 0755);
  try("empty file", "./empty");
  try("text file", "./text");
  try("bad ELF", "./elf");
  try("truncated ELF", "./truncated");
  symlink("loop", "loop");
  try("symlink loop", "./loop");
  symlink("nowhere", "dangling");
  try("dangling symlink", "./dangling");
  char lng[5000];
  memset(lng, 'a', sizeof lng - 1), lng[4999] = 0;
  try("long path", lng);
  lng[300] = 0;
  try("long name", lng);
  MUST(mkfifo("fifo", 0777));
  try("fifo", "./fifo");
  try("device", "/dev/null");
  errno = 0;
  syscall(SYS_execve, "/bin/true", (void *)8, env);
  say("bad argv: %s", ename(errno));
  char *badptr[] = {"x", (char *)16, NULL};
  syscall(SYS_execve, "/bin/true", badptr, env);
  say("bad argv[1]: %s", ename(errno));
  char buf[PATH_MAX + 20];
  snprintf(buf, sizeof buf, "cp %s ./busy", helper("args"));
  system(buf);
  int w = MUST(open("busy", O_WRONLY));
  try("open for writing", "./busy");
  close(w);
  CHILD("as user") {
    chmod("busy", 0700);
    become_user(1000);
    try("no permission", "./busy");
  }
  pid_t p = fork();
  if (p == 0) {
    snprintf(buf, sizeof buf, "cp %s ./run", helper("sleeper"));
    system(buf);
    execve("./run", argv, env);
    _exit(1);
  }
  for (int i = 0; i < 1000 && (access("run", X_OK) || proc_state(p) != 'S'); i++)
    msleep(2);
  msleep(60);
  SHOW(open("run", O_WRONLY));
  SHOW(unlink("run"));
  kill(p, SIGKILL);
  reap("running program", p);
}
