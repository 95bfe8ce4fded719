#include <stdio.h>

int twice(int x) {
  return 2 * x;
}

int main(void) {
  int s = 0;
  for (int i = 0; i < 5; i++)
    s += twice(i);
  printf("%d\n", s);
  return 0;
}
