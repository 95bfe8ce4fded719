/* execve of static, static-PIE and dynamic programs: arguments, environment, empty strings, many and long arguments. */
#include "guest.h"
#include <sys/personality.h>
int main(void) {
  char *env[] = {"G_ONE=1", "G_EMPTY=", "NOT_SHOWN=x", "G_UTF=\xc3\xa4", NULL};
  const char *kinds[] = {"args", "args_static_pie", "args_dynamic"};
  for (int i = 0; i < 3; i++)
    CHILD(kinds[i]) {
      char *argv[] = {"zero", "5", "", "with space", "tab\there", NULL};
      execve(helper(kinds[i]), argv, env);
      say("%s", ename(errno));
    }
  CHILD("NULL argv and environment") {
    execve(helper("args"), NULL, NULL);
    say("%s", ename(errno));
  }
  CHILD("2000 arguments") {
    char **argv = calloc(2002, sizeof *argv);
    for (int i = 0; i < 2001; i++)
      argv[i] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    CHILD("counted") {
      dup2(MUST(open("out", O_RDWR | O_CREAT, 0600)), 1);
      execve(helper("args"), argv, env);
    }
    char buf[10];
    read_file("out", buf, sizeof buf);
    say("[%s]", buf);
  }
  CHILD("from a stack that is not randomized") {
    personality(ADDR_NO_RANDOMIZE);
    execle("/bin/sh", "sh", "-c", "exec /bin/sh -c 'echo deeper $LAST'", NULL, (char *[]){"PATH=/bin", "LAST=z", NULL});
  }
  CHILD("argument of 131071 bytes") {
    char *s = malloc(200000);
    memset(s, 'x', 200000);
    s[131071] = 0;
    CHILD("long") {
      dup2(MUST(open("out", O_RDWR | O_CREAT | O_TRUNC, 0600)), 1);
      execve(helper("args"), (char *[]){"a", "3", s, NULL}, env);
      _exit(50);
    }
    s[131071] = 'x', s[131072] = 0;
    execve(helper("args"), (char *[]){"a", "3", s, NULL}, env);
    say("one more byte: %s", ename(errno));
  }
}
