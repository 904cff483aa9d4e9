#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""A disk with a volatile write cache: volatile-disk.py SOCKET IMAGE SEED

Serves IMAGE over NBD on a Unix socket, to one client, for QEMU. What is written
stays in memory until the client flushes. On SIGTERM the power fails: of the
sectors that were written and not flushed each gets to IMAGE or does not, by a
random choice that SEED decides, and the program ends.
"""
import random
import signal
import socket
import struct
import sys

SECTOR = 512
FLAGS = 1 | 1 << 2 | 1 << 3  # HAS_FLAGS, SEND_FLUSH, SEND_FUA
FUA = 1


class PowerCut(Exception):
    """SIGTERM came."""


class Disk:
    """An image, and the sectors of it that are not durable."""

    def __init__(self, path):
        self.file = open(path, "r+b", buffering=0)
        self.size = self.file.seek(0, 2)
        self.cache = {}

    def read(self, offset, length):
        self.file.seek(offset)
        data = bytearray(self.file.read(length))
        for at in range(0, length, SECTOR):
            cached = self.cache.get(offset + at)
            if cached:
                data[at:at + SECTOR] = cached
        return bytes(data)

    def write(self, offset, data, durable):
        for at in range(0, len(data), SECTOR):
            self.cache[offset + at] = data[at:at + SECTOR]
        if durable:
            self.save(range(offset, offset + len(data), SECTOR))

    def save(self, offsets):
        for offset in list(offsets):
            data = self.cache.pop(offset, None)
            if data:
                self.file.seek(offset)
                self.file.write(data)

    def flush(self):
        self.save(sorted(self.cache))

    def cut(self, seed):
        """Lose about half of what is not durable."""
        choice = random.Random(seed)
        kept = [o for o in sorted(self.cache) if choice.random() < 0.5]
        lost = len(self.cache) - len(kept)
        self.save(kept)
        return len(kept), lost


def receive(sock, length):
    data = b""
    while len(data) < length:
        part = sock.recv(length - len(data))
        if not part:
            raise EOFError
        data += part
    return data


def option_reply(sock, option, kind, data=b""):
    sock.sendall(struct.pack(">QIII", 0x3E889045565A9, option, kind, len(data)) + data)


def negotiate(sock, disk):
    """The fixed new-style handshake."""
    sock.sendall(struct.pack(">QQH", 0x4E42444D41474943, 0x49484156454F5054, 3))
    receive(sock, 4)
    while True:
        _, option, length = struct.unpack(">QII", receive(sock, 16))
        receive(sock, length)
        if option == 1:  # EXPORT_NAME
            sock.sendall(struct.pack(">QH", disk.size, FLAGS))
            return
        if option in (6, 7):  # INFO, GO
            option_reply(sock, option, 3, struct.pack(">HQH", 0, disk.size, FLAGS))
            option_reply(sock, option, 1)
            if option == 7:
                return
        else:
            option_reply(sock, option, 0x80000001)  # not supported


def serve(sock, disk):
    while True:
        magic, flags, command, handle, offset, length = struct.unpack(
            ">IHHQQI", receive(sock, 28))
        assert magic == 0x25609513
        reply = struct.pack(">IIQ", 0x67446698, 0, handle)
        if command == 0:
            reply += disk.read(offset, length)
        elif command == 1:
            disk.write(offset, receive(sock, length), flags & FUA)
        elif command == 2:
            return
        elif command == 3:
            disk.flush()
        else:
            reply = struct.pack(">IIQ", 0x67446698, 22, handle)
        sock.sendall(reply)


def power_cut(*_):
    raise PowerCut


def main():
    path, image, seed = sys.argv[1:4]
    disk = Disk(image)
    signal.signal(signal.SIGTERM, power_cut)
    try:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path)
            listener.listen(1)
            sock, _ = listener.accept()
            negotiate(sock, disk)
            serve(sock, disk)
    except (PowerCut, EOFError, ConnectionError):
        pass
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    kept, lost = disk.cut(seed)
    print(f"{image}: power cut, {kept} sectors kept, {lost} lost", flush=True)


if __name__ == "__main__":
    main()
