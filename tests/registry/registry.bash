# For tests that need a registry. All of them listen on 127.0.0.1, on a port nobody uses, and keep everything below REGISTRY_DIR, the
# file's own folder: started in setup_file, ended by registry_stop_all in teardown_file.
#
#   registry_start NAME [plain|tls|htpasswd|tls-htpasswd|token|urls]    docker-registry; $(registry NAME) is its HOST:PORT then. With urls it
#                           takes manifests whose layers are elsewhere. With htpasswd and token the login is someone:secret; public/ may be pulled by everybody where tokens are given
#   registry_tls            makes $REGISTRY_CERTS, a folder as --cert-dir takes it, with the authority that signed the servers' certificate
#   throttle_start NAME RATE [CUT]    tests/registry/throttle.py in front of registry NAME; $THROTTLED is its HOST:PORT, $THROTTLE its folder
#   hostile_start           tests/registry/hostile.py; serves what lies in $HOSTILE/images; $HTTP, $HTTPS and $OTHER are its ports
#   hostile_requests FILTER     what it was asked, as jq -c sees it
#   registry_push LAYOUT:TAG HOST:PORT/NAME:TAG [OPTION...]     with skopeo
#   nothing_staged          the store's quarantine is empty
#   session_is_empty ID     all processes of the session that setsid(1) has begun have ended; up to two seconds

REGISTRY_TOOLS=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
REGISTRY_DIR=$BATS_FILE_TMPDIR/registry
REGISTRY_CERTS=$REGISTRY_DIR/certs
HOSTILE=$REGISTRY_DIR/hostile

registry() {
    cat "$REGISTRY_DIR/$1/address"
}

# registry_background LOG COMMAND...: a server whose end registry_stop_all sees to.
registry_background() {
    local log=$1
    shift
    "$@" > "$log" 2>&1 < /dev/null 3>&- &
    echo "$!" >> "$REGISTRY_DIR/pids"
    REGISTRY_PID=$!
}

registry_free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# An authority, and a certificate of its for 127.0.0.1 and localhost.
registry_tls() {
    local dir=$REGISTRY_DIR/authority
    [ ! -d "$dir" ] || return 0
    mkdir -p "$dir" "$REGISTRY_CERTS"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj '/CN=coffer tests authority' \
        -keyout "$dir/ca.key" -out "$dir/ca.crt" 2> /dev/null
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj '/CN=127.0.0.1' -keyout "$dir/tls.key" -out "$dir/tls.csr" 2> /dev/null
    openssl x509 -req -in "$dir/tls.csr" -CA "$dir/ca.crt" -CAkey "$dir/ca.key" -CAcreateserial -days 30 -out "$dir/tls.crt" \
        -extfile <(echo 'subjectAltName=IP:127.0.0.1,DNS:localhost') 2> /dev/null
    cp "$dir/ca.crt" "$REGISTRY_CERTS/ca.crt"
}

# A key to sign tokens with, its certificate, and the server that does.
registry_tokens() { # FOLDER
    openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj '/CN=coffer tests tokens' -keyout "$1/token.key" -out "$1/token.crt" \
        2> /dev/null
    registry_background "$1/tokens.log" python3 "$REGISTRY_TOOLS/tokens.py" "$1" coffer-registry
    registry_wait "$1/tokens.log" test -s "$1/port"
}

# registry_wait LOG COMMAND...: until it succeeds; up to 20 seconds, while the last server lives.
registry_wait() {
    local log=$1
    shift
    for _ in $(seq 200); do
        if "$@"; then
            return 0
        fi
        kill -0 "$REGISTRY_PID" 2> /dev/null || break
        sleep 0.1
    done
    echo "a registry did not start: $*"
    cat "$log"
    return 1
}

registry_answers() { # HOST:PORT
    python3 -c 'import socket, sys; host, port = sys.argv[1].split(":"); socket.create_connection((host, int(port)), 1)' "$1" 2> /dev/null
}

registry_config() { # FOLDER HOST:PORT KIND
    cat << END
version: 0.1
log: {level: warn, accesslog: {disabled: true}}
storage:
  filesystem: {rootdirectory: $1/data}
  delete: {enabled: true}
END
    case $3 in
    tls*) echo "http: {addr: \"$2\", tls: {certificate: $REGISTRY_DIR/authority/tls.crt, key: $REGISTRY_DIR/authority/tls.key}}" ;;
    *) echo "http: {addr: \"$2\"}" ;;
    esac
    if [ "$3" = urls ]; then
        echo 'validation: {manifests: {urls: {allow: ["^http"]}}}'
    fi
    case $3 in
    *htpasswd) echo "auth: {htpasswd: {realm: coffer, path: $1/htpasswd}}" ;;
    token) echo "auth: {token: {realm: \"http://127.0.0.1:$(cat "$1/port")/\", service: coffer-registry, issuer: coffer-tests," \
        "rootcertbundle: $1/token.crt}}" ;;
    esac
}

registry_start() {
    local name=$1 kind=${2:-plain} dir=$REGISTRY_DIR/$1
    mkdir -p "$dir/data"
    case $kind in
    *htpasswd) htpasswd -Bbn someone secret > "$dir/htpasswd" ;;
    token) registry_tokens "$dir" ;;
    esac
    case $kind in
    tls*) registry_tls ;;
    esac
    # The port may be taken between the asking and the opening.
    for _ in 1 2 3; do
        echo "127.0.0.1:$(registry_free_port)" > "$dir/address"
        registry_config "$dir" "$(registry "$name")" "$kind" > "$dir/config.yml"
        registry_background "$dir/log" docker-registry serve "$dir/config.yml"
        if registry_wait "$dir/log" registry_answers "$(registry "$name")"; then
            return 0
        fi
    done
    return 1
}

throttle_start() {
    THROTTLE=$BATS_TEST_TMPDIR/throttle
    mkdir -p "$THROTTLE"
    registry_background "$THROTTLE/log" python3 "$REGISTRY_TOOLS/throttle.py" "$THROTTLE" "$(registry "$1")" "${@:2}"
    registry_wait "$THROTTLE/log" test -s "$THROTTLE/port"
    THROTTLED=127.0.0.1:$(cat "$THROTTLE/port")
}

hostile_start() {
    mkdir -p "$HOSTILE/images"
    registry_tls
    cp "$REGISTRY_DIR/authority/tls.crt" "$REGISTRY_DIR/authority/tls.key" "$HOSTILE/"
    registry_background "$HOSTILE/log" python3 "$REGISTRY_TOOLS/hostile.py" "$HOSTILE"
    registry_wait "$HOSTILE/log" test -s "$HOSTILE/ports"
}

hostile_requests() {
    if [ -f "$HOSTILE/requests" ]; then
        jq -c "$1" "$HOSTILE/requests"
    fi
}

registry_push() {
    local from=$1 to=$2
    shift 2
    skopeo copy -q --dest-tls-verify=false "$@" "oci:$from" "docker://$to"
}

nothing_staged() {
    [ "$(ls -A "$(coffer_store)/staging")" = "" ]
}

session_is_empty() {
    for _ in $(seq 20); do
        pgrep -s "$1" > /dev/null || return 0
        sleep 0.1
    done
    echo "still there:"
    ps -o pid,ppid,args -s "$1"
    return 1
}

registry_stop_all() {
    local pid
    [ -f "$REGISTRY_DIR/pids" ] || return 0
    while read -r pid; do
        kill "$pid" 2> /dev/null || true
        wait "$pid" 2> /dev/null || true
    done < "$REGISTRY_DIR/pids"
}
