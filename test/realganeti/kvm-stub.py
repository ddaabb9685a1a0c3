#!/usr/bin/python3 -IS
"""Stands in for the kvm binary where there is no /dev/kvm, so that Ganeti's own KVM code has something to run.

It answers the questions that Ganeti asks before a start; otherwise it becomes a daemon, writes the pid file, and serves
QMP and the human monitor on the unix sockets of its command line until it is told to quit. There is no guest.
"""
import json
import os
import signal
import socket
import sys
import threading

VERSION = "7.2.22 (Debian 1:7.2+dfsg-7)"
ANSWERS = {
    ("--help",): f"QEMU emulator version {VERSION}\n-uuid \n-qmp dev\n-netdev x\n-spice x",
    ("-machine", "?"): "Supported machines are:\npc Standard PC (alias of pc-i440fx-7.2)\n"
                       "pc-i440fx-7.2 Standard PC (i440FX + PIIX, 1996) (default)",
    ("-device", "?"): 'name "virtio-blk-pci", bus PCI\nname "virtio-net-pci", bus PCI',
}
COMMANDS = ("balloon", "cont", "query-balloon", "query-commands", "query-cpus", "query-cpus-fast", "query-pci",
            "query-status", "query-version", "quit", "stop", "system_powerdown")


def leave(*_):
    os._exit(0)


class Guest:
    """What QMP tells of a guest that does not exist."""

    def __init__(self, options):
        self.memory = int(options.get("-m", "128")) << 20
        self.cpus = int(options.get("-smp", "1").split(",")[0])

    def answer(self, command, arguments):
        if command == "balloon":
            self.memory = int(arguments.get("value", self.memory))
        cpus = [{"CPU": n, "cpu-index": n, "thread_id": 0, "thread-id": 0} for n in range(self.cpus)]
        return {
            "query-commands": [{"name": name} for name in COMMANDS],
            "query-cpus": cpus,
            "query-cpus-fast": cpus,
            "query-balloon": {"actual": self.memory},
            "query-status": {"running": True, "status": "running", "singlestep": False},
            "query-version": {"qemu": {"micro": 22, "minor": 2, "major": 7}, "package": ""},
            "query-pci": [{"bus": 0, "devices": []}],
        }.get(command, {})

    def serve_qmp(self, connection):
        stream = connection.makefile("rwb")

        def send(message):
            stream.write(json.dumps(message).encode() + b"\r\n")
            stream.flush()

        send({"QMP": {"version": self.answer("query-version", {}), "capabilities": []}})
        for line in stream:
            if not line.strip():
                continue  # Ganeti 3.1 sends blank lines between its commands
            request = json.loads(line)
            command = request.get("execute")
            reply = {"return": self.answer(command, request.get("arguments", {}))}
            if "id" in request:
                reply["id"] = request["id"]
            send(reply)
            if command in ("quit", "system_powerdown"):
                leave()

    def serve_monitor(self, connection):
        connection.sendall(b"QEMU 7.2.22 monitor\r\n(qemu) ")
        while words := connection.recv(4096):
            if b"quit" in words or b"system_powerdown" in words:
                leave()
            connection.sendall(b"VM status: running\r\n(qemu) " if b"status" in words else b"(qemu) ")


def quietly(serve, connection):
    """A client that hangs up or talks nonsense ends its own connection and nothing else."""
    try:
        with connection:
            serve(connection)
    except (OSError, ValueError):
        pass


def listen(path):
    if os.path.exists(path):
        os.unlink(path)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(8)
    return listener


def accept(listener, serve):
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=quietly, args=(serve, connection), daemon=True).start()


def become_daemon(pidfile):
    """Returns in the daemon; the first process ends when the daemon is ready, as kvm's -daemonize does."""
    ready, announce = os.pipe()
    if os.fork():
        os.close(announce)
        os.read(ready, 1)
        leave()
    os.setsid()
    if os.fork():
        leave()
    null = os.open("/dev/null", os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(null, standard)
    if pidfile:
        with open(pidfile, "w", encoding="ascii") as f:
            f.write(f"{os.getpid()}\n")
    os.write(announce, b"1")
    os.close(announce)
    os.close(ready)


def main(arguments):
    for question, answer in ANSWERS.items():
        if tuple(arguments[:len(question)]) == question:
            print(answer)
            return
    options = dict(zip(arguments, arguments[1:]))
    guest = Guest(options)
    listeners = []
    for option, value in zip(arguments, arguments[1:]):
        if option in ("-qmp", "-monitor") and value.startswith("unix:"):
            serve = guest.serve_qmp if option == "-qmp" else guest.serve_monitor
            listeners.append((listen(value[len("unix:"):].split(",")[0]), serve))
    become_daemon(options.get("-pidfile"))
    signal.signal(signal.SIGTERM, leave)
    for listener, serve in listeners:
        threading.Thread(target=accept, args=(listener, serve), daemon=True).start()
    signal.pause()


main(sys.argv[1:])
