/*
 * Jumps to the stub's `syscall` and to its sigreturn with every number: nothing may reach the host, nobody may hang. What
 * is written to the buffers must come from the Sentry: uname tells the two kernels apart.
 */
#include "hostile.h"
#include <sys/utsname.h>
static struct stub st;
static char *shared;
static struct {
  void *where;
  int nr, style;
} a;
static void jump(void *arg) {
  long p = (long)shared, q = (long)shared + 1024;
  if (a.style == 0) /* pointers everywhere: what the host writes would be seen */
    jump6(a.where, a.nr, p, q, p + 2048, q + 2048, p, 8);
  else if (a.style == 1) /* what a curious guest would ask for */
    jump6(a.where, a.nr, AT_FDCWD, (long)"/etc/passwd", O_RDWR, p, 0, 0);
  else /* mappings, clones and the like over everything */
    jump6(a.where, a.nr, 0x10000000, 0x10000, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_FIXED | MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}
int main(void) {
  if (!find_stub(&st)) {
    say("no stub found: nothing to jump to");
    return 0;
  }
  shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  int ended = 0, killed = 0, wrote = 0, foreign = 0;
  struct utsname ours;
  uname(&ours);
  for (int which = 0; which < 2; which++)
    for (int nr = -2; nr < 480; nr++)
      for (int style = 0; style < 3; style++) {
        a.where = which ? st.sigreturn_insn : st.syscall_insn;
        a.nr = nr, a.style = style, attack_number = nr;
        memset(shared, 0, 4096);
        int status;
        bool by_itself = attack(jump, NULL, 60, &status);
        ended += by_itself, killed += !by_itself;
        for (int i = 0; i < 4096; i++)
          if (shared[i]) {
            wrote++;
            break;
          }
        struct utsname *u = (void *)shared;
        if (nr == SYS_uname && u->sysname[0] && memcmp(u, &ours, sizeof ours)) {
          say("uname at the %s was answered by another kernel: %s %s", which ? "sigreturn" : "syscall", u->release, u->version);
          foreign++;
        }
      }
  say("jumps that ended by themselves %d, killed %d, answered %d", ended, killed, wrote);
  return foreign ? 1 : 0;
}
