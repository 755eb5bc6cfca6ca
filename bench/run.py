#!/usr/bin/env python3
"""The same questions to Northing and to its peers, on the same data, in one run.

Makes orders from a seed, imports them into Northing through its ordinary import, and gives DuckDB, Polars and
SQLite the same rows as native tables, already with the columns that Northing's facts derive (first purchase,
stretches of activity), so that none of them has to work those out. Every peer answers the whole question, and its
answer is compared with Northing's before anything is timed. Prints a table of medians and ratios.

    pip install duckdb polars numpy pyarrow
    python3 bench/run.py --northing target/release/northing --orders 1000000
"""
import argparse, http.client, json, os, platform, re, shutil, signal, statistics, subprocess, sys, tempfile, time
from pathlib import Path

import numpy as np

import peers

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
    return dict(customer=who.astype(np.int32), at=at, amount=cents, source=source.astype(np.int8), channel=channel.astype(np.int8), is_first=first)


FILTERED = "revenue,net_new_revenue,repeat_revenue,average_purchase_value,repeat_purchase_rate,purchase_frequency,average_customer_value"


def median(f, times=7):
    spent = []
    for _ in range(times):
        start = time.perf_counter()
        f()
        spent.append((time.perf_counter() - start) * 1000)
    return statistics.median(spent)


class Northing:
    def __init__(self, binary, folder, plan=PLAN):
        self.binary, self.folder = binary, folder
        (folder / "plan.toml").write_text(plan)

    def imports(self, file="orders.csv"):
        start = time.perf_counter()
        out = subprocess.run([self.binary, "import", "--data", self.folder / "db", "--plan", self.folder / "plan.toml", self.folder / file], capture_output=True, text=True)
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


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--northing", default="target/release/northing")
    parser.add_argument("--orders", type=int, default=1_000_000)
    parser.add_argument("--peers", default="DuckDB,Polars,SQLite", help="at 10 million orders SQLite takes hours")
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
    pairs = iter([(i, j) for j in range(3) for i in range(8)] * 9)

    def filtered():
        source, channel = next(pairs)
        return n.ask(FILTERED, f"&where=source%3D'{SOURCES[source]}'%20and%20channel%3D'ch{channel}'")

    mine = {
        "plain, cold": statistics.median(cold), "plain": median(n.ask), "filtered, each time otherwise": median(filtered, 14),
        "distinct": median(lambda: n.ask("repeat_purchase_rate")), "retention": median(lambda: n.ask("customer_retention_rate")), "by source": median(lambda: n.ask("revenue,average_purchase_value", "&by=source")),
    }
    answers = {m["id"]: m for m in n.ask()["metrics"]}

    def commit():
        seq = n.call("POST", "/api/records/orders", {"number": "x", "confirmed_at": "2025-12-30T10:00:00Z", "net": "10.00", "source": "social"})["seq"]
        return n.ask("revenue", f"&after={seq}")

    commit()
    print(f"commit to tile (order posted, revenue of 13 months asked until it includes it): {median(commit):.1f} ms; the whole dashboard after a commit: {median(lambda: (commit(), n.ask())):.1f} ms")
    n.stop()
    for name, build in [("DuckDB", peers.duck), ("Polars", peers.polars), ("SQLite", peers.sqlite)]:
        if name not in args.peers.split(","):
            continue
        try:
            peer = build(columns, folder)
        except ImportError as e:
            print(f"{name} left out: {e}")
            continue
        peers.compare(name, peer["plain"](), answers)
        pairs = iter([(i, j) for j in range(3) for i in range(8)])
        times = 7 if args.orders <= 1_000_000 and name != "SQLite" else 3 if name != "SQLite" else 1
        rows[name] = {what: median((lambda f=f: f(*next(pairs))) if what.startswith("filtered") else f, times) for what, f in peer.items()}
    print(f"\n{platform.machine()}, {os.cpu_count()} cores, {args.orders:,} orders, {len(set(columns['customer'].tolist())):,} customers, 36 months; medians in ms\n", flush=True)
    print("| the work | Northing | " + " | ".join(rows) + " | best peer / Northing |\n|---|---|" + "---|" * (len(rows) + 1))
    for what, value in mine.items():
        theirs = [r[what.removesuffix(", cold")] for r in rows.values()]
        print(f"| {what} | {value:.1f} | " + " | ".join(f"{t:.1f}" for t in theirs) + f" | {min(theirs) / value:.1f} |")
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
