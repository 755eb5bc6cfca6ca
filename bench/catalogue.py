#!/usr/bin/env python3
"""The whole catalogue in one question: orders, half as many tickets and three tenths as many survey answers.

Northing answers every KPI that it knows, for 13 months with the year before, in one request. DuckDB gets the same
rows as native tables with what the facts derive, and the sums, quantiles, variances, states and distinct counts that
those of the KPIs need which this data has; what it answers is compared first. Prints the slowest KPIs, too.

    python3 bench/catalogue.py --northing target/release/northing --orders 1000000
"""
import argparse, shutil, statistics, tempfile, time
from pathlib import Path

import numpy as np

import peers, run

PLAN = run.PLAN + """
[[record]]
object = "question_version"
key = "nps"
fields = { name = "Recommend", scores = "nps", lowest = "0", highest = "10", good_from = "9", good_to = "10", bad_from = "0", bad_to = "6" }
[[record]]
object = "question_version"
key = "csat"
fields = { name = "Satisfied", scores = "csat", lowest = "1", highest = "5", good_from = "4", good_to = "5", bad_from = "1", bad_to = "2" }
[[file]]
name = "tickets.csv"
[[file.make]]
object = "ticket"
key = "ticket"
[file.make.fields]
subject = "ticket"
customer = "customer"
topic = "topic"
kind = "kind"
opened_at = "opened"
created_at = "opened"
[[file.make.moment]]
field = "status"
value = { text = "new" }
at = "opened"
[[file.make.moment]]
field = "status"
value = { text = "solved" }
at = "solved"
when = [{ column = "solved", given = true }]
[[file]]
name = "answers.csv"
[[file.make]]
object = "survey_response"
key = "answer"
[file.make.fields]
question = "question"
customer = "customer"
answered_at = "at"
value = "value"
"""
# DuckDB is spared these: a fitted model, and a score of each customer out of five measures.
ALONE = ["predicted_clv", "customer_health_score"]
BEGIN, DAYS = 1_672_531_200, 36 * 30


def more(n, folder, customers):
    """Tickets and answers of those customers as CSV and as columns."""
    r = np.random.default_rng(11)
    stamp = lambda at: np.datetime_as_string(at.astype("datetime64[s]"))
    t = n // 2
    opened = np.sort(r.integers(0, DAYS * 86400, t)) + BEGIN
    secs = np.exp(r.normal(10.5, 1.2, t)).astype(np.int64)
    solved = np.where(r.random(t) < 0.97, opened + secs, -1)
    who, topic, complaint = r.choice(customers, t), r.integers(0, 12, t), r.random(t) < 0.1
    a, b = stamp(opened), stamp(np.maximum(solved, 0))
    with open(folder / "tickets.csv", "w") as f:
        f.write("ticket,customer,topic,kind,opened,solved\n")
        for i in range(t):
            f.write(f"t{i},c{who[i]},topic{topic[i]},{'complaint' if complaint[i] else 'question'},{a[i]}Z,{b[i] + 'Z' if solved[i] >= 0 else ''}\n")
    s = 3 * n // 10
    at = np.sort(r.integers(0, DAYS * 86400, s)) + BEGIN
    nps = r.random(s) < 0.5
    value = np.where(nps, r.integers(0, 11, s), r.integers(1, 6, s))
    by, c = r.choice(customers, s), stamp(at)
    with open(folder / "answers.csv", "w") as f:
        f.write("answer,question,customer,at,value\n")
        for i in range(s):
            f.write(f"a{i},{'nps' if nps[i] else 'csat'},c{by[i]},{c[i]}Z,{value[i]}\n")
    tickets = dict(customer=who.astype(np.int32), opened=opened, solved=np.where(solved >= 0, solved, np.iinfo(np.int64).max), complaint=complaint)
    return tickets, dict(customer=by.astype(np.int32), at=at, nps=nps, value=value.astype(np.int8))


