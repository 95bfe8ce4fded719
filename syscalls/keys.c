/* Keys: decode; core/keys/ does it. */
#include "../core/errno.h"
#include "../core/kernel.h"
#include "../core/keys/keys.h"
#include "../core/uaccess.h"
#include "table.h"
#include <linux/keyctl.h>
#include <stdlib.h>
#include <string.h>

#define AUTO_TEXT __attribute__((cleanup(freep))) char *
#define AUTO_PAYLOAD __attribute__((cleanup(payload_free))) struct key_payload
#define MAX_ERRNO 4095

static void freep(char **p) {
  free(*p);
}
static void payload_free(struct key_payload *p) {
  if (p->data)
    explicit_bzero(p->data, p->len);
  free(p->data);
}

/* strndup_user(): -EINVAL for what does not fit into cap bytes with its NUL. */
static int get_text(uint64_t from, size_t cap, char **out) {
  char buf[4096];
  ssize_t n = strncpy_from_user(buf, from, cap < sizeof buf ? cap : sizeof buf);
  if (n < 0)
    return n == -ENAMETOOLONG ? -EINVAL : (int)n;
  *out = strdup(buf);
  return *out ? 0 : -ENOMEM;
}

static int get_type(uint64_t from, char type[KEY_TYPE_MAX]) {
  ssize_t n = strncpy_from_user(type, from, KEY_TYPE_MAX);
  if (n < 0)
    return n == -ENAMETOOLONG ? -EINVAL : (int)n;
  if (!n)
    return -EINVAL;
  return type[0] == '.' ? -EPERM : 0;
}

static int get_payload(uint64_t from, uint64_t n, struct key_payload *p) {
  if (!n)
    return 0;
  p->data = malloc(n);
  if (!p->data)
    return -ENOMEM;
  p->len = n;
  return copy_from_user(p->data, from, n);
}

SYSCALL_HANDLER(add_key) {
  char type[KEY_TYPE_MAX];
  AUTO_TEXT desc = NULL;
  AUTO_PAYLOAD p = {0};
  if (a[3] > KEY_PAYLOAD_MAX)
    return -EINVAL;
  int err = get_type(a[0], type);
  if (!err && a[1])
    err = get_text(a[1], KEY_DESC_MAX, &desc);
  if (!err && desc && desc[0] == '.' && !strncmp(type, "keyring", 7))
    err = -EPERM;
  if (!err)
    err = get_payload(a[2], a[3], &p);
  return err ? err : key_add(t, type, desc && *desc ? desc : NULL, &p, (int32_t)a[4]);
}

SYSCALL_HANDLER(request_key) {
  char type[KEY_TYPE_MAX];
  AUTO_TEXT desc = NULL;
  AUTO_TEXT callout = NULL;
  int err = get_type(a[0], type);
  if (!err)
    err = get_text(a[1], KEY_DESC_MAX, &desc);
  if (!err && a[2])
    err = get_text(a[2], PAGE_SIZE, &callout);
  return err ? err : key_request(t, type, desc, callout != NULL, (int32_t)a[3]);
}

static int64_t do_join(struct task *t, const uint64_t a[6]) {
  AUTO_TEXT name = NULL;
  int err = a[1] ? get_text(a[1], KEY_DESC_MAX, &name) : 0;
  if (!err && name && name[0] == '.')
    err = -EPERM;
  return err ? err : key_join_session(t, name);
}

static int64_t do_update(struct task *t, const uint64_t a[6]) {
  AUTO_PAYLOAD p = {0};
  if (a[3] > PAGE_SIZE)
    return -EINVAL;
  int err = a[2] ? get_payload(a[2], a[3], &p) : 0;
  return err ? err : keyctl_update(t, (int32_t)a[1], &p);
}

static int64_t do_describe(struct task *t, const uint64_t a[6]) {
  AUTO_TEXT text = NULL;
  int64_t n = keyctl_describe(t, (int32_t)a[1], &text);
  if (n > 0 && a[2] && a[3] >= (uint64_t)n && copy_to_user(a[2], text, (size_t)n))
    return -EFAULT;
  return n;
}

static int64_t do_search(struct task *t, const uint64_t a[6]) {
  char type[KEY_TYPE_MAX];
  AUTO_TEXT desc = NULL;
  int err = get_type(a[2], type);
  if (!err)
    err = get_text(a[3], KEY_DESC_MAX, &desc);
  return err ? err : keyctl_search(t, (int32_t)a[1], type, desc, (int32_t)a[4]);
}

static int64_t do_read(struct task *t, const uint64_t a[6]) {
  AUTO_TEXT data = NULL;
  int64_t n = keyctl_read(t, (int32_t)a[1], a[2] ? a[3] : 0, &data);
  if (n <= 0 || !data)
    return n;
  if (copy_to_user(a[2], data, (size_t)n))
    n = -EFAULT;
  explicit_bzero(data, n > 0 ? (size_t)n : 0);
  return n;
}

