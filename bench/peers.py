"""The dashboard of run.py for DuckDB, Polars and SQLite, in the best queries that we could write for each.

All know the instants of the months and hand back, by metric and month: additive sums; mean, median, 90th
percentile and variance of purchases; distinct and repeat buyers; buyers and purchases of trailing years; who was
active at the end of each month and who of them still was a month later. SQLite has no quantiles: it is spared those.
"""
import datetime as dt

DAY = 86_400


def instant(year, month):
    year, month = year + (month - 1) // 12, (month - 1) % 12 + 1
    return int(dt.datetime(year, month, 1, tzinfo=dt.timezone.utc).timestamp())


# 13 months to the end of 2025 and the same a year earlier: 25 months from December 2023 on.
EDGES = [instant(2023, 12 + i) for i in range(26)]
# Churn is compounded over twelve months: their bounds reach a year further back.
POINTS = [instant(2022, 12 + i) for i in range(38)]
SPANS = [(EDGES[12], EDGES[25]), (EDGES[0], EDGES[13])]


def stretches(columns):
    """When each customer was active: from a purchase on for 365 days, joined where they overlap."""
    import polars as pl

    o = pl.DataFrame({"customer": columns["customer"], "at": columns["at"]}).sort("customer", "at")
    o = o.with_columns(((pl.col("at") - pl.col("at").shift(1).over("customer")) > 365 * DAY).fill_null(True).cum_sum().alias("stretch"))
    return o.group_by("stretch").agg(pl.col("customer").first(), pl.col("at").min().alias("since"), (pl.col("at").max() + 365 * DAY).alias("until")).select("customer", "since", "until")


def queries(where="", filtered=False, quantiles=True):
    """By name, SQL over o(customer, at, month, amount, source, channel, is_first), a(customer, since, until),
    e(i, start, stop): months, 100 and 101 the whole spans; p(i, t): the ends of months."""
    spread = ", quantile_cont(amount, [0.5, 0.9]), var_samp(amount) / count(*)" if quantiles else ""
    inside = "o join e on e.i >= 100 and o.at >= e.start and o.at < e.stop"
    sums = f"sum(amount), sum(case when is_first then amount else 0 end), sum(case when is_first then 0 else amount end), sum(case when is_first then 1 else 0 end), count(*){spread}"
    buyers = "count(distinct customer), count(distinct case when not is_first then customer end)"
    found = {
        "sums": f"select month, {sums} from o where month >= 0 {where} group by month",
        "sums of spans": f"select e.i, {sums} from {inside} {where} group by e.i",
        "buyers": f"select month, {buyers} from o where month >= 0 {where} group by month",
        "buyers of spans": f"select e.i, {buyers} from {inside} {where} group by e.i",
        "years": f"select e.i, count(*), sum(amount), count(distinct customer) from o join e on o.at >= e.stop - 365 * 86400 and o.at < e.stop and e.i < 100 where true {where} group by e.i",
    }
    if not filtered:
        state = "select p.i, a.customer from p join a on a.since < p.t and a.until >= p.t"
        found["active"] = "select p.i, count(*) from p join a on a.since < p.t and a.until >= p.t group by p.i"
        found["kept"] = f"with s as ({state}) select s.i, count(*) from s where exists (select 1 from s n where n.customer = s.customer and n.i = s.i + 1) group by s.i"
        found["kept over spans"] = "select x.i, y.i, count(distinct b.customer) from p x join p y on (x.i, y.i) in ((24, 37), (12, 25)) join a on a.since < x.t and a.until >= x.t join a b on b.customer = a.customer and b.since < y.t and b.until >= y.t group by x.i, y.i"
    return found


