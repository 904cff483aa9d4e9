# SPDX-License-Identifier: GPL-2.0-only
"""Measured legs: reading them, medians and spreads, and the barrier's bound.

What the reports beside this file share. Pure but for read_records and
write_file; knows no scheduler and draws nothing.
"""

import json
import math
import os
import statistics

COLOURS = ["#8a8f98", "#1f6fb2", "#b2661f", "#4c8c3b", "#7a4fa3"]


class InputError(Exception):
    """The legs file cannot be understood; the text says where and why."""


def number(record, *path):
    """The finite, non-negative number at path in nested objects, or None."""
    for key in path:
        if isinstance(record, list) and isinstance(key, int):
            record = record[key] if key < len(record) else None
        else:
            record = record.get(key) if isinstance(record, dict) else None
    if isinstance(record, bool) or not isinstance(record, (int, float)):
        return None
    return record if math.isfinite(record) and record >= 0 else None


def product(*factors):
    """The product of the factors, None where one is missing."""
    return None if None in factors else math.prod(factors)


def ratio(a, b):
    """a / b, None where one is missing or b is zero."""
    return None if a is None or not b else a / b


def mean_step(load):
    """Mean step time in ns: steps add up to the elapsed time."""
    return ratio(number(load, "elapsed_ns"), number(load, "steps"))


def share(leg, index, setup):
    """CPU time of the index-th watched cgroup over what the machine had, in %."""
    usage = number(leg, "load", "cgroups", index, "usage_usec")
    machine = product(number(leg, "load", "elapsed_ns"), number(setup, "cpus"))
    return ratio(product(usage, 1e3 * 100), machine)


class Metric:
    """One row of the report.

    get(leg, context) returns the figure or None; better is "lower", "higher"
    or None where neither is; reference(context) is a value to draw and name.
    """

    def __init__(self, key, title, unit, better, get, reference=None):
        self.key, self.title, self.unit = key, title, unit
        self.better, self.get = better, get
        self.reference = reference or (lambda context: None)

    def heading(self):
        """Title with unit, as the table and the chart show it."""
        return f"{self.title} ({self.unit})" if self.unit else self.title


def load_ms(*path):
    """A getter of a time in ns of the workload's report, as ms."""
    return lambda leg, context: product(number(leg, "load", *path), 1e-6)


def fair_percent(context):
    """The fair share in percent."""
    return product(context.fair, 100)


def reduce_values(values):
    """Median, min, max and the values that are known; None if none is."""
    values = [v for v in values if v is not None]
    if not values:
        return None
    return {"median": statistics.median(values), "min": min(values),
            "max": max(values), "values": values}


class Context:
    """What all legs are judged by: the set-up and the bound from the solo run.

    The bound for R single-threaded ranks on N CPUs with a fair share s is
    max(W / s, W x N / R), W being the step time of the workload alone: of the
    runs alone the median of their means.
    """

    def __init__(self, setup, solos):
        self.setup = setup
        self.fair = number(setup, "fair_share")
        self.cpus = number(setup, "cpus")
        self.ranks = number(solos[0], "load", "ranks") if solos else None
        self.solo = reduce_values([mean_step(solo.get("load")) for solo in solos])
        self.solo_ns = self.solo["median"] if self.solo else None
        by_share = ratio(self.solo_ns, self.fair)
        by_ranks = ratio(product(self.solo_ns, self.cpus), self.ranks)
        known = None not in (by_share, by_ranks)
        self.bound_ns = max(by_share, by_ranks) if known else None


def verdict_of(cell, base, better):
    """How a scheduler's figures stand to the baseline's, in one word.

    "better" and "worse" only where the ranges do not overlap.
    """
    if not base or not cell:
        return "unknown"
    if better is None:
        return "neutral"
    if cell["min"] <= base["max"] and base["min"] <= cell["max"]:
        return "overlap"
    lower = cell["median"] < base["median"]
    return "better" if lower == (better == "lower") else "worse"


def bound_lines(context):
    """How the bound came about."""
    if context.bound_ns is None:
        return ["The bound is unknown: the run alone, the number of CPUs or the "
                "fair share is missing."]
    scaled = reduce_values([v / 1e6 for v in context.solo["values"]])
    return [f"alone: step mean W = {cell_text(scaled)} ms; "
            f"R = {context.ranks:g} ranks, N = {context.cpus:g} CPUs, "
            f"fair share s = {context.fair:g}",
            f"bound beside the neighbour: max(W / s, W x N / R) = "
            f"{figure(context.bound_ns / 1e6)} ms a step"]


def read_records(path):
    """All records of the file, each a dict."""
    records = []
    try:
        with open(path, encoding="utf-8") as lines:
            for count, line in enumerate(lines, 1):
                if line.strip():
                    records.append(parse_line(line, f"{path}:{count}"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: {error}") from error
    return records


def parse_line(line, where):
    """One record, checked so far that the rest need not."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where}: not JSON: {error}") from error
    if not isinstance(record, dict):
        raise InputError(f"{where}: want an object, not {type(record).__name__}")
    kind = record.get("record")
    if kind not in ("setup", "solo", "leg"):
        raise InputError(f'{where}: "record" is {kind!r}, want setup, solo or leg')
    if kind == "leg" and not isinstance(record.get("scheduler"), str):
        raise InputError(f'{where}: a leg needs "scheduler", a string')
    return record


def figure(value):
    """A figure with three or so significant digits."""
    if value is None:
        return "-"
    if value != 0 and (value >= 1e6 or value < 1e-3):
        return f"{value:.2e}"
    digits = 1 if value >= 100 else 2 if value >= 1 else 3
    return f"{value:.{digits}f}"


def cell_text(cell):
    """Median and spread as the table shows them."""
    if not cell:
        return "-"
    if len(cell["values"]) == 1:
        return f"{figure(cell['median'])} (1 run)"
    return f"{figure(cell['median'])} ({figure(cell['min'])}..{figure(cell['max'])})"


def colour(index):
    """The colour of the index-th scheduler."""
    return COLOURS[index % len(COLOURS)]


def write_file(path, text):
    """Write a file whole or not at all."""
    temporary = f"{path}.tmp"
    with open(temporary, "w", encoding="utf-8") as out:
        out.write(text)
    os.replace(temporary, path)
