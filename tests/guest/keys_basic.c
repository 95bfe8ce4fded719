/* Keys and keyrings: keyrings(7), keyctl(2). Serials differ and are not printed. In a session keyring of its own. */
#include <errno.h>
#include <linux/keyctl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static long key_add(const char *type, const char *desc, const void *p, size_t n, int ring) {
  return syscall(SYS_add_key, type, desc, p, n, (long)ring);
}
static long ctl(int op, long a, long b, long c, long d) {
  return syscall(SYS_keyctl, (long)op, a, b, c, d);
}
#define P(p) ((long)(uintptr_t)(p))
#define SAY(e) say(#e, (e))
static long say(const char *what, long r) {
  if (r < 0)
    printf("%s: %s\n", what, strerror(errno));
  else if (r > 100000)
    printf("%s: a serial\n", what);
  else
    printf("%s: %ld\n", what, r);
  return r;
}
#define S KEY_SPEC_SESSION_KEYRING

/* type;uid;gid;perm;desc */
static void describe(long id) {
  char buf[256] = "";
  long n = ctl(KEYCTL_DESCRIBE, id, P(buf), sizeof buf, 0);
  printf("%ld %s\n", n, n < 0 ? strerror(errno) : buf);
}

static void add_and_read(void) {
  char buf[64] = "";
  long k = SAY(key_add("user", "a", "hello", 5, S));
  describe(k);
  SAY(ctl(KEYCTL_READ, k, P(buf), sizeof buf, 0));
  puts(buf);
  memset(buf, 'x', sizeof buf - 1);
  SAY(ctl(KEYCTL_READ, k, P(buf), 3, 0));
  printf("%.3s\n", buf);
  SAY(ctl(KEYCTL_READ, k, 0, 0, 0));
  printf("same: %d\n", key_add("user", "a", "other", 5, S) == k);
  SAY(ctl(KEYCTL_UPDATE, k, P("third one"), 9, 0));
  SAY(ctl(KEYCTL_READ, k, P(buf), sizeof buf, 0));
  printf("%.9s\n", buf);
  SAY(ctl(KEYCTL_UPDATE, k, 0, 0, 0));
  SAY(key_add("user", "e", "", 0, S));
  SAY(key_add("user", "", "b", 1, S));
  SAY(key_add("user", NULL, "b", 1, S));
  SAY(key_add("nosuch", "a", "b", 1, S));
  SAY(key_add(".user", "a", "b", 1, S));
  SAY(key_add("", "a", "b", 1, S));
  SAY(key_add("a type with a name that is very long", "a", "b", 1, S));
  SAY(key_add("keyring", ".a", NULL, 0, S));
  SAY(key_add("keyring", "a", "x", 1, S));
  SAY(key_add("user", "a", "b", 1, k));
  SAY(key_add("user", "a", "b", 1 << 20, S));
  SAY(key_add("user", "a", (void *)8, 10, S));
  SAY(key_add("logon", "nocolon", "b", 1, S));
  SAY(key_add("logon", ":colon", "b", 1, S));
  long l = SAY(key_add("logon", "svc:me", "secret", 6, S));
  describe(l);
  SAY(ctl(KEYCTL_READ, l, P(buf), sizeof buf, 0));
  SAY(ctl(KEYCTL_GET_SECURITY, k, P(buf), sizeof buf, 0));
}

