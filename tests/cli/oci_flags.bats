#!/usr/bin/env bats
# Every flag of runc 1.5 and of crun 1.29 is taken, by the command they have it in, in all its spellings: engines give them by habit.
# What a flag does is the business of the tests of its command.
bats_require_minimum_version 1.5.0
load helpers

# takes COMMAND FLAG...: a line a flag: its name, perhaps =VALUE, perhaps its letter. The command "-" is none: global flags.
takes() {
    local command=$1 flag letter name words
    [ "$command" != - ] || command=
    while read -r flag letter; do
        [ -n "$flag" ] || continue
        name=${flag%%=*}
        words=("--$flag")
        if [ "$flag" != "$name" ]; then
            words+=("--$name ${flag#*=}")
            [ -z "$letter" ] || words+=("-$letter ${flag#*=}")
        elif [ -n "$letter" ]; then
            words+=("-$letter")
        fi
        for word in "${words[@]}"; do
            # shellcheck disable=SC2086 # a flag and its value
            run "$COFFER_OCI" $command $word --help
            [ "$status" -eq 0 ] && [[ "$output" == "Usage: coffer-oci"* ]] || {
                echo "coffer-oci $command $word: $output"
                return 1
            }
        done
    done
}

# What has no effect any more in the others either is taken, but not shown.
shows() {
    local command=$1 flag help
    shift
    [ "$command" != - ] || command=
    # shellcheck disable=SC2086
    help=$("$COFFER_OCI" $command --help)
    for flag in "$@"; do
        grep -qE -- "--$flag( |$)" <<< "$help" || {
            echo "coffer-oci $command --help does not tell of --$flag"
            return 1
        }
    done
}

# Commands of which this build has none yet are skipped, by name.
needs_command() {
    "$COFFER_OCI" --help | grep -qE "^  $1 " || skip "no command $1 in this version"
}

@test "global flags" {
    takes - << 'EOF'
debug
log=/dev/null
log=journald:x
log=syslog:x
log-format=text
log-format=json
log-level=error
log-level=warning
log-level=debug
root=/nowhere
systemd-cgroup
cgroup-manager=cgroupfs
cgroup-manager=systemd
cgroup-manager=disabled
rootless=true
rootless=false
rootless=auto
EOF
    shows - debug log log-format log-level root systemd-cgroup cgroup-manager rootless version
    for word in --version -v -V; do
        run "$COFFER_OCI" $word
        [[ "$output" == "coffer-oci version "* ]]
    done
    for word in --help -h '-?' --usage; do
        run "$COFFER_OCI" "$word"
        [[ "$output" == "Usage: coffer-oci "* ]]
    done
    # As the others have it, they stand before the command.
    run "$COFFER_OCI" list --root /nowhere
    [ "$status" -eq 1 ]
    [ "$output" = "coffer-oci list: --root stands before the command: coffer-oci --root DIR ... list" ]
}

make_flags='bundle=/nowhere b
config=config.json f
console-socket=/nowhere
pidfd-socket=/nowhere
pid-file=/nowhere
no-pivot
no-new-keyring
preserve-fds=1
no-subreaper'

@test "flags of create" {
    takes create <<< "$make_flags"
    shows create bundle config console-socket pidfd-socket pid-file no-pivot no-new-keyring preserve-fds
}

@test "flags of run" {
    takes run <<< "$make_flags
detach d
keep"
    shows run bundle config console-socket pidfd-socket pid-file no-pivot no-new-keyring preserve-fds detach keep
}

@test "flags of exec" {
    takes exec << 'EOF'
additional-gids=1 g
apparmor=x
cap=CAP_KILL c
cgroup=/x
console-socket=/nowhere
cwd=/
detach d
env=A=B e
ignore-paused
no-new-privs
pid-file=/nowhere
pidfd-socket=/nowhere
preserve-fds=1
process=/nowhere p
process-label=x
tty t
user=1:2 u
EOF
    shows exec additional-gids apparmor cap cgroup console-socket cwd detach env ignore-paused no-new-privs pid-file pidfd-socket \
        preserve-fds process process-label tty user
}

@test "flags of kill, delete and list" {
    takes kill << 'EOF'
all a
regex r
EOF
    takes delete << 'EOF'
force f
regex r
EOF
    takes list << 'EOF'
format=json f
format=table f
quiet q
EOF
    shows kill all regex
    shows delete force regex
    shows list format quiet
}

@test "flags of ps, events and spec" {
    takes ps << 'EOF'
format=json f
format=table f
EOF
    takes events << 'EOF'
interval=1s
interval=500ms
stats
EOF
    takes spec << 'EOF'
bundle=/nowhere b
file=/nowhere f
rootless
EOF
    shows ps format
    shows events interval stats
    shows spec bundle file rootless
}

@test "flags of update" {
    takes update << 'EOF'
resources=/nowhere r
blkio-weight=10
cpu-period=1000
cpu-quota=-1
cpu-burst=1
cpu-share=1
cpu-rt-period=1
cpu-rt-runtime=1
cpu-idle=1
cpuset-cpus=0
cpuset-mems=0
kernel-memory=1
kernel-memory-tcp=1
memory=1m
memory=-1
memory-reservation=1m
memory-swap=-1
pids-limit=-1
l3-cache-schema=L3:0=f
mem-bw-schema=MB:0=10
EOF
    shows update resources blkio-weight cpu-period cpu-quota cpu-burst cpu-share cpu-rt-period cpu-rt-runtime cpu-idle cpuset-cpus cpuset-mems \
        memory memory-reservation memory-swap pids-limit l3-cache-schema mem-bw-schema
}

@test "flags of checkpoint" {
    needs_command checkpoint
    takes checkpoint << 'EOF'
image-path=/nowhere
work-path=/nowhere
parent-path=../x
leave-running
tcp-established
tcp-skip-in-flight
link-remap
ext-unix-sk
shell-job
lazy-pages
status-fd=3
page-server=host:1
file-locks
pre-dump
manage-cgroups-mode=soft
manage-cgroups-mode=ignore
manage-cgroups-mode=full
manage-cgroups-mode=strict
empty-ns=network
auto-dedup
network-lock=skip
EOF
}

@test "flags of restore" {
    needs_command restore
    takes restore << 'EOF'
bundle=/nowhere b
console-socket=/nowhere
image-path=/nowhere
work-path=/nowhere
tcp-established
tcp-close
ext-unix-sk
shell-job
file-locks
manage-cgroups-mode=soft
detach d
pid-file=/nowhere
no-subreaper
no-pivot
empty-ns=network
auto-dedup
lazy-pages
lsm-profile=apparmor:x
lsm-mount-context=x
network-lock=skip
EOF
}

@test "commands are those of runc and crun" {
    for command in create start run list state ps exec kill pause resume update events delete checkpoint restore spec features mounts "mounts add" "mounts remove"; do
        # shellcheck disable=SC2086 # the word of a command below another
        run "$COFFER_OCI" $command --help
        [ "$status" -eq 0 ]
        [[ "$output" == "Usage: coffer-oci $command"* ]]
    done
}
