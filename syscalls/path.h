/* Names and paths of the file system calls, put away at the end of the scope. */
#pragma once
#include "../core/errno.h"
#include "../core/uaccess.h"
#include "../fs/vfs.h"
#include "table.h"

static inline void putnamep(char **n) {
  putname(*n);
}
#define AUTO_NAME __attribute__((cleanup(putnamep))) char *
#define AUTO_PATH __attribute__((cleanup(path_put))) struct path

/* The path of an open file; f->dentry must be set. */
static inline struct path file_path(const struct file *f) {
  return (struct path){f->mnt, f->dentry};
}
#define GUEST_O_LARGEFILE 0100000
