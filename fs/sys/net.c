/* /sys/class/net: links to the directories of /sys/devices/virtual/net, which are net/'s to fill. */
#include "sys.h"
#include "../net_files.h"

static const struct synth_ent link_ent = {.mode = S_IFLNK | 0777,
                                          .link = net_files_link,
                                          .alive = net_files_alive,
                                          .named = net_files_named,
                                          .arg = NET_TREE_CLASS};

int sys_net_class_lookup(struct inode *dir, const char *name, struct synth_child *c) {
  int r = net_files_lookup(dir, name, c);
  c->ent = &link_ent;
  return r;
}

int sys_net_class_next(struct inode *dir, uint64_t key, struct synth_child *c) {
  int r = net_files_next(dir, key, c);
  c->ent = &link_ent;
  return r;
}
