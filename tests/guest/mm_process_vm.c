/* process_vm_readv and writev between processes; /proc/PID/mem; permission. */
#include "guest.h"
int main(void) {
  char *area = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  strcpy(area, "parent");
  pid_t p = fork();
  if (!p) {
    strcpy(area, "child's");
    for (;;)
      pause();
  }
  wait_state(p, 'S');
  char buf[16] = "", buf2[4] = "";
  struct iovec l[2] = {{buf, 3}, {buf2, 3}}, r = {area, 6};
  SHOW(process_vm_readv(p, l, 2, &r, 1, 0));
  say("%s %.3s", buf, buf2);
  l[0] = (struct iovec){"WRITTEN", 7}, r.iov_len = 7;
  SHOW(process_vm_writev(p, l, 1, &r, 1, 0));
  l[0] = (struct iovec){buf, 7};
  SHOW(process_vm_readv(p, l, 1, &r, 1, 0));
  say("%s", buf);
  say("own memory %s", area);
  r.iov_base = (void *)8;
  SHOW(process_vm_readv(p, l, 1, &r, 1, 0));
  r = (struct iovec){area + 8190, 7};
  SHOW(process_vm_readv(p, l, 1, &r, 1, 0) <= 2);
  r = (struct iovec){area, 7};
  SHOW(process_vm_readv(1 << 20, l, 1, &r, 1, 0));
  SHOW(process_vm_readv(p, l, 1, &r, 1, 1));
  SHOW(process_vm_readv(p, l, 1, &r, 2000, 0));
  CHILD("another user") {
    become_user(1000);
    SHOW(process_vm_readv(p, l, 1, &r, 1, 0));
  }
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/mem", p);
  int fd = MUST(open(path, O_RDWR));
  memset(buf, 0, sizeof buf);
  SHOW(pread(fd, buf, 7, (off_t)(uintptr_t)area));
  say("%s", buf);
  SHOW(pread(fd, buf, 7, 8));
  kill(p, SIGKILL);
  reap("child", p);
  SHOW(process_vm_readv(p, l, 1, &r, 1, 0));
}
