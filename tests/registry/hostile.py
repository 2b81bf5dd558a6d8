"""hostile.py FOLDER: a registry that serves the OCI layouts FOLDER/images/NAME, as /v2/CASE/NAME; CASE says in which way it misbehaves.

It listens on three ports of 127.0.0.1 that the kernel chooses: plain http, https (where FOLDER/tls.crt and FOLDER/tls.key are), and plain
http once more, "other", for redirects to lead to. FOLDER/ports says which, as shell assignments HTTP, HTTPS and OTHER, once all are open.
Every request is a line of JSON in FOLDER/requests: server, method, path, authorization, range, cookie, whether by TLS; every body that
was sent to its end one in FOLDER/sent: path, bytes.

How often a path was asked for before decides what comes the second time ("once"); each CASE/NAME counts for itself, so that a test that
takes a NAME of its own begins anew."""

import hashlib
import http.server
import json
import os
import re
import signal
import socket
import ssl
import sys
import threading
import time

FOLDER = sys.argv[1]
OCI = "application/vnd.oci.image."
SCHEMA_1 = "application/vnd.docker.distribution.manifest.v1+prettyjws"
ZEROS = "sha256:" + "0" * 64
ENDLESS = 1 << 40
BLOCK = b"0123456789abcdef" * 4096

CASES = {}
PORTS = {}
counts = {}
lock = threading.Lock()


def case(*names):
    def add(function):
        for name in names:
            CASES[name] = function
        return function

    return add


