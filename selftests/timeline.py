#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Check a timeline that "cosched trace" wrote, and say what is in it.

timeline.py FILE: decodes Perfetto's protobuf, or Chrome's JSON, with nothing
but the format's own rules, and checks that it is well formed:
- every packet, message and field decodes, and no field is unknown;
- names, categories and arguments that are referred to are defined before;
- every event is on a track that was described, and so is a track's parent;
- on each track time does not go back, ends match begins, none is left open;
- every arrow has two ends, the second not before the first.
Prints one object of JSON: counts, and per thread how often and how long it was in
each state. Exit status 1 with a sentence on stderr when something is wrong.

timeline.py --tap FIRST CHECKS: does that for a test that has run FIRST - 1 tests.
Each line of CHECKS is FILE, SUMMARY and an expression in Python, apart by tabs, one
test each. It is about names and count of the timeline, and s, the last line of
SUMMARY, an object of JSON; words has the lines before. FILE may be "-".
"""
import collections
import json
import sys


class Broken(Exception):
    pass


def varint(buf, at):
    value = shift = 0
    while True:
        if at >= len(buf) or shift > 63:
            raise Broken(f"varint at {at} does not end")
        byte = buf[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def fields(buf):
    at = 0
    while at < len(buf):
        tag, at = varint(buf, at)
        wire = tag & 7
        if wire == 0:
            value, at = varint(buf, at)
        elif wire == 1:
            value, at = int.from_bytes(buf[at:at + 8], "little"), at + 8
        elif wire == 2:
            size, at = varint(buf, at)
            value, at = buf[at:at + size], at + size
        else:
            raise Broken(f"wire type {wire}")
        if at > len(buf):
            raise Broken("a field goes past the end of its message")
        yield tag >> 3, value


# Messages by Perfetto's field numbers: name, and the message that it holds.
ANNOTATION = {1: ("name_iid", None), 4: ("int", "signed"), 6: ("string", "text")}
INTERNED = {1: ("iid", None), 2: ("name", "text")}
EVENT = {3: ("category_iid", None), 4: ("annotation*", ANNOTATION),
         9: ("type", None), 10: ("name_iid", None), 11: ("track", None),
         30: ("value", "signed"), 47: ("flow", None), 48: ("flow_end", None)}
DESCRIPTOR = {1: ("uuid", None), 2: ("name", "text"),
              3: ("process", {1: ("pid", None), 6: ("name", "text")}),
              4: ("thread", {1: ("pid", None), 2: ("tid", None),
                             5: ("name", "text")}),
              5: ("parent", None), 8: ("counter", {}), 9: ("no_merge", None)}
PACKET = {6: ("clocks", {1: ("clock*", {1: ("id", None), 2: ("time", None)}),
                         2: ("primary", None)}),
          8: ("timestamp", None), 10: ("sequence", None), 11: ("event", EVENT),
          12: ("interned", {1: ("category*", INTERNED), 2: ("name*", INTERNED),
                            3: ("annotation*", INTERNED)}),
          13: ("flags", None), 59: ("defaults", {58: ("clock", None)}),
          60: ("descriptor", DESCRIPTOR)}


def decode(buf, message):
    out = {}
    for number, value in fields(buf):
        if number not in message:
            raise Broken(f"unknown field {number}")
        name, kind = message[number]
        if isinstance(kind, dict):
            value = decode(value, kind)
        elif kind == "text":
            value = value.decode("ascii")
        elif kind == "signed" and value >> 63:
            value -= 1 << 64
        if name.endswith("*"):
            out.setdefault(name[:-1], []).append(value)
        elif name in out:
            raise Broken(f"field {name} twice")
        else:
            out[name] = value
    return out


class Timeline:
    """What the rules of a timeline are, whatever its format."""

    def __init__(self):
        self.tracks = {}
        self.open = collections.defaultdict(list)
        self.last = {}
        self.flows = {}
        self.count = collections.Counter()
        self.threads = {}
        self.names = collections.Counter()
        self.busy = collections.Counter()

    def describe(self, track, info):
        parent = info.get("parent")
        if parent is not None and parent not in self.tracks:
            raise Broken(f"track {info} has a parent that was not described")
        self.tracks[track] = info
        self.count["tracks"] += 1

    def event(self, kind, track, ts, name, flow=None, flow_end=None):
        if track not in self.tracks:
            raise Broken(f"event {name} at {ts} on a track not described")
        if ts < self.last.get(track, 0):
            raise Broken(f"{self.tracks[track]}: {ts} after {self.last[track]}")
        self.last[track] = ts
        self.count[kind] += 1
        if kind == "begin":
            if not name:
                raise Broken(f"a slice without a name at {ts}")
            self.open[track].append((ts, name))
        elif kind == "end":
            if not self.open[track]:
                raise Broken(f"{self.tracks[track]}: end at {ts} without begin")
            self.add_slice(track, *self.open[track].pop(), ts)
        if flow:
            self.flows.setdefault(flow, [None, None])[0] = ts
        if flow_end:
            self.flows.setdefault(flow_end, [None, None])[1] = ts

    def add_slice(self, track, begin, name, end):
        info = self.tracks[track]
        self.names[name] += 1
        if not self.open[track]:
            self.busy[info.get("name", "")] += end - begin
        if "tid" in info:
            key = f"{info['pid']}/{info['tid']}"
            state = self.threads.setdefault(key, {}).setdefault(
                name, {"count": 0, "ns": 0})
            state["count"] += 1
            state["ns"] += end - begin

    def end(self):
        left = [self.tracks[t] for t, s in self.open.items() if s]
        if left:
            raise Broken(f"slices left open on {left[:3]}")
        for flow, (begin, end) in self.flows.items():
            # Who was woken and did not run before the end has no second one.
            if begin is None or (end is not None and end < begin):
                raise Broken(f"arrow {flow}: from {begin} to {end}")
            self.count["arrows"] += end is not None


def resolve(table, what, iid):
    if iid not in table[what]:
        raise Broken(f"{what} {iid} is not defined")
    return table[what][iid]


TYPES = {1: "begin", 2: "end", 3: "instant", 4: "counter"}


def add_packet(t, p, table):
    t.count["packets"] += 1
    if "sequence" not in p:
        raise Broken("a packet without a sequence")
    if p.get("flags", 0) & 1:
        for names in table.values():
            names.clear()
        if p.get("defaults", {}).get("clock") != 3:
            raise Broken("the clock is not CLOCK_MONOTONIC")
    for what, entries in p.get("interned", {}).items():
        for entry in entries:
            table[what][entry["iid"]] = entry["name"]
    if "descriptor" in p:
        d = p["descriptor"]
        info = {k: d[k] for k in ("name", "parent") if k in d}
        info.update(d.get("process", {}))
        info.update(d.get("thread", {}))
        t.describe(d["uuid"], info)
    if "event" in p:
        e = p["event"]
        name = resolve(table, "name", e["name_iid"]) if "name_iid" in e else None
        if "category_iid" in e:
            resolve(table, "category", e["category_iid"])
        for a in e.get("annotation", []):
            resolve(table, "annotation", a["name_iid"])
            if ("int" in a) == ("string" in a):
                raise Broken("an argument without a value")
        t.event(TYPES[e["type"]], e["track"], p["timestamp"], name,
                e.get("flow"), e.get("flow_end"))


def read_perfetto(data):
    t = Timeline()
    table = {"category": {}, "name": {}, "annotation": {}}
    for number, packet in fields(memoryview(data)):
        if number != 1:
            raise Broken(f"field {number} of the file")
        add_packet(t, decode(bytes(packet), PACKET), table)
    return t


def read_chrome(data):
    t = Timeline()
    kinds = {"B": "begin", "E": "end", "i": "instant", "C": "counter"}
    flows = {}
    for e in json.loads(data)["traceEvents"]:
        track = (e["pid"], e["tid"])
        if e["ph"] == "M":
            info = dict(t.tracks.get(track, {}), pid=e["pid"])
            if e["name"] == "thread_name":
                info.update(tid=e["tid"], name=e["args"]["name"])
            t.describe(track, info)
        elif e["ph"] in "sf":
            flows.setdefault(e["id"], {})[e["ph"]] = e["ts"]
        else:
            t.event(kinds[e["ph"]], track, round(e["ts"] * 1000), e.get("name"))
    for flow, ends in flows.items():
        t.flows[flow] = [ends.get("s"), ends.get("f")]
    return t


def check(name):
    """The timeline in a file, or raise Broken."""
    with open(name, "rb") as f:
        data = f.read()
    try:
        t = read_chrome(data) if data[:1] == b"{" else read_perfetto(data)
        t.end()
    except (KeyError, ValueError) as e:
        raise Broken(f"{type(e).__name__}: {e}") from e
    return t


def holds(line, checked):
    name, summary, expression = line.rstrip("\n").split("\t")
    if name not in checked:
        checked[name] = Timeline() if name == "-" else check(name)
    t = checked[name]
    with open(summary) as f:
        *lines, last = f.read().splitlines()
    words = [text.split() for text in lines]
    scope = {"t": t, "s": json.loads(last), "words": words, "names": t.names,
             "count": t.count}
    scope["runs"] = lambda pid: sum(
        states["Running"]["count"] for key, states in t.threads.items()
        if key.startswith(pid + "/") and "Running" in states)
    if not eval(expression, scope):
        raise Broken(f"{scope['s']} {dict(t.count)} {dict(t.names)} {words}")


def tap(first, checks):
    bad, checked = 0, {}
    with open(checks) as f:
        for number, line in enumerate(f, int(first)):
            try:
                holds(line, checked)
                print(f"ok {number} {line.split(chr(9))[-1].rstrip()}")
            except (Broken, OSError, KeyError, IndexError, ValueError) as e:
                bad = 1
                print(f"not ok {number} {line.split(chr(9))[-1].rstrip()}")
                print(f"# {type(e).__name__}: {e}")
    sys.exit(bad)


def main():
    if sys.argv[1] == "--tap":
        tap(*sys.argv[2:])
    try:
        t = check(sys.argv[1])
    except Broken as e:
        sys.exit(f"{sys.argv[1]}: {e}")
    print(json.dumps({"count": t.count, "threads": t.threads, "names": t.names,
                      "busy_ns": t.busy}))


if __name__ == "__main__":
    main()