static void links(void) {
  int ids[8];
  long r = SAY(key_add("keyring", "ring", NULL, 0, S)), k = key_add("user", "k", "v", 1, r);
  describe(r);
  SAY(ctl(KEYCTL_READ, r, P(ids), sizeof ids, 0));
  printf("in it: %d\n", ids[0] == k);
  SAY(ctl(KEYCTL_READ, r, P(ids), 3, 0));
  SAY(ctl(KEYCTL_LINK, k, S, 0, 0));
  SAY(ctl(KEYCTL_LINK, r, r, 0, 0));
  SAY(ctl(KEYCTL_LINK, ctl(KEYCTL_GET_KEYRING_ID, S, 0, 0, 0), r, 0, 0));
  SAY(ctl(KEYCTL_LINK, r, k, 0, 0));
  SAY(ctl(KEYCTL_SEARCH, S, P("user"), P("k"), 0));
  SAY(ctl(KEYCTL_UNLINK, k, S, 0, 0));
  printf("found: %d\n", ctl(KEYCTL_SEARCH, S, P("user"), P("k"), 0) == k);
  SAY(ctl(KEYCTL_UNLINK, k, S, 0, 0));
  SAY(ctl(KEYCTL_SEARCH, S, P("user"), P("none"), 0));
  SAY(ctl(KEYCTL_SEARCH, S, P("nosuch"), P("none"), 0));
  printf("requested: %d\n", syscall(SYS_request_key, "user", "k", NULL, 0L) == k);
  SAY(syscall(SYS_request_key, "user", "none", NULL, 0L));
  SAY(syscall(SYS_request_key, "nosuch", "none", NULL, 0L));
  SAY(syscall(SYS_request_key, "keyring", "none", "info", 0L));
  SAY(ctl(KEYCTL_MOVE, k, r, S, 2));
  SAY(ctl(KEYCTL_MOVE, k, r, S, 0));
  SAY(ctl(KEYCTL_MOVE, k, r, S, 0));
  SAY(ctl(KEYCTL_LINK, k, r, 0, 0));
  SAY(ctl(KEYCTL_MOVE, k, r, S, KEYCTL_MOVE_EXCL));
  SAY(ctl(KEYCTL_CLEAR, k, 0, 0, 0));
  SAY(ctl(KEYCTL_CLEAR, r, 0, 0, 0));
  SAY(ctl(KEYCTL_RESTRICT_KEYRING, r, P("user"), P("x"), 0));
  SAY(ctl(KEYCTL_RESTRICT_KEYRING, r, P("nosuch"), P("x"), 0));
  SAY(ctl(KEYCTL_RESTRICT_KEYRING, r, 0, P("x"), 0));
  SAY(ctl(KEYCTL_RESTRICT_KEYRING, k, 0, 0, 0));
  SAY(ctl(KEYCTL_RESTRICT_KEYRING, r, 0, 0, 0));
  SAY(ctl(KEYCTL_RESTRICT_KEYRING, r, 0, 0, 0));
  SAY(ctl(KEYCTL_LINK, k, r, 0, 0));
  SAY(key_add("user", "z", "v", 1, r));
  long deep = key_add("keyring", "d0", NULL, 0, S), top = deep;
  for (int i = 1; i < 9; i++) {
    char name[8];
    snprintf(name, sizeof name, "d%d", i);
    deep = key_add("keyring", name, NULL, 0, (int)deep);
  }
  key_add("user", "bottom", "v", 1, (int)deep);
  SAY(ctl(KEYCTL_SEARCH, S, P("user"), P("bottom"), 0));
  SAY(ctl(KEYCTL_LINK, top, r, 0, 0));
  SAY(ctl(KEYCTL_LINK, top, deep, 0, 0));
}

static void permissions(void) {
  char buf[8];
  long k = key_add("user", "p", "v", 1, S);
  SAY(ctl(KEYCTL_SETPERM, k, 0x40000000, 0, 0));
  SAY(ctl(KEYCTL_SETPERM, k, 0x3d000000, 0, 0));
  SAY(ctl(KEYCTL_READ, k, P(buf), sizeof buf, 0)); /* possession is enough */
  SAY(ctl(KEYCTL_SETPERM, k, 0x3b000000, 0, 0));
  SAY(ctl(KEYCTL_UPDATE, k, P("w"), 1, 0));
  SAY(ctl(KEYCTL_SETPERM, k, 0x37000000, 0, 0));
  SAY(ctl(KEYCTL_SEARCH, S, P("user"), P("p"), 0));
  SAY(ctl(KEYCTL_DESCRIBE, k, 0, 0, 0));
  long j = key_add("user", "q", "v", 1, S);
  SAY(ctl(KEYCTL_SETPERM, j, 0x1f000000, 0, 0));
  SAY(ctl(KEYCTL_SETPERM, j, 0x3f000000, 0, 0));
  SAY(ctl(KEYCTL_CHOWN, j, -1, -1, 0));
  SAY(ctl(KEYCTL_SET_TIMEOUT, j, 0, 0, 0));
  SAY(ctl(KEYCTL_READ, 12, 0, 0, 0));
  SAY(ctl(KEYCTL_DESCRIBE, 12, 0, 0, 0));
  SAY(ctl(KEYCTL_DESCRIBE, 0, 0, 0, 0));
  SAY(ctl(KEYCTL_GET_KEYRING_ID, -9, 0, 0, 0));
  SAY(ctl(KEYCTL_GET_KEYRING_ID, KEY_SPEC_GROUP_KEYRING, 0, 0, 0));
  SAY(ctl(KEYCTL_GET_KEYRING_ID, KEY_SPEC_REQKEY_AUTH_KEY, 0, 0, 0));
  SAY(ctl(KEYCTL_GET_KEYRING_ID, KEY_SPEC_REQUESTOR_KEYRING, 0, 0, 0));
  long c = key_add("user", "c", "v", 1, S);
  SAY(ctl(KEYCTL_CHOWN, c, 12345, 54321, 0));
  describe(c);
  SAY(ctl(KEYCTL_READ, c, P(buf), sizeof buf, 0));
}

