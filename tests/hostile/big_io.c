/* Sizes: huge vectors, lengths and offsets; deep links and directories; many descriptors; messages in flight; big arguments. */
#include "hostile.h"
static void vectors(void *arg) {
  static struct iovec v[1024];
  size_t big = 1UL << 40;
  char *p = mmap(NULL, big, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  for (int i = 0; i < 1024; i++)
    v[i] = (struct iovec){p, big / 1024};
  int n = open("/dev/null", O_WRONLY), q[2];
  pipe2(q, O_NONBLOCK);
  writev(n, v, 1024), write(n, p, big), writev(q[1], v, 1024), write(q[1], p, big);
  for (int i = 0; i < 1024; i++)
    v[i].iov_len = LONG_MAX;
  writev(n, v, 1024), readv(q[0], v, 1024), preadv(n, v, 1024, LONG_MAX), process_vm_readv(getpid(), v, 1024, v, 1024, 0);
  syscall(SYS_getrandom, p, 1 << 20, 0);
}
static void files(void *arg) {
  int f = open("/tmp/big", O_RDWR | O_CREAT | O_TRUNC, 0600);
  const long offs[] = {LONG_MAX, LONG_MAX - 4096, 1L << 62, 1L << 44, (1L << 31) - 1, -1};
  for (int i = 0; i < 6; i++) {
    ftruncate(f, offs[i]);
    pwrite(f, "x", 1, offs[i]);
    lseek(f, offs[i], SEEK_SET), write(f, "y", 1), lseek(f, offs[i], SEEK_CUR), lseek(f, offs[i], SEEK_END);
    fallocate(f, 0, 0, offs[i]), fallocate(f, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offs[i], offs[i]);
    mmap(NULL, 4096, PROT_READ, MAP_SHARED, f, offs[i] & ~4095L), mmap(NULL, offs[i], PROT_READ, MAP_SHARED, f, 0);
    copy_file_range(f, NULL, f, NULL, offs[i], 0), splice(f, NULL, f, NULL, offs[i], 0), sync_file_range(f, offs[i], offs[i], 7);
    struct flock l = {.l_type = F_WRLCK, .l_start = offs[i], .l_len = offs[i]};
    fcntl(f, F_SETLK, &l);
  }
  ftruncate(f, 0), unlink("/tmp/big");
}
static void paths(void *arg) {
  mkdir("/tmp/deep", 0700), chdir("/tmp/deep");
  char a[32], b[32];
  symlink("x", "l0");
  for (int i = 1; i < 300; i++)
    sprintf(a, "l%d", i - 1), sprintf(b, "l%d", i), symlink(a, b);
  open("l299", O_RDONLY);
  char *p = malloc(100000);
  memset(p, '/', 99999), p[99999] = 0, open(p, O_RDONLY);
  for (int i = 0; i < 99999; i += 2)
    p[i] = '.';
  open(p, O_RDONLY);
  p[4095] = 0, open(p, O_RDONLY);
  symlink("l1/l2/l3/l4/../l5", "l1x"), symlink(".", "dot");
  strcpy(p, "dot");
  while (strlen(p) < 4000)
    strcat(p, "/dot");
  open(p, O_RDONLY);
  for (int i = 0; i < 400; i++)
    if (mkdir("d", 0700) || chdir("d"))
      break;
  getcwd(p, 100000), open("../../..", O_RDONLY), rename("/tmp/deep/d", "d/e");
  DIR *d = opendir("/proc");
  for (struct dirent *e; d && (e = readdir(d));) {
    snprintf(p, 1000, "/proc/%s", e->d_name);
    int f = open(p, O_RDONLY | O_NONBLOCK);
    static char buf[100000];
    read(f, buf, sizeof buf), lseek(f, LONG_MAX, SEEK_SET), read(f, buf, sizeof buf), pread(f, buf, 7, 3), write(f, buf, 10), close(f);
  }
}
static void descriptors(void *arg) {
  int p[2], n = 0, s[2];
  socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, s);
  for (int i = 0; i < 300; i++) { /* sockets in flight inside each other */
    int t[2];
    socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, t);
    char cb[CMSG_SPACE(3 * sizeof(int))] = {0};
    struct iovec v = {"x", 1};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = cb, .msg_controllen = sizeof cb};
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    c->cmsg_level = SOL_SOCKET, c->cmsg_type = SCM_RIGHTS, c->cmsg_len = CMSG_LEN(3 * sizeof(int));
    int fds[] = {s[0], s[1], t[0]};
    memcpy(CMSG_DATA(c), fds, sizeof fds);
    sendmsg(t[0], &m, 0), sendmsg(s[0], &m, 0);
    close(s[0]), close(s[1]);
    s[0] = t[0], s[1] = t[1];
  }
  while (!pipe(p) && n < 20000)
    n++;
  int ep[8];
  for (int i = 3; i < 60; i++)
    close(i);
  for (int i = 0; i < 8; i++) {
    ep[i] = epoll_create1(0);
    struct epoll_event e = {.events = EPOLLIN | EPOLLET};
    if (i)
      epoll_ctl(ep[i], EPOLL_CTL_ADD, ep[i - 1], &e), epoll_ctl(ep[i - 1], EPOLL_CTL_ADD, ep[i], &e);
    for (int k = 100; k < 600; k++)
      epoll_ctl(ep[i], EPOLL_CTL_ADD, k, &e);
  }
  struct epoll_event out[10];
  epoll_wait(ep[7], out, 10, 0);
  static struct pollfd pf[20000];
  for (int i = 0; i < 20000; i++)
    pf[i] = (struct pollfd){i, POLLIN | POLLOUT, 0};
  poll(pf, 20000, 0);
  while (eventfd(0, 0) >= 0 && timerfd_create(CLOCK_MONOTONIC, 0) >= 0 && n++ < 30000)
    ;
}
static void arguments(void *arg) {
  static char *av[40000];
  char *s = malloc(130000);
  memset(s, 'a', 130000), s[129999] = 0;
  for (int i = 0; i < 39999; i++)
    av[i] = s;
  execv("/proc/self/exe", av);
  for (int i = 0; i < 39999; i++)
    av[i] = s + 129990;
  av[39999] = NULL;
  execve("/proc/self/exe", av, av);
  unsigned g[70000];
  for (int i = 0; i < 70000; i++)
    g[i] = i;
  setgroups(65536, g), setgroups(70000, g);
}
static void memory(void *arg) {
  struct rlimit rl = {4UL << 30, 4UL << 30};
  setrlimit(RLIMIT_AS, &rl);
  for (int i = 0; i < 70000; i++) /* as many areas as there may be */
    if (mmap(NULL, 4096, i & 1 ? PROT_READ : PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED)
      break;
  char *p = mmap(NULL, 64 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  for (size_t i = 0; p != MAP_FAILED && i < 64 << 20; i += 8192)
    mprotect(p + i, 4096, PROT_READ);
  fork();
}
static void *remapper(void *a) {
  char *area = a;
  unsigned seed = (unsigned)(long)&seed;
  for (int i = 0; i < 400; i++) {
    char *p = area + (rand_r(&seed) % 60) * 4096;
    size_t n = (1 + rand_r(&seed) % 4) * 4096;
    switch (rand_r(&seed) % 5) {
    case 0: mmap(p, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0); break;
    case 1: munmap(p, n); break;
    case 2: mprotect(p, n, rand_r(&seed) & 7); break;
    case 3: mremap(p, n, n + 4096, MREMAP_MAYMOVE); break;
    case 4: read(open("/proc/self/exe", O_RDONLY | O_CLOEXEC), p, n); break;
    }
  }
  return NULL;
}
static void mappings(void *arg) {
  char *area = mmap(NULL, 64 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  pthread_t t[4];
  for (int i = 0; i < 4; i++)
    pthread_create(&t[i], NULL, remapper, area);
  for (int i = 0; i < 4; i++)
    pthread_join(t[i], NULL);
}
int main(int argc, char **argv) {
  if (argc > 1000)
    return 0;
  struct {
    const char *name;
    void (*fn)(void *);
  } all[] = {{"vectors", vectors}, {"files", files}, {"paths", paths}, {"descriptors", descriptors}, {"arguments", arguments}, {"memory", memory}, {"mappings", mappings}};
  for (unsigned i = 0; i < sizeof all / sizeof *all; i++) {
    bool by_itself = attack(all[i].fn, NULL, 8000, NULL);
    say("%s %s", all[i].name, by_itself ? "done" : "killed");
  }
  return 0;
}
