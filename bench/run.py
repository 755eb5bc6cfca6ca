#!/usr/bin/env python3
"""The same questions to Northing and to its peers, on the same data, in one run.

Makes orders from a seed, imports them into Northing through its ordinary import, and gives DuckDB, Polars and
SQLite the same rows as native tables, already with the derived columns that Northing's facts hold (first
purchase, month), so that none of them has to join. Prints a table of medians and ratios.

    pip install duckdb polars numpy
    python3 bench/run.py --northing target/release/northing --orders 1000000
"""
import argparse, http.client, json, os, platform, re, shutil, signal, sqlite3, statistics, subprocess, sys, tempfile, time
from pathlib import Path

import numpy as np

PLAN = """
workspace = { name = "Bench", currency = "EUR", zone = "UTC" }
[[file]]
name = "orders.csv"
[[file.make]]
object = "customer"
key = "customer"
[file.make.fields]
name = "customer"
segment = "segment"
[[file.make]]
object = "order"
key = "order"
[file.make.fields]
number = "order"
customer = "customer"
confirmed_at = "at"
created_at = "at"
net = "amount"
source = "source"
channel = "channel"
"""
SOURCES = ["search", "referral", "social", "email", "events", "partner", "direct", "other"]
METRICS = "revenue,net_new_revenue,repeat_revenue,average_purchase_value,new_customers,repeat_purchase_rate,purchase_frequency,average_customer_value,active_customers,customer_retention_rate,customer_churn_rate,average_customer_lifespan,customer_lifetime_value"