static void endings(void) {
  long k = key_add("user", "r", "v", 1, S), e = key_add("user", "t", "v", 1, S), i = key_add("user", "i", "v", 1, S);
  SAY(ctl(KEYCTL_REVOKE, k, 0, 0, 0));
  SAY(ctl(KEYCTL_REVOKE, k, 0, 0, 0));
  SAY(ctl(KEYCTL_READ, k, 0, 0, 0));
  SAY(ctl(KEYCTL_DESCRIBE, k, 0, 0, 0));
  SAY(ctl(KEYCTL_SEARCH, S, P("user"), P("r"), 0));
  SAY(syscall(SYS_request_key, "user", "r", NULL, 0L));
  printf("a new one: %d\n", key_add("user", "r", "v", 1, S) != k);
  SAY(ctl(KEYCTL_INVALIDATE, i, 0, 0, 0));
  SAY(ctl(KEYCTL_READ, i, 0, 0, 0) < 0);
  SAY(ctl(KEYCTL_SET_TIMEOUT, e, 1, 0, 0));
  SAY(ctl(KEYCTL_READ, e, 0, 0, 0));
  usleep(1100000);
  SAY(ctl(KEYCTL_READ, e, 0, 0, 0));
  SAY(ctl(KEYCTL_UPDATE, e, P("w"), 1, 0));
  SAY(ctl(KEYCTL_SEARCH, S, P("user"), P("t"), 0));
  SAY(syscall(SYS_request_key, "user", "t", NULL, 0L));
  SAY(ctl(KEYCTL_UNLINK, e, S, 0, 0));
}

static void child(void (*f)(void)) {
  fflush(stdout);
  pid_t p = fork();
  if (!p) {
    f();
    fflush(stdout);
    _exit(0);
  }
  waitpid(p, NULL, 0);
}

static void own_rings(void) {
  SAY(ctl(KEYCTL_GET_KEYRING_ID, KEY_SPEC_THREAD_KEYRING, 0, 0, 0));
  SAY(ctl(KEYCTL_GET_KEYRING_ID, KEY_SPEC_PROCESS_KEYRING, 0, 0, 0));
  SAY(ctl(KEYCTL_SEARCH, S, P("user"), P("a"), 0));
}
static void join_again(void) {
  SAY(ctl(KEYCTL_JOIN_SESSION_KEYRING, 0, 0, 0, 0));
  SAY(ctl(KEYCTL_SEARCH, S, P("user"), P("a"), 0));
  describe(S);
}
static void to_parent(void) {
  ctl(KEYCTL_JOIN_SESSION_KEYRING, 0, 0, 0, 0);
  key_add("user", "given", "v", 1, S);
  SAY(ctl(KEYCTL_SESSION_TO_PARENT, 0, 0, 0, 0));
}
static void middle(void) {
  child(to_parent);
  getppid();
  SAY(ctl(KEYCTL_SEARCH, S, P("user"), P("given"), 0));
}

