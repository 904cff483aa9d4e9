#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The reader of Go execution traces agrees with Go's own.

Lets a Go program that does all kinds of things record itself, and compares when
each goroutine came into which state, all of them and in order. Times are the same
to within the resolution of the trace's clock, but for a few: where what events mean
contradicts their times, as it can at the seams of a trace, Go's reader moves them
to later, and this one does not. Needs build/selftests/tracee,
build/test/gojoin_dump and build/test/gostates.
"""
import collections
import os
import subprocess
import sys
import tempfile

RESOLUTION_NS = 64


def states(*command):
    out = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found = collections.defaultdict(list)
    for line in out.stdout.splitlines():
        time, *what = line.split()
        key = what[0]
        found[key].append((int(time), what[-1]))
    for events in found.values():
        events.sort(key=lambda e: e[0])
    return found


def differences(ours, theirs):
    for key in sorted(set(ours) | set(theirs)):
        a, b = ours.get(key, []), theirs.get(key, [])
        if [state for _, state in a] != [state for _, state in b]:
            yield f"{key}: {len(a)} states, Go says {len(b)}"
            for i, (x, y) in enumerate(zip(a, b)):
                if x[1] != y[1]:
                    yield f"  the first that differs: {i}: {x}, Go says {y}"
                    break
        for (x, state), (y, _) in zip(a, b):
            if y < x - RESOLUTION_NS:
                yield f"{key}: {state} at {x}, Go says {y}"
                break


def count_moved(ours, theirs):
    return sum(y > x + RESOLUTION_NS for key in ours
               for (x, _), (y, _) in zip(ours[key], theirs.get(key, [])))


def main():
    bad = number = 0
    cases = [["-duration", "2500ms"], ["-duration", "300ms", "-procs", "8"],
             ["-duration", "300ms", "-procs", "1", "-spinners", "4"]]
    with tempfile.TemporaryDirectory() as folder:
        for case in cases:
            file = os.path.join(folder, "trace")
            subprocess.run(["build/selftests/tracee", "-trace", file, *case],
                           check=True, stdout=subprocess.DEVNULL)
            ours = states("build/test/gojoin_dump", file)
            theirs = states("build/test/gostates", file)
            wrong = list(differences(ours, theirs))
            total = sum(len(v) for v in theirs.values())
            moved = count_moved(ours, theirs)
            if total < 100 or moved > total * 0.05:
                wrong.append(f"{moved} of {total} times differ")
            number += 1
            bad += bool(wrong)
            print(f"{'not ' if wrong else ''}ok {number} {' '.join(case)}: "
                  f"{total} states of {len(theirs)} goroutines and phases, "
                  f"{moved} times moved by Go's reader")
            for line in wrong[:20]:
                print("#", line)
    print(f"1..{number}")
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
