#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""What daemon.sh cannot do in shell: sockets.

notify        start coschedd as a service manager would, watch its messages
clients PID   be every bad client there can be, while a good one is served

Exit status 0, or 1 with the reason.
"""
import json
import os
import signal
import socket
import subprocess
import sys
import time

SOCKET = "/run/cosched/io.cosched"
STATE = "/sys/kernel/sched_ext/state"


def read(path):
    with open(path, encoding="ascii") as f:
        return f.read()


def require(condition, what):
    if not condition:
        sys.exit(f"# daemon.py: {what}")


# --- notify


def receive(sock, wanted, seconds):
    """All messages up to one that has a line that starts with wanted."""
    seen = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        sock.settimeout(max(0.1, end - time.monotonic()))
        try:
            seen += sock.recv(4096).decode().split("\n")
        except TimeoutError:
            break
        if any(line.startswith(wanted) for line in seen):
            return seen
    sys.exit(f"# daemon.py: no {wanted} within {seconds} s, but {seen}")


def notify():
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    sock.bind("\0cosched-test-notify")
    env = dict(os.environ, NOTIFY_SOCKET="@cosched-test-notify",
               WATCHDOG_USEC="4000000")
    with subprocess.Popen(["coschedd", "--foreground"], env=env) as daemon:
        seen = receive(sock, "READY=1", 120)
        require(f"MAINPID={daemon.pid}" in seen, f"MAINPID in {seen}")
        require(read(STATE).strip() == "enabled", "READY before enabled")
        receive(sock, "WATCHDOG=1", 10)
        daemon.send_signal(signal.SIGTERM)
        receive(sock, "STOPPING=1", 20)
        require(daemon.wait(60) == 0, f"status {daemon.returncode}")
    require(not os.path.exists(SOCKET), "the socket is still there")


# --- clients


def connect():
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(20)
    sock.connect(SOCKET)
    return sock


def reply(sock):
    """One reply, or None when the other end hung up."""
    data = b""
    while not data.endswith(b"\0"):
        try:
            part = sock.recv(65536)
        except ConnectionError:
            return None
        if not part:
            return None
        data += part
    return json.loads(data[:-1])


def send(sock, data):
    """Send all; 0 when the other end hung up meanwhile."""
    try:
        sock.sendall(data)
        return 1
    except (BrokenPipeError, ConnectionError):
        return 0


def call(method, parameters=None):
    with connect() as sock:
        message = {"method": method, "parameters": parameters or {}}
        sock.sendall(json.dumps(message).encode() + b"\0")
        return reply(sock)


def healthy(what):
    """A good client is answered at once, whatever the others do."""
    start = time.monotonic()
    answer = call("io.cosched.GetStatus")
    took = time.monotonic() - start
    require(answer and answer["parameters"]["state"] == "enabled",
            f"{what}: answer {answer}")
    require(took < 5, f"{what}: answered after {took:.1f} s")


def garbage():
    for data in (b"\0", b"\xff" * 1000 + b"\0", b"{}\0", b"[]\0", b"null\0",
                 b'{"method":1}\0', b'{"method":""}\0', b'{"method":"x"}\0',
                 b'{"method":"io.cosched.GetStatus","parameters":1}\0',
                 b"[" * 100000 + b"\0", b'{"a":' * 5000 + b"\0",
                 b'"\\ud800"\0', b"GET / HTTP/1.0\r\n\r\n\0"):
        with connect() as sock:
            send(sock, data)
            answer = reply(sock)
            require(answer is None or "error" in answer,
                    f"{data[:40]!r} is answered with {answer}")
        healthy(f"after {data[:40]!r}")


def flags():
    """A call that wants no reply gets none, one that wants more gets one."""
    with connect() as sock:
        sock.sendall(b'{"method":"io.cosched.GetStatus","oneway":true}\0'
                     b'{"method":"io.cosched.GetStats","more":true}\0')
        answer = reply(sock)
        require(answer and "counters" in answer["parameters"],
                f"after oneway: {answer}")
    healthy("after flags")


def too_large():
    """A message without an end: the daemon stops reading, and forgets it."""
    with connect() as sock:
        chunk = b"x" * (1 << 20)
        sent = 0
        while sent < 64 and send(sock, chunk):
            sent += 1
        require(sent < 64, "64 MiB were taken")
    healthy("after an endless message")


def stalled():
    """Halves of messages, replies that nobody reads, no words at all."""
    socks = [connect() for _ in range(10)]
    for sock in socks[:5]:
        sock.sendall(b'{"method":"io.cosched.Get')
    request = b'{"method":"io.cosched.GetStats","parameters":{}}\0'
    for sock in socks[5:8]:
        sock.setblocking(False)
        try:
            for _ in range(2000):
                sock.send(request)
        except (BlockingIOError, ConnectionError):
            pass
    healthy("beside stalled clients")
    return socks


def crowd():
    """More connections than one user may have: the last ones are dropped."""
    socks = []
    for _ in range(40):
        try:
            socks.append(connect())
        except OSError:
            break
    dropped = 0
    for sock in socks[30:]:
        sock.settimeout(1)
        try:
            dropped += sock.recv(1) == b""
        except TimeoutError:
            pass
        except ConnectionError:
            dropped += 1
    for sock in socks:
        sock.close()
    require(dropped, "nobody of 40 was dropped")
    time.sleep(1)
    healthy("after a crowd")


def resident_mib(pid):
    for line in read(f"/proc/{pid}/status").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0


def clients(pid):
    healthy("at first")
    garbage()
    flags()
    crowd()
    too_large()
    began = time.monotonic()
    socks = stalled()
    silent = connect()
    silent.settimeout(60)
    require(silent.recv(1) == b"", "a silent client is served")
    took = time.monotonic() - began
    require(5 < took < 40, f"a silent client is dropped after {took:.0f} s")
    for sock in socks:
        sock.close()
    healthy("at last")
    used = resident_mib(pid)
    require(used < 64, f"{used:.0f} MiB resident")


if __name__ == "__main__":
    if sys.argv[1:] == ["notify"]:
        notify()
    elif len(sys.argv) == 3 and sys.argv[1] == "clients":
        clients(int(sys.argv[2]))
    else:
        sys.exit(__doc__)
