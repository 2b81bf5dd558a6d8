#!/usr/bin/env bats
# Services as people run them, made of Debian's packages: nginx behind a published port, redis with its data in a volume, postgres asked by
# another container. All of it in a network namespace of its own.
#
#   SERVICES="nginx redis postgres"   which (nginx; `make services`: all). Their images are made once, in build/services.
bats_require_minimum_version 1.5.0
load helpers

image_of() { # NAME: the file of its root file system, made if need be
    local file=$BUILD/services/$1.tar packages
    case $1 in
    nginx) packages=(nginx-light) ;;
    redis) packages=(redis-server redis-tools) ;;
    postgres) packages=(postgresql-15 postgresql-client-15) ;;
    esac
    [ -e "$file" ] || timeout 300 "$BATS_TEST_DIRNAME/../bench/image.sh" packages "$file" "${packages[@]}" > "$BATS_FILE_TMPDIR/image.$1" 2>&1 || return
    echo "$file"
}

setup() {
    needs_root
    needs unshare nft ip apt-get dpkg-deb
    unshare -n nft list tables > /dev/null 2>&1 || skip "this kernel has no nftables"
}

teardown() {
    [ -n "${HOST:-}" ] || return 0
    here ps -aq 2> /dev/null | nsenter --net="/proc/$HOST/ns/net" xargs -r "$COFFER" --root "$(coffer_root)" --store "$(coffer_store)" rm -f > /dev/null 2>&1 || true
    kill "$HOST" "$OUTSIDE"
}

new_host() { # prints its pid
    unshare -n sleep 1000 > /dev/null 3>&- &
    local pid=$!
    for ((i = 0; i < 500; i++)); do
        [ "$(readlink "/proc/$pid/ns/net")" = "$(readlink /proc/self/ns/net)" ] || break
        sleep 0.01
    done
    echo "$pid"
}

on() { # PID COMMAND...
    local pid=$1
    shift
    nsenter --net="/proc/$pid/ns/net" timeout -k 1 60 "$@"
}

here() {
    on "$HOST" "$COFFER" --root "$(coffer_root)" --store "$(coffer_store)" "$@"
}

# A host, and one beside it that reaches it at 10.250.1.1; and the image.
begin() { # NAME
    local file
    [[ " ${SERVICES:-nginx} " == *" $1 "* ]] || skip "SERVICES does not name $1: make services"
    file=$(image_of "$1") || skip "the packages of $1 cannot be had: $(tail -n 1 "$BATS_FILE_TMPDIR/image.$1")"
    HOST=$(new_host)
    OUTSIDE=$(new_host)
    on "$HOST" ip link set lo up
    on "$HOST" ip link add wire type veth peer name wire netns "$OUTSIDE"
    on "$HOST" ip addr add 10.250.1.1/24 dev wire
    on "$HOST" ip link set wire up
    on "$OUTSIDE" ip addr add 10.250.1.2/24 dev wire
    on "$OUTSIDE" ip link set wire up
    here import -c 'ENV PATH=/usr/lib/postgresql/15/bin:/usr/sbin:/usr/bin:/sbin:/bin' "$file" "$1" > /dev/null
}

eventually() { # COMMAND...: within a minute
    local i
    for ((i = 0; i < 600; i++)); do
        "$@" > /dev/null 2>&1 && return 0
        sleep 0.1
    done
    "$@"
}

@test "nginx answers over a published port from another host, and goes on after a restart" {
    begin nginx
    mkdir "$BATS_TEST_TMPDIR/site"
    chmod 755 "$BATS_TEST_TMPDIR/site"
    echo "hello from nginx" > "$BATS_TEST_TMPDIR/site/index.html"
    echo 'server { listen 80; root /srv/site; }' > "$BATS_TEST_TMPDIR/site.conf"
    here run -d --name web --network bridge -p 8080:80 --restart always -v "$BATS_TEST_TMPDIR/site:/srv/site:ro" \
        -v "$BATS_TEST_TMPDIR/site.conf:/etc/nginx/conf.d/site.conf:ro" nginx nginx -g 'daemon off;' > /dev/null
    eventually on "$OUTSIDE" busybox wget -q -O - http://10.250.1.1:8080/
    run -0 on "$OUTSIDE" busybox wget -q -O - http://10.250.1.1:8080/
    [ "$output" = "hello from nginx" ]
    # Who asked is seen: the source address is kept.
    run -0 here exec web cat /var/log/nginx/access.log
    [[ "$output" == *"10.250.1.2 - - "*'"GET / HTTP/1.1" 200'* ]]
    here restart web > /dev/null
    eventually on "$OUTSIDE" busybox wget -q -O - http://10.250.1.1:8080/
    here stop web > /dev/null
    run on "$OUTSIDE" busybox wget -q -T 2 -O - http://10.250.1.1:8080/
    [ "$status" -ne 0 ]
}

@test "redis keeps its data in a named volume when its container is made anew" {
    begin redis
    here network create data > /dev/null
    start_redis() {
        here run -d --name cache --network data -v cache:/data redis redis-server --appendonly yes --appendfsync always --dir /data \
            --protected-mode no > /dev/null
        eventually here exec cache redis-cli ping
    }
    start_redis
    run -0 here run --rm --network data redis redis-cli -h cache set colour green
    [ "$output" = OK ]
    here rm -f cache > /dev/null
    start_redis
    run -0 here run --rm --network data redis redis-cli -h cache get colour
    [ "$output" = green ]
}

@test "postgres is initialised as its user, and asked by name from another container" {
    begin postgres
    local data=/var/lib/postgresql/data
    here network create data > /dev/null
    # A volume of its own, its user's.
    here run --rm -v pg:$data postgres sh -c "chown postgres:postgres $data && chmod 700 $data"
    here run --rm -u postgres -v pg:$data postgres initdb -D $data --auth trust --locale C > /dev/null
    here run --rm -u postgres -v pg:$data postgres sh -c "echo 'host all all all trust' >> $data/pg_hba.conf"
    start_postgres() {
        here run -d --name db --network data -u postgres --shm-size 128m -v pg:$data postgres \
            postgres -D $data -c 'listen_addresses=*' -c unix_socket_directories=/tmp > /dev/null
        eventually here exec db pg_isready -h 127.0.0.1
    }
    start_postgres
    here run --rm --network data postgres psql -q -h db -U postgres -c 'create table t (n int); insert into t select generate_series(1, 1000)'
    here stop db > /dev/null
    here rm db > /dev/null
    start_postgres
    run -0 here run --rm --network data postgres psql -h db -U postgres -t -A -c 'select sum(n) from t'
    [ "$output" = 500500 ]
    run -0 here logs db
    [[ "$output" == *"database system is ready to accept connections"* ]]
}
