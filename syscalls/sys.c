/* The machine and the system: uname(2), sysinfo(2), syslog(2), host names, and what a container may not do at all. */
#include "../core/errno.h"
#include "../core/kernel.h"
#include "../core/uaccess.h"
#include "table.h"
#include <linux/capability.h>
#include <linux/reboot.h>
#include <linux/sysinfo.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <time.h>

SYSCALL_HANDLER(uname) {
  struct utsname u = t->k->uts;
  memcpy(u.nodename, t->nsproxy->uts->nodename, sizeof u.nodename);
  memcpy(u.domainname, t->nsproxy->uts->domainname, sizeof u.domainname);
  if ((t->personality & PER_MASK) == PER_LINUX32)
    strcpy(u.machine, "i686");
  return put_user(a[0], &u) ? -EFAULT : 0;
}

static int64_t set_uts_name(struct task *t, char *field, const uint64_t *a) {
  char name[65] = {0};
  int len = (int)a[1];
  if (!ns_capable(t->cred, t->nsproxy->uts->ns.owner, CAP_SYS_ADMIN))
    return -EPERM;
  if (len < 0 || len > 64)
    return -EINVAL;
  if (copy_from_user(name, a[0], (size_t)len))
    return -EFAULT;
  memcpy(field, name, sizeof name);
  return 0;
}
SYSCALL_HANDLER(sethostname) {
  return set_uts_name(t, t->nsproxy->uts->nodename, a);
}
SYSCALL_HANDLER(setdomainname) {
  return set_uts_name(t, t->nsproxy->uts->domainname, a);
}

/* What programs may have touched; the host's own count is not to be had. */
static uint64_t memory_used(const struct kernel *k) {
  uint64_t pages = 0;
  const struct process *p;
  LIST_FOREACH(p, &k->processes, all) {
    if (p->leader && p->leader->mm)
      pages += p->leader->mm->data_vm + p->leader->mm->stack_vm;
  }
  return pages * PAGE_SIZE;
}

SYSCALL_HANDLER(sysinfo) {
  struct kernel *k = t->k;
  struct timespec up;
  clock_gettime(CLOCK_BOOTTIME, &up);
  uint64_t used = memory_used(k), total = k->mem_limit;
  struct sysinfo s = {.uptime = up.tv_sec + (up.tv_nsec ? 1 : 0),
                      .totalram = total,
                      .freeram = used < total / 2 ? total - used : total / 2,
                      .procs = (unsigned short)(k->ntasks < UINT16_MAX ? k->ntasks : UINT16_MAX),
                      .mem_unit = 1};
  return put_user(a[0], &s) ? -EFAULT : 0;
}

/* ---- dmesg ---- */

enum {
  LOG_READ = 2,
  LOG_READ_ALL,
  LOG_READ_CLEAR,
  LOG_CLEAR,
  LOG_CONSOLE_OFF,
  LOG_CONSOLE_ON,
  LOG_CONSOLE_LEVEL,
  LOG_SIZE_UNREAD,
  LOG_SIZE_BUFFER
};

/* The log as syslog(2) gives it: a level in front of each line. *len of it; NULL: no memory. */
static char *log_text(const struct kernel *k, size_t *len) {
  size_t lines = 0;
  for (size_t i = 0; i < k->dmesg_len; i++)
    lines += k->dmesg[i] == '\n';
  char *out = malloc(k->dmesg_len + 3 * lines + 4), *p = out;
  if (!out)
    return NULL;
  for (size_t i = 0; i < k->dmesg_len; i++) {
    if (i == 0 || k->dmesg[i - 1] == '\n')
      p = mempcpy(p, "<6>", 3);
    *p++ = k->dmesg[i];
  }
  *len = (size_t)(p - out);
  return out;
}

static int64_t read_log(struct task *t, uint64_t buf, int len) {
  size_t n;
  if (!buf || len < 0)
    return -EINVAL;
  char *text = log_text(t->k, &n);
  if (!text)
    return -ENOMEM;
  size_t from = n > (size_t)len ? n - (size_t)len : 0;
  while (from && from < n && text[from - 1] != '\n')
    from++; /* whole lines */
  int64_t r = copy_to_user(buf, text + from, n - from) ? -EFAULT : (int64_t)(n - from);
  free(text);
  return r;
}

