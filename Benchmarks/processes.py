"""Starting programs, ending them, and reading what the kernel says about them."""

import atexit
import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time

_started = []  # every long-running process that was started and not yet ended, oldest first
_folders = []  # every temporary folder that was made and not yet removed


class Failure(Exception):
    """A reason to end the run that the one at the terminal can act upon."""


def processor_ns(pid):
    """Nanoseconds that a process has spent on processors so far, threads that ended included.

    From the process' own clock; clock_getcpuclockid(3) makes the clock's number from a pid in this way.
    """
    return time.clock_gettime_ns((~pid << 3) | 2)


class Process:
    """A server that runs until `stop`, its output going to a log file. Linux only."""

    def __init__(self, arguments, log, user=None, stop_signal=signal.SIGTERM):
        self.name = os.path.basename(arguments[0])
        self.log = log
        self.stop_signal = stop_signal
        switch = {}
        if user is not None and os.geteuid() == 0:
            entry = pwd.getpwnam(user)
            switch = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
        # A session of its own: Ctrl-C at the terminal reaches this script alone, which then ends the servers in order.
        with open(log, "ab") as output:
            self._popen = subprocess.Popen(
                arguments, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True, **switch
            )
        self.pid = self._popen.pid
        _started.append(self)

    def require_alive(self):
        if self._popen.poll() is not None:
            raise Failure(f"{self.name} ended with status {self._popen.returncode}:\n{self.log_tail()}")

    def log_tail(self, lines=15):
        with open(self.log, errors="replace") as log:
            return "".join(log.readlines()[-lines:])

    def stop(self, patience=15):
        """Asks the process to end, and kills it when it has not after `patience` seconds."""
        if self in _started:
            _started.remove(self)
        if self._popen.poll() is None:
            self._popen.send_signal(self.stop_signal)
            try:
                self._popen.wait(patience)
            except subprocess.TimeoutExpired:
                print(f"{self.name} (pid {self.pid}) did not end within {patience} s: killed", file=sys.stderr)
                self._popen.kill()
                self._popen.wait()

    def processor_ns(self):
        """Nanoseconds that the process has spent on processors so far, threads that ended included."""
        return processor_ns(self.pid)

    def prefer(self):
        """Lets the process run before all ordinary work of the machine. Needs root."""
        for thread in os.listdir(f"/proc/{self.pid}/task"):
            os.sched_setscheduler(int(thread), os.SCHED_FIFO, os.sched_param(10))

    def resident_bytes(self):
        """VmRSS: the bytes of the process that are in memory now."""
        return self._memory("VmRSS")

    def own_bytes(self):
        """RssAnon: those of them that it alone has, and not from files, as its code and its libraries'."""
        return self._memory("RssAnon")

    def _memory(self, name):
        with open(f"/proc/{self.pid}/status") as text:
            for line in text:
                if line.startswith(f"{name}:"):
                    return int(line.split()[1]) * 1024
        raise Failure(f"no {name} for {self.name}")


def run(arguments, accept=(0,), **options):
    """Runs a program to its end and returns what it printed; it is killed when this script is interrupted."""
    done = subprocess.run(arguments, stdin=subprocess.DEVNULL, capture_output=True, text=True, **options)
    if done.returncode not in accept:
        raise Failure(
            f"`{' '.join(arguments)}` ended with status {done.returncode}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
        )
    return done.stdout


@contextlib.contextmanager
def conversation(arguments, prefer=False):
    """A program that is talked to in lines: gives a function that sends a line, unless it is None, and returns the next."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(arguments, text=True, **pipes) as program:
        if prefer:
            os.sched_setscheduler(program.pid, os.SCHED_FIFO, os.sched_param(10))

        def say(line):
            if line is not None:
                program.stdin.write(line + "\n")
                program.stdin.flush()
            answer = program.stdout.readline()
            if not answer:
                raise Failure(f"`{' '.join(arguments)}` said nothing more:\n{program.stderr.read()[-2000:]}")
            return answer.rstrip("\n")

        try:
            yield say
        finally:
            program.kill()


def wait_until(what, condition, process=None, seconds=30, pause=0.05):
    """Polls `condition` until it gives something true, which is returned."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        if process is not None:
            process.require_alive()
        time.sleep(pause)
    tail = f":\n{process.log_tail()}" if process is not None else ""
    raise Failure(f"waited {seconds} s in vain for {what}{tail}")


def temporary_folder(prefix, parent=None):
    """A new folder that others may enter, removed at the end of the run."""
    folder = tempfile.mkdtemp(prefix=prefix, dir=parent)
    os.chmod(folder, 0o755)
    _folders.append(folder)
    return folder


def _end_everything():
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    for process in reversed(_started[:]):
        process.stop()
    for folder in _folders:
        shutil.rmtree(folder, ignore_errors=True)


def clean_up_at_exit():
    """From here on, however the run ends (SIGKILL apart), its servers are ended and its folders removed."""

    def leave(number, _frame):
        raise SystemExit(128 + number)

    # A shell starts its background jobs with SIGINT ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, leave)
    signal.signal(signal.SIGHUP, leave)
    atexit.register(_end_everything)
