/* posix_spawn: arguments, file actions, attributes, errors. */
#include "guest.h"
int main(void) {
  char *argv[] = {"args", "12", "two words", NULL}, *env[] = {"G_A=b c", "OTHER=1", NULL};
  pid_t p;
  int spawned;
  spawned = posix_spawn(&p, helper("args"), NULL, NULL, argv, env);
  reap("plain", p);
  say("spawn: %s", ename(spawned));
  say("missing: %s", ename(posix_spawn(&p, "/no/such/file", NULL, NULL, argv, env)));
  say("not executable: %s", ename(posix_spawn(&p, "/etc/passwd", NULL, NULL, argv, env)));
  posix_spawn_file_actions_t fa;
  posix_spawn_file_actions_init(&fa);
  posix_spawn_file_actions_addopen(&fa, 5, "new", O_WRONLY | O_CREAT | O_TRUNC, 0600);
  posix_spawn_file_actions_adddup2(&fa, 5, 1);
  posix_spawn_file_actions_addclose(&fa, 0);
  spawned = posix_spawn(&p, helper("args"), &fa, NULL, argv, env);
  reap("with file actions", p);
  say("spawn: %s", ename(spawned));
  char buf[512];
  SHOW(read_file("new", buf, sizeof buf));
  say("%s", buf);
  posix_spawnattr_t at;
  posix_spawnattr_init(&at);
  sigset_t m;
  sigemptyset(&m);
  sigaddset(&m, SIGHUP);
  posix_spawnattr_setsigmask(&at, &m);
  sigaddset(&m, SIGUSR2);
  posix_spawnattr_setsigdefault(&at, &m);
  posix_spawnattr_setpgroup(&at, 0);
  posix_spawnattr_setflags(&at, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  signal(SIGUSR2, SIG_IGN);
  signal(SIGUSR1, SIG_IGN);
  char *sargv[] = {"state", NULL};
  spawned = posix_spawn(&p, helper("state"), NULL, &at, sargv, env);
  reap("with attributes", p);
  say("spawn: %s", ename(spawned));
  spawned = posix_spawnp(&p, "true", NULL, NULL, (char *[]){"true", NULL}, (char *[]){NULL});
  reap("spawnp", p);
  say("spawn: %s", ename(spawned));
  FILE *f = popen("echo popen works; exit 3", "r");
  say("%s", fgets(buf, sizeof buf, f) ? strtok(buf, "\n") : "nothing");
  say_status("pclose", pclose(f));
  say_status("system", system("exit 7"));
}
