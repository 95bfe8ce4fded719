/*
 * Requests as a hostile Sentry would send them, against a small real tree. The header's length is mended, so that more
 * than the first check is reached. Beside the tree lies a canary whose change is a finding.
 */
#include "../../fs/gofer/server.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct gofer_server *server;
static char base[] = "/tmp/fuzz-gofer.XXXXXX";
static struct stat canary;

static void make_file(int dir, const char *name) {
  int fd = openat(dir, name, O_CREAT | O_WRONLY, 0644);
  if (fd < 0 || write(fd, "data", 4) != 4)
    abort();
  close(fd);
}

static void start(void) {
  char tree[64];
  if (!mkdtemp(base))
    abort();
  snprintf(tree, sizeof tree, "%s/tree", base);
  int b = open(base, O_RDONLY | O_DIRECTORY);
  if (b < 0 || mkdirat(b, "tree", 0755))
    abort();
  make_file(b, "canary");
  if (fstatat(b, "canary", &canary, 0))
    abort();
  close(b);
  server = calloc(1, sizeof *server);
  struct gofer_tree trees[] = {{tree, false}, {tree, true}};
  if (!server || gofer_open_trees(server, trees, 2))
    abort();
}

/* Put back what the last input may have removed. */
static void refill(void) {
  char tree[64];
  snprintf(tree, sizeof tree, "%s/tree", base);
  int t = open(tree, O_RDONLY | O_DIRECTORY);
  mkdirat(t, "d", 0755);
  symlinkat("../canary", t, "l");
  symlinkat("..", t, "u");
  int fd = openat(t, "f", O_CREAT | O_WRONLY, 0644);
  if (fd >= 0)
    close(fd);
  close(t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  static uint8_t req[GOFER_MSG_MAX];
  if (!server)
    start();
  if (n > sizeof req)
    return 0;
  refill();
  memcpy(req, data, n);
  if (n >= sizeof(struct gofer_hdr)) {
    struct gofer_hdr h;
    memcpy(&h, req, sizeof h);
    h.size = (uint32_t)n;
    h.err = 0;
    h.op %= GOFER_OP_END;
    h.tree &= 1;
    memcpy(req, &h, sizeof h);
  }
  int fd;
  ssize_t len = gofer_answer(server, req, n, &fd);
  struct gofer_hdr h;
  if (len >= 0) {
    if (len < (ssize_t)sizeof h || len > GOFER_MSG_MAX)
      abort();
    memcpy(&h, server->reply, sizeof h);
    if (h.size != len || (fd >= 0 && h.err))
      abort();
  }
  if (fd >= 0) {
    struct stat st;
    if (fstat(fd, &st) || !S_ISREG(st.st_mode) || (st.st_dev == canary.st_dev && st.st_ino == canary.st_ino))
      abort();
    close(fd);
  }
  char path[64];
  struct stat st;
  snprintf(path, sizeof path, "%s/canary", base);
  if (stat(path, &st) || st.st_ctim.tv_nsec != canary.st_ctim.tv_nsec || st.st_size != canary.st_size)
    abort();
  return 0;
}
