#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Tests of scripts/bench/report: figures, wording and hostile input.

Runs offline with the standard library: python3 scripts/bench/tests/test_report.py
"""

import contextlib
import importlib.machinery
import importlib.util
import io
import json
import math
import pathlib
import sys
import tempfile
import unittest
import xml.etree.ElementTree

PATH = pathlib.Path(__file__).resolve().parent.parent / "report"
sys.dont_write_bytecode = True
LOADER = importlib.machinery.SourceFileLoader("report", str(PATH))
report = importlib.util.module_from_spec(importlib.util.spec_from_loader("report", LOADER))
LOADER.exec_module(report)

SETUP = {"record": "setup", "title": "trainsim <6> & noise", "cpus": 8, "fair_share": 0.5,
         "notes": ["Times are virtual."]}


def load(step_ms=20.0, p99_ms=30.0, skew_ms=2.0, usage=(0.5, 0.5)):
    """A workload report of 10 steps."""
    elapsed = step_ms * 10 * 1e6
    return {"ranks": 6, "steps": 10, "elapsed_ns": elapsed,
            "step_ns": {"p50": step_ms * 1e6, "p99": p99_ms * 1e6},
            "skew_ns": {"p50": skew_ms * 1e6},
            "cgroups": [{"dir": "x", "usage_usec": u * 8 * elapsed / 1e3} for u in usage]}


def leg(scheduler, number, **figures):
    """A good leg."""
    return {"record": "leg", "scheduler": scheduler, "round": number, "status": "ok",
            "load": load(**figures)}


def contest():
    """Three rounds that cosched wins, beside a run alone of 20 ms a step."""
    records = [SETUP, {"record": "solo", "scheduler": "eevdf", "status": "ok",
                       "load": load()}]
    for number, eevdf, cosched in [(1, 100, 44), (2, 90, 42), (3, 110, 50)]:
        records.append(leg("eevdf", number, step_ms=eevdf, p99_ms=200, usage=(0.2, 0.8)))
        records.append(leg("cosched", number, step_ms=cosched, p99_ms=60))
    return records


class Case(unittest.TestCase):
    """Runs the command on records and reads back what it wrote."""

    def run_report(self, records, raw=None):
        """(exit status, text, json, svg, stderr); the middle ones None if absent."""
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            legs = folder / "legs.jsonl"
            if raw is None:
                raw = "".join(json.dumps(r) + "\n" for r in records).encode()
            legs.write_bytes(raw)
            out, err = io.StringIO(), io.StringIO()
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                status = report.main([str(legs), "-o", str(folder / "out")])
            if status == 2:
                return status, None, None, None, err.getvalue()
            text = (folder / "out/report.txt").read_text(encoding="utf-8")
            self.assertEqual(text, out.getvalue())
            data = json.loads((folder / "out/report.json").read_text(encoding="utf-8"))
            svg = (folder / "out/report.svg").read_text(encoding="utf-8")
            xml.etree.ElementTree.fromstring(svg)
            self.assertNotIn("nan", svg)
            return status, text, data, svg, err.getvalue()

    @staticmethod
    def metric(data, key):
        """The metric of that key."""
        return next(m for m in data["metrics"] if m["key"] == key)


class Figures(Case):
    """The arithmetic."""

    def test_contest(self):
        status, text, data, svg, _ = self.run_report(contest())
        self.assertEqual(status, 0)
        self.assertTrue(data["complete"])
        self.assertEqual(data["bound"]["step_ns"], 40e6)
        p50 = self.metric(data, "step_p50")
        self.assertAlmostEqual(p50["schedulers"]["eevdf"]["median"], 100)
        self.assertAlmostEqual(p50["schedulers"]["cosched"]["max"], 50)
        self.assertAlmostEqual(p50["ratio"]["cosched"], 0.44)
        bound = self.metric(data, "times_bound")["schedulers"]
        self.assertAlmostEqual(bound["eevdf"]["median"], 2.5)
        self.assertAlmostEqual(bound["cosched"]["median"], 1.1)
        shares = self.metric(data, "load_share")["schedulers"]
        self.assertAlmostEqual(shares["eevdf"]["median"], 20)
        for want in ["100.0 (90.00..110.0)", "44.00 (42.00..50.00)", "0.440x",
                     "N = 8 CPUs", "R = 6 ranks", "s = 0.5", "40.00 ms", "Times are virtual.",
                     "cosched is better than eevdf in: step p50 0.440x"]:
            self.assertIn(want, text)
        self.assertNotIn("WORSE", text)
        self.assertIn("&lt;6&gt; &amp; noise", svg)

    def test_columns_are_aligned(self):
        _, text, _, _, _ = self.run_report(contest())
        headings = tuple(m.heading() for m in report.METRICS)
        rows = [line for line in text.splitlines() if line.startswith(headings)]
        self.assertEqual(len(rows), len(report.METRICS))
        self.assertEqual(len({len(row) for row in rows}), 1)

    def test_bound_by_ranks(self):
        """Few ranks cannot use a large share: N / R decides."""
        setup = dict(SETUP, fair_share=0.9)
        context = report.Context(setup, [{"load": load()}])
        self.assertAlmostEqual(context.bound_ns, 20e6 * 8 / 6)

    def test_runs_alone_vary(self):
        context = report.Context(SETUP, [{"load": load(ms)} for ms in (30, 10, 11)])
        self.assertAlmostEqual(context.bound_ns, 22e6)
        self.assertEqual(context.solo["max"], 30e6)

    def test_loss_is_said(self):
        records = contest()
        for record in records[2:]:
            record["scheduler"] = {"eevdf": "cosched", "cosched": "eevdf"}[record["scheduler"]]
        records[2:] = sorted(records[2:], key=lambda r: r["scheduler"] != "eevdf")
        status, text, data, _, _ = self.run_report(records)
        self.assertEqual(status, 0)
        self.assertIn("cosched is WORSE than eevdf in: step p50 2.27x", text)
        self.assertEqual(self.metric(data, "step_p99")["verdict"]["cosched"], "worse")

    def test_overlap_is_no_win(self):
        records = contest()
        records[2] = leg("eevdf", 1, step_ms=43)
        _, text, data, _, _ = self.run_report(records)
        self.assertEqual(self.metric(data, "step_p50")["verdict"]["cosched"], "overlap")
        self.assertIn("cosched and eevdf are not clearly apart", text)


class Hostile(Case):
    """Input that went wrong somewhere."""

    def test_failed_leg(self):
        records = contest()
        records[3] = {"record": "leg", "scheduler": "cosched", "round": 1,
                      "status": "failed", "reason": "ejected: <stall>"}
        status, text, data, _, _ = self.run_report(records)
        self.assertEqual(status, 1)
        self.assertIn("FAILED: cosched, round 1: ejected: <stall>", text)
        self.assertEqual(data["failed"][0]["round"], 1)
        values = self.metric(data, "step_p50")["schedulers"]["cosched"]["values"]
        self.assertEqual(len(values), 2)

    def test_all_legs_of_one_failed(self):
        records = [r for r in contest() if r.get("scheduler") != "cosched"]
        records.append({"record": "leg", "scheduler": "cosched", "status": "failed"})
        status, text, data, svg, _ = self.run_report(records)
        self.assertEqual(status, 1)
        self.assertIn("FAILED: no run under cosched counts", text)
        self.assertIn("round ?: no reason given", text)
        self.assertIsNone(self.metric(data, "step_p50")["schedulers"]["cosched"])
        self.assertIn("missing", svg)

    def test_missing_metric(self):
        records = contest()
        for record in records:
            record.get("load", {}).pop("skew_ns", None)
        status, text, data, svg, _ = self.run_report(records)
        self.assertEqual(status, 0)
        self.assertIsNone(self.metric(data, "skew_p50")["schedulers"]["eevdf"])
        self.assertIn("cosched cannot be compared with eevdf in: barrier skew p50", text)
        self.assertIn("missing", svg)

    def test_no_solo_run(self):
        records = [r for r in contest() if r["record"] != "solo"]
        status, text, data, _, _ = self.run_report(records)
        self.assertEqual(status, 0)
        self.assertIn("The bound is unknown", text)
        self.assertIsNone(data["bound"]["step_ns"])

    def test_one_round(self):
        status, text, _, _, _ = self.run_report(contest()[:4])
        self.assertEqual(status, 0)
        self.assertIn("100.0 (1 run)", text)
        self.assertIn("may be chance", text)

    def test_only_the_baseline(self):
        status, text, _, _, _ = self.run_report(contest()[:3])
        self.assertEqual(status, 0)
        self.assertNotIn("better", text)

    def test_values_that_are_no_figures(self):
        for bad in [None, "12", True, -1, math.nan, math.inf, [], {}]:
            records = contest()
            for record in records[2:]:
                record["load"]["step_ns"] = {"p50": bad, "p99": 1e6}
            status, _, data, _, _ = self.run_report(records)
            self.assertEqual(status, 0, bad)
            self.assertIsNone(self.metric(data, "step_p50")["schedulers"]["eevdf"], bad)

    def test_zero_elapsed(self):
        records = contest()
        for record in records[1:]:
            record["load"]["elapsed_ns"] = 0
            record["load"]["steps"] = 0
        status, _, data, _, _ = self.run_report(records)
        self.assertEqual(status, 0)
        self.assertIsNone(self.metric(data, "times_bound")["schedulers"]["eevdf"])

    def test_wrong_shapes(self):
        records = contest()
        records[2]["load"] = "text"
        records[3]["load"]["cgroups"] = [1]
        records[0]["notes"] = [1, None, "kept"]
        status, text, _, _, _ = self.run_report(records)
        self.assertEqual(status, 0)
        self.assertIn("kept", text)

    def test_unreadable(self):
        good = json.dumps(leg("eevdf", 1)).encode()
        for raw, want in [
                (b"", "nothing was measured"),
                (b"{\n", "legs.jsonl:1: not JSON"),
                (good + b"\n[1]\n", "legs.jsonl:2: want an object, not list"),
                (b'{"record": "lap"}\n', "'lap', want setup, solo or leg"),
                (b'{"record": "leg"}\n', 'a leg needs "scheduler"'),
                (b"\xff\xfe\n", "legs.jsonl"),
                (b"[" * 100000, "not JSON")]:
            status, _, _, _, err = self.run_report(None, raw)
            self.assertEqual(status, 2, raw[:20])
            self.assertIn(want, err)
            self.assertNotIn("Traceback", err)

    def test_missing_file(self):
        err = io.StringIO()
        with contextlib.redirect_stderr(err):
            status = report.main(["/nowhere/legs", "-o", "/nowhere/out"])
        self.assertEqual(status, 2)
        self.assertIn("/nowhere/legs", err.getvalue())


if __name__ == "__main__":
    unittest.main()
