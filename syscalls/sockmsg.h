/* msghdrs of guests: the decoding half of sendmsg(2) and recvmsg(2). */
#pragma once
#include "../net/socket.h"
#include "../core/task.h"

#define MSG_FAST_IOV 8
#define MSG_CONTROL_MAX 20480 /* net.core.optmem_max */
#define MSG_RECV_CONTROL 768  /* room for control messages of a family's own */

struct user_msg { /* one msghdr in the works; user_msg_done() frees */
  struct msghdr h;
  struct msg_k m;
  struct uio u;
  struct iovec fast[MSG_FAST_IOV];
  struct sockaddr_storage name;
  char *control;
};

int user_msg_send(struct task *t, struct socket *s, uint64_t umsg, int flags, struct user_msg *x);
int user_msg_recv(struct task *t, uint64_t umsg, int flags, struct user_msg *x);
/* Tell the guest what was received: name, control messages with descriptors installed, flags. flags as given to the
 * call. */
int user_msg_put(struct task *t, uint64_t umsg, int flags, struct user_msg *x);
void user_msg_done(struct user_msg *x);
