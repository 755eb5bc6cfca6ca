#!/usr/bin/env python3
"""An office at work: people who list, filter, open, save, search and export among a million customers and four million
orders, alone and with an import beside them. Percentiles of what each kind of work took, over HTTP.

    python3 bench/office.py --northing target/release/northing --keep DIR     # makes the data there, or finds it
"""
import argparse, http.client, json, random, shutil, tempfile, threading, time
from pathlib import Path
from urllib.parse import quote

import numpy as np

import lists
import run
from lists import LAST

PLAN = lists.PLAN + """[[file]]
name = "orders.csv"
[[file.make]]
object = "order"
key = "id"
[file.make.fields]
number = "id"
customer = "customer"
confirmed_at = "at"
created_at = "at"
net = "net"
source = "source"
"""
SECONDS = 60


def make(folder, customers, orders):
    _, _, r = lists.people(folder, customers)
    who, day, cents = r.integers(0, customers, orders), r.integers(0, 700, orders), r.integers(500, 90_000, orders)
    days = [str(np.datetime64("2024-01-15") + int(d)) for d in range(700)]
    with open(folder / "orders.csv", "w") as f:
        f.write("id,customer,at,net,source\n")
        for i in range(orders):
            f.write(f"o{i},c{who[i]},{days[day[i]]}T10:00:00Z,{cents[i] / 100:.2f},w{i % 9}\n")


class Person(threading.Thread):
    def __init__(self, n, seed, until, customers):
        super().__init__(daemon=True)
        self.r, self.until, self.customers, self.spent, self.refused = random.Random(seed), until, customers, {}, 0
        self.headers = n.headers
        self.connection = http.client.HTTPConnection(n.headers["Host"].replace("localhost", "127.0.0.1"))
        self.ids = []

    def call(self, name, method, path, body=None):
        begin = time.perf_counter()
        self.connection.request(method, path, json.dumps(body) if body else None, self.headers)
        reply = self.connection.getresponse()
        text = reply.read()
        self.spent.setdefault(name, []).append((time.perf_counter() - begin) * 1000)
        if reply.status >= 400:
            self.refused += 1
            return {}
        return json.loads(text) if reply.getheader("content-type", "").startswith("application/json") else {}

    def run(self):
        pick, r = self.r.choice, self.r
        while time.time() < self.until:
            n = r.randrange(self.customers)
            work = pick(["list", "list", "filter", "filter", "scroll", "open", "open", "save", "search", "search", "add", "export"])
            if work == "list":
                page = self.call("list: first rows", "GET", f"/api/records/customers?limit=100&sort={pick(['name', '-created_at', 'country'])}")
                self.ids = [i["id"] for i in page.get("items", [])] or self.ids
            elif work == "filter":
                words = f"segment = 's{n % 3}' and country = 'k{n % 40}' and contains(name, '{n % 1000}')"
                self.call("list: another filter each time", "GET", f"/api/records/customers?limit=100&filter={quote(words)}")
            elif work == "scroll":
                self.call("list: scrolled to anywhere", "GET", f"/api/records/customers?limit=100&cursor=at{n // 100 * 100}")
            elif work == "open" and self.ids:
                one = pick(self.ids)
                self.call("open a record", "GET", f"/api/records/customers/{one}")
                self.call("its orders", "GET", f"/api/records/orders?limit=12&sort=-confirmed_at&filter={quote(f'customer = {chr(39)}{one}{chr(39)}')}")
            elif work == "save" and self.ids:
                self.call("save a change", "PATCH", f"/api/records/customers/{pick(self.ids)}", {"segment": f"s{r.randrange(3)}"})
            elif work == "add":
                self.call("save a new one", "POST", "/api/records/customers", {"name": f"New {n}", "segment": "s1"})
            elif work == "search":
                self.call("search", "GET", f"/api/search?q={quote(pick([f'{pick(LAST)} {n}', str(600000000 + n), 'wisneiwski', 'lukasz', f'p{n}@']))}")
            elif work == "export" and r.random() < 0.2:
                self.call("export a filtered list (25,000 rows)", "GET", f"/api/records/customers/export?filter={quote(f'country = {chr(39)}k{n % 40}{chr(39)}')}")
            time.sleep(r.uniform(1, 3))


def at_work(n, people, customers, title):
    until = time.time() + SECONDS
    staff = [Person(n, 100 + i, until, customers) for i in range(people)]
    [p.start() for p in staff]
    [p.join() for p in staff]
    names = sorted({name for p in staff for name in p.spent})
    print(f"\n{title}\n\n| the work | times | p50 ms | p95 ms |\n|---|---|---|---|")
    for name in names:
        spent = sorted(t for p in staff for t in p.spent.get(name, []))
        print(f"| {name} | {len(spent)} | {spent[len(spent) // 2]:.1f} | {spent[int(len(spent) * 0.95)]:.1f} |", flush=True)
    print(f"refused: {sum(p.refused for p in staff)}")


def bring_in(n, rows):
    """A list of leads through the browser's import, as large as a browser may send."""
    text = "Name,E-mail,Source\n" + "".join(f"Lead {i},lead{i}@example.org,Fair\n" for i in range(rows))
    upload = n.call("POST", "/api/imports", {"name": "leads.csv", "text": text})
    n.call("POST", f"/api/imports/{upload['id']}/run", {"mapping": upload["mapping"]})
    return upload["id"]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--northing", default="target/release/northing")
    parser.add_argument("--customers", type=int, default=1_000_000)
    parser.add_argument("--orders", type=int, default=4_000_000)
    parser.add_argument("--people", type=int, default=20)
    parser.add_argument("--keep", type=Path, help="a folder to make the data in, or to find it in again")
    parser.add_argument("--only-import", action="store_true")
    args = parser.parse_args()
    folder = args.keep or Path(tempfile.mkdtemp(prefix="northing-bench-"))
    folder.mkdir(exist_ok=True)
    n = run.Northing(Path(args.northing).resolve(), folder, PLAN)
    if not (folder / "db").exists():
        make(folder, args.customers, args.orders)
        for file in ["customers.csv", "orders.csv"]:
            print(f"import of {file}: {n.imports(file):.0f} s", flush=True)
    if not args.only_import:
        print(f"start: {n.start():.1f} s, {n.rss:,.0f} MiB resident", flush=True)
        at_work(n, 1, args.customers, "One person")
        at_work(n, args.people, args.customers, f"{args.people} people")
        id = bring_in(n, 400_000)
        at_work(n, args.people, args.customers, f"{args.people} people and an import beside them")
        state = n.call("GET", f"/api/imports/{id}")
        print(f"the import: {state['state']}, {state['done']:,} of {state['rows']:,} rows after {SECONDS} s")
        n.stop()
    if not args.keep:
        shutil.rmtree(folder)


main()