def digest_of(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


class Layout:
    def __init__(self, name):
        self.folder = os.path.join(FOLDER, "images", name)

    def blob(self, digest):
        if not re.fullmatch("sha256:[0-9a-f]{64}", digest):
            return None
        try:
            with open(os.path.join(self.folder, "blobs/sha256", digest[7:]), "rb") as file:
                return file.read()
        except FileNotFoundError:
            return None

    def tags(self):
        with open(os.path.join(self.folder, "index.json")) as file:
            entries = json.load(file)["manifests"]
        return {entry.get("annotations", {}).get("org.opencontainers.image.ref.name"): entry["digest"] for entry in entries}

    def manifest(self, reference):
        return self.blob(self.tags().get(reference, reference))


    def referrers(self, digest):
        """The index of those manifests that have it as their subject."""
        found = []
        for name in sorted(os.listdir(os.path.join(self.folder, "blobs/sha256"))):
            data = self.blob("sha256:" + name)
            if data.startswith(b"{") and json.loads(data).get("subject", {}).get("digest") == digest:
                document = json.loads(data)
                entry = {key: document[key] for key in ("mediaType", "artifactType", "annotations") if key in document}
                found.append({**entry, "digest": digest_of(data), "size": len(data)})
        return json.dumps({"schemaVersion": 2, "mediaType": OCI + "index.v1+json", "manifests": found}).encode()


class Request:
    """One request below /v2/CASE/NAME: what it asks for, and what a registry would give."""

    def __init__(self, handler, match):
        self.handler = handler
        self.case, self.name, self.kind, self.reference = match.groups()
        self.layout = Layout(self.name)
        self.is_blob = self.kind == "blobs"
        self.data = self.layout.blob(self.reference) if self.is_blob else self.layout.manifest(self.reference)
        self.type = "application/octet-stream"
        if self.kind == "referrers":
            self.data = self.layout.referrers(self.reference)
        if self.data is not None and not self.is_blob:
            self.type = json.loads(self.data).get("mediaType", OCI + "manifest.v1+json")
        self.digest = digest_of(self.data) if self.data is not None else None
        # Configurations are blobs, too; a case that is about layers leaves them alone.
        self.is_layer = self.is_blob and self.data is not None and not self.data.startswith(b"{")
        with lock:
            self.before = counts.get(handler.path, 0)
            counts[handler.path] = self.before + 1

    @property
    def url(self):
        return f"/v2/{self.case}/{self.name}/{self.kind}/{self.reference}"

    def good(self, data=None, digest=None, headers=()):
        """As a registry should, but for what is given."""
        handler, data = self.handler, self.data if data is None else data
        if data is None:
            return handler.error(404, "BLOB_UNKNOWN" if self.is_blob else "MANIFEST_UNKNOWN", "not there")
        first = re.fullmatch(r"bytes=(\d+)-(\d*)", handler.headers.get("Range", "")) if self.is_blob else None
        at, end = 0, len(data)
        if first:
            at = int(first.group(1))
            end = min(end, int(first.group(2)) + 1) if first.group(2) else end
        if at > 0 and at >= len(data):
            return handler.error(416, "RANGE_INVALID", "beyond the end")
        handler.send_response(206 if first else 200)
        if first:
            handler.send_header("Content-Range", f"bytes {at}-{end - 1}/{len(data)}")
        return handler.finish_with(data[at:end], self.type, digest or self.digest, headers)

    def changed_manifest(self, change):
        """Another manifest, honest about its digest."""
        document = json.loads(self.data)
        change(document)
        data = json.dumps(document).encode()
        return self.good(data, digest_of(data))


# --- digests ---


@case("good")
def good(request):
    request.good()


@case("header-digest")
def header_digest(request):
    request.good(digest=ZEROS)


@case("header-path")
def header_path(request):
    request.good(digest="sha256:../../../../etc/passwd")


@case("other-bytes")
def other_bytes(request):
    """One more blank in every manifest that is asked for by its digest, or in what an index points to; no digest is said."""
    if request.is_blob or not request.reference.startswith("sha256:"):
        return request.good()
    return request.handler.finish(200, request.data + b" ", request.type)


@case("tag-moves")
def tag_moves(request):
    """HEAD says what tag 1 is, GET sends what tag 2 is."""
    if not request.is_blob and request.reference == "1" and request.handler.command == "GET":
        data = request.layout.manifest("2")
        return request.good(data, digest_of(data))
    return request.good()


@case("no-head")
def no_head(request):
    """A server that knows no HEAD."""
    if request.handler.command == "HEAD":
        return request.handler.finish(405, b"", "text/plain")
    return request.good()


@case("flipped")
def flipped(request):
    if not request.is_layer:
        return request.good()
    middle = len(request.data) // 2
    return request.good(request.data[:middle] + bytes([request.data[middle] ^ 1]) + request.data[middle + 1 :])


# --- lengths ---


@case("endless-manifest")
def endless_manifest(request):
    request.handler.pour(request.type, chunked=True)


@case("huge-manifest")
def huge_manifest(request):
    request.handler.pour(request.type, chunked=False)


@case("endless-blob")
def endless_blob(request):
    return request.handler.pour(request.type, chunked=True, first=request.data) if request.is_layer else request.good()


@case("long-blob")
def long_blob(request):
    return request.good(request.data + b"more") if request.is_layer else request.good()


@case("short-blob")
def short_blob(request):
    return request.good(request.data[:-7]) if request.is_layer else request.good()


@case("long-config")
def long_config(request):
    return request.good(request.data + b" ") if request.is_blob and not request.is_layer else request.good()


@case("big-headers")
def big_headers(request):
    handler = request.handler
    handler.send_response(200)
    for number in range(64):
        handler.send_header(f"X-Filler-{number}", "x" * 60000)
    handler.finish_with(request.data, request.type, request.digest)


@case("slow")
def slow(request):
    if not request.is_layer:
        return request.good()
    handler = request.handler
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(request.data)))
    handler.end_headers()
    for byte in request.data:
        handler.wfile.write(bytes([byte]))
        handler.wfile.flush()
        time.sleep(0.2)
    return None


@case("throttled")
def throttled(request):
    """Layers at 1 MB/s, with ranges."""
    request.handler.rate = 1000000 if request.is_layer else 0
    return request.good()


@case("deaf")
def deaf(request):
    """Knows no ranges: all comes, always."""
    del request.handler.headers["Range"]
    return request.good()


@case("deaf-cut")
def deaf_cut(request):
    """The same, and the first answer breaks off in the middle of a layer."""
    if not request.is_layer or request.before > 0:
        return deaf(request)
    handler, half = request.handler, len(request.data) // 2
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(request.data)))
    handler.end_headers()
    handler.wfile.write(request.data[:half])
    return handler.cut()


@case("no-parts")
def no_parts(request):
    """Whatever part is asked for, it has another."""
    if request.is_layer and "Range" in request.handler.headers:
        return request.handler.error(416, "RANGE_INVALID", "not that")
    return request.good()


