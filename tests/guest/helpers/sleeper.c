/* Sleeps until it is killed. */
#include "../guest.h"
int main(void) {
  for (;;)
    pause();
}