SYSCALL_HANDLER(syslog) {
  struct kernel *k = t->k;
  int type = (int)a[0], len = (int)a[2];
  if (type != LOG_READ_ALL && type != LOG_SIZE_BUFFER && !cred_has_cap(t->cred, CAP_SYSLOG) &&
      !cred_has_cap(t->cred, CAP_SYS_ADMIN))
    return -EPERM;
  switch (type) {
  case 0:
  case 1:
    return 0;
  case LOG_READ_ALL:
    return read_log(t, a[1], len);
  case LOG_READ_CLEAR: {
    int64_t r = read_log(t, a[1], len);
    if (r >= 0)
      k->dmesg_len = 0;
    return r;
  }
  case LOG_CLEAR:
    k->dmesg_len = 0;
    return 0;
  case LOG_CONSOLE_OFF:
  case LOG_CONSOLE_ON:
    return 0;
  case LOG_CONSOLE_LEVEL:
    return len < 1 || len > 8 ? -EINVAL : 0;
  case LOG_SIZE_UNREAD:
    return (int64_t)k->dmesg_len;
  case LOG_SIZE_BUFFER:
    return (int64_t)k->dmesg_cap;
  default:
    return -EINVAL; /* LOG_READ, too: there is no klogd in a container to read line by line */
  }
}

/* ---- not for containers ---- */

static int64_t needs(struct task *t, int cap, int64_t with) {
  return cred_has_cap(t->cred, cap) ? with : -EPERM;
}

/* reboot_pid_ns() of Linux: there is no machine, but the init of the caller's pid namespace ends, with SIGHUP where the
 * machine would start again and SIGINT where it would stop. */
SYSCALL_HANDLER(reboot) {
  static const unsigned magic2[] = {LINUX_REBOOT_MAGIC2, LINUX_REBOOT_MAGIC2A, LINUX_REBOOT_MAGIC2B,
                                    LINUX_REBOOT_MAGIC2C};
  struct pid_namespace *ns = task_pid_ns_borrow(t);
  bool magic = (uint32_t)a[0] == LINUX_REBOOT_MAGIC1, known = false;
  if (!ns_capable(t->cred, ns->ns.owner, CAP_SYS_BOOT))
    return -EPERM;
  for (size_t i = 0; i < sizeof magic2 / sizeof *magic2; i++)
    known |= (uint32_t)a[1] == magic2[i];
  if (!magic || !known)
    return -EINVAL;
  switch ((uint32_t)a[2]) {
  case LINUX_REBOOT_CMD_RESTART:
  case LINUX_REBOOT_CMD_RESTART2:
    ns->reboot = SIGHUP;
    break;
  case LINUX_REBOOT_CMD_HALT:
  case LINUX_REBOOT_CMD_POWER_OFF:
    ns->reboot = SIGINT;
    break;
  default:
    return -EINVAL;
  }
  if (ns->reaper)
    process_exit_group(ns->reaper, SIGKILL);
  t->exit_code = 0;
  t->killed = true;
  return 0;
}
SYSCALL_HANDLER(init_module) {
  return needs(t, CAP_SYS_MODULE, -ENOSYS);
}
SYSCALL_HANDLER(finit_module) {
  return needs(t, CAP_SYS_MODULE, -ENOSYS);
}
SYSCALL_HANDLER(delete_module) {
  return needs(t, CAP_SYS_MODULE, -ENOSYS);
}
SYSCALL_HANDLER(kexec_load) {
  return needs(t, CAP_SYS_BOOT, -ENOSYS);
}
SYSCALL_HANDLER(kexec_file_load) {
  return needs(t, CAP_SYS_BOOT, -ENOSYS);
}
SYSCALL_HANDLER(swapon) {
  return needs(t, CAP_SYS_ADMIN, -ENOSYS);
}
SYSCALL_HANDLER(swapoff) {
  return needs(t, CAP_SYS_ADMIN, -ENOSYS);
}
SYSCALL_HANDLER(acct) {
  return needs(t, CAP_SYS_PACCT, -ENOSYS);
}
SYSCALL_HANDLER(vhangup) {
  return needs(t, CAP_SYS_TTY_CONFIG, 0);
}
SYSCALL_HANDLER(iopl) {
  return needs(t, CAP_SYS_RAWIO, -ENOSYS);
}
SYSCALL_HANDLER(ioperm) {
  return needs(t, CAP_SYS_RAWIO, -ENOSYS);
}
