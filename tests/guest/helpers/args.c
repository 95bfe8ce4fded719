/* Prints its arguments, what it inherited of interest, and exits with the first number it was given. */
#include "../guest.h"
extern char **environ;
int main(int argc, char **argv) {
  say("argc %d", argc);
  for (int i = 1; i < argc; i++)
    say("argv[%d] %s", i, argv[i]);
  for (char **e = environ; *e; e++)
    if (!strncmp(*e, "G_", 2))
      say("env %s", *e);
  return argc > 1 ? atoi(argv[1]) : 0;
}
