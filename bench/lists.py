#!/usr/bin/env python3
"""How fast people find and list records among a million customers: medians and 95th percentiles over HTTP.

    python3 bench/lists.py --northing target/release/northing --customers 1000000
"""
import argparse, shutil, statistics, tempfile, time
from pathlib import Path
from urllib.parse import quote

import numpy as np

import run

PLAN = """
workspace = { name = "Bench", currency = "EUR", zone = "UTC" }
[[file]]
name = "customers.csv"
[[file.make]]
object = "customer"
key = "id"
[file.make.fields]
name = "name"
email = "email"
phone = "phone"
segment = "segment"
country = "country"
created_at = "created"
"""
FIRST = ["Anna", "Łukasz", "Zsófia", "Ольга", "Дмитрий", "زهرا", "مریم", "امید", "李娜", "王伟", "Jan", "Réka", "Bence", "Katarzyna", "Иван", "Sara"]
LAST = ["Nowak", "Wiśniewski", "Kovács", "Иванова", "Соколов", "کریمی", "رحیمی", "张", "陈", "Tóth", "Lind", "Zieliński", "Szabó", "Петров", "احمدی", "Horváth"]


def people(folder, customers):
    """Writes customers.csv; which first and last names they have, and where chance goes on."""
    r = np.random.default_rng(5)
    first, last = r.integers(0, len(FIRST), customers), r.integers(0, len(LAST), customers)
    with open(folder / "customers.csv", "w") as f:
        f.write("id,name,email,phone,segment,country,created\n")
        for i in range(customers):
            f.write(f"c{i},{FIRST[first[i]]} {LAST[last[i]]} {i},p{i}@example.org,+48{600000000 + i},s{i % 3},k{i % 40},2024-0{i % 9 + 1}-11\n")
    return first, last, r


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--northing", default="target/release/northing")
    parser.add_argument("--customers", type=int, default=1_000_000)
    args = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="northing-bench-"))
    first, last, r = people(folder, args.customers)
    n = run.Northing(Path(args.northing).resolve(), folder, PLAN)
    print(f"import: {args.customers:,} customers in {n.imports('customers.csv'):.1f} s", flush=True)
    print(f"start: {n.start():.1f} s, {n.rss:,.0f} MiB resident", flush=True)

    def times(name, paths):
        spent = []
        for path in paths:
            begin = time.perf_counter()
            n.call("GET", path)
            spent.append((time.perf_counter() - begin) * 1000)
        rest = sorted(spent[1:])
        print(f"| {name} | {statistics.median(rest):.1f} | {rest[int(len(rest) * 0.95)]:.1f} | {spent[0]:.1f} |", flush=True)

    print("\n| the work | median ms | 95th percentile | first time |\n|---|---|---|---|")
    some = [int(x) for x in r.integers(0, args.customers, 60)]
    times("search: a name as it is", [f"/api/search?q={quote(f'{LAST[last[i]]} {i}')}" for i in some])
    times("search: typed in plain letters", [f"/api/search?q={quote(w)}" for w in ["lukasz wisn", "zsofia ko", "كريمی", "иванова 77", "reka szab"] * 8])
    times("search: with a typing error", [f"/api/search?q={quote(w)}" for w in ["katarzyan nowak", "wisneiwski 123", "kovasc 5512", "сокалов 44", "horvahth 9"] * 8])
    times("search: a phone", [f"/api/search?q={quote(str(600000000 + i))}" for i in some])
    times("list: first page", ["/api/records/customers?limit=60"] * 40)
    times("list: another filter each time", [f"/api/records/customers?limit=60&filter={quote(f'segment = {chr(39)}s{i % 3}{chr(39)} and country = {chr(39)}k{i % 40}{chr(39)}')}" for i in range(40)])
    times("list: part of a name", [f"/api/records/customers?limit=60&filter={quote(f'contains(name, {chr(39)}{w}{chr(39)})')}" for w in ["nowak", "кова", "کریم", "tóth", "lind"] * 8])
    times("list: sorted otherwise", [f"/api/records/customers?limit=60&sort={s}" for s in ["-created_at", "country", "-country", "segment"] * 10])
    times("a record", [f"/api/records/customers?limit=1&filter={quote(f'email = {chr(39)}p{i}@example.org{chr(39)}')}" for i in some])
    begin = time.perf_counter()
    id = n.call("POST", "/api/records/customers", {"name": "Bench", "segment": "s1"})["id"]
    print(f"| save a new one | {(time.perf_counter() - begin) * 1000:.1f} | | |")
    begin = time.perf_counter()
    n.connection.request("GET", "/api/records/customers/export", None, n.headers)
    size = len(n.connection.getresponse().read())
    print(f"| export all as CSV ({size / 2**20:.0f} MiB) | {(time.perf_counter() - begin) * 1000:,.0f} | | |")
    n.stop()
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