def duck(columns, tickets, answers):
    import polars as pl

    db = peers.connect({"o": pl.DataFrame(peers.months(columns)), "a": peers.stretches(columns), "t": pl.DataFrame(tickets), "s": pl.DataFrame(answers)})
    spread = "quantile_cont(solved - opened, [0.5, 0.9]), var_samp(solved - opened) / count(*)"
    queries = {
        **peers.queries(),
        "opened": "select e.i, count(*), sum(complaint::int) from t join e on t.opened >= e.start and t.opened < e.stop group by e.i",
        "solved": f"select e.i, count(*), sum(solved - opened), {spread} from t join e on t.solved >= e.start and t.solved < e.stop group by e.i",
        "open": "select e.i, (select count(*) from t where opened < e.stop) - (select count(*) from t where solved < e.stop) from e",
        "complaints": "select e.i, count(*), count(*) filter (solved - opened <= 30 * 86400) from t join e on complaint and t.opened >= e.start and t.opened < e.stop group by e.i",
        "nps": "select i, count(*), sum(case when last >= 9 then 1 when last <= 6 then -1 else 0 end) from (select e.i, customer, arg_max(value, s.at) as last from s join e on nps and s.at >= e.start and s.at < e.stop group by e.i, customer) group by i",
        "csat": "select e.i, count(*), sum((value >= 4)::int) from s join e on not nps and s.at >= e.start and s.at < e.stop group by e.i",
        "engaged": "select e.i, count(distinct customer) from t join e on t.opened >= e.start and t.opened < e.stop group by e.i",
    }
    return lambda: {name: db.execute(q).fetchall() for name, q in queries.items()}


def compare(answer, northing):
    peers.compare("DuckDB", answer, northing)
    by = {name: {r[0]: r for r in answer[name]} for name in ("opened", "solved", "open", "nps", "csat")}

    def check(metric, expected):
        for month, (mine, theirs) in enumerate(zip([b["value"] for b in northing[metric]["buckets"]], expected, strict=True)):
            assert abs(mine - theirs) <= 1e-9 * max(1, abs(theirs)), (metric, month, mine, theirs)

    months = range(12, 25)
    check("tickets_created", [by["opened"][m][1] for m in months])
    check("ticket_resolution_time", [by["solved"][m][2] / by["solved"][m][1] for m in months])
    check("open_tickets", [by["open"][m][1] for m in months])
    check("csat", [by["csat"][m][2] / by["csat"][m][1] for m in months])
    check("nps", [100 * by["nps"][m][2] / by["nps"][m][1] for m in months])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--northing", default="target/release/northing")
    parser.add_argument("--orders", type=int, default=1_000_000)
    parser.add_argument("--keep", type=Path, help="a folder to make the data in, or to find it in again")
    parser.add_argument("--only-import", action="store_true", help="make the data and import it, measure another time")
    parser.add_argument("--no-peer", action="store_true")
    args = parser.parse_args()
    folder = args.keep or Path(tempfile.mkdtemp(prefix="northing-bench-"))
    folder.mkdir(exist_ok=True)
    ready = (folder / "db").exists()
    columns = run.make(args.orders, folder)
    tickets, answers = more(args.orders, folder, np.unique(columns["customer"]))
    n = run.Northing(Path(args.northing).resolve(), folder, PLAN)
    for file in [] if ready else ["orders.csv", "tickets.csv", "answers.csv"]:
        print(f"import of {file}: {n.imports(file):.1f} s", flush=True)
    if args.only_import:
        return
    cold = []
    for i in range(3):
        print(f"start: {n.start():.1f} s, {n.rss:,.0f} MiB resident", flush=True)
        all = [m["id"] for m in n.call("GET", "/api/metrics")["metrics"]]
        ids, sums = ",".join(all), ",".join(id for id in all if id not in ALONE)
        begin = time.perf_counter()
        n.ask(sums)
        first = time.perf_counter()
        reply = n.ask(ids)
        cold.append(((first - begin) * 1000, (time.perf_counter() - begin) * 1000))
        if i < 2:
            n.stop()
    warm = run.median(lambda: n.ask(ids))
    alone = {}
    for id in ids.split(","):
        begin = time.perf_counter()
        n.ask(id)
        alone[id] = (time.perf_counter() - begin) * 1000
    n.stop()
    without, whole = (statistics.median(c) for c in zip(*cold))
    print(f"{len(all)} metrics, 13 months and the year before: cold {without:,.0f} ms without the model and the score of each customer, {whole:,.0f} ms with them; all again in one question {warm:,.1f} ms")
    print("slowest alone, warm: " + ", ".join(f"{id} {ms:.1f}" for id, ms in sorted(alone.items(), key=lambda x: -x[1])[:8]))
    known = {m["id"]: m for m in reply["metrics"]}
    if not args.no_peer:
        ask = duck(columns, tickets, answers)
        compare(ask(), known)
        theirs = run.median(ask, 3)
        print(f"DuckDB, what of them it was given: {theirs:,.0f} ms; cold {theirs / without:.1f} times, again {theirs / warm:.0f} times as long")
    if not args.keep:
        shutil.rmtree(folder)


main()
