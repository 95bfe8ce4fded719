/* Usage: leaks. Must be pid 1. Reads lines "SCENE ROUNDS" or "list", runs the scene in a child, answers "done STATUS".
 */
#include "leaks.h"
#include <sys/stat.h>

static const struct scene *const families[] = {task_scenes, ns_scenes, ipc_scenes, file_scenes, net_scenes};

void nothing(void *arg) {}

bool in_clone(unsigned long flags, void (*fn)(void *), void *arg) {
  pid_t p = (pid_t)syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0);
  if (!p) {
    fn(arg);
    _exit(0);
  }
  if (p > 0)
    waitpid(p, NULL, __WALL);
  return p > 0;
}

void in_child(void (*fn)(void *), void *arg) {
  in_clone(0, fn, arg);
}

static const struct scene *find(const char *name) {
  for (size_t f = 0; f < sizeof families / sizeof *families; f++)
    for (const struct scene *s = families[f]; s->name; s++)
      if (!strcmp(s->name, name))
        return s;
  return NULL;
}

static void list(void) {
  for (size_t f = 0; f < sizeof families / sizeof *families; f++)
    for (const struct scene *s = families[f]; s->name; s++)
      printf("scene %s %d\n", s->name, s->cost);
  printf("done 0\n");
}

static void run(const struct scene *s, int rounds) {
  pid_t p = fork();
  if (!p) {
    alarm(300);
    for (int i = 0; i < rounds; i++)
      s->fn(i);
    _exit(0);
  }
  int st = -1;
  waitpid(p, &st, 0);
  while (waitpid(-1, NULL, WNOHANG | __WALL) > 0)
    ;
  printf("done %d\n", st);
}

int main(void) {
  char line[200], name[100];
  int rounds;
  mkdir("/tmp/leaks", 0777);
  if (chdir("/tmp/leaks"))
    return 1;
  setvbuf(stdout, NULL, _IOLBF, 0);
  while (fgets(line, sizeof line, stdin)) {
    if (!strcmp(line, "list\n")) {
      list();
      continue;
    }
    const struct scene *s = sscanf(line, "%99s %d", name, &rounds) == 2 ? find(name) : NULL;
    if (s)
      run(s, rounds);
    else
      printf("done -1\n");
  }
  return 0;
}
