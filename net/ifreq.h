#pragma once
#include <stdint.h>
/* The SIOCxIFxxx calls on any socket. -ENOTTY: not one of them. */
long net_ifreq_ioctl(unsigned cmd, uint64_t arg);
