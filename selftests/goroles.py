#!/usr/bin/env -S python3 -I -S
# SPDX-License-Identifier: GPL-2.0-only
"""goroles.py PROGRAM...: does the scheduler tell what threads of Go programs do?

Each PROGRAM is selftests/goroles, built in another way. It is brought into one
state after the other, says what its threads are, and what the scheduler saw of each
thread meanwhile is compared: at least 99 % of all looks have to agree. Before that,
with the first PROGRAM: programs are found that ran before coschedd did, and in other
namespaces, and are left alone where that was asked for. Exit status: 0, 1.
"""
import json
import os
import socket
import subprocess
import sys
import time

SOCKET = "/run/cosched/io.cosched"
LOOKS = 500 if os.environ.get("SOAK") else 100    # that a state is judged by, at least
SECONDS = 120      # that it may take, and loading the scheduler
AGREE = 0.99

number = failed = 0


def verdict(ok, text):
    global number, failed
    number += 1
    failed += not ok
    print(f"{'ok' if ok else 'not ok'} {number} {text}", flush=True)


def threads(pid):
    """What the scheduler sees: {tid: (role, goid, samples)}, and its state."""
    call = {"method": "io.cosched.GetGoThreads", "parameters": {"pid": pid}}
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(SOCKET)
        sock.sendall(json.dumps(call).encode() + b"\0")
        reply = b""
        while not reply.endswith(b"\0"):
            part = sock.recv(1 << 20)
            if not part:
                raise EOFError(reply)
            reply += part
    seen = json.loads(reply[:-1])["parameters"]
    return {t["tid"]: (t["role"], t["goid"], t["samples"] or {})
            for t in seen["threads"]}, seen["state"]


def difference(before, after):
    return {role: n - before.get(role, 0) for role, n in after.items()
            if n != before.get(role, 0)}


class Program:
    """One that is in a state, until it is left."""

    def __init__(self, path, state, procs=2):
        # A loop is then never interrupted: no look finds the runtime's scheduler.
        loops = state in ("user", "locked")
        env = dict(os.environ, GOMAXPROCS=str(procs), GOTRACEBACK="system",
                   GODEBUG=f"asyncpreemptoff={int(loops)}")
        self.child = subprocess.Popen([path, state], stdin=subprocess.PIPE, env=env,
                                      stdout=subprocess.PIPE, text=True)
        self.truth, self.any, self.workers = {}, None, set()

    def __enter__(self):
        for line in self.child.stdout:
            if line == "ready\n":
                break
            tid, role, goid = line.split()
            if role == "worker":
                self.workers.add(int(goid))
            elif tid == "0":
                self.any = role
            else:
                self.truth[int(tid)] = (role, int(goid))
        return self

    def __exit__(self, *unused):
        self.child.kill()
        self.child.wait()

    @property
    def pid(self):
        return self.child.pid

    def wait_active(self):
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            seen, state = threads(self.pid)
            if state == "active" and seen:
                return True
            time.sleep(0.05)
        print(f"# state: {state}")
        return False

    def looks(self, wanted):
        """Of each thread the roles it was seen in, until there are enough."""
        before, _ = threads(self.pid)
        end = time.monotonic() + SECONDS
        while True:
            time.sleep(0.2)
            after, _ = threads(self.pid)
            new = {tid: difference(before.get(tid, ("", 0, {}))[2], seen[2])
                   for tid, seen in after.items()}
            if wanted(new) >= LOOKS or time.monotonic() > end:
                return new, after


def judge(what, pairs):
    """Of pairs of what was seen, {role: n}, and what that should be."""
    right = wrong = 0
    for seen, role in pairs:
        for name, n in seen.items():
            if name == role:
                right += n
            else:
                wrong += n
    whole = right + wrong
    verdict(right >= AGREE * whole and whole >= LOOKS,
            f"{what}: {right} of {whole} looks agree")
    if wrong:
        print(f"# {[(p, r) for p, r in pairs if set(p) - {r}]}")


