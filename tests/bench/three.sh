# coffer, docker and podman, each with a stored image bench/tiny:1 and a host (a network namespace) of its own, for containers.sh, scale.sh
# and port.sh to source. $1 of them is BUILD, $2 FOLDER; the caller is in a mount namespace of its own.
#   three NAME          all are there: $coffer, $docker, $podman are their command lines, in $peers the names of those that run
#   servers NAME        the pids of its daemons
#   within NAME         the file of its network namespace
# shellcheck shell=bash disable=SC2154 # what the caller and peers.sh have set
image=bench/tiny:1
peers=()

# What podman's plugins keep in fixed places, it has here to itself.
hide_podman_network() {
    local place
    for place in /var/lib/cni /run/netns; do
        mkdir -p "$place"
        mount -t tmpfs none "$place"
    done
}

# Run-time state lies in memory on every host: /run. FOLDER may be on a disk.
run_time_folders() {
    printf '%s\n' "$folder/coffer/run" "$folder/docker/exec" "$folder/podman/run" "$folder/podman/tmp"
}

lay_run_time_in_memory() {
    local place
    while read -r place; do
        mkdir -p "$place"
        mount -t tmpfs none "$place"
    done < <(run_time_folders)
}

clean_more() {
    local name place
    for name in "${peers[@]}"; do
        [ "$name" = docker ] || remove_containers "$name" > /dev/null 2>&1 || true
    done
    stop_dockerd
    while read -r place; do
        umount -l "$place" 2> /dev/null || true
    done < <(run_time_folders)
}

servers() { # NAME
    [ "$1" != docker ] || docker_servers
}

within() { # NAME
    local host=host_$1
    echo "/proc/${!host}/ns/net"
}

command_of() { # NAME
    case $1 in
    coffer) echo "${coffer[*]}" ;;
    docker) echo "${docker[*]}" ;;
    podman) echo "${podman[*]}" ;;
    esac
}

run_options() { # NAME
    case $1 in
    coffer) echo "--network bridge" ;;
    # The limits: podman raises them to what a machine without CAP_SYS_RESOURCE does not grant.
    podman) echo "--cgroup-parent /$bench_cgroup --ulimit nofile=1024:1024 --ulimit nproc=1024:1024" ;;
    esac
}

# shellcheck disable=SC2046 # words
on() { # NAME ARGS...
    local name=$1 host=host_$1
    shift
    on_host "${!host}" $(command_of "$name") "$@"
}

run_on() { # NAME ARGS...
    local name=$1
    shift
    # shellcheck disable=SC2046 # words
    on "$name" run $(run_options "$name") "$@"
}

remove_line() { # NAME: a shell line that removes all its containers
    echo "$(command_of "$1") ps -aq 2> /dev/null < /dev/null ! xargs -r $(command_of "$1") rm -f > /dev/null 2>&1; true"
}

remove_containers() { # NAME
    local host=host_$1
    on_host "${!host}" sh -c "$(remove_line "$1" | tr ! '|')"
}

three() { # FOLDER
    local name status
    bench_in "$1"
    hide_podman_network
    lay_run_time_in_memory
    "$here/image.sh" tiny "$folder/tiny.docker.tar"
    coffer=("$build/coffer" --root "$folder/coffer/run" --store "$folder/coffer/store")
    for name in ${BENCH_ONLY:-coffer docker podman}; do
        make_host "$name"
        case $name in
        coffer) on coffer load "docker-archive:$folder/tiny.docker.tar" > /dev/null || true ;;
        docker)
            start_dockerd "$folder/docker" "$host_docker"
            on docker load -q -i "$folder/tiny.docker.tar" > /dev/null || true
            ;;
        podman) on podman load -q -i "$folder/tiny.docker.tar" > /dev/null || true ;;
        esac
        # Who brings home the exit code of what it ran on its network takes part.
        status=0
        run_on "$name" --rm "$image" sh -c 'exit 42' > /dev/null 2> "$folder/stderr" || status=$?
        if [ "$status" = 42 ]; then
            peers+=("$name")
        else
            echo "$name: left out: exit code $status, expected 42: $(tail -n 1 "$folder/stderr")"
        fi
    done
}