# --- connections ---


@case("cut-once", "cut-once-all", "cut-always", "cut-often", "cut-stuck")
def cut(request):
    """The line is cut in the middle of a layer. Then: the rest; all of it in spite of Range; always at the same place; further on each
    time; at once, without a byte."""
    if not request.is_layer or (request.before > 0 and request.case == "cut-once"):
        return request.good()
    handler, half = request.handler, len(request.data) // 2
    if request.before > 0 and request.case == "cut-once-all":
        return handler.finish(200, request.data, request.type)
    first = re.fullmatch(r"bytes=(\d+)-", handler.headers.get("Range", ""))
    at = int(first.group(1)) if first else 0
    end = half if request.case != "cut-often" else min(len(request.data), at + len(request.data) // 8 + 1)
    if request.before > 0 and request.case == "cut-stuck":
        return handler.cut()
    handler.send_response(206 if at else 200)
    if at:
        handler.send_header("Content-Range", f"bytes {at}-{len(request.data) - 1}/{len(request.data)}")
    handler.send_header("Content-Length", str(len(request.data) - at))
    handler.end_headers()
    handler.wfile.write(request.data[at:end])
    return handler.cut()


@case("other-range")
def other_range(request):
    """The line is cut; what is asked for then by Range comes from the beginning, and is said to."""
    if not request.is_layer:
        return request.good()
    if request.before == 0:
        request.case = "cut-once"
        return cut(request)
    handler = request.handler
    handler.send_response(206)
    handler.send_header("Content-Range", f"bytes 0-{len(request.data) - 1}/{len(request.data)}")
    return handler.finish_with(request.data, request.type, request.digest)


@case("lying-range")
def lying_range(request):
    """The line is cut; what comes then is said to be the rest, but is the beginning."""
    if not request.is_layer:
        return request.good()
    first = re.fullmatch(r"bytes=(\d+)-", request.handler.headers.get("Range", ""))
    if not first:
        request.case = "cut-once"
        return cut(request)
    at, handler = int(first.group(1)), request.handler
    handler.send_response(206)
    handler.send_header("Content-Range", f"bytes {at}-{len(request.data) - 1}/{len(request.data)}")
    return handler.finish_with(request.data[: len(request.data) - at], request.type, request.digest)


@case("no-http")
def no_http(request):
    request.handler.wfile.write(b"\x00\x01\x02SSH-2.0-none\r\n\r\n")
    request.handler.cut()


# --- not now ---


@case("busy-once", "limited-once", "busy-always", "limited-long", "limited-date")
def busy(request):
    if request.before > 0 and request.case.endswith("-once"):
        return request.good()
    handler, status = request.handler, 503 if request.case.startswith("busy") else 429
    handler.send_response(status)
    if request.case == "limited-long":
        handler.send_header("Retry-After", "86400")
    elif request.case == "limited-date":
        handler.send_header("Retry-After", "Fri, 31 Dec 2999 23:59:59 GMT")
    elif request.case.endswith("-once"):
        handler.send_header("Retry-After", "1")
    return handler.finish_with(b"later\n", "text/plain", None)


# --- elsewhere ---


@case("redirect-port", "redirect-name", "redirect-http", "redirect-loop", "redirect-file", "redirect-user", "redirect-lines")
def redirect(request):
    """Layers are elsewhere; the registry itself wants a login."""
    handler = request.handler
    if handler.server.name == "other":
        return request.good()
    if not handler.wants_basic():
        return None
    target = {
        "redirect-port": f"http://127.0.0.1:{PORTS['OTHER']}{request.url}",
        "redirect-name": f"http://localhost:{PORTS['OTHER']}{request.url}",
        "redirect-http": f"http://127.0.0.1:{PORTS['HTTP']}{request.url.replace('redirect-http', 'good')}",
        "redirect-loop": request.url,
        "redirect-file": "file:///etc/passwd",
        "redirect-user": f"http://someone:secret@127.0.0.1:{PORTS['OTHER']}{request.url}",
        "redirect-lines": "http://127.0.0.1\x01:1/\x1b[31m",
    }[request.case]
    if not request.is_layer:
        return request.good()
    handler.send_response(307)
    handler.send_header("Location", target)
    return handler.finish_with(b"", None, None)


@case("foreign-urls")
def foreign_urls(request):
    """Layers that are said to be had elsewhere: a client that is logged in must not take its login there."""

    def change(manifest):
        for layer in manifest["layers"]:
            layer["urls"] = [f"http://127.0.0.1:{PORTS['OTHER']}/foreign/{layer['digest']}"]

    if not request.handler.wants_basic():
        return None
    return request.good() if request.is_blob else request.changed_manifest(change)


# --- authorisation ---


@case("basic")
def basic(request):
    return request.good() if request.handler.wants_basic() else None


@case("token", "token-http", "token-elsewhere", "token-file", "token-loop", "token-lines", "token-huge", "token-none", "no-realm", "no-scheme")
def token(request):
    """A token is wanted, of a realm that is or is not to be trusted; it is or is not taken then."""
    handler = request.handler
    if handler.headers.get("Authorization") == "Bearer sesame" and request.case != "token-loop":
        return request.good()
    scheme = "https" if handler.server.tls else "http"
    own = f"{scheme}://127.0.0.1:{handler.server.server_port}/token/{request.case}"
    realm = {
        "token-http": f"http://127.0.0.1:{PORTS['HTTP']}/token/token",
        "token-elsewhere": f"http://127.0.0.1:{PORTS['OTHER']}/token/token",
        "token-file": "file:///etc/passwd",
    }.get(request.case, own)
    challenge = {
        "no-realm": 'Bearer service="x"',
        "no-scheme": 'Negotiate, Digest realm="x"',
    }.get(request.case, f'Bearer realm="{realm}",service="x",scope="repository:{request.case}/{request.name}:pull"')
    return handler.unauthorized(challenge)


def send_token(handler, kind):
    answer = {
        "token-lines": {"token": "a\r\nX-Injected: yes"},
        "token-huge": {"token": "a" * 1000000},
        "token-none": {"expires_in": 5},
    }.get(kind, {"token": "sesame", "expires_in": 300})
    handler.finish(200, json.dumps(answer).encode(), "application/json")


# --- documents ---


@case("both")
def both(request):
    if request.is_blob:
        return request.good()
    return request.changed_manifest(lambda manifest: manifest.update(manifests=[]))


@case("schema-1")
def schema_1(request):
    data = json.dumps({"schemaVersion": 1, "name": "x", "tag": "1", "fsLayers": [], "history": [], "signatures": []}).encode()
    request.handler.finish(200, data, SCHEMA_1)


@case("schema-1-hidden")
def schema_1_hidden(request):
    data = json.dumps({"schemaVersion": 1, "name": "x", "tag": "1", "fsLayers": []}).encode()
    request.handler.finish(200, data, "application/json")


@case("cycle")
def cycle(request):
    """An index that lists itself. Its digest cannot be its own, so it is what came before in name only."""
    entry = {"mediaType": OCI + "index.v1+json", "digest": ZEROS, "size": 0}
    index = {"schemaVersion": 2, "mediaType": OCI + "index.v1+json", "manifests": [entry]}
    for _ in range(3):
        entry["size"] = len(json.dumps(index))
    request.handler.finish(200, json.dumps(index).encode(), index["mediaType"])


@case("nested")
def nested(request):
    """Indexes below each other, more than anybody needs; the last lists the image."""
    if request.is_blob or request.layout.blob(request.reference):
        return request.good()
    data = request.layout.manifest("1")
    documents = {}
    for depth in range(100):
        kind = "index" if depth else "manifest"
        entry = {"mediaType": f"{OCI}{kind}.v1+json", "digest": digest_of(data), "size": len(data)}
        data = json.dumps({"schemaVersion": 2, "mediaType": OCI + "index.v1+json", "manifests": [entry]}).encode()
        documents[digest_of(data)] = data
    data = documents.get(request.reference, data)
    return request.handler.finish(200, data, OCI + "index.v1+json")


@case("digest-path", "digest-short", "digest-upper", "digest-kind", "config-path", "negative-size")
def digest_path(request):
    def change(manifest):
        if request.case == "config-path":
            manifest["config"]["digest"] = "sha256:../../../../etc/passwd"
        elif request.case == "negative-size":
            manifest["layers"][0]["size"] = -1
        else:
            manifest["layers"][0]["digest"] = {
                "digest-path": "sha256:../../../../etc/passwd",
                "digest-short": "sha256:abc",
                "digest-upper": "sha256:" + "A" * 64,
                "digest-kind": "md5:" + "0" * 32,
            }[request.case]

    return request.good() if request.is_blob else request.changed_manifest(change)


@case("other-type")
def other_type(request):
    """Content-Type says index, the document says manifest."""
    if not request.is_blob:
        request.type = OCI + "index.v1+json"
    return request.good()


@case("html")
def html(request):
    request.handler.finish(200, b"<html>Welcome to the hotel</html>", "text/html; charset=utf-8")


@case("no-json")
def no_json(request):
    request.handler.finish(200, b"\x00\xff{", OCI + "manifest.v1+json")


@case("deep-json")
def deep_json(request):
    request.handler.finish(200, b'{"layers":' + b"[" * 100000, OCI + "manifest.v1+json")


@case("control")
def control(request):
    request.handler.error(403, "DENIED", "\x1b[2J\x1b]0;owned\x07no\r\ncoffer: all is well\u202e")


@case("encoded")
def encoded(request):
    """The server says that a layer is compressed once more, as some do of any .gz: the bytes are to be taken as they are."""
    return request.good(headers=[("Content-Encoding", "gzip")]) if request.is_layer else request.good()


@case("missing-layer")
def missing_layer(request):
    if request.is_layer:
        request.data = None
    return request.good()


# --- referrers ---


@case("referrers-bad", "referrers-many", "referrers-pages", "referrers-html", "referrers-denied", "referrers-big")
def referrers_bad(request):
    """What refers to an image has wild names; is 10,000 manifests; comes in pages, the same without an end; is a page for people; is not
    for everybody; is endless."""
    handler = request.handler
    if request.kind != "referrers":
        return request.good()
    if request.case == "referrers-html":
        return handler.finish(200, b"<html>Welcome to the hotel</html>", "text/html; charset=utf-8")
    if request.case == "referrers-denied":
        return handler.error(403, "DENIED", "\x1b[2Jnot for you")
    if request.case == "referrers-big":
        return handler.pour(OCI + "index.v1+json", chunked=True)
    entry = {"mediaType": OCI + "manifest.v1+json", "digest": ZEROS, "size": 7, "artifactType": "application/x"}
    entries = {
        "referrers-bad": [{**entry, "artifactType": "a\x1b[2J\u202eb\nc", "annotations": {"n\x07": "v\x9b"}}, {**entry, "digest": "sha256:../../x\x1b"}],
        "referrers-many": [{**entry, "digest": digest_of(b"%d" % number)} for number in range(10000)],
        "referrers-pages": [entry],
    }[request.case]
    data = json.dumps({"schemaVersion": 2, "mediaType": OCI + "index.v1+json", "manifests": entries}).encode()
    headers = [("Link", f'<{request.url}?page=2>; rel="next"')] if request.case == "referrers-pages" else []
    return handler.finish(200, data, OCI + "index.v1+json", headers=headers)


# --- uploads ---


@case("forgetful")
def forgetful(request):
    """Takes the first piece of an upload, not the second, and then knows nothing of the first."""
    return request.good()


# --- http ---


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    rate = 0  # bytes a second; 0: as fast as it goes

    def log_message(self, *_):
        pass

    def setup(self):
        if self.server.tls:
            self.request = self.server.tls.wrap_socket(self.request, server_side=True)
        super().setup()

    def record(self):
        words = {name: self.headers.get(name) for name in ("authorization", "range", "cookie", "x-injected") if self.headers.get(name)}
        line = json.dumps({"server": self.server.name, "method": self.command, "path": self.path, **words})
        with lock, open(os.path.join(FOLDER, "requests"), "a") as file:
            file.write(line + "\n")

    def finish_with(self, data, kind, digest, headers=()):
        if kind:
            self.send_header("Content-Type", kind)
        if digest:
            self.send_header("Docker-Content-Digest", digest)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Docker-Distribution-Api-Version", "registry/2.0")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.write_slowly(data) if self.rate else self.wfile.write(data)
            self.record_sent(len(data))

    def write_slowly(self, data):
        """A twentieth of a second's worth at a time; little of it waits in the kernel."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16384)
        step = self.rate // 20
        for at in range(0, len(data), step):
            self.wfile.write(data[at : at + step])
            time.sleep(0.05)

    def record_sent(self, size):
        with lock, open(os.path.join(FOLDER, "sent"), "a") as file:
            file.write(json.dumps({"path": self.path, "bytes": size}) + "\n")

    def finish(self, status, data, kind, digest=None, headers=()):
        self.send_response(status)
        self.finish_with(data, kind, digest, headers)

    def error(self, status, code, message):
        self.finish(status, json.dumps({"errors": [{"code": code, "message": message}]}).encode(), "application/json")

    def unauthorized(self, challenge):
        data = b'{"errors": [{"code": "UNAUTHORIZED", "message": "who is it?"}]}'
        self.finish(401, data, "application/json", headers=[("WWW-Authenticate", challenge)])

    def wants_basic(self):
        """"someone:secret", in base64."""
        if self.headers.get("Authorization") == "Basic c29tZW9uZTpzZWNyZXQ=":
            return True
        self.unauthorized('Basic realm="hostile"')
        return False

    def pour(self, kind, chunked, first=b""):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header(*(("Transfer-Encoding", "chunked") if chunked else ("Content-Length", str(ENDLESS))))
        self.end_headers()
        if self.command == "HEAD":
            return
        # In one chunk with what is too much: a client that had all it wanted before more came would be right to be content.
        if first:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(first + BLOCK), first + BLOCK))
        while True:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(BLOCK), BLOCK) if chunked else BLOCK)

    def cut(self):
        self.wfile.flush()
        self.close_connection = True
        try:
            self.connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def do_GET(self):
        self.record()
        self.rate = 0
        if self.path == "/v2/":
            return self.finish(200, b"{}", "application/json")
        if self.path.startswith("/token/"):
            return send_token(self, self.path.split("/")[2].split("?")[0])
        match = re.fullmatch(r"/v2/([^/]+)/([^/]+)/(manifests|blobs|referrers)/([^/?]+)(?:\?.*)?", self.path)
        if not match or match.group(1) not in CASES:
            return self.error(404, "NAME_UNKNOWN", "no such case")
        request = Request(self, match)
        return CASES[request.case](request)

    do_HEAD = do_GET

    def take_body(self):
        left = int(self.headers.get("Content-Length", "0"))
        while left > 0:
            left -= len(self.rfile.read(min(left, 1 << 20)))

    def count(self):
        """How often it was asked before."""
        with lock:
            counts[self.path] = counts.get(self.path, 0) + 1
            return counts[self.path] - 1

    def do_POST(self):
        """Begins an upload."""
        self.record()
        if not re.fullmatch(r"/v2/forgetful/[^/]+/blobs/uploads/", self.path):
            return self.error(405, "UNSUPPORTED", "no uploads")
        return self.finish(202, b"", None, headers=[("Location", f"{self.path}{self.count()}")])

    def do_PATCH(self):
        self.record()
        self.take_body()
        if self.count() > 0:
            return self.error(500, "UNKNOWN", "the disk is gone")
        return self.finish(202, b"", None, headers=[("Location", self.path)])

    def do_PUT(self):
        self.record()
        self.take_body()
        self.finish(201, b"", None)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, name, tls=None):
        super().__init__(("127.0.0.1", 0), Handler)
        self.name, self.tls = name, tls

    def handle_error(self, *_):
        """A client that hangs up, or speaks no TLS, is expected here."""


def main():
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    tls = None
    if os.path.exists(os.path.join(FOLDER, "tls.crt")):
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(os.path.join(FOLDER, "tls.crt"), os.path.join(FOLDER, "tls.key"))
    servers = [Server("http"), Server("other")] + ([Server("https", tls)] if tls else [])
    PORTS.update({server.name.upper(): server.server_port for server in servers})
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    with open(os.path.join(FOLDER, "ports.new"), "w") as file:
        file.writelines(f"{name}={port}\n" for name, port in PORTS.items())
    os.rename(os.path.join(FOLDER, "ports.new"), os.path.join(FOLDER, "ports"))
    while True:
        signal.pause()


main()