def count(new):
    return sum(sum(seen.values()) for seen in new.values())


def named(program, state, procs=2):
    """Threads that the program names, and all others if it says what they are."""
    name = os.path.basename(program)
    with Program(program, state, procs) as p:
        if not p.wait_active():
            verdict(False, f"{name} {state}: the scheduler knows it")
            return
        mine = {tid: role for tid, (role, _) in p.truth.items() if role != "sysmon"}
        new, after = p.looks(lambda new: sum(
            sum(seen.values()) for tid, seen in new.items()
            if tid in mine or (p.any and tid not in p.truth)))
        judge(f"{name} {state}", [(seen, mine.get(tid, p.any))
                                  for tid, seen in new.items()
                                  if tid in mine or (p.any and tid not in p.truth)])
        sysmon = [tid for tid, (role, _) in p.truth.items() if role == "sysmon"]
        seen = new.get(sysmon[0], {})
        right = seen.get("sysmon", 0)
        verdict(right and right >= AGREE * sum(seen.values()),
                f"{name} {state}: sysmon is sysmon in {right} of {sum(seen.values())}")
        ids = {tid: (goid, after[tid][1]) for tid, (role, goid) in p.truth.items()
               if goid and tid in after and after[tid][0] == role}
        if ids:
            verdict(all(a == b for a, b in ids.values()),
                    f"{name} {state}: {len(ids)} goroutines have their numbers")


def syscall_of(pid, tid):
    try:
        with open(f"/proc/{pid}/task/{tid}/syscall", encoding="ascii") as f:
            return f.read().split()[0]
    except OSError:
        return "gone"


def waiting(program, state, procs=2):
    """What the kernel says of where each thread waits is the truth: the runtime waits
    for work in futex(2) and epoll_pwait(2), the program in nanosleep(2)."""
    name = os.path.basename(program)
    right, wrong, counted = {}, {}, set()
    with Program(program, state, procs) as p:
        if not p.wait_active():
            verdict(False, f"{name} {state}: the scheduler knows it")
            return
        sysmon = [tid for tid, (role, _) in p.truth.items() if role == "sysmon"]
        end = time.monotonic() + SECONDS
        while sum(right.values()) + sum(wrong.values()) < LOOKS / 4 and \
                time.monotonic() < end:
            before, _ = threads(p.pid)
            calls = {tid: syscall_of(p.pid, tid) for tid in before}
            after, _ = threads(p.pid)
            for tid, call in calls.items():
                # Only who did not move between the two, and has moved before.
                state_of = (tid, sum(before[tid][2].values()))
                if tid in sysmon or before[tid] != after.get(tid) or \
                   state_of in counted or \
                   (state == "syscall" and tid not in p.truth):
                    continue
                truth = {"281": "netpoll", "35": "syscall", "202":
                         "locked" if tid in p.truth else "idle"}.get(call)
                if truth:
                    counted.add(state_of)
                    seen = (before[tid][0], truth)
                    which = right if seen[0] == truth else wrong
                    which[seen] = which.get(seen, 0) + 1
    whole = sum(right.values()) + sum(wrong.values())
    verdict(whole >= LOOKS / 4 and sum(right.values()) >= AGREE * whole,
            f"{name} {state}: {sum(right.values())} of {whole} as the kernel says "
            f"{sorted(x[0] for x in right)} {wrong or ''}")


