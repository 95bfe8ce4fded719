/*
 * POSIX message queues: mq_overview(7). Each IPC namespace has one file system of queues, mounted or not; a queue is an
 * inode of it, and lives as long as that.
 */
#pragma once
#include "../../core/ipc/ipc.h"
#include "../namei.h"
#include <bsd/sys/tree.h>
#include <mqueue.h>
#include <signal.h>

#define MQUEUE_MAGIC 0x19800202
#define MQ_PRIO_LIMIT 32768u
#define MQ_HARD_MSGMAX 65536
#define MQ_HARD_MSGSIZE (16 * 1024 * 1024)
#define MQ_FILENT_SIZE 80 /* what stat(2) shows as the size of a queue, as Linux */
#define MQ_DIRENT_SIZE 20
#define MQ_COOKIE_LEN 32 /* NOTIFY_COOKIE_LEN */

struct mqueue;

struct mq_ns { /* super->priv; ns->mq points to it while the IPC namespace lives */
  struct super *sb;
  struct mount *mnt;          /* the internal one; counted */
  LIST_HEAD(, mqueue) queues; /* also those without a name that are still open */
  int nnamed;
  uint64_t next_ino;
  /* fs.mqueue.*: of them all only queues_max may be exceeded with CAP_SYS_RESOURCE up to the hard limits */
  int queues_max, msg_max, msgsize_max, msg_default, msgsize_default;
};

struct mq_msg {
  TAILQ_ENTRY(mq_msg) link;
  unsigned prio;
  size_t len;
  char text[];
};
struct mq_level { /* all messages of one priority */
  RB_ENTRY(mq_level) link;
  unsigned prio;
  TAILQ_HEAD(, mq_msg) msgs;
};
RB_HEAD(mq_levels, mq_level);

struct mq_sleeper { /* on the fiber's stack */
  TAILQ_ENTRY(mq_sleeper) link;
  struct fiber *fiber;
  struct mq_msg *msg; /* a sender's, to be taken; or what a receiver was given */
  bool done;
};
TAILQ_HEAD(mq_sleepers, mq_sleeper);

struct mq_notify {   /* mq_notify(2): who is told, once */
  struct pid *owner; /* a process; counted. NULL: nobody */
  int how, signo;
  uint64_t value;
  struct file *sock; /* SIGEV_THREAD: a netlink socket that the cookie is sent to; counted */
  uint8_t cookie[MQ_COOKIE_LEN];
};

struct mqueue { /* inode->priv */
  struct mq_ns *ns;
  struct inode *inode;
  LIST_ENTRY(mqueue) all;
  uint32_t uid;   /* whom its bytes are charged to */
  uint64_t bytes; /* against RLIMIT_MSGQUEUE */
  long maxmsg, msgsize, curmsgs;
  uint64_t qsize;
  struct mq_levels levels;
  struct mq_sleepers senders, receivers;
  struct waitq wq;
  struct mq_notify notify;
};

/* super.c */
struct mq_ns *mq_ns_borrow(struct ipc_namespace *ns); /* made at the first use; NULL: no memory */
/* A queue under that name; want NULL: the default attributes. dir_lock is held. */
int mq_create_in(struct inode *dir, const char *name, const struct iattr *a, const struct mq_attr *want,
                 struct inode **out);
/* file.c */
extern const struct file_ops mq_fops;
int mq_open_inode(struct inode *i, struct file *f);
struct mqueue *mq_of_file(const struct file *f); /* NULL: it is none */
void mq_free(struct mqueue *q);
/* open.c */
int mq_open_name(struct task *t, const char *name, int flags, uint32_t mode, const struct mq_attr *attr,
                 struct file **out);
int mq_unlink_name(struct task *t, const char *name);
/* message.c. deadline in the loop's time; they park. text is taken over by a successful send only. */
struct mq_msg *mq_msg_new(unsigned prio, size_t len); /* NULL: no memory */
int mqueue_send(struct mqueue *q, struct mq_msg *m, bool nonblock, int64_t deadline);
int mqueue_receive(struct mqueue *q, bool nonblock, int64_t deadline, struct mq_msg **out);
/* notify.c. n NULL: the caller's registration ends. */
int mq_set_notify(struct task *t, struct mqueue *q, const struct mq_notify *n);
void mq_tell(struct mqueue *q);                    /* a message came into the empty queue */
void mq_forget_owner(struct mqueue *q, bool tell); /* the registration ends; may park */
