/* System V shared memory: shmget(2), shmop(2), shmctl(2). */
#include "guest.h"
#include <sys/ipc.h>
#include <sys/shm.h>

#define PG 4096
static int id;
static long nattch(void) {
  struct shmid_ds ds;
  return shmctl(id, IPC_STAT, &ds) ? -errno : (long)ds.shm_nattch;
}
static void *NONE_AT = (void *)-1;
static const char *at_error(void *p) {
  return p == NONE_AT ? ename(errno) : "ok";
}

static void basics(void) {
  SHOW(shmget(IPC_PRIVATE, 0, 0600));
  SHOW(shmget(0x7fee0002, 10, 0));
  OK(id = shmget(IPC_PRIVATE, 3 * PG + 1, IPC_CREAT | 0600));
  struct shmid_ds ds;
  SHOW(shmctl(id, IPC_STAT, &ds));
  say("size %zu nattch %lu mode %o lpid %d", ds.shm_segsz, ds.shm_nattch, ds.shm_perm.mode, ds.shm_lpid);
  YES(ds.shm_cpid == getpid());
  char *p = shmat(id, NULL, 0);
  YES(p != NONE_AT);
  SHOW(nattch());
  strcpy(p + 3 * PG, "tail");
  char *ro = shmat(id, NULL, SHM_RDONLY);
  say("read-only sees \"%s\"", ro + 3 * PG);
  SHOW(mprotect(ro, PG, PROT_READ | PROT_WRITE));
  SHOW(mprotect(ro, PG, PROT_READ));
  SHOW(nattch());
  SHOW(shmdt(ro + PG));
  SHOW(shmdt(ro + 1));
  SHOW(shmdt(ro));
  SHOW(nattch());
  say("bad address: %s", at_error(shmat(id, (void *)123, 0)));
  say("occupied: %s", at_error(shmat(id, p + PG, 0)));
  say("remap nowhere: %s", at_error(shmat(id, NULL, SHM_REMAP)));
  char *hole = mmap(NULL, 8 * PG, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  YES(shmat(id, hole + PG, SHM_REMAP) == hole + PG);
  say("remapped sees \"%s\"", hole + 4 * PG);
  YES(shmat(id, hole + 2 * PG + 77, SHM_RND | SHM_REMAP) == hole + 2 * PG);
  SHOW(nattch());
  SHOW(shmdt(hole + 2 * PG));
  SHOW(nattch());
  SHOW(shmdt(hole + PG));
  SHOW(nattch());
  SHOW(shmdt(p));
  SHOW(nattch());
  SHOW(shmdt(p));
  say("bad id: %s", at_error(shmat(-1, NULL, 0)));
}

static void holes(void) {
  char *p = shmat(id, NULL, 0);
  SHOW(munmap(p + PG, PG));
  SHOW(nattch());
  CHILD("forked") {
    show("inherited", nattch());
    p[0] = 'c';
  }
  SHOW(nattch());
  say("%c", p[0]);
  SHOW(shmdt(p));
  SHOW(nattch());
  p = shmat(id, NULL, 0);
  char *q = mremap(p, 4 * PG, 2 * PG, 0);
  YES(q == p);
  SHOW(nattch());
  SHOW(shmdt(p));
  SHOW(nattch());
  p = shmat(id, NULL, 0);
  CHILD("exec") {
    execl("/bin/true", "true", NULL);
  }
  SHOW(nattch());
  struct shmid_ds ds;
  shmctl(id, IPC_STAT, &ds);
  YES(ds.shm_lpid != getpid());
  YES(ds.shm_dtime != 0);
  SHOW(shmdt(p));
}

static void removal(void) {
  char *p = shmat(id, NULL, 0);
  p[0] = 'r';
  SHOW(shmctl(id, IPC_RMID, NULL));
  struct shmid_ds ds;
  SHOW(shmctl(id, IPC_STAT, &ds));
  say("mode %o key %d", ds.shm_perm.mode, ds.shm_perm.__key);
  char *q = shmat(id, NULL, 0);
  YES(q != NONE_AT && q[0] == 'r');
  SHOW(shmdt(p));
  SHOW(nattch());
  q[1] = 'x';
  SHOW(shmdt(q));
  SHOW(shmctl(id, IPC_STAT, &ds));
  say("gone: %s", at_error(shmat(id, NULL, 0)));
}

static void more(void) {
  key_t key = 0x51540000 + (getpid() & 0xffff);
  id = MUST(shmget(key, 100, IPC_CREAT | IPC_EXCL | 0600));
  SHOW(shmget(key, 100, IPC_CREAT | IPC_EXCL | 0600));
  YES(shmget(key, 50, 0) == id);
  SHOW(shmget(key, 101, 0));
  char line[256], want[32], *p = shmat(id, NULL, 0);
  snprintf(want, sizeof want, "/SYSV%08x (deleted)", key);
  FILE *f = fopen("/proc/self/maps", "r");
  bool seen = false;
  while (fgets(line, sizeof line, f))
    seen |= strstr(line, want) != NULL;
  fclose(f);
  YES(seen);
  CHILD("killed") {
    raise(SIGKILL);
  }
  SHOW(nattch());
  struct shm_info si;
  YES(shmctl(0, SHM_INFO, (struct shmid_ds *)&si) >= 0);
  YES(si.used_ids >= 1 && si.shm_tot >= 1);
  SHOW(shmctl(id, SHM_LOCK, NULL));
  SHOW(shmctl(id, SHM_UNLOCK, NULL));
  if (geteuid() == 0) {
    CHILD("nobody") {
      MUST(setresuid(65534, 65534, 65534));
      say("attach: %s", at_error(shmat(id, NULL, SHM_RDONLY)));
      SHOW(shmctl(id, IPC_RMID, NULL));
      SHOW(nattch());
    }
  }
  SHOW(shmctl(id, IPC_RMID, NULL));
  SHOW(shmget(key, 100, 0));
  SHOW(shmdt(p));
  SHOW(shmctl(id, 77, NULL));
  id = MUST(shmget(IPC_PRIVATE, PG, 0600));
  CHILD("exec is a right of its own") {
    YES(shmat(id, NULL, SHM_EXEC) != NONE_AT || errno == EACCES);
  }
  SHOW(shmctl(id, IPC_RMID, NULL));
}

int main(void) {
  basics();
  holes();
  removal();
  more();
}
