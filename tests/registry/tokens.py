"""tokens.py FOLDER SERVICE: a token server for a registry (docker's "Token Authentication Specification"), which signs with
FOLDER/token.key and shows FOLDER/token.crt. Its port, of 127.0.0.1, is written to FOLDER/port once it is open.

someone:secret may do everything; who does not say who he is may pull what lies below public/; all others are refused. Every request is a
line of FOLDER/requests."""

import base64
import http.server
import json
import os
import secrets
import subprocess
import sys
import time
import urllib.parse

FOLDER, SERVICE = sys.argv[1:]


def encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def sign(text):
    command = ["openssl", "dgst", "-sha256", "-sign", os.path.join(FOLDER, "token.key")]
    return subprocess.run(command, input=text.encode(), stdout=subprocess.PIPE, check=True).stdout


def certificate():
    with open(os.path.join(FOLDER, "token.crt")) as file:
        return "".join(line.strip() for line in file if not line.startswith("-----"))


def make_token(user, access):
    now = int(time.time())
    header = {"typ": "JWT", "alg": "RS256", "x5c": [certificate()]}
    claims = {"iss": "coffer-tests", "sub": user, "aud": SERVICE, "iat": now, "nbf": now - 10, "exp": now + 60}
    claims.update(jti=secrets.token_hex(8), access=access)
    signed = ".".join(encode(json.dumps(part).encode()) for part in (header, claims))
    return f"{signed}.{encode(sign(signed))}"


def granted(user, scopes):
    access = []
    for scope in " ".join(scopes).split():
        kind, name, actions = scope.split(":", 2)
        allowed = actions.split(",") if user else ["pull"] if name.startswith("public/") else []
        access.append({"type": kind, "name": name, "actions": [action for action in actions.split(",") if action in allowed]})
    return access


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, document):
        data = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def give(self, user, password, scopes):
        with open(os.path.join(FOLDER, "requests"), "a") as file:
            file.write(f"{self.command} {user or '-'} {' '.join(scopes)}\n")
        if user and (user, password) != ("someone", "secret"):
            return self.answer(401, {"details": "incorrect username or password"})
        token = make_token(user or "", granted(user, scopes))
        return self.answer(200, {"token": token, "access_token": token, "expires_in": 60})

    def do_GET(self):
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
        words = self.headers.get("Authorization", "").split()
        user, _, password = base64.b64decode(words[1]).decode().partition(":") if len(words) == 2 else ("", "", "")
        self.give(user, password, query.get("scope", []))

    def do_POST(self):
        form = urllib.parse.parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        self.give(form["username"][0], form["password"][0], form.get("scope", []))


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
with open(os.path.join(FOLDER, "port.new"), "w") as opened:
    opened.write(f"{server.server_port}\n")
os.rename(os.path.join(FOLDER, "port.new"), os.path.join(FOLDER, "port"))
server.serve_forever()
