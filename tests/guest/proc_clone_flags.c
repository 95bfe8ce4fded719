/* clone: what CLONE_FS, CLONE_FILES and CLONE_VM share, and what is not shared without them. */
#include "guest.h"
static int var;
static int body(void *arg) {
  var = 1;
  chdir("/");
  umask(077);
  int fd = dup(0);
  return fd == 3 ? 11 : 12;
}
static void try(const char *what, int flags) {
  char cwd[PATH_MAX];
  char *stack = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  var = 0;
  MUST(chdir("/tmp"));
  umask(022);
  close(3);
  pid_t p = clone(body, stack + 65536, flags | SIGCHLD, NULL);
  if (p < 0) {
    say("%s: %s", what, ename(errno));
    return;
  }
  reap(what, p);
  say("  var %d, cwd %s, fd 3 %s, umask %03o", var, getcwd(cwd, sizeof cwd), fcntl(3, F_GETFD) >= 0 ? "open" : "closed",
      umask(022));
  munmap(stack, 65536);
}
int main(void) {
  try("none", 0);
  try("CLONE_VM", CLONE_VM);
  try("CLONE_FS", CLONE_FS);
  try("CLONE_FILES", CLONE_FILES);
  try("all", CLONE_VM | CLONE_FS | CLONE_FILES);
  try("CLONE_VM|CLONE_VFORK", CLONE_VM | CLONE_VFORK);
  try("SIGHAND without VM", CLONE_SIGHAND);
  try("THREAD without SIGHAND", CLONE_THREAD | CLONE_VM);
  try("NEWNS with FS", CLONE_NEWNS | CLONE_FS);
}
