#include "control.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int control_connect(const struct container *c, struct err *e) {
  struct sockaddr_un a;
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0)
    return err_sys(e, errno, "socket");
  state_socket_address(c, "control.sock", &a);
  if (!connect(fd, (struct sockaddr *)&a, sizeof a))
    return fd;
  int err = errno;
  close(fd);
  if (err == ECONNREFUSED || err == ENOENT)
    return err_set(e, "container not running");
  return err_sys(e, err, "connect to the sandbox of %s", c->id);
}

static int send_all(int sock, const char *data, size_t len, struct err *e) {
  while (len) {
    ssize_t n = send(sock, data, len, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return err_sys(e, errno, "send to the sandbox");
    data += n;
    len -= (size_t)n;
  }
  return 0;
}

int control_send(int sock, json_t *msg, const int *fds, int nfds, struct err *e) {
  char *text = json_dumps(msg, JSON_COMPACT);
  if (!text)
    return err_set(e, "request cannot be written as JSON");
  uint32_t len = (uint32_t)strlen(text);
  struct iovec iov = {.iov_base = &len, .iov_len = sizeof len};
  union {
    struct cmsghdr h;
    char buf[CMSG_SPACE(sizeof(int) * CONTROL_MAX_FDS)];
  } ctl = {0};
  struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
  int rc = 0;
  if (nfds) {
    m.msg_control = ctl.buf;
    m.msg_controllen = CMSG_SPACE(sizeof(int) * (size_t)nfds);
    ctl.h = (struct cmsghdr){
        .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int) * (size_t)nfds)};
    memcpy(CMSG_DATA(&ctl.h), fds, sizeof(int) * (size_t)nfds);
  }
  ssize_t n;
  do
    n = sendmsg(sock, &m, MSG_NOSIGNAL);
  while (n < 0 && errno == EINTR);
  if (n < 0)
    rc = err_sys(e, errno, "send to the sandbox");
  else
    rc = send_all(sock, (char *)&len + n, sizeof len - (size_t)n, e) || send_all(sock, text, len, e) ? -1 : 0;
  free(text);
  return rc;
}

static int recv_all(int sock, char *data, size_t len, struct err *e) {
  while (len) {
    ssize_t n = recv(sock, data, len, 0);
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return err_sys(e, errno, "receive from the sandbox");
    if (n == 0)
      return err_set(e, "connection closed by the sandbox");
    data += n;
    len -= (size_t)n;
  }
  return 0;
}

json_t *control_recv(int sock, struct err *e) {
  uint32_t len;
  if (recv_all(sock, (char *)&len, sizeof len, e))
    return NULL;
  if (len > CONTROL_MAX_BYTES) {
    err_set(e, "answer of the sandbox is too long");
    return NULL;
  }
  char *text = malloc(len + 1);
  json_t *msg = NULL;
  if (!text)
    err_set(e, "out of memory");
  else if (!recv_all(sock, text, len, e) && !(msg = json_loadb(text, len, 0, NULL)))
    err_set(e, "answer of the sandbox is not JSON");
  free(text);
  return msg;
}

json_t *control_call(int sock, json_t *msg, const int *fds, int nfds, struct err *e) {
  int rc = control_send(sock, msg, fds, nfds, e);
  json_decref(msg);
  return rc ? NULL : control_answer(sock, e);
}

json_t *control_answer(int sock, struct err *e) {
  json_t *answer = control_recv(sock, e);
  if (!answer || json_is_true(json_object_get(answer, "ok")))
    return answer;
  const char *text = json_string_value(json_object_get(answer, "error"));
  err_set(e, "%s", text ? text : "the sandbox refused without a reason");
  json_decref(answer);
  return NULL;
}

json_t *control_request(const struct container *c, json_t *msg, struct err *e) {
  int sock = control_connect(c, e);
  if (sock < 0) {
    json_decref(msg);
    return NULL;
  }
  json_t *answer = control_call(sock, msg, NULL, 0, e);
  close(sock);
  return answer;
}
