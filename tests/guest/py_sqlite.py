"""sqlite3: transactions, rollback journal and WAL, two processes contending, locks, vacuum."""
import multiprocessing, os, sqlite3, sys
def writer(n):
    db = sqlite3.connect("shared.db", timeout=30)
    for i in range(30):
        with db:
            db.execute("insert into t values (?, ?)", (n, i))
    db.close()
def main():
    sys.stdout.reconfigure(line_buffering=True)
    db = sqlite3.connect("a.db")
    print(db.execute("pragma journal_mode").fetchone())
    db.execute("create table t (k integer primary key, v text)")
    with db:
        db.executemany("insert into t values (?, ?)", [(i, "v%d" % i) for i in range(5000)])
    try:
        with db:
            db.execute("delete from t where k < 100"); raise ValueError
    except ValueError:
        pass
    print(db.execute("select count(*), sum(k), max(v) from t").fetchone())
    db.execute("create index i on t (v)"); print(db.execute("select k from t where v = 'v4321'").fetchall())
    other = sqlite3.connect("a.db", timeout=0)
    db.execute("begin immediate")
    try:
        other.execute("begin immediate"); print("?")
    except sqlite3.OperationalError as e:
        print(e)
    db.rollback()
    for mode in "delete", "wal":
        if os.path.exists("shared.db"): os.unlink("shared.db")
        s = sqlite3.connect("shared.db"); print(s.execute("pragma journal_mode=" + mode).fetchone()); s.execute("create table t (w, i)"); s.commit()
        ps = [multiprocessing.Process(target=writer, args=(n,)) for n in range(3)]; [p.start() for p in ps]; [p.join() for p in ps]
        print([p.exitcode for p in ps], s.execute("select count(*), sum(i) from t").fetchone()); s.close()
    db.execute("vacuum"); print(db.execute("pragma integrity_check").fetchone()); print(sorted(f for f in os.listdir(".") if f.endswith(".db")))
if __name__ == "__main__":
    main()