def make(n, folder):
    """Orders over 36 months in order of time, customers skewed; the CSV and the columns."""
    r = np.random.default_rng(7)
    customers = max(n // 10, 1000)
    at = np.sort(r.integers(0, 36 * 30 * 86400, n)) + 1_672_531_200  # from 2023-01-01
    who = np.minimum((r.pareto(1.1, n) * customers / 20).astype(np.int64), customers - 1)
    who = np.where(r.random(n) < 0.6, r.integers(0, customers, n), who)
    cents = (np.exp(r.normal(8.5, 1.0, n))).astype(np.int64) + 1
    source, channel = r.integers(0, 8, n), r.integers(0, 3, n)
    segment = who % 3
    first = np.zeros(n, bool)
    first[np.unique(who, return_index=True)[1]] = True
    stamp = np.datetime_as_string(at.astype("datetime64[s]"))
    with open(folder / "orders.csv", "w") as f:
        f.write("order,customer,segment,at,amount,source,channel\n")
        for i in range(n):
            f.write(f"o{i},c{who[i]},s{segment[i]},{stamp[i]}Z,{cents[i] / 100:.2f},{SOURCES[source[i]]},ch{channel[i]}\n")
    day = (at // 86400).astype(np.int32)
    month = at.astype("datetime64[s]").astype("datetime64[M]").astype(np.int32)
    return dict(customer=who.astype(np.int32), day=day, month=month, amount=cents, source=source.astype(np.int8), channel=channel.astype(np.int8), is_first=first)


def median(f, times=7):
    spent = []
    for _ in range(times):
        start = time.perf_counter()
        f()
        spent.append((time.perf_counter() - start) * 1000)
    return statistics.median(spent)


class Northing:
    def __init__(self, binary, folder):
        self.binary, self.folder = binary, folder
        (folder / "plan.toml").write_text(PLAN)

    def imports(self):
        start = time.perf_counter()
        out = subprocess.run([self.binary, "import", "--data", self.folder / "db", "--plan", self.folder / "plan.toml", self.folder / "orders.csv"], capture_output=True, text=True)
        if out.returncode:
            sys.exit(out.stderr)
        return time.perf_counter() - start

    def start(self):
        begin = time.perf_counter()
        self.process = subprocess.Popen([self.binary, "--now", "2026-01-01T00:00:00Z", "serve", "--data", self.folder / "db", "--listen", "127.0.0.1:0"], stdout=subprocess.PIPE, text=True)
        link = ""
        while "sign-in#" not in link:
            link = self.process.stdout.readline()
        spent = time.perf_counter() - begin
        host, token = re.search(r"http://([^/]+)/sign-in#(\w+)", link).groups()
        self.connection = http.client.HTTPConnection(host.replace("localhost", "127.0.0.1"))
        self.headers = {"Host": host, "Sec-Fetch-Site": "same-origin", "Content-Type": "application/json"}
        self.connection.request("POST", "/api/session", json.dumps({"token": token}), self.headers)
        reply = self.connection.getresponse()
        reply.read()
        self.headers["Cookie"] = reply.getheader("set-cookie").split(";")[0]
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        self.rss = int(re.search(r"VmRSS:\s+(\d+)", status).group(1)) / 1024
        return spent

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()

    def call(self, method, path, body=None):
        self.connection.request(method, path, json.dumps(body) if body else None, self.headers)
        reply = self.connection.getresponse()
        text = reply.read()
        if reply.status >= 400:
            sys.exit(text.decode())
        return json.loads(text)

    def ask(self, metrics=METRICS, extra=""):
        return self.call("GET", f"/api/ask?metrics={metrics}&from=2024-12-01&to=2026-01-01&grain=month&compare=year{extra}")


# The dashboard for the peers: additive sums, distinct buyers, repeat buyers and month-on-month retention.
def questions(where):
    return [
        f"select month, count(*), sum(amount), sum(case when is_first then amount else 0 end), sum(case when is_first then 1 else 0 end) from o where month >= 647 {where} group by month",
        f"select month, count(distinct customer), count(distinct case when not is_first then customer end) from o where month >= 647 {where} group by month",
        f"select a.month, count(*) from (select distinct customer, month from o where month >= 646 {where}) a join (select distinct customer, month from o where month >= 647 {where}) b on a.customer = b.customer and b.month = a.month + 1 group by 1",
    ]


def duck(columns, folder):
    import duckdb, polars as pl

    db = duckdb.connect()
    db.execute("set threads to 2")
    frame = pl.DataFrame(columns)
    db.register("frame", frame.to_arrow())
    db.execute("create table o as select * from frame")
    run = lambda where="": [db.execute(q).fetchall() for q in questions(where)]
    return {"plain": run, "filtered": lambda: run("and source = 2 and channel = 1"), "distinct": lambda: db.execute(questions("")[1]).fetchall(), "retention": lambda: db.execute(questions("")[2]).fetchall(), "by source": lambda: db.execute("select month, source, count(*), sum(amount) from o where month >= 647 group by all").fetchall()}


def polars(columns, folder):
    import polars as pl

    frame = pl.DataFrame(columns)

    def run(keep=None):
        o = frame.lazy().filter(pl.col("month") >= 647)
        o = o.filter(keep) if keep is not None else o
        a = o.group_by("month").agg(pl.len(), pl.col("amount").sum(), (pl.col("amount") * pl.col("is_first")).sum().alias("new"), pl.col("is_first").sum().alias("first"))
        b = o.group_by("month").agg(pl.col("customer").n_unique(), pl.col("customer").filter(~pl.col("is_first")).n_unique().alias("again"))
        pairs = o.select("customer", "month").unique()
        c = pairs.join(pairs.with_columns(pl.col("month") - 1), on=["customer", "month"]).group_by("month").len()
        return pl.collect_all([a, b, c])

    o = frame.lazy().filter(pl.col("month") >= 647)
    pairs = o.select("customer", "month").unique()
    return {"plain": run, "filtered": lambda: run((pl.col("source") == 2) & (pl.col("channel") == 1)), "distinct": lambda: o.group_by("month").agg(pl.col("customer").n_unique()).collect(),
            "retention": lambda: pairs.join(pairs.with_columns(pl.col("month") - 1), on=["customer", "month"]).group_by("month").len().collect(),
            "by source": lambda: o.group_by("month", "source").agg(pl.len(), pl.col("amount").sum()).collect()}


def sqlite(columns, folder):
    db = sqlite3.connect(folder / "peer.db")
    names = list(columns)
    db.execute(f"create table o ({', '.join(n + ' integer' for n in names)})")
    db.executemany(f"insert into o values ({', '.join('?' * len(names))})", zip(*(columns[n].tolist() for n in names)))
    db.execute("create index o_month on o (month, customer, is_first, amount, source, channel)")
    db.commit()
    run = lambda where="": [db.execute(q).fetchall() for q in questions(where)]
    return {"plain": run, "filtered": lambda: run("and source = 2 and channel = 1"), "distinct": lambda: db.execute(questions("")[1]).fetchall(), "retention": lambda: db.execute(questions("")[2]).fetchall(), "by source": lambda: db.execute("select month, source, count(*), sum(amount) from o where month >= 647 group by 1, 2").fetchall()}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--northing", default="target/release/northing")
    parser.add_argument("--orders", type=int, default=1_000_000)
    args = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="northing-bench-"))
    columns = make(args.orders, folder)
    n = Northing(Path(args.northing).resolve(), folder)
    rows = {}
    spent = n.imports()
    print(f"import: {args.orders:,} orders and their customers in {spent:.1f} s ({args.orders / spent:,.0f} orders/s), database {os.path.getsize(folder / 'db' / 'northing.db') / 2**20:,.0f} MiB")
    cold, starts = [], []
    for _ in range(3):
        starts.append(n.start())
        begin = time.perf_counter()
        n.ask()
        cold.append((time.perf_counter() - begin) * 1000)
        if len(starts) < 3:
            n.stop()
    print(f"start until the first answer can be asked: {statistics.median(starts):.2f} s, {n.rss:,.0f} MiB resident")
    answer = n.ask("revenue")["metrics"][0]["total"]["value"]
    expected = int(columns["amount"][(columns["month"] >= 659) & (columns["month"] < 672)].sum()) / 100
    assert abs(answer - expected) < 0.01, (answer, expected)
    mine = {
        "plain, cold": statistics.median(cold), "plain": median(n.ask), "filtered": median(lambda: n.ask(extra="&where=source%3D'social'%20and%20channel%3D'ch1'")),
        "distinct": median(lambda: n.ask("repeat_purchase_rate")), "retention": median(lambda: n.ask("customer_retention_rate")), "by source": median(lambda: n.ask("revenue,average_purchase_value", "&by=source")),
    }

    def commit():
        seq = n.call("POST", "/api/records/orders", {"number": "x", "confirmed_at": "2025-12-30T10:00:00Z", "net": "10.00", "source": "social"})["seq"]
        return n.ask("revenue", f"&after={seq}")

    commit()
    print(f"commit to tile (order posted, revenue of 13 months asked until it includes it): {median(commit):.1f} ms; the whole dashboard after a commit: {median(lambda: (commit(), n.ask())):.1f} ms")
    n.stop()
    for name, build in [("DuckDB", duck), ("Polars", polars), ("SQLite", sqlite)]:
        try:
            peer = build(columns, folder)
        except ImportError as e:
            print(f"{name} left out: {e}")
            continue
        rows[name] = {what: median(f, 3 if name == "SQLite" else 7) for what, f in peer.items()}
    print(f"\n{platform.machine()}, {os.cpu_count()} cores, {args.orders:,} orders, {len(set(columns['customer'].tolist())):,} customers, 36 months; medians in ms\n")
    print("| the work | Northing | " + " | ".join(rows) + " | best peer / Northing |\n|---|---|" + "---|" * (len(rows) + 1))
    for what, value in mine.items():
        theirs = [r[what.split(",")[0]] for r in rows.values()]
        print(f"| {what} | {value:.1f} | " + " | ".join(f"{t:.1f}" for t in theirs) + f" | {min(theirs) / value:.1f} |")
    shutil.rmtree(folder)


main()