/* Without a security module keys have no label: an empty string. */
static int64_t do_security(struct task *t, const uint64_t a[6]) {
  int64_t err = keyctl_security(t, (int32_t)a[1]);
  if (err)
    return err;
  return a[2] && a[3] && copy_to_user(a[2], "", 1) ? -EFAULT : 1;
}

static int64_t do_restrict(struct task *t, const uint64_t a[6]) {
  char type[KEY_TYPE_MAX];
  AUTO_TEXT restriction = NULL;
  int err = a[2] ? get_type(a[2], type) : 0;
  if (!err && a[2] && a[3])
    err = get_text(a[3], PAGE_SIZE, &restriction);
  return err ? err : keyctl_restrict(t, (int32_t)a[1], a[2] ? type : NULL, a[3]);
}

static int64_t do_capabilities(const uint64_t a[6]) {
  static const unsigned char caps[] = {KEYCTL_CAPS0_CAPABILITIES | KEYCTL_CAPS0_PERSISTENT_KEYRINGS |
                                           KEYCTL_CAPS0_BIG_KEY | KEYCTL_CAPS0_INVALIDATE |
                                           KEYCTL_CAPS0_RESTRICT_KEYRING | KEYCTL_CAPS0_MOVE,
                                       KEYCTL_CAPS1_NS_KEYRING_NAME | KEYCTL_CAPS1_NS_KEY_TAG};
  uint64_t n = a[2] < sizeof caps ? a[2] : sizeof caps;
  if (n && copy_to_user(a[1], caps, n))
    return -EFAULT;
  if (a[2] > n && (!access_ok(a[1], a[2]) || clear_user(a[1] + n, a[2] - n)))
    return -EFAULT;
  return sizeof caps;
}

/* Who instantiates a key must have been started for that by the kernel. */
static int64_t do_reject(unsigned error) {
  return !error || error >= MAX_ERRNO || (error >= ERESTARTSYS && error <= ERESTARTNOHAND) ||
                 error == ERESTART_RESTARTBLOCK
             ? -EINVAL
             : -EPERM;
}

SYSCALL_HANDLER(keyctl) {
  int32_t id = (int32_t)a[1];
  switch ((int)a[0]) {
  case KEYCTL_GET_KEYRING_ID:
    return keyctl_get_keyring_id(t, id, (int)a[2]);
  case KEYCTL_JOIN_SESSION_KEYRING:
    return do_join(t, a);
  case KEYCTL_UPDATE:
    return do_update(t, a);
  case KEYCTL_REVOKE:
    return keyctl_revoke(t, id);
  case KEYCTL_CHOWN:
    return keyctl_chown(t, id, (uint32_t)a[2], (uint32_t)a[3]);
  case KEYCTL_SETPERM:
    return keyctl_setperm(t, id, (uint32_t)a[2]);
  case KEYCTL_DESCRIBE:
    return do_describe(t, a);
  case KEYCTL_CLEAR:
    return keyctl_clear(t, id);
  case KEYCTL_LINK:
    return keyctl_link(t, id, (int32_t)a[2]);
  case KEYCTL_UNLINK:
    return keyctl_unlink(t, id, (int32_t)a[2]);
  case KEYCTL_SEARCH:
    return do_search(t, a);
  case KEYCTL_READ:
    return do_read(t, a);
  case KEYCTL_INSTANTIATE:
    return a[3] > KEY_PAYLOAD_MAX ? -EINVAL : -EPERM;
  case KEYCTL_INSTANTIATE_IOV:
    return -EPERM;
  case KEYCTL_NEGATE:
    return -EPERM;
  case KEYCTL_REJECT:
    return do_reject((unsigned)a[3]);
  case KEYCTL_SET_REQKEY_KEYRING:
    return keyctl_set_reqkey(t, (int)a[1]);
  case KEYCTL_SET_TIMEOUT:
    return keyctl_set_timeout(t, id, (uint32_t)a[2]);
  case KEYCTL_ASSUME_AUTHORITY:
    return id < 0 ? -EINVAL : id ? -ENOKEY : 0;
  case KEYCTL_GET_SECURITY:
    return do_security(t, a);
  case KEYCTL_SESSION_TO_PARENT:
    return key_session_to_parent(t);
  case KEYCTL_INVALIDATE:
    return keyctl_invalidate(t, id);
  case KEYCTL_GET_PERSISTENT:
    return keyctl_persistent(t, (uint32_t)a[1], (int32_t)a[2]);
  case KEYCTL_RESTRICT_KEYRING:
    return do_restrict(t, a);
  case KEYCTL_MOVE:
    return keyctl_move(t, id, (int32_t)a[2], (int32_t)a[3], (unsigned)a[4]);
  case KEYCTL_CAPABILITIES:
    return do_capabilities(a);
  default: /* KEYCTL_DH_COMPUTE, KEYCTL_PKEY_*, KEYCTL_WATCH_KEY: without their configuration */
    return -EOPNOTSUPP;
  }
}
