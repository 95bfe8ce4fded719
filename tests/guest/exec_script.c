/* #! scripts: interpreter argument, nesting, missing interpreter, no newline, relative interpreters. */
#include "guest.h"
static void run(const char *what, const char *path) {
  CHILD(what) {
    char *argv[] = {"argv0", "4", "tail", NULL}, *env[] = {"G_S=1", NULL};
    execve(path, argv, env);
    say("  %s", ename(errno));
    _exit(100);
  }
}
static void script(const char *path, const char *fmt, const char *arg) {
  char text[5000];
  snprintf(text, sizeof text, fmt, arg);
  MUST(write_file(path, text));
  MUST(chmod(path, 0755));
}
int main(void) {
  symlink(helper("args"), "interp");
  script("plain", "#!%s\n", "./interp");
  run("plain", "./plain");
  script("witharg", "#! %s  one two  \nrest\n", "./interp");
  run("argument is one word", "./witharg");
  script("nonl", "#!%s", "./interp");
  run("no newline", "./nonl");
  script("nested", "#!%s x\n", "./plain");
  run("nested", "./nested");
  script("missing", "#!%s\n", "/no/such/interp");
  run("missing interpreter", "./missing");
  script("empty", "#!%s\n", "");
  run("empty interpreter", "./empty");
  script("dir", "#!%s\n", "/");
  run("interpreter is a directory", "./dir");
  script("self", "#!%s\n", "./self");
  run("interpreter is itself", "./self");
  script("none", "echo %s\n", "hi");
  run("no #!", "./none");
  script("sh", "#!/bin/sh\necho \"shell got $# $1 $%s\"\nexit 8\n", "2");
  run("sh", "./sh");
  char lng[400];
  memset(lng, 'a', sizeof lng), lng[0] = '/', lng[399] = 0;
  script("long", "#!%s\n", lng);
  run("line longer than 255", "./long");
  MUST(chmod("plain", 0644));
  run("not executable", "./plain");
}
