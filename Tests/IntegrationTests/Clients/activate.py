"""Starts a program as systemd's socket activation does (sd_listen_fds(3)): activate.py SOCKET COMMAND..."""

import os
import socket
import sys

path, command = sys.argv[1], sys.argv[2:]
listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
listener.bind(path)
listener.listen(16)
os.dup2(listener.fileno(), 3)
os.set_inheritable(3, True)  # it may have been 3 before, and then dup2 does nothing
os.environ["LISTEN_PID"] = str(os.getpid())
os.environ["LISTEN_FDS"] = "1"
os.execv(command[0], command)