static void rings(void) {
  SAY(ctl(KEYCTL_GET_KEYRING_ID, KEY_SPEC_THREAD_KEYRING, 1, 0, 0));
  SAY(ctl(KEYCTL_GET_KEYRING_ID, KEY_SPEC_PROCESS_KEYRING, 1, 0, 0));
  describe(KEY_SPEC_THREAD_KEYRING);
  describe(KEY_SPEC_PROCESS_KEYRING);
  describe(KEY_SPEC_USER_KEYRING);
  describe(KEY_SPEC_USER_SESSION_KEYRING);
  child(own_rings);
  child(join_again);
  child(middle);
  long named = SAY(ctl(KEYCTL_JOIN_SESSION_KEYRING, P("keys_basic"), 0, 0, 0));
  describe(S);
  ctl(KEYCTL_SETPERM, S, 0x3f1b0000, 0, 0);
  SAY(ctl(KEYCTL_JOIN_SESSION_KEYRING, P("keys_basic"), 0, 0, 0));
  SAY(ctl(KEYCTL_JOIN_SESSION_KEYRING, P(".dot"), 0, 0, 0));
  printf("still: %d\n", ctl(KEYCTL_GET_KEYRING_ID, S, 0, 0, 0) == named);
  SAY(ctl(KEYCTL_SET_REQKEY_KEYRING, KEY_REQKEY_DEFL_SESSION_KEYRING, 0, 0, 0));
  SAY(ctl(KEYCTL_SET_REQKEY_KEYRING, KEY_REQKEY_DEFL_NO_CHANGE, 0, 0, 0));
  SAY(ctl(KEYCTL_SET_REQKEY_KEYRING, KEY_REQKEY_DEFL_GROUP_KEYRING, 0, 0, 0));
  SAY(ctl(KEYCTL_SET_REQKEY_KEYRING, 99, 0, 0, 0));
  SAY(ctl(KEYCTL_GET_PERSISTENT, -1, S, 0, 0));
  SAY(ctl(KEYCTL_GET_PERSISTENT, -1, 12, 0, 0));
}

static void refused(void) {
  SAY(ctl(KEYCTL_INSTANTIATE, 1, P("x"), 1, 0));
  SAY(ctl(KEYCTL_NEGATE, 1, 1, 0, 0));
  SAY(ctl(KEYCTL_REJECT, 1, 1, 0, 0));
  SAY(ctl(KEYCTL_REJECT, 1, 1, 5, 0));
  SAY(ctl(KEYCTL_ASSUME_AUTHORITY, 0, 0, 0, 0));
  SAY(ctl(KEYCTL_ASSUME_AUTHORITY, -1, 0, 0, 0));
  SAY(ctl(KEYCTL_ASSUME_AUTHORITY, 5, 0, 0, 0));
  SAY(ctl(99, 5, 0, 0, 0));
}

static void user_part(void) {
  if (setgid(23456) || setuid(23456))
    return;
  ctl(KEYCTL_JOIN_SESSION_KEYRING, 0, 0, 0, 0);
  long k = key_add("user", "mine", "v", 1, S);
  describe(k);
  SAY(ctl(KEYCTL_CHOWN, k, 0, -1, 0));
  SAY(ctl(KEYCTL_CHOWN, k, -1, 7, 0));
  SAY(ctl(KEYCTL_GET_PERSISTENT, 0, S, 0, 0));
  describe(KEY_SPEC_USER_KEYRING);
  static char big[8000];
  int n = 0;
  for (;; n++) {
    char name[16];
    snprintf(name, sizeof name, "b%d", n);
    if (key_add("user", name, big, sizeof big, S) < 0)
      break;
  }
  printf("%d big ones: %s\n", n, strerror(errno));
  ctl(KEYCTL_CLEAR, S, 0, 0, 0);
  usleep(20000);
  for (n = 0;; n++) {
    char name[16];
    snprintf(name, sizeof name, "b%d", n);
    if (key_add("user", name, "v", 1, S) < 0)
      break;
  }
  printf("many: %d: %s\n", n > 180 && n < 200, strerror(errno));
}

int main(void) {
  SAY(ctl(KEYCTL_JOIN_SESSION_KEYRING, 0, 0, 0, 0));
  describe(S);
  add_and_read();
  endings();
  links();
  permissions();
  rings();
  refused();
  child(user_part);
  return 0;
}
