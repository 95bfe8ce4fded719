#!/bin/bash
# Prints includes that break the layering: oci -> core <- syscalls; syscalls -> fs, net; fs, net -> core; core knows the
# platform only through core/platform.h, and nothing of fs/ or net/.
cd "$(dirname "$0")/.." || exit 1
forbid() { # FOLDER REGEX-OF-FOLDERS-IT-MUST-NOT-INCLUDE
  grep -rnE "^#include \"(\.\./)+($2)/" "$1" --include='*.[ch]'
}
forbid core 'fs|net|syscalls|oci|notify-platform'
forbid fs 'net|syscalls|oci|notify-platform'
# (AF_UNIX names are files: net/unix* alone may see the VFS.)
forbid net 'fs|syscalls|oci|notify-platform' | grep -v '^net/unix'
forbid syscalls 'oci|notify-platform'
forbid notify-platform 'fs|net|syscalls|oci'
exit 0
