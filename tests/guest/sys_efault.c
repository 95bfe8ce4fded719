/* Bad pointers to many calls give EFAULT, not a crash; lengths that are too large are refused. */
#include "guest.h"
#define BAD ((void *)0x1000)
#define KERN ((void *)0xffffffff81000000)
int main(void) {
  char *ro = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *edge = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  mprotect(edge + 4096, 4096, PROT_NONE);
  memset(edge, 'e', 4096);
  int p[2], s[2];
  pipe(p), socketpair(AF_UNIX, SOCK_STREAM, 0, s);
  write(p[1], "0123456789", 10);
  SHOW(syscall(SYS_read, p[0], BAD, 1)), SHOW(syscall(SYS_read, p[0], KERN, 1)), SHOW(syscall(SYS_read, p[0], ro, 1)), SHOW(syscall(SYS_read, p[0], -1L, 1));
  SHOW(syscall(SYS_write, p[1], BAD, 1)), SHOW(syscall(SYS_write, p[1], KERN, 1)), SHOW(syscall(SYS_writev, p[1], BAD, 1)), SHOW(syscall(SYS_writev, p[1], ro, 1));
  SHOW(syscall(SYS_open, BAD, 0)), SHOW(syscall(SYS_open, edge, 0)), SHOW(syscall(SYS_stat, edge + 4090, edge)), SHOW(syscall(SYS_stat, "/", ro)), SHOW(syscall(SYS_stat, "/", edge + 4000));
  SHOW(syscall(SYS_pipe, ro)), SHOW(syscall(SYS_pipe2, KERN, 0)), SHOW(syscall(SYS_clock_gettime, 0, ro)), SHOW(syscall(SYS_nanosleep, BAD, 0)), SHOW(syscall(SYS_gettimeofday, ro, 0));
  SHOW(syscall(SYS_rt_sigaction, SIGUSR1, BAD, 0, 8)), SHOW(syscall(SYS_rt_sigprocmask, 0, 0, ro, 8)), SHOW(syscall(SYS_sigaltstack, BAD, 0)), SHOW(syscall(SYS_getrlimit, 0, ro)), SHOW(syscall(SYS_uname, ro)), SHOW(syscall(SYS_getcwd, ro, 4096)), SHOW(syscall(SYS_getrusage, 0, ro)), SHOW(syscall(SYS_times, ro)), SHOW(syscall(SYS_sysinfo, ro));
  SHOW(syscall(SYS_poll, BAD, 1, 0)), SHOW(syscall(SYS_select, 1, BAD, 0, 0, 0)), SHOW(syscall(SYS_epoll_ctl, 99, 1, 0, BAD)), SHOW(syscall(SYS_futex, BAD, 0, 0, 0)), SHOW(syscall(SYS_wait4, -1, BAD, 0, 0)), SHOW(syscall(SYS_getgroups, 65536, BAD) >= 0), SHOW(syscall(SYS_setgroups, 10, BAD));
  SHOW(syscall(SYS_sendto, s[0], BAD, 1, 0, 0, 0)), SHOW(syscall(SYS_sendmsg, s[0], BAD, 0)), SHOW(syscall(SYS_recvmsg, s[0], BAD, 0x40)), SHOW(syscall(SYS_bind, s[0], BAD, 10)), SHOW(syscall(SYS_getsockname, s[0], ro, edge)), SHOW(syscall(SYS_getsockname, s[0], edge, BAD)), SHOW(syscall(SYS_socketpair, 1, 1, 0, ro)), SHOW(syscall(SYS_setsockopt, s[0], 1, 2, BAD, 4)), SHOW(syscall(SYS_getsockopt, s[0], 1, 3, edge, BAD));
  SHOW(syscall(SYS_execve, BAD, 0, 0)), SHOW(syscall(SYS_execve, "/bin/true", BAD, 0)), SHOW(syscall(SYS_mincore, edge, 4096, ro)), SHOW(syscall(SYS_getdents64, 0, BAD, 100)), SHOW(syscall(SYS_readlink, "/proc/self", ro, 10)), SHOW(syscall(SYS_statfs, "/", ro)), SHOW(syscall(SYS_prlimit64, 0, 7, BAD, 0)), SHOW(syscall(SYS_capget, BAD, 0)), SHOW(syscall(SYS_getrandom, ro, 10, 0)), SHOW(syscall(SYS_memfd_create, BAD, 0)), SHOW(syscall(SYS_timerfd_settime, 99, 0, BAD, 0)), SHOW(syscall(SYS_ioctl, p[0], FIONREAD, BAD)), SHOW(syscall(SYS_fcntl, p[0], F_GETLK, BAD)), SHOW(syscall(SYS_mkdir, BAD, 0)), SHOW(syscall(SYS_rename, "/x", BAD)), SHOW(syscall(SYS_symlink, BAD, "x")), SHOW(syscall(SYS_utimensat, -100, "/", BAD, 0)), SHOW(syscall(SYS_statx, -100, "/", 0, 0, ro)), SHOW(syscall(SYS_clone3, BAD, 88)), SHOW(syscall(SYS_set_robust_list, BAD, 24)), SHOW(syscall(SYS_waitid, 0, 0, BAD, 4, 0));
  SHOW(syscall(SYS_read, p[0], edge + 4090, 100)); /* what fits before the bad page: all or a part */
  int n = 0;
  ioctl(p[0], FIONREAD, &n);
  YES(n >= 0 && n <= 10);
  SHOW(syscall(SYS_write, p[1], edge, 4096));
}
