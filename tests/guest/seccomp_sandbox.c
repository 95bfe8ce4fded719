/*
 * As browsers use it: everything but a list is trapped, and a SIGSYS handler does the work of the trapped calls itself
 * or asks a broker. Also strict checks of architecture and instruction pointer.
 */
#include "guest.h"
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>

static int broker = -1;
static volatile int trapped;

static long ask_broker(const char *path) {
  char c, buf[CMSG_SPACE(sizeof(int))] = {0};
  struct iovec out = {(char *)path, strlen(path) + 1}, in = {&c, 1};
  struct msghdr m = {.msg_iov = &out, .msg_iovlen = 1};
  sendmsg(broker, &m, 0);
  m = (struct msghdr){.msg_iov = &in, .msg_iovlen = 1, .msg_control = buf, .msg_controllen = sizeof buf};
  if (recvmsg(broker, &m, 0) != 1 || c)
    return -(unsigned char)c;
  int fd;
  memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof fd);
  return fd;
}

static void on_sys(int sig, siginfo_t *si, void *ctx) {
  greg_t *g = ((ucontext_t *)ctx)->uc_mcontext.gregs;
  trapped++;
  switch (g[REG_RAX]) {
  case SYS_open:
    g[REG_RAX] = ask_broker((char *)g[REG_RDI]);
    return;
  case SYS_openat:
    g[REG_RAX] = ask_broker((char *)g[REG_RSI]);
    return;
  case SYS_getppid:
    g[REG_RAX] = 12345;
    return;
  default:
    g[REG_RAX] = -ENOSYS;
  }
}

static void run_broker(int sock) {
  char path[256];
  ssize_t n;
  while ((n = read(sock, path, sizeof path)) > 0) {
    int fd = strcmp(path, "/dev/null") ? -1 : open(path, O_RDWR);
    char c = fd < 0 ? EPERM : 0, buf[CMSG_SPACE(sizeof(int))] = {0};
    struct iovec iov = {&c, 1};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
    if (fd >= 0) {
      m.msg_control = buf;
      m.msg_controllen = sizeof buf;
      struct cmsghdr *h = CMSG_FIRSTHDR(&m);
      *h = (struct cmsghdr){CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
      memcpy(CMSG_DATA(h), &fd, sizeof fd);
    }
    sendmsg(sock, &m, 0);
    close(fd);
  }
  _exit(0);
}

static void lock_down(void) {
  static const int ok[] = {SYS_read,         SYS_write,  SYS_close,      SYS_sendmsg,         SYS_recvmsg,
                           SYS_rt_sigreturn, SYS_exit,   SYS_exit_group, SYS_rt_sigprocmask,  SYS_mmap,
                           SYS_munmap,       SYS_brk,    SYS_futex,      SYS_clock_nanosleep, SYS_restart_syscall,
                           SYS_tgkill,       SYS_getpid, SYS_gettid};
  struct sock_filter f[128];
  int n = 0;
  f[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch));
  f[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0);
  f[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
  f[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
  f[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0x40000000, 0, 1);
  f[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
  for (unsigned i = 0; i < sizeof ok / sizeof *ok; i++) {
    f[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ok[i], 0, 1);
    f[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  }
  f[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP);
  struct sock_fprog p = {n, f};
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  say("seccomp %ld", syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &p));
}

static void browser(void) {
  int sv[2];
  socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sv);
  if (!fork()) {
    close(sv[1]);
    run_broker(sv[0]);
  }
  close(sv[0]);
  broker = sv[1];
  struct sigaction a = {.sa_sigaction = on_sys, .sa_flags = SA_SIGINFO | SA_NODEFER};
  sigaction(SIGSYS, &a, NULL);
  lock_down();
  int fd = open("/dev/null", O_RDWR);
  say("open %d write %zd", fd >= 0, write(fd, "x", 1));
  int r = open("/etc/passwd", O_RDONLY);
  say("forbidden %d %s", r, r < 0 ? strerrorname_np(errno) : "");
  say("getppid %d", getppid());
  r = socket(AF_INET, SOCK_STREAM, 0);
  say("socket %d %s", r, strerrorname_np(errno));
  void *p = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  memset(p, 1, 65536);
  say("mmap %d munmap %d", p != MAP_FAILED, munmap(p, 65536));
  say("trapped %d", trapped);
  struct timespec ts = {0, 5000000};
  say("sleep %d", clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, NULL));
  syscall(0x40000000 + SYS_getpid);
  say("not reached");
}

/* Only code at one address may make the call. */
__attribute__((noinline)) static long blessed(void) {
  long r;
  __asm__ volatile(".globl blessed_ip\nsyscall\nblessed_ip:"
                   : "=a"(r)
                   : "a"(SYS_getsid), "D"(0L)
                   : "rcx", "r11", "memory");
  return r;
}
__attribute__((noinline)) static long blessed_brk(void) {
  long r;
  __asm__ volatile(".globl blessed_brk_ip\nsyscall\nblessed_brk_ip:"
                   : "=a"(r)
                   : "a"(SYS_brk), "D"(0L)
                   : "rcx", "r11", "memory");
  return r;
}
extern char blessed_ip[], blessed_brk_ip[];
static void by_address(void) {
  for (int i = 0; i < 2; i++) {
    uint64_t ip = (uint64_t)(i ? blessed_brk_ip : blessed_ip);
    struct sock_filter f[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, i ? SYS_brk : SYS_getsid, 0, 5),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, instruction_pointer)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)ip, 0, 2),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, instruction_pointer) + 4),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(ip >> 32), 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EXDEV),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog p = {8, f};
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &p);
  }
  long r = syscall(SYS_getsid, 0);
  say("elsewhere %ld %s", r, strerrorname_np(errno));
  say("there %d", blessed() >= 0);
  r = syscall(SYS_brk, 0);
  say("brk elsewhere %ld %s", r, strerrorname_np(errno));
  say("brk there %d", blessed_brk() > 0);
}

int main(void) {
  int st;
  pid_t p = fork();
  if (!p) {
    browser();
    _exit(0);
  }
  waitpid(p, &st, 0);
  say("browser: %s", WIFSIGNALED(st) ? strsignal(WTERMSIG(st)) : "exited");
  by_address();
  return 0;
}
