"""agent.py SOCKET FOLDER [CALL=ERRNO...]: what stands behind linux.seccomp.listenerPath. Each connection's state goes to FOLDER/state.N
as it came, with the number of descriptors of each part received in FOLDER/parts.N. Calls that the filter asks about get the errno
of their number, all others may go on; each asked number is a line of FOLDER/asked."""

import array
import errno
import fcntl
import os
import select
import socket
import struct
import sys
import threading

NOTIF_RECV = 0xC0502100
NOTIF_SEND = 0xC0182101
CONTINUE = 1

answers = {int(call): getattr(errno, name) for call, name in (word.split("=") for word in sys.argv[3:])}
folder = sys.argv[2]


def serve(fd):
    waiting = select.poll()
    waiting.register(fd, select.POLLIN)
    while True:
        question = bytearray(80)
        if any(event & select.POLLHUP for _, event in waiting.poll()):
            os.close(fd)
            return
        try:
            fcntl.ioctl(fd, NOTIF_RECV, question)
        except OSError as error:
            if error.errno in (errno.EINTR, errno.ENOENT):
                continue
            return
        number, _, _, call = struct.unpack("=QIIi", question[:20])
        with open(f"{folder}/asked", "a") as file:
            file.write(f"{call}\n")
        error = answers.get(call, 0)
        answer = bytearray(struct.pack("=QqiI", number, 0, -error, 0 if error else CONTINUE))
        try:
            fcntl.ioctl(fd, NOTIF_SEND, answer)
        except OSError:
            pass


def take(peer, count):
    text, parts = b"", []
    while True:
        data, control, _, _ = peer.recvmsg(1 << 16, socket.CMSG_SPACE(40))
        fds = array.array("i")
        for level, kind, body in control:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                fds.frombytes(body[: len(body) - len(body) % fds.itemsize])
        for fd in fds:
            threading.Thread(target=serve, args=(fd,), daemon=True).start()
        if not data:
            break
        parts.append(len(fds))
        text += data
    with open(f"{folder}/parts.{count}", "w") as file:
        file.write(" ".join(map(str, parts)) + "\n")
    with open(f"{folder}/state.new", "wb") as file:
        file.write(text)
    os.rename(f"{folder}/state.new", f"{folder}/state.{count}")


listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
listener.bind(sys.argv[1])
listener.listen(4)
connections = 0
while True:
    connection, _ = listener.accept()
    threading.Thread(target=take, args=(connection, connections), daemon=True).start()
    connections += 1
