"""Runs Python that it gets line by line, as JSON, and answers with what it was worth or raised; any number at a time."""
import errno, hashlib, json, os, random, select, struct, subprocess, sys, threading, time, traceback
from socket import *

SIOCATMARK = 0x8905


def sock(addr, kind=SOCK_STREAM):
    return socket(AF_INET6 if ":" in addr else AF_INET, kind)


def listen(addr, port, backlog=128):
    s = sock(addr)
    s.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
    s.bind((addr, port))
    s.listen(backlog)
    return s


def connect(addr, port, **options):
    s = sock(addr)
    for name, value in options.items():
        s.setsockopt(SOL_SOCKET if name.startswith("SO_") else IPPROTO_TCP, globals()[name], value)
    s.connect((addr, port))
    return s


def recv_all(s, n):
    """n bytes, or what there is until the end."""
    parts = []
    while n > 0 and (b := s.recv(min(n, 1 << 20))):
        parts.append(b)
        n -= len(b)
    return b"".join(parts)


def data(seed, n):
    """Pseudo-random bytes, in pieces of many sizes."""
    r = random.Random(seed)
    while n > 0:
        k = min(n, r.choice((1, 100, 1000, 1448, 5000, 65536, 200000)))
        yield r.randbytes(k)
        n -= k


def send_data(s, seed, n):
    h = hashlib.sha256()
    for b in data(seed, n):
        h.update(b)
        s.sendall(b)
    return h.hexdigest()


def hash_rest(s):
    h = hashlib.sha256()
    while b := s.recv(262144):
        h.update(b)
    return h.hexdigest()


def both_ways(s, seed, n):
    """Sends n bytes and at the same time reads to the end; the hashes of what was sent and received."""
    got = []
    t = threading.Thread(target=lambda: got.append(hash_rest(s)))
    t.start()
    sent = send_data(s, seed, n)
    s.shutdown(SHUT_WR)
    t.join()
    s.close()
    return sent, got[0] if got else None


def serve_once(l, work):
    """Accepts one connection and does work(s)."""
    l.settimeout(30)
    with l:
        s, peer = l.accept()
        s.settimeout(None)
    return work(s)


def later(fn):
    """Run it; .join() and .result."""
    t = threading.Thread(target=lambda: setattr(t, "result", fn()), daemon=True)
    t.start()
    return t


def failure(fn, *args):
    """The name of the error that it raises."""
    try:
        return f"no error but {fn(*args)!r}"
    except OSError as e:
        return errno.errorcode.get(e.errno, repr(e))


def main():
    lock, out = threading.Lock(), os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def run(number, source):
        try:
            try:
                answer = {"value": repr(eval(compile(source, "agent", "eval"), globals()))}
            except SyntaxError:
                exec(compile(source, "agent", "exec"), globals())
                answer = {"value": "None"}
        except BaseException as e:
            answer = {"error": errno.errorcode.get(e.errno, str(e.errno)) if isinstance(e, OSError) and e.errno else type(e).__name__,
                      "trace": traceback.format_exc()}
        with lock:
            out.write(json.dumps({"number": number, **answer}) + "\n")
            out.flush()

    for line in sys.stdin:
        threading.Thread(target=run, args=json.loads(line), daemon=True).start()


if __name__ == "__main__":
    main()
