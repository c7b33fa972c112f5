"""Plays the person and the terminal: runs a command on a terminal of its own, types, resizes, and tells what was seen.

Arguments: rows, columns, a JSON list of steps, the command. A step is [what to wait for, what to do], where doing is
{"type": text}, {"resize": [rows, columns]}, {"signal": name} (to the command) or {"go_on": true} (wakes it when it has
stopped). The terminal's child is this script, as a shell is: it starts the command as a job in the foreground. Prints JSON:
everything seen, the code (128 + n for a signal), how often it stopped, and whether the terminal was left as it was found.
"""

import fcntl
import json
import os
import pty
import select
import signal
import struct
import sys
import termios
import time


def size(fd, rows, columns):
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def shell(command, report):
    """The session's leader: starts the command as a job and waits for it, as an interactive shell does."""
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    before = termios.tcgetattr(0)
    job = os.fork()
    if job == 0:
        os.setpgid(0, 0)
        os.tcsetpgrp(0, os.getpid())
        signal.signal(signal.SIGTTOU, signal.SIG_DFL)
        os.close(report)
        os.execvp(command[0], command)
    try:
        os.setpgid(job, job)
    except OSError:
        pass
    os.write(report, f"job {job}\n".encode())
    stops = 0
    while True:
        _, status = os.waitpid(job, os.WUNTRACED)
        if not os.WIFSTOPPED(status):
            break
        stops += 1
        os.tcsetpgrp(0, os.getpid())
        restored = termios.tcgetattr(0) == before
        os.write(report, f"stopped {int(restored)}\n".encode())
        # The one who plays says when: it writes a line to the terminal.
        sys.stdin.readline()
        os.tcsetpgrp(0, job)
        os.killpg(job, signal.SIGCONT)
    os.tcsetpgrp(0, os.getpid())
    code = 128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
    os.write(report, f"end {code} {stops} {int(termios.tcgetattr(0) == before)}\n".encode())


def main():
    rows, columns, steps, command = int(sys.argv[1]), int(sys.argv[2]), json.loads(sys.argv[3]), sys.argv[4:]
    told, report = os.pipe()
    child, fd = pty.fork()
    if child == 0:
        size(0, rows, columns)
        shell(command, report)
        os._exit(0)
    os.close(report)
    seen, said, job = b"", b"", None
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        ready, _, _ = select.select([fd, told], [], [], 0.1)
        if fd in ready:
            try:
                seen += os.read(fd, 65536)
            except OSError:
                break
        if told in ready:
            said += os.read(told, 65536)
        lines = said.decode().split("\n")[:-1]
        job = next((int(line.split()[1]) for line in lines if line.startswith("job")), job)
        while steps and job and (steps[0][0] in seen.decode(errors="replace") or steps[0][0] in lines):
            (_, action) = steps.pop(0)
            if "type" in action:
                os.write(fd, action["type"].encode())
            if "resize" in action:
                size(fd, *action["resize"])
            if "signal" in action:
                os.kill(job, signal.Signals[action["signal"]])
            if "go_on" in action:
                os.write(fd, b"\n")
    os.close(fd)
    while part := os.read(told, 65536):
        said += part
    os.waitpid(child, 0)
    lines = [line.split() for line in said.decode().split("\n")]
    end = next((line for line in lines if line[:1] == ["end"]), ["end", "-1", "0", "0"])
    stops = [line for line in lines if line[:1] == ["stopped"]]
    print(json.dumps({
        "seen": seen.decode(errors="replace"),
        "code": int(end[1]),
        "stops": int(end[2]),
        "restored": end[3] == "1" and all(stop[1] == "1" for stop in stops),
        "undone": steps,
    }))


main()