def compare(name, answer, northing):
    """Stops the run where a peer's numbers differ from Northing's: then one of them answers another question."""
    sums, spans = {r[0]: r for r in answer["sums"]}, {r[0]: r for r in answer["sums of spans"]}
    buyers, years = {r[0]: r for r in answer["buyers"]}, {r[0]: r for r in answer["years"]}
    active, kept = dict(answer["active"]), dict(answer["kept"])
    over = {r[0]: r[2] for r in answer["kept over spans"]}

    def check(metric, expected, total=None):
        buckets = [b["value"] for b in northing[metric]["buckets"]] + ([northing[metric]["total"]["value"]] if total is not None else [])
        for month, (mine, theirs) in enumerate(zip(buckets, expected + ([total] if total is not None else []), strict=True)):
            assert abs(mine - theirs) <= 1e-9 * max(1, abs(theirs)), (name, metric, month, mine, theirs)

    months = range(12, 25)
    check("revenue", [float(sums[m][1]) / 100 for m in months], float(spans[100][1]) / 100)
    check("net_new_revenue", [float(sums[m][2]) / 100 for m in months])
    check("new_customers", [sums[m][4] for m in months])
    check("average_purchase_value", [float(sums[m][1]) / 100 / sums[m][5] for m in months])
    check("repeat_purchase_rate", [buyers[m][2] / buyers[m][1] for m in months])
    check("purchase_frequency", [years[m][1] / years[m][3] for m in months])
    check("average_customer_value", [float(years[m][2]) / 100 / years[m][3] for m in months])
    check("active_customers", [active[m + 13] for m in months])
    check("customer_retention_rate", [kept[m + 12] / active[m + 12] for m in months], over[24] / active[24])
    if len(sums[12]) > 6:
        median = [b["median"] for b in northing["average_purchase_value"]["buckets"]]
        assert all(abs(a - float(sums[m][6][0]) / 100) < 1e-9 * a for a, m in zip(median, months)), (name, "median")


def months(columns):
    import numpy as np

    month = np.searchsorted(EDGES, columns["at"], side="right") - 1
    return {**columns, "month": np.where(month < 25, month, -1).astype(np.int16)}


def periods():
    return [(i, EDGES[i], EDGES[i + 1]) for i in range(25)] + [(100 + i, a, b) for i, (a, b) in enumerate(SPANS)], list(enumerate(POINTS))


def work(run):
    """The measured questions, of a function that runs SQL."""
    everything = lambda: {name: run(q) for name, q in queries().items()}
    some = lambda source, channel: [run(q) for q in queries(f"and source = {source} and channel = {channel}", filtered=True).values()]
    of = lambda *names: lambda: [run(queries()[n]) for n in names]
    by = "select month, source, count(*), sum(amount), quantile_cont(amount, [0.5, 0.9]), var_samp(amount) / count(*) from o where month >= 0 group by all"
    return {"plain": everything, "filtered, each time otherwise": some, "distinct": of("buyers", "buyers of spans"), "retention": of("active", "kept", "kept over spans"), "by source": lambda: run(by)}


def connect(frames):
    """A DuckDB with these tables, and e and p of `queries`."""
    import duckdb

    db = duckdb.connect()
    db.execute("set threads to 2")
    e, p = periods()
    for name, frame in frames.items():
        db.register("frame", frame.to_arrow())
        db.execute(f"create table {name} as select * from frame")
    db.execute("create table e (i integer, start bigint, stop bigint)")
    db.executemany("insert into e values (?, ?, ?)", e)
    db.execute("create table p (i integer, t bigint)")
    db.executemany("insert into p values (?, ?)", p)
    return db


def duck(columns, folder):
    import polars as pl

    db = connect({"o": pl.DataFrame(months(columns)), "a": stretches(columns)})
    return work(lambda q: db.execute(q).fetchall())


