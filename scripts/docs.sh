#!/bin/sh
# Generates docs/syscalls.md from the table of system calls.
cd "$(dirname "$0")/.." && build/runsc-notify syscalls --format markdown >docs/syscalls.md.new && mv docs/syscalls.md.new docs/syscalls.md
