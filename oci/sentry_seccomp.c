/*
 * The Sentry's own filter. What is not listed kills the process; in debug builds it is logged instead, so that a test
 * shows what is missing. No open, no socket, no execve, no clone: what a compromised Sentry has is what it holds
 * already. io_uring does not pass through seccomp; the loop restricts the ring by itself
 * (IORING_REGISTER_RESTRICTIONS).
 */
#include "sentry.h"
#include <asm/termbits.h>
#include <errno.h>
#include <asm/ioctls.h>
#include <linux/futex.h>
#include <seccomp.h>
#include <sys/mman.h>

#define ALLOW(call) SCMP_SYS(call)

static const int plain[] = {
    /* the loop */
    ALLOW(io_uring_enter),
    ALLOW(poll),
    ALLOW(ppoll),
    /* guest memory, in our own pid namespace only */
    ALLOW(process_vm_readv),
    ALLOW(process_vm_writev),
    /* interrupting, ending and watching guest processes; pausing; abort() */
    ALLOW(kill),
    ALLOW(tgkill),
    ALLOW(tkill),
    ALLOW(pidfd_open),
    ALLOW(pidfd_send_signal),
    ALLOW(wait4),
    ALLOW(waitid),
    /* open files: the gofer's, memfds, the container's streams */
    ALLOW(read),
    ALLOW(write),
    ALLOW(readv),
    ALLOW(writev),
    ALLOW(pread64),
    ALLOW(pwrite64),
    ALLOW(preadv),
    ALLOW(pwritev),
    ALLOW(preadv2),
    ALLOW(pwritev2),
    ALLOW(lseek),
    ALLOW(fstat),
    ALLOW(newfstatat),
    ALLOW(fstatfs),
    ALLOW(ftruncate),
    ALLOW(fallocate),
    ALLOW(fcntl),
    ALLOW(dup),
    ALLOW(close),
    ALLOW(fsync),
    ALLOW(fdatasync),
    ALLOW(memfd_create),
    ALLOW(copy_file_range),
    ALLOW(fadvise64),
    ALLOW(close_range),
    /* the gofer and the control socket; connected or listening already */
    ALLOW(sendmsg),
    ALLOW(recvmsg),
    ALLOW(sendto),
    ALLOW(recvfrom),
    ALLOW(sendmmsg),
    ALLOW(recvmmsg),
    ALLOW(accept4),
    ALLOW(shutdown),
    ALLOW(getsockopt),
    ALLOW(setsockopt),
    ALLOW(getsockname),
    ALLOW(getpeername),
    /* memory of our own; mmap and mprotect below */
    ALLOW(munmap),
    ALLOW(mremap),
    ALLOW(madvise),
    ALLOW(mincore),
    451 /* cachestat: of memfds */,
    ALLOW(brk),
    /* time, randomness, who we are, accounting */
    ALLOW(clock_gettime),
    ALLOW(clock_getres),
    ALLOW(gettimeofday),
    ALLOW(nanosleep),
    ALLOW(clock_nanosleep),
    ALLOW(getrandom),
    ALLOW(getpid),
    ALLOW(gettid),
    ALLOW(getuid),
    ALLOW(geteuid),
    ALLOW(getgid),
    ALLOW(getegid),
    ALLOW(getrusage),
    ALLOW(sysinfo),
    ALLOW(uname),
    ALLOW(sched_getaffinity),
    ALLOW(sched_yield),
    ALLOW(getcpu),
    /* libc's own, signals, the end */
    ALLOW(futex),
    ALLOW(rt_sigprocmask),
    ALLOW(rt_sigreturn),
    ALLOW(rt_sigaction),
    ALLOW(sigaltstack),
    ALLOW(restart_syscall),
    ALLOW(exit),
    ALLOW(exit_group),
};

/* On any descriptor: terminals we were given, and how much a pipe holds. */
static const unsigned ioctls[] = {TCGETS,     TCGETS2,    TCSETS,   TCSETS2,  TCSETSW2,
                                  TIOCGWINSZ, TIOCSWINSZ, FIONREAD, TIOCOUTQ, TCFLSH};

int sentry_seccomp_install(int listener) {
#ifdef NDEBUG
  scmp_filter_ctx f = seccomp_init(SCMP_ACT_KILL_PROCESS);
#else
  scmp_filter_ctx f = seccomp_init(SCMP_ACT_LOG);
#endif
  int rc = f ? 0 : -ENOMEM;
  /* Two ioctls on the listener serve every call of a guest; the rest as a tree (the kernel caches what takes no
   * arguments). */
  if (!rc)
    rc = seccomp_attr_set(f, SCMP_FLTATR_CTL_OPTIMIZE, 2);
  if (!rc)
    rc = seccomp_syscall_priority(f, SCMP_SYS(ioctl), 255);
  for (size_t i = 0; !rc && i < sizeof plain / sizeof *plain; i++)
    rc = seccomp_rule_add(f, SCMP_ACT_ALLOW, plain[i], 0);
  /* Memory is never executable: nobody can bring code in. */
  if (!rc)
    rc = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1, SCMP_A2_32(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
  if (!rc)
    rc = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1, SCMP_A2_32(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
  if (!rc)
    rc = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1, SCMP_A0_32(SCMP_CMP_EQ, (unsigned)listener));
  for (size_t i = 0; !rc && i < sizeof ioctls / sizeof *ioctls; i++)
    rc = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 2, SCMP_A0_32(SCMP_CMP_NE, (unsigned)listener),
                          SCMP_A1_32(SCMP_CMP_EQ, ioctls[i]));
  if (!rc)
    rc = seccomp_load(f);
  seccomp_release(f);
  return rc;
}
