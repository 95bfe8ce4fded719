#!/usr/bin/env python3
"""libseccomp through ctypes, as systemd's SystemCallFilter= and container tools use it: rules, arguments, notification."""
import ctypes, errno, os, signal, socket

lib = ctypes.CDLL("libseccomp.so.2", use_errno=True)
lib.seccomp_init.restype = ctypes.c_void_p
libc = ctypes.CDLL(None, use_errno=True)
ALLOW, KILL, ERRNO, TRAP, NOTIFY = 0x7FFF0000, 0x80000000, 0x00050000, 0x00030000, 0x7FC00000


class Arg(ctypes.Structure):
    _fields_ = [("arg", ctypes.c_uint), ("op", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64)]


def filter(default, rules):
    ctx = ctypes.c_void_p(lib.seccomp_init(ctypes.c_uint32(default)))
    for action, name, *args in rules:
        nr = lib.seccomp_syscall_resolve_name(name.encode())
        arr = (Arg * max(len(args), 1))(*[Arg(*a) for a in args])
        r = lib.seccomp_rule_add_array(ctx, ctypes.c_uint32(action), nr, len(args), arr)
        assert r == 0, (name, r)
    return ctx


def child(what, fn):
    pid = os.fork()
    if not pid:
        try:
            fn()
        finally:
            os._exit(9)
    _, st = os.waitpid(pid, 0)
    print(what, "signal %d" % os.WTERMSIG(st) if os.WIFSIGNALED(st) else "exit %d" % os.WEXITSTATUS(st), flush=True)


def err(fn, *a):
    try:
        fn(*a)
        return "ok"
    except OSError as e:
        return errno.errorcode[e.errno]


def deny_some():
    ctx = filter(ALLOW, [(ERRNO | errno.EPERM, "socket", (0, 4, socket.AF_INET, 0)), (ERRNO | errno.ENOSYS, "mkdir"), (ERRNO | errno.EACCES, "kill", (1, 6, 9, 0))])
    print("load", lib.seccomp_load(ctx))
    print("inet", err(socket.socket, socket.AF_INET), "unix", err(socket.socket, socket.AF_UNIX))
    print("mkdir", err(os.mkdir, "/tmp/x/y/z"), "kill 0", err(os.kill, os.getpid(), 0), "kill 15", err(os.kill, os.getpid(), 15))
    os._exit(0)


def allow_list():
    """systemd's @system-service is of this kind: a long list, everything else ends the process."""
    names = ("read write close fstat mmap munmap mprotect brk rt_sigaction rt_sigprocmask rt_sigreturn ioctl exit exit_group futex "
             "getpid getuid openat newfstatat lseek getrandom clock_gettime").split()
    ctx = filter(KILL, [(ALLOW, n) for n in names])
    assert lib.seccomp_load(ctx) == 0
    with open("/proc/self/status") as f:
        print([l.split()[1] for l in f if l.startswith("Seccomp")], flush=True)
    os.getppid()


def notified():
    ctx = filter(ALLOW, [(NOTIFY, "getpriority")])
    print("load", lib.seccomp_load(ctx))
    fd = lib.seccomp_notify_fd(ctx)
    pid = os.fork()
    if not pid:
        os._exit(libc.getpriority(0, 77) & 0xFF)
    req, resp = ctypes.c_void_p(), ctypes.c_void_p()
    print("alloc", lib.seccomp_notify_alloc(ctypes.byref(req), ctypes.byref(resp)))
    print("receive", lib.seccomp_notify_receive(fd, req))
    q = ctypes.cast(req, ctypes.POINTER(ctypes.c_uint64 * 10)).contents
    r = ctypes.cast(resp, ctypes.POINTER(ctypes.c_int64 * 3)).contents
    print("arg", q[5], "valid", lib.seccomp_notify_id_valid(fd, ctypes.c_uint64(q[0])))
    r[0], r[1], r[2] = ctypes.c_int64(q[0]).value, 7, 0
    print("respond", lib.seccomp_notify_respond(fd, resp))
    print("status", os.WEXITSTATUS(os.waitpid(pid, 0)[1]))
    os._exit(0)


def api():
    print("api", lib.seccomp_api_get() >= 5)
    os._exit(0)


child("deny", deny_some)
child("allow list", allow_list)
child("notified", notified)
child("api", api)
