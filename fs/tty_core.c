#include "tty_core.h"
#include "../core/errno.h"
#include "../core/signal.h"

static struct tty *tty_of(struct ntty *n) {
  return (struct tty *)((char *)n - offsetof(struct tty, n));
}

static void on_signal(struct ntty *n, int sig) {
  tty_signal_pgrp(tty_of(n), sig);
}
static void on_readable(struct ntty *n) {
  waitq_wake_all(&tty_of(n)->wq, EPOLLIN | EPOLLRDNORM);
}

static void on_output(struct ntty *n) {
  struct tty *t = tty_of(n);
  if (t->wire)
    tty_wire_output(t->wire);
  else
    waitq_wake_all(&t->master_wq, EPOLLIN | EPOLLRDNORM);
}

static void on_flow(struct ntty *n, bool stopped) {
  struct tty *t = tty_of(n);
  tty_packet_status(t, stopped ? TIOCPKT_STOP : TIOCPKT_START, stopped ? TIOCPKT_START : TIOCPKT_STOP);
  if (!stopped)
    waitq_wake_all(&t->wq, EPOLLOUT | EPOLLWRNORM);
}

static void on_flushed(struct ntty *n) {
  struct tty *t = tty_of(n);
  tty_packet_status(t, TIOCPKT_FLUSHREAD, 0);
  waitq_wake_all(&t->master_wq, EPOLLOUT | EPOLLWRNORM);
}

static const struct ntty_ops tty_ntty_ops = {
    .signal = on_signal, .readable = on_readable, .output = on_output, .flow = on_flow, .flushed = on_flushed};

void tty_packet_status(struct tty *t, uint8_t set, uint8_t clear) {
  if (!t->packet)
    return;
  t->ctrl_status = (uint8_t)((t->ctrl_status & ~clear) | set);
  waitq_wake_all(&t->master_wq, EPOLLIN | EPOLLRDNORM | EPOLLPRI);
}

void tty_drained(struct tty *t) {
  waitq_wake_all(&t->wq, EPOLLOUT | EPOLLWRNORM);
}

struct tty_table *tty_table(struct kernel *k) {
  if (!k->ttys) {
    k->ttys = calloc(1, sizeof *k->ttys);
    if (k->ttys) {
      k->ttys->pts_mode = 0600;
      k->hooks.tty_session_exit = tty_session_exit;
    }
  }
  return k->ttys;
}

struct tty *tty_by_index_borrow(struct kernel *k, unsigned index) {
  return k->ttys && index < TTY_MAX ? k->ttys->tty[index] : NULL;
}

int tty_new(struct kernel *k, struct tty **out) {
  struct tty_table *tab = tty_table(k);
  int index = 0;
  if (!tab)
    return -ENOMEM;
  while (index < TTY_MAX && tab->tty[index])
    index++;
  if (index == TTY_MAX)
    return -ENOSPC;
  struct tty *t = calloc(1, sizeof *t);
  if (!t)
    return -ENOMEM;
  struct task *me = task_current();
  ref_init(&t->ref);
  t->k = k;
  t->index = index;
  ntty_init(&t->n, &tty_ntty_ops);
  waitq_init(&t->wq);
  waitq_init(&t->master_wq);
  t->mode = S_IFCHR | tab->pts_mode;
  t->uid = me ? me->cred->fsuid : 0;
  t->gid = tab->pts_gid_set ? tab->pts_gid : me ? me->cred->fsgid : 0;
  t->atime = t->mtime = t->ctime = vfs_now();
  tab->tty[index] = t;
  *out = t;
  return 0;
}

struct tty *tty_get(struct tty *t) {
  ref_get(&t->ref);
  return t;
}

void tty_unlist(struct tty *t) {
  struct tty_table *tab = t->k->ttys;
  if (tab->tty[t->index] == t)
    tab->tty[t->index] = NULL;
  if (tab->console == t)
    tab->console = NULL;
}

void tty_put(struct tty *t) {
  if (!t || !ref_put(&t->ref))
    return;
  tty_unlist(t);
  waitq_destroy(&t->wq);
  waitq_destroy(&t->master_wq);
  ntty_destroy(&t->n);
  free(t);
}

/*
 * The other end is gone for good. The session leader gets SIGHUP and SIGCONT as from Linux's __tty_hangup; the
 * foreground group gets them at once too, and not only when the leader has died of it.
 */
void tty_hangup(struct tty *t) {
  if (t->hung_up)
    return;
  t->hung_up = true;
  tty_get(t);
  struct process *leader = t->session ? t->session->process : NULL;
  struct pid *fg = t->pgrp ? pid_get(t->pgrp) : NULL;
  if (leader && leader->session_leader) {
    send_signal_process(leader, SIGHUP, NULL);
    send_signal_process(leader, SIGCONT, NULL);
  }
  if (fg && !(leader && leader->pgrp == fg)) {
    send_signal_pgrp(fg, SIGHUP, NULL);
    send_signal_pgrp(fg, SIGCONT, NULL);
  }
  tty_clear_session(t);
  if (fg)
    pid_put(fg);
  uint32_t all = EPOLLIN | EPOLLOUT | EPOLLHUP | EPOLLERR | EPOLLRDNORM | EPOLLWRNORM;
  waitq_wake_all(&t->wq, all);
  waitq_wake_all(&t->master_wq, all);
  tty_put(t);
}
