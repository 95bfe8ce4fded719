/* The character devices that are not terminals: null(4), random(4), full(4), and the kernel log. */
#pragma once
#include "../vfs.h"

int mem_chrdevs_register(void); /* null zero full random urandom */
int kmsg_chrdev_register(void); /* /dev/kmsg */
int kmsg_open(struct inode *i, struct file *f);
