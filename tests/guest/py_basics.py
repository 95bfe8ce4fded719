"""Python: threads, subprocesses, multiprocessing, files, signals, sockets, select, mmap, asyncio, tempfile."""
import asyncio, mmap, multiprocessing, os, queue, select, signal, socket, subprocess, sys, tempfile, threading, time

def square(x):
    return x * x

def main():
    results, lock = [], threading.Lock()
    def work(n):
        with lock:
            results.append(n * n)
    ts = [threading.Thread(target=work, args=(i,)) for i in range(20)]
    [t.start() for t in ts]; [t.join() for t in ts]
    print("threads", sorted(results)[-1], len(results))
    q = queue.Queue()
    t = threading.Thread(target=lambda: [q.put(i) for i in range(1000)])
    t.start(); print("queue", sum(q.get() for _ in range(1000))); t.join()
    print("subprocess", subprocess.run(["tr", "a-z", "A-Z"], input=b"shout", stdout=subprocess.PIPE).stdout)
    p = subprocess.run([sys.executable, "-c", "import sys; sys.exit(3)"]); print("exit", p.returncode)
    p = subprocess.Popen(["sleep", "100"]); p.terminate(); print("terminated", p.wait())
    try:
        subprocess.run(["/no/such"]); print("?")
    except FileNotFoundError as e:
        print("missing", e.errno)
    try:
        subprocess.run(["sleep", "10"], timeout=0.1)
    except subprocess.TimeoutExpired:
        print("timeout")
    with multiprocessing.Pool(3) as pool:
        print("pool", sum(pool.map(square, range(100))))
    r, w = multiprocessing.Pipe(); pr = multiprocessing.Process(target=w.send, args=({"k": [1, 2]},)); pr.start(); print("pipe", r.recv()); pr.join(); print(pr.exitcode)
    v = multiprocessing.Value("i", 0)
    def inc():
        for _ in range(200):
            with v.get_lock():
                v.value += 1
    ps = [multiprocessing.Process(target=inc) for _ in range(3)]; [p.start() for p in ps]; [p.join() for p in ps]; print("value", v.value)
    got = []
    signal.signal(signal.SIGUSR1, lambda s, f: got.append(s)); os.kill(os.getpid(), signal.SIGUSR1); time.sleep(0.01); print("signal", got)
    a, b = socket.socketpair(); a.sendall(b"x" * 100000 if False else b"ping"); print("socketpair", b.recv(10)); print("select", select.select([b], [a], [], 0) == ([], [a], []))
    with tempfile.TemporaryDirectory() as d:
        path = os.path.join(d, "f")
        with open(path, "wb+") as f:
            f.write(b"\0" * 8192); f.flush(); m = mmap.mmap(f.fileno(), 8192); m[4096:4101] = b"hello"; f.seek(4096); print("mmap", f.read(5)); m.close()
        os.symlink("f", os.path.join(d, "l")); print(sorted(os.listdir(d)), os.path.getsize(path), os.path.islink(os.path.join(d, "l")))
        for root, dirs, files in os.walk(d): print(len(dirs), len(files))
    async def nap(n):
        await asyncio.sleep(0.01); return n
    async def run():
        print("gather", sum(await asyncio.gather(*[nap(i) for i in range(50)])))
        p = await asyncio.create_subprocess_exec("echo", "async", stdout=asyncio.subprocess.PIPE); out, _ = await p.communicate(); print(out)
    asyncio.run(run())
    pid = os.fork()
    if pid == 0:
        os._exit(9)
    print("fork", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    print("urandom", len(os.urandom(100)), "cpu", os.cpu_count() >= 1, os.uname().sysname)
    import random, json, re, decimal, hashlib, zlib, struct
    print(hashlib.sha256(b"x" * 100000).hexdigest()[:16], zlib.crc32(b"abc"), len(zlib.compress(b"a" * 100000)), json.dumps({"a": [1, 2.5, None]}))

if __name__ == "__main__":
    sys.stdout.reconfigure(line_buffering=True)
    main()
