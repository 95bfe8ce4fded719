#include <fcntl.h>
#include <linux/futex.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include "strace_names.h"

#define N(x)                                                                                                           \
  { (uint64_t)(x), #x }
#define END                                                                                                            \
  { 0, NULL }
#define O_LARGEFILE_K 0100000

static const struct strace_name open_names[] = {N(O_RDONLY),
                                                N(O_WRONLY),
                                                N(O_RDWR),
                                                N(O_CREAT),
                                                N(O_EXCL),
                                                N(O_NOCTTY),
                                                N(O_TRUNC),
                                                N(O_APPEND),
                                                N(O_NONBLOCK),
                                                N(O_SYNC),
                                                N(O_DSYNC),
                                                N(O_ASYNC),
                                                N(O_DIRECT),
                                                {O_LARGEFILE_K, "O_LARGEFILE"},
                                                N(O_TMPFILE),
                                                N(O_DIRECTORY),
                                                N(O_NOFOLLOW),
                                                N(O_NOATIME),
                                                N(O_CLOEXEC),
                                                N(O_PATH),
                                                END};
static const struct strace_name prot_names[] = {{0, "PROT_NONE"}, N(PROT_READ),      N(PROT_WRITE),
                                                N(PROT_EXEC),     N(PROT_GROWSDOWN), END};
static const struct strace_name map_names[] = {N(MAP_SHARED),          N(MAP_PRIVATE),
                                               N(MAP_SHARED_VALIDATE), N(MAP_FIXED),
                                               N(MAP_ANONYMOUS),       N(MAP_GROWSDOWN),
                                               N(MAP_DENYWRITE),       N(MAP_LOCKED),
                                               N(MAP_NORESERVE),       N(MAP_POPULATE),
                                               N(MAP_STACK),           N(MAP_HUGETLB),
                                               N(MAP_FIXED_NOREPLACE), END};
static const struct strace_name clone_names[] = {N(CLONE_VM),
                                                 N(CLONE_FS),
                                                 N(CLONE_FILES),
                                                 N(CLONE_SIGHAND),
                                                 N(CLONE_PIDFD),
                                                 N(CLONE_PTRACE),
                                                 N(CLONE_VFORK),
                                                 N(CLONE_PARENT),
                                                 N(CLONE_THREAD),
                                                 N(CLONE_NEWNS),
                                                 N(CLONE_SYSVSEM),
                                                 N(CLONE_SETTLS),
                                                 N(CLONE_PARENT_SETTID),
                                                 N(CLONE_CHILD_CLEARTID),
                                                 N(CLONE_UNTRACED),
                                                 N(CLONE_CHILD_SETTID),
                                                 N(CLONE_NEWCGROUP),
                                                 N(CLONE_NEWUTS),
                                                 N(CLONE_NEWIPC),
                                                 N(CLONE_NEWUSER),
                                                 N(CLONE_NEWPID),
                                                 N(CLONE_NEWNET),
                                                 N(CLONE_IO),
                                                 N(SIGCHLD),
                                                 END};
static const struct strace_name at_names[] = {N(AT_SYMLINK_NOFOLLOW), N(AT_REMOVEDIR),  N(AT_SYMLINK_FOLLOW),
                                              N(AT_NO_AUTOMOUNT),     N(AT_EMPTY_PATH), END};
static const struct strace_name access_names[] = {{0, "F_OK"}, {4, "R_OK"}, {2, "W_OK"}, {1, "X_OK"}, END};
static const struct strace_name whence_names[] = {{0, "SEEK_SET"},  {1, "SEEK_CUR"},  {2, "SEEK_END"},
                                                  {3, "SEEK_DATA"}, {4, "SEEK_HOLE"}, END};
static const struct strace_name how_names[] = {N(SIG_BLOCK), N(SIG_UNBLOCK), N(SIG_SETMASK), END};
static const struct strace_name sig_names[] = {
    N(SIGHUP),  N(SIGINT),    N(SIGQUIT), N(SIGILL),        N(SIGTRAP),      N(SIGABRT),      N(SIGBUS),
    N(SIGFPE),  N(SIGKILL),   N(SIGUSR1), N(SIGSEGV),       N(SIGUSR2),      N(SIGPIPE),      N(SIGALRM),
    N(SIGTERM), N(SIGSTKFLT), N(SIGCHLD), N(SIGCONT),       N(SIGSTOP),      N(SIGTSTP),      N(SIGTTIN),
    N(SIGTTOU), N(SIGURG),    N(SIGXCPU), N(SIGXFSZ),       N(SIGVTALRM),    N(SIGPROF),      N(SIGWINCH),
    N(SIGIO),   N(SIGPWR),    N(SIGSYS),  {32, "SIGRTMIN"}, {33, "SIGRT_1"}, {34, "SIGRT_2"}, END};
static const struct strace_name wait_names[] = {N(WNOHANG),
                                                N(WUNTRACED),
                                                N(WEXITED),
                                                N(WCONTINUED),
                                                N(WNOWAIT),
                                                {0x20000000, "__WNOTHREAD"},
                                                {0x40000000, "__WALL"},
                                                {0x80000000, "__WCLONE"},
                                                END};
static const struct strace_name idtype_names[] = {N(P_ALL), N(P_PID), N(P_PGID), N(P_PIDFD), END};
static const struct strace_name af_names[] = {N(AF_UNSPEC), N(AF_UNIX),  N(AF_INET), N(AF_INET6), N(AF_NETLINK),
                                              N(AF_PACKET), N(AF_VSOCK), N(AF_ALG),  END};
static const struct strace_name socktype_names[] = {N(SOCK_STREAM),  N(SOCK_DGRAM),    N(SOCK_RAW), N(SOCK_SEQPACKET),
                                                    N(SOCK_CLOEXEC), N(SOCK_NONBLOCK), END};
static const struct strace_name msg_names[] = {N(MSG_OOB),
                                               N(MSG_PEEK),
                                               N(MSG_DONTROUTE),
                                               N(MSG_TRUNC),
                                               N(MSG_DONTWAIT),
                                               N(MSG_EOR),
                                               N(MSG_WAITALL),
                                               N(MSG_NOSIGNAL),
                                               N(MSG_ERRQUEUE),
                                               N(MSG_MORE),
                                               N(MSG_WAITFORONE),
                                               N(MSG_CMSG_CLOEXEC),
                                               END};
static const struct strace_name level_names[] = {N(SOL_SOCKET),       {0, "SOL_IP"},        {6, "SOL_TCP"},
                                                 {17, "SOL_UDP"},     {41, "SOL_IPV6"},     {58, "SOL_ICMPV6"},
                                                 {263, "SOL_PACKET"}, {270, "SOL_NETLINK"}, END};
static const struct strace_name shut_names[] = {N(SHUT_RD), N(SHUT_WR), N(SHUT_RDWR), END};
static const struct strace_name fcntl_names[] = {
    N(F_DUPFD),         N(F_GETFD),      N(F_SETFD),      N(F_GETFL),     N(F_SETFL),     N(F_GETLK),
    N(F_SETLK),         N(F_SETLKW),     N(F_SETOWN),     N(F_GETOWN),    N(F_SETSIG),    N(F_GETSIG),
    N(F_OFD_GETLK),     N(F_OFD_SETLK),  N(F_OFD_SETLKW), N(F_SETLEASE),  N(F_GETLEASE),  N(F_NOTIFY),
    N(F_DUPFD_CLOEXEC), N(F_SETPIPE_SZ), N(F_GETPIPE_SZ), N(F_ADD_SEALS), N(F_GET_SEALS), END};
static const struct strace_name ioctl_names[] = {
    N(TCGETS),     N(TCSETS),     N(TCSETSW),     N(TCSETSF),  N(TIOCSCTTY), N(TIOCGPGRP), N(TIOCSPGRP), N(TIOCGWINSZ),
    N(TIOCSWINSZ), N(FIONREAD),   N(FIONBIO),     N(FIOASYNC), N(FIOCLEX),   N(FIONCLEX),  N(TIOCNOTTY), N(TIOCGSID),
    N(TIOCGPTN),   N(TIOCSPTLCK), N(TIOCGPTPEER), N(TCSBRK),   N(TCXONC),    N(TCFLSH),    N(TIOCSTI),   END};
static const struct strace_name madvise_names[] = {N(MADV_NORMAL),
                                                   N(MADV_RANDOM),
                                                   N(MADV_SEQUENTIAL),
                                                   N(MADV_WILLNEED),
                                                   N(MADV_DONTNEED),
                                                   N(MADV_FREE),
                                                   N(MADV_REMOVE),
                                                   N(MADV_DONTFORK),
                                                   N(MADV_DOFORK),
                                                   N(MADV_MERGEABLE),
                                                   N(MADV_HUGEPAGE),
                                                   N(MADV_NOHUGEPAGE),
                                                   N(MADV_DONTDUMP),
                                                   N(MADV_DODUMP),
                                                   N(MADV_WIPEONFORK),
                                                   N(MADV_KEEPONFORK),
                                                   N(MADV_COLD),
                                                   N(MADV_PAGEOUT),
                                                   END};
static const struct strace_name mremap_names[] = {N(MREMAP_MAYMOVE), N(MREMAP_FIXED), N(MREMAP_DONTUNMAP), END};
static const struct strace_name futex_names[] = {
    N(FUTEX_WAIT),
    N(FUTEX_WAKE),
    N(FUTEX_REQUEUE),
    N(FUTEX_CMP_REQUEUE),
    N(FUTEX_WAKE_OP),
    N(FUTEX_LOCK_PI),
    N(FUTEX_UNLOCK_PI),
    N(FUTEX_TRYLOCK_PI),
    N(FUTEX_WAIT_BITSET),
    N(FUTEX_WAKE_BITSET),
    N(FUTEX_WAIT_PRIVATE),
    N(FUTEX_WAKE_PRIVATE),
    N(FUTEX_REQUEUE_PRIVATE),
    N(FUTEX_CMP_REQUEUE_PRIVATE),
    N(FUTEX_WAKE_OP_PRIVATE),
    N(FUTEX_LOCK_PI_PRIVATE),
    N(FUTEX_UNLOCK_PI_PRIVATE),
    N(FUTEX_TRYLOCK_PI_PRIVATE),
    N(FUTEX_WAIT_BITSET_PRIVATE),
    N(FUTEX_WAKE_BITSET_PRIVATE),
    {FUTEX_WAIT_BITSET_PRIVATE | FUTEX_CLOCK_REALTIME, "FUTEX_WAIT_BITSET_PRIVATE|FUTEX_CLOCK_REALTIME"},
    END};
static const struct strace_name clock_names[] = {N(CLOCK_REALTIME),
                                                 N(CLOCK_MONOTONIC),
                                                 N(CLOCK_PROCESS_CPUTIME_ID),
                                                 N(CLOCK_THREAD_CPUTIME_ID),
                                                 N(CLOCK_MONOTONIC_RAW),
                                                 N(CLOCK_REALTIME_COARSE),
                                                 N(CLOCK_MONOTONIC_COARSE),
                                                 N(CLOCK_BOOTTIME),
                                                 N(CLOCK_TAI),
                                                 END};
static const struct strace_name rlimit_names[] = {N(RLIMIT_CPU),
                                                  N(RLIMIT_FSIZE),
                                                  N(RLIMIT_DATA),
                                                  N(RLIMIT_STACK),
                                                  N(RLIMIT_CORE),
                                                  N(RLIMIT_RSS),
                                                  N(RLIMIT_NPROC),
                                                  N(RLIMIT_NOFILE),
                                                  N(RLIMIT_MEMLOCK),
                                                  N(RLIMIT_AS),
                                                  N(RLIMIT_LOCKS),
                                                  N(RLIMIT_SIGPENDING),
                                                  N(RLIMIT_MSGQUEUE),
                                                  N(RLIMIT_NICE),
                                                  N(RLIMIT_RTPRIO),
                                                  N(RLIMIT_RTTIME),
                                                  END};
static const struct strace_name rusage_names[] = {{(uint64_t)RUSAGE_SELF, "RUSAGE_SELF"},
                                                  {(uint64_t)RUSAGE_CHILDREN, "RUSAGE_CHILDREN"},
                                                  {(uint64_t)RUSAGE_THREAD, "RUSAGE_THREAD"},
                                                  END};
static const struct strace_name epollop_names[] = {N(EPOLL_CTL_ADD), N(EPOLL_CTL_DEL), N(EPOLL_CTL_MOD), END};
static const struct strace_name epollfl_names[] = {N(EPOLL_CLOEXEC), END};
static const struct strace_name prctl_names[] = {N(PR_SET_PDEATHSIG),
                                                 N(PR_GET_PDEATHSIG),
                                                 N(PR_GET_DUMPABLE),
                                                 N(PR_SET_DUMPABLE),
                                                 N(PR_GET_KEEPCAPS),
                                                 N(PR_SET_KEEPCAPS),
                                                 N(PR_SET_NAME),
                                                 N(PR_GET_NAME),
                                                 N(PR_GET_SECCOMP),
                                                 N(PR_SET_SECCOMP),
                                                 N(PR_CAPBSET_READ),
                                                 N(PR_CAPBSET_DROP),
                                                 N(PR_GET_SECUREBITS),
                                                 N(PR_SET_SECUREBITS),
                                                 N(PR_SET_TIMERSLACK),
                                                 N(PR_GET_TIMERSLACK),
                                                 N(PR_SET_MM),
                                                 N(PR_SET_CHILD_SUBREAPER),
                                                 N(PR_GET_CHILD_SUBREAPER),
                                                 N(PR_SET_NO_NEW_PRIVS),
                                                 N(PR_GET_NO_NEW_PRIVS),
                                                 N(PR_SET_THP_DISABLE),
                                                 N(PR_GET_THP_DISABLE),
                                                 N(PR_CAP_AMBIENT),
                                                 N(PR_SET_VMA),
                                                 END};
static const struct strace_name arch_names[] = {
    {0x1001, "ARCH_SET_GS"},    {0x1002, "ARCH_SET_FS"},    {0x1003, "ARCH_GET_FS"},     {0x1004, "ARCH_GET_GS"},
    {0x1011, "ARCH_GET_CPUID"}, {0x1012, "ARCH_SET_CPUID"}, {0x3001, "ARCH_CET_STATUS"}, END};
static const struct strace_name grnd_names[] = {N(GRND_NONBLOCK), N(GRND_RANDOM), N(GRND_INSECURE), END};
static const struct strace_name mount_names[] = {
    N(MS_RDONLY), N(MS_NOSUID), N(MS_NODEV),   N(MS_NOEXEC), N(MS_REMOUNT), N(MS_NOATIME),  N(MS_BIND),
    N(MS_MOVE),   N(MS_REC),    N(MS_PRIVATE), N(MS_SLAVE),  N(MS_SHARED),  N(MS_RELATIME), END};
static const struct strace_name memfd_names[] = {N(MFD_CLOEXEC), N(MFD_ALLOW_SEALING), N(MFD_HUGETLB), END};
static const struct strace_name lock_names[] = {{1, "LOCK_SH"}, {2, "LOCK_EX"}, {4, "LOCK_NB"}, {8, "LOCK_UN"}, END};

static const struct strace_set sets[] = {
    {"open", true, O_ACCMODE, open_names},   {"prot", true, 0, prot_names},       {"map", true, 0, map_names},
    {"clone", true, 0, clone_names},         {"atf", true, 0, at_names},          {"access", true, 0, access_names},
    {"whence", false, 0, whence_names},      {"how", false, 0, how_names},        {"sig", false, 0, sig_names},
    {"wait", true, 0, wait_names},           {"idtype", false, 0, idtype_names},  {"af", false, 0, af_names},
    {"socktype", true, 0xf, socktype_names}, {"msg", true, 0, msg_names},         {"level", false, 0, level_names},
    {"shut", false, 0, shut_names},          {"fcntl", false, 0, fcntl_names},    {"ioctl", false, 0, ioctl_names},
    {"madv", false, 0, madvise_names},       {"mremap", true, 0, mremap_names},   {"futex", false, 0, futex_names},
    {"clock", false, 0, clock_names},        {"rlimit", false, 0, rlimit_names},  {"rusage", false, 0, rusage_names},
    {"epollop", false, 0, epollop_names},    {"epollfl", true, 0, epollfl_names}, {"prctl", false, 0, prctl_names},
    {"arch", false, 0, arch_names},          {"grnd", true, 0, grnd_names},       {"mount", true, 0, mount_names},
    {"memfd", true, 0, memfd_names},         {"lock", true, 0, lock_names},
};

const struct strace_set *strace_set_find(const char *type, unsigned len) {
  for (unsigned i = 0; i < sizeof sets / sizeof *sets; i++)
    if (strlen(sets[i].type) == len && !memcmp(sets[i].type, type, len))
      return &sets[i];
  return NULL;
}
