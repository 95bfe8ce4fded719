/* A robust list that runs into a circle that its head is not part of: each lock in it is told, and the exit is quick.
 */
#include "guest.h"
#include <linux/futex.h>
#include <stddef.h>
struct entry {
  struct entry *next;
  int word;
};
static struct entry e[3];
static struct {
  struct entry *next;
  long offset;
  struct entry *pending;
} head = {&e[0], offsetof(struct entry, word), NULL};
static void *body(void *arg) {
  for (int i = 0; i < 3; i++)
    e[i].word = (int)syscall(SYS_gettid);
  e[0].next = &e[1];
  e[1].next = &e[2];
  e[2].next = &e[1];
  syscall(SYS_set_robust_list, &head, sizeof head);
  return NULL;
}
int main(void) {
  for (int n = 0; n < 100; n++) {
    pthread_t t;
    pthread_create(&t, NULL, body, NULL);
    pthread_join(t, NULL);
  }
  for (int i = 0; i < 3; i++)
    say("entry %d: owner died %d", i, !!(e[i].word & FUTEX_OWNER_DIED));
  return 0;
}
