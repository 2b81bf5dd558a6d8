"""What network tests talk with: net.py serve NAME PORT, ask ADDRESS PORT, ask_udp ADDRESS PORT.

serve answers on PORT of TCP and UDP, of both families, with NAME and the address of who asks; an asker prints that."""
import select
import socket
import sys


def serve(name, port):
    tcp = socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True)
    udp = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    udp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    udp.bind(("::", port))
    print("ready", flush=True)

    def answer(address):
        return f"{name} {address.removeprefix('::ffff:')}\n".encode()

    while True:
        for ready in select.select([tcp, udp], [], [])[0]:
            if ready is udp:
                _, peer = udp.recvfrom(100)
                udp.sendto(answer(peer[0]), peer)
            else:
                client, peer = tcp.accept()
                client.recv(100)
                client.sendall(answer(peer[0]))
                client.close()


def ask(kind, address, port):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, kind) as client:
        client.settimeout(10)
        client.connect((address, port))
        client.sendall(b"who\n")
        print(client.recv(100).decode(), end="")


verb, where, number = sys.argv[1:]
if verb == "serve":
    serve(where, int(number))
else:
    ask(socket.SOCK_DGRAM if verb == "ask_udp" else socket.SOCK_STREAM, where, int(number))