def collect(program, state, procs, wanted, refused):
    """Workers of the collector: which kinds there are follows from the number of Ps
    and from whether goroutines want them. The goroutines are those that are said."""
    name = os.path.basename(program)
    kinds = {"gc_dedicated", "gc_fractional", "gc_idle"}
    with Program(program, state, procs) as p:
        if not p.wait_active():
            verdict(False, f"{name} {state}: the scheduler knows it")
            return
        goids = set()

        def workers(new):
            seen, _ = threads(p.pid)
            goids.update(goid for role, goid, _ in seen.values() if role in kinds)
            return sum(n for s in new.values() for role, n in s.items() if role in kinds)

        new, _ = p.looks(workers)
        n = {kind: sum(s.get(kind, 0) for s in new.values()) for kind in kinds}
        whole = sum(n.values())
        bad = sum(n[kind] for kind in refused)
        verdict(whole >= LOOKS and bad <= whole * (1 - AGREE) and
                all(n[kind] for kind in wanted), f"{name} {state}, {procs} Ps: {n}")
        if p.workers:
            verdict(goids <= p.workers, f"{name} {state}: workers are {len(goids)} of "
                    f"the {len(p.workers)} goroutines that work for the collector")


def threads_of_goroutines(program):
    named(program, "user")
    waiting(program, "syscall", 4)
    collect(program, "collect-busy", 4, {"gc_dedicated"}, {"gc_idle", "gc_fractional"})


def threads_of_runtime(program):
    named(program, "locked", 3)
    if "cgo" in os.path.basename(program):
        named(program, "cgo")
    waiting(program, "asleep")
    collect(program, "collect", 4, {"gc_dedicated", "gc_idle"}, {"gc_fractional"})


def start_daemon():
    log = os.path.join(os.environ.get("LOG", "build"), "goroles-coschedd.log")
    with open(log, "w", encoding="ascii") as f:
        daemon = subprocess.Popen(["build/bin/coschedd", "--foreground"], stderr=f)
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        with open(log, encoding="ascii") as f:
            if "scheduler enabled" in f.read():
                return daemon
        time.sleep(0.1)
    daemon.kill()
    sys.exit("coschedd does not load the scheduler: see " + log)


def contained(program):
    """In a PID namespace, from a file that nobody else sees."""
    script = f"mount -t tmpfs none /mnt && cp {program} /mnt/p && exec /mnt/p user"
    with subprocess.Popen(["unshare", "--pid", "--mount", "--fork", "sh", "-c", script],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE) as outer:
        for line in outer.stdout:
            if line == b"ready\n":
                break
        with open(f"/proc/{outer.pid}/task/{outer.pid}/children", encoding="ascii") as f:
            pid = int(f.read())
        end = time.monotonic() + SECONDS
        seen = {}
        while not seen and time.monotonic() < end:
            seen, state = threads(pid)
        verdict(state == "active" and any(r == "user" for r, _, _ in seen.values()),
                f"in other namespaces: {state}, {[r for r, _, _ in seen.values()]}")
        os.kill(pid, 9)


def left_alone(program):
    """In a cgroup that is switched off; the one after it, outside, is found."""
    group = "/sys/fs/cgroup/goroles-off"
    os.mkdir(group)
    subprocess.run(["build/bin/cosched", "go", "--off", "/goroles-off"], check=True)
    script = f"echo $$ > {group}/cgroup.procs && exec {program} user"
    with subprocess.Popen(["sh", "-c", script], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as off:
        for line in off.stdout:
            if line == b"ready\n":
                break
        with Program(program, "user") as p:
            found = p.wait_active()
        state = threads(off.pid)[1]
        verdict(found and state == "none", f"switched off in its cgroup: {state}")
        off.kill()
    os.rmdir(group)


def main():
    first = sys.argv[1]
    with Program(first, "asleep") as early:
        daemon = start_daemon()
        verdict(early.wait_active(), "found although it ran before")
    contained(first)
    left_alone(first)
    for number_of, program in enumerate(sys.argv[1:]):
        # All states in all builds take long: in short each build has half of them.
        if os.environ.get("SOAK") or number_of % 2 == 0:
            threads_of_goroutines(program)
        if os.environ.get("SOAK") or number_of % 2:
            threads_of_runtime(program)
    daemon.terminate()
    verdict(daemon.wait() == 0, "the daemon ends")
    print(f"1..{number}")
    sys.exit(failed > 0)


main()
