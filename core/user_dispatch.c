/* Documentation/admin-guide/syscall-user-dispatch.rst: calls that a program wants to emulate itself come to it as
 * SIGSYS. */
#include "errno.h"
#include "kernel.h"
#include "seccomp.h"
#include "task.h"
#include "uaccess.h"
#include <linux/audit.h>

enum { DISPATCH_OFF, DISPATCH_EXCLUSIVE_ON, DISPATCH_INCLUSIVE_ON };
enum { FILTER_ALLOW, FILTER_BLOCK };
#define SYS_USER_DISPATCH_CODE 2
#define WCORE 0x80

int user_dispatch_set(struct task *t, uint64_t mode, uint64_t start, uint64_t len, uint64_t selector) {
  switch (mode) {
  case DISPATCH_OFF:
    if (start || len || selector)
      return -EINVAL;
    t->dispatch = (struct user_dispatch){0};
    return 0;
  case DISPATCH_EXCLUSIVE_ON:
    if (start && start + len <= start)
      return -EINVAL;
    break;
  case DISPATCH_INCLUSIVE_ON: /* the calls from outside of the range are made */
    if (!len || start + len <= start)
      return -EINVAL;
    start += len;
    len = -len;
    break;
  default:
    return -EINVAL;
  }
  if (selector && !access_ok(selector, 1))
    return -EFAULT;
  t->dispatch = (struct user_dispatch){.on = true, .start = start, .len = len, .selector = selector};
  return 0;
}

static void end_process(struct task *t, int sig) {
  bool core = task_rlimit(t, RLIMIT_CORE) > 0 && !t->dumpable_off;
  process_exit_group(t->proc, core ? sig | WCORE : sig);
}

bool user_dispatch_enter(struct task *t, const struct plat_call *c, int64_t *ret) {
  uint64_t ip = task_call_ip(t, c);
  unsigned char state = FILTER_BLOCK;
  *ret = c->nr; /* RAX as it was before the call */
  if (ip - t->dispatch.start < t->dispatch.len)
    return false;
  if (t->dispatch.selector && get_user(&state, t->dispatch.selector)) {
    end_process(t, SIGSEGV);
    return true;
  }
  if (state == FILTER_ALLOW)
    return false;
  if (state != FILTER_BLOCK) {
    end_process(t, SIGSYS);
    return true;
  }
  siginfo_t info = {.si_signo = SIGSYS, .si_code = SYS_USER_DISPATCH_CODE};
  info.si_call_addr = (void *)ip;
  info.si_syscall = (int)c->nr;
  info.si_arch = AUDIT_ARCH_X86_64;
  force_signal(t, SIGSYS, &info);
  return true;
}
