#!/usr/bin/env python3
"""name_server.py ADDRESS ANSWER: a name server on port 53 of ADDRESS that knows one thing: every name's IPv4 address is ANSWER."""
import socket
import sys

server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind((sys.argv[1], 53))
answer = socket.inet_aton(sys.argv[2])
while True:
    query, peer = server.recvfrom(2048)
    end = 12
    while query[end]:
        end += 1 + query[end]
    end += 5
    is_a = query[end - 4:end - 2] == b"\x00\x01"
    record = b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x05\x00\x04" + answer if is_a else b""
    server.sendto(query[:2] + b"\x81\x80\x00\x01" + bytes([0, is_a]) + b"\x00\x00\x00\x00" + query[12:end] + record, peer)
