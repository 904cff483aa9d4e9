#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""What coschedd serves to Prometheus.

check [PORT]   both formats, parsed strictly, and what has to be in them
hostile PID    slow, many and wrong clients, while a good one is served

A parser of its own: the rules of OpenMetrics 1.0 that concern what is served
(order, names, units, suffixes, labels, histograms, the end). Exit status 0, or
1 with the reason.
"""
import re
import socket
import sys
import time
import urllib.error
import urllib.request

OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
SAMPLE = re.compile(rf"({NAME})(?:\{{(.*)\}})? (\S+)$")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"(?:,|$)')
SUFFIXES = {"counter": ("_total",), "gauge": ("",),
            "histogram": ("_bucket", "_sum", "_count")}


def require(condition, what):
    if not condition:
        sys.exit(f"# metrics.py: {what}")


def get(port, accept=None, path="/metrics"):
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}")
    if accept:
        request.add_header("Accept", accept)
    try:
        with urllib.request.urlopen(request, timeout=20) as reply:
            return reply.headers["Content-Type"], reply.read().decode()
    except urllib.error.HTTPError as e:
        return e.code, ""
    except urllib.error.URLError as e:
        sys.exit(f"# metrics.py: {e.reason}")


def labels_of(text, line):
    labels, at = {}, 0
    while text and at < len(text):
        m = LABEL.match(text, at)
        require(m, f"labels in: {line}")
        require(m[1] not in labels, f"label twice in: {line}")
        labels[m[1]] = m[2]
        at = m.end()
    return labels


class Family:
    def __init__(self, name, kind):
        self.name, self.kind, self.unit, self.help = name, kind, None, None
        self.samples = []

    def add(self, name, labels, value, line):
        require(name.startswith(self.name), f"sample of another family: {line}")
        require(name[len(self.name):] in SUFFIXES[self.kind],
                f"suffix of a {self.kind}: {line}")
        key = (name, tuple(sorted(labels.items())))
        require(key not in [k for k, _ in self.samples], f"twice: {line}")
        if self.kind != "gauge":
            require(value >= 0, f"negative: {line}")
        self.samples.append((key, value))

    def end(self):
        require(self.help, f"{self.name} has no help")
        if self.unit:
            require(self.name.endswith("_" + self.unit), f"unit of {self.name}")
        for unit in ("seconds", "bytes"):
            require(not self.name.endswith("_" + unit) or self.unit == unit,
                    f"{self.name} names a unit and has none")
        if self.kind == "histogram":
            self.check_histogram()

    def check_histogram(self):
        series = {}
        for (name, labels), value in self.samples:
            rest = tuple(x for x in labels if x[0] != "le")
            le = dict(labels).get("le")
            series.setdefault(rest, {"le": []})
            if name.endswith("_bucket"):
                series[rest]["le"].append((float(le), value))
            else:
                series[rest][name[len(self.name):]] = value
        for rest, s in series.items():
            bounds = [b for b, _ in s["le"]]
            counts = [c for _, c in s["le"]]
            require(bounds == sorted(bounds) and bounds[-1] == float("inf"),
                    f"buckets of {self.name} {rest}")
            require(counts == sorted(counts), f"{self.name} {rest} not cumulative")
            require(s["_count"] == counts[-1], f"count of {self.name} {rest}")


def parse(text):
    require(text.endswith("# EOF\n"), "no # EOF at the end")
    families, family = {}, None
    for line in text[:-len("# EOF\n")].splitlines():
        if line.startswith("# "):
            _, what, name, value = line.split(" ", 3)
            if what == "TYPE":
                require(name not in families, f"family twice: {line}")
                require(value in SUFFIXES, f"type: {line}")
                if family:
                    family.end()
                family = families[name] = Family(name, value)
            else:
                require(family and family.name == name, f"misplaced: {line}")
                require(not family.samples, f"after samples: {line}")
                setattr(family, what.lower(), value)
            continue
        m = SAMPLE.match(line)
        require(m and family, f"no sample: {line}")
        family.add(m[1], labels_of(m[2], line), float(m[3]), line)
    family.end()
    return families


def value(families, name, **labels):
    family = families[name]
    for (_, have), v in family.samples:
        if set(labels.items()) <= set(have):
            return v
    sys.exit(f"# metrics.py: no {name} with {labels}")


def check(port):
    kind, text = get(port, OPENMETRICS)
    require(kind == OPENMETRICS, f"type {kind}")
    first = parse(text)
    time.sleep(2)
    second = parse(get(port, OPENMETRICS)[1])
    require(value(first, "cosched_scheduler_state", state="enabled") == 1, "state")
    require(value(first, "cosched_config_valid") == 1, "valid")
    tenants = {dict(k[1])["tenant"] for k, _ in
               second["cosched_tenant_cpu_seconds"].samples}
    require(tenants == {"a", "other"}, f"tenants {tenants}")
    grown = value(second, "cosched_tenant_cpu_seconds", tenant="a") - \
        value(first, "cosched_tenant_cpu_seconds", tenant="a")
    require(grown > 0, f"CPU time of a grew by {grown}")
    grown = value(second, "cosched_sched_switch") - value(first, "cosched_sched_switch")
    require(grown > 0, f"switches grew by {grown}")
    require("cosched_runqueue_latency_seconds" in first, "histogram")
    for name in ("cosched_hint_pages", "cosched_phase_run_seconds",
                 "cosched_phase_waits", "cosched_phase_wait_seconds"):
        require(value(first, name) >= 0, name)
    roles = {dict(k[1])["role"] for k, _ in first["cosched_go_role_samples"].samples}
    require(len(roles) > 1, f"roles {roles}")
    kind, text = get(port)
    require(kind == "text/plain; version=0.0.4; charset=utf-8", f"type {kind}")
    require("# TYPE cosched_sched_switch_total counter" in text, "text format")
    require("# EOF" not in text, "text format with an end")
    with open("build/selftests/log/metrics.txt", "w", encoding="utf-8") as f:
        f.write(text)
    print(f"# {len(first)} families, {len(text)} bytes")


def cpu_ticks(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        fields = f.read().split(")")[1].split()
    return int(fields[11]) + int(fields[12])


def hostile(pid):
    stalled = []
    for data in (b"", b"GET", b"GET /metrics HTTP/1.1\r\nX: " + b"a" * 100):
        s = socket.create_connection(("127.0.0.1", 9464))
        s.sendall(data)
        stalled.append(s)
    kind, text = get(9464)
    require("cosched_build" in text, "answered beside clients that stall")
    for data in (b"\0" * 1000, b"GET /" + b"x" * 100000 + b" HTTP/1.1\r\n\r\n",
                 b"POST /metrics HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello",
                 b"GET /metrics HTTP/9.9\r\n\r\n",
                 b"GET /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n"):
        with socket.create_connection(("127.0.0.1", 9464)) as s:
            s.settimeout(20)
            try:
                s.sendall(data)
                answer = s.recv(64)
            except OSError:
                answer = b""
            require(b"200" not in answer, f"{data[:30]} is answered {answer}")
    require(get(9464, path="/etc/passwd")[0] == 404, "another path")
    flood = []
    for _ in range(100):
        try:
            flood.append(socket.create_connection(("127.0.0.1", 9464), 2))
        except OSError:
            break
    for s in flood + stalled:
        s.close()
    end = time.monotonic() + 15
    while get(9464)[0] == 503 and time.monotonic() < end:
        time.sleep(0.1)
    require("cosched_build" in get(9464)[1], "answered after a flood")
    before, start = cpu_ticks(pid), time.monotonic()
    n = 0
    while time.monotonic() < start + 3:
        get(9464)
        n += 1
    print(f"# {n} scrapes in 3 s cost {cpu_ticks(pid) - before} ticks")


if __name__ == "__main__":
    if sys.argv[1] == "check":
        check(int(sys.argv[2]) if len(sys.argv) > 2 else 9464)
    else:
        hostile(int(sys.argv[2]))
