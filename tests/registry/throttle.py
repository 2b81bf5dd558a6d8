"""throttle.py FOLDER HOST:PORT RATE [CUT]: a line to a server that is slow: RATE bytes a second towards it and back, of each connection.
The second connection is cut once CUT bytes have gone towards the server (never).

It listens on a port of 127.0.0.1 that the kernel chooses; FOLDER/port says which. FOLDER/most is the largest number of connections that
were open at once; FOLDER/cut is there once one was cut."""

import os
import socket
import sys
import threading
import time

FOLDER, (HOST, PORT), RATE = sys.argv[1], sys.argv[2].split(":"), int(sys.argv[3])
CUT = int(sys.argv[4]) if len(sys.argv) > 4 else 0
STEPS = 20  # a second
lock = threading.Lock()
state = {"open": 0, "most": 0, "all": 0}


def begin():
    """Which connection it is."""
    with lock:
        state["open"] += 1
        state["all"] += 1
        if state["open"] > state["most"]:
            state["most"] = state["open"]
            write("most", state["most"])
        return state["all"]


def end():
    with lock:
        state["open"] -= 1


def write(name, number):
    with open(os.path.join(FOLDER, name + ".new"), "w") as file:
        file.write(f"{number}\n")
    os.rename(os.path.join(FOLDER, name + ".new"), os.path.join(FOLDER, name))


def carry(source, target, cut=0):
    done = 0
    try:
        while data := source.recv(max(1, RATE // STEPS)):
            target.sendall(data)
            done += len(data)
            if cut and done > cut:
                write("cut", done)
                for end in (source, target):
                    end.shutdown(socket.SHUT_RDWR)
                return
            time.sleep(len(data) / RATE)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def serve(client):
    number = begin()
    with client, socket.create_connection((HOST, int(PORT))) as server:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
        back = threading.Thread(target=carry, args=(server, client), daemon=True)
        back.start()
        carry(client, server, CUT if number == 2 else 0)
        back.join()
    end()


def main():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        write("port", listener.getsockname()[1])
        while True:
            client, _ = listener.accept()
            threading.Thread(target=serve, args=(client,), daemon=True).start()


main()