def sqlite(columns, folder):
    import sqlite3

    db = sqlite3.connect(folder / "peer.db")
    a, (e, p) = stretches(columns), periods()
    own = months(columns)
    for name, data in {"o": own, "a": {c: a[c].to_numpy() for c in a.columns}}.items():
        db.execute(f"create table {name} ({', '.join(n + ' integer' for n in data)})")
        db.executemany(f"insert into {name} values ({', '.join('?' * len(data))})", zip(*(v.tolist() for v in data.values())))
    db.execute("create table e (i integer, start integer, stop integer)")
    db.executemany("insert into e values (?, ?, ?)", e)
    db.execute("create table p (i integer, t integer)")
    db.executemany("insert into p values (?, ?)", p)
    db.execute("create index o_month on o (month, customer, is_first, amount, source, channel)")
    db.execute("create index o_at on o (at, customer, amount)")
    db.execute("create index a_since on a (since, until, customer)")
    db.execute("create index a_customer on a (customer, since, until)")
    db.commit()
    db.execute("analyze")
    run = lambda q: db.execute(q).fetchall()
    peer = work(run)
    peer["plain"] = lambda: {name: run(q) for name, q in queries(quantiles=False).items()}
    peer["filtered, each time otherwise"] = lambda s, c: [run(q) for q in queries(f"and source = {s} and channel = {c}", filtered=True, quantiles=False).values()]
    peer["by source"] = lambda: run("select month, source, count(*), sum(amount) from o where month >= 0 group by 1, 2")
    return peer


def polars(columns, folder):
    import polars as pl

    frame, active = pl.DataFrame(months(columns)), stretches(columns)
    c = pl.col
    sums = lambda: [c("amount").sum(), (c("amount") * c("is_first")).sum().alias("new"), (c("amount") * ~c("is_first")).sum().alias("again"), c("is_first").sum().alias("first"), pl.len().alias("n"),
                    pl.concat_list(c("amount").quantile(0.5, "linear"), c("amount").quantile(0.9, "linear")).alias("spread"), (c("amount").var() / pl.len()).alias("variance")]
    buyers = lambda: [c("customer").n_unique(), c("customer").filter(~c("is_first")).n_unique().alias("repeat")]
    within = lambda o, a, b: o.filter((c("at") >= a) & (c("at") < b))
    # The stages of activity: one small scan of the stretches for each point.
    held = lambda t: active.lazy().filter((c("since") < t) & (c("until") >= t)).select("customer")

    def rows(plans):
        return [[tuple(r) for r in f.rows()] for f in pl.collect_all(plans)]

    def orders(o):
        month = o.filter(c("month") >= 0).group_by("month")
        spans = lambda what: [within(o, a, b).select(pl.lit(100 + i).alias("i"), *what()) for i, (a, b) in enumerate(SPANS)]
        years = [within(o, e - 365 * DAY, e).select(pl.lit(i).alias("i"), pl.len().alias("n"), c("amount").sum(), c("customer").n_unique()) for i, e in enumerate(EDGES[1:])]
        return {"sums": [month.agg(*sums())], "sums of spans": spans(sums), "buyers": [month.agg(*buyers())], "buyers of spans": spans(buyers), "years": years}

    def states():
        pairs = lambda i, j: held(POINTS[i]).join(held(POINTS[j]), on="customer", how="semi")
        return {"active": [held(t).select(pl.lit(i).alias("i"), pl.len()) for i, t in enumerate(POINTS)],
                "kept": [pairs(i, i + 1).select(pl.lit(i).alias("i"), pl.len()) for i in range(37)],
                "kept over spans": [pairs(i, j).select(pl.lit(i).alias("i"), pl.lit(j).alias("j"), pl.len()) for i, j in [(24, 37), (12, 25)]]}

    def run(plans):
        flat = [p for group in plans.values() for p in group]
        found = iter(rows(flat))
        return {name: [r for _ in group for r in next(found)] for name, group in plans.items()}

    some = lambda source, channel: run(orders(frame.lazy().filter((c("source") == source) & (c("channel") == channel))))
    only = lambda plans, *names: run({n: plans[n] for n in names})
    return {"plain": lambda: run({**orders(frame.lazy()), **states()}), "filtered, each time otherwise": some,
            "distinct": lambda: only(orders(frame.lazy()), "buyers", "buyers of spans"), "retention": lambda: run(states()),
            "by source": lambda: frame.lazy().filter(c("month") >= 0).group_by("month", "source").agg(*sums()).collect()}
