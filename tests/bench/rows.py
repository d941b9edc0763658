"""Rows of the bench: what was measured, what it is beside, and the goal."""

import statistics
import sys


def note(text):
    print(f"# {text}", file=sys.stderr, flush=True)


def spread(values):
    return f"{min(values):.1f} .. {statistics.median(values):.1f} .. {max(values):.1f}"


def goal(of, op, value):
    return {"of": of, "op": op, "value": value}


def row(name, unit, values, beside, want):
    """beside: (name, values) or (name, None)."""
    other = statistics.median(beside[1]) if beside[1] else None
    median = statistics.median(values)
    return {"name": name, "unit": unit, "min": min(values), "median": median, "max": max(values), "runs": len(values),
            "beside": {"name": beside[0], "median": other}, "ratio": median / other if other else None, "goal": want}


def met(r):
    if r["goal"] is None:
        return None
    value = r[r["goal"]["of"]]
    if value is None:
        return None
    return value <= r["goal"]["value"] if r["goal"]["op"] == "<=" else value >= r["goal"]["value"]


def show(rows):
    def number(x):
        return "-" if x is None else f"{x:.2f}"
    print(f"{'what':24} {'unit':8} {'min':>8} {'median':>8} {'max':>8} {'runs':>5} {'beside':>8} {'ratio':>6}  goal")
    for r in rows:
        verdict = {True: "met", False: "NOT MET", None: "not known"}[met(r)]
        aim = f"{r['goal']['of']} {r['goal']['op']} {r['goal']['value']}: {verdict}" if r["goal"] else "none"
        print(f"{r['name']:24} {r['unit']:8} {number(r['min']):>8} {number(r['median']):>8} {number(r['max']):>8} "
              f"{r['runs']:>5} {number(r['beside']['median']):>8} {number(r['ratio']):>6}  "
              f"{aim}")
    for r in rows:
        print(f"  {r['name']}: beside {r['beside']['name']}")
