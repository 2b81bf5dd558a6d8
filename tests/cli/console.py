"""console.py SOCKET: what stands behind --console-socket. Takes one terminal, types what comes on standard input, and shows what the
terminal says until the container closes it. With SIZE=ROWSxCOLUMNS in the environment the terminal gets that size first."""

import array
import fcntl
import os
import socket
import struct
import sys
import termios

listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
listener.bind(sys.argv[1])
listener.listen(1)
peer, _ = listener.accept()
data, control, _, _ = peer.recvmsg(4096, socket.CMSG_SPACE(4))
fds = array.array("i")
fds.frombytes(control[0][2][:4])
terminal = fds[0]
assert len(control) == 1 and os.isatty(terminal), (data, control)
if "SIZE" in os.environ:
    rows, columns = os.environ["SIZE"].split("x")
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", int(rows), int(columns), 0, 0))
os.write(terminal, sys.stdin.buffer.read())
while True:
    try:
        shown = os.read(terminal, 4096)
    except OSError:
        break
    if not shown:
        break
    sys.stdout.buffer.write(shown)
    sys.stdout.buffer.flush()  # who watches what is shown waits for it
