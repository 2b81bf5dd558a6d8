#!/usr/bin/env bats
# Logging in to registries and out again: a real docker-registry, plain and with TLS, files of docker and podman, helpers.

setup_file() {
    load helpers.bash
    load ../registry/registry.bash
    needs docker-registry htpasswd openssl python3 skopeo
    registry_start locked htpasswd
    registry_start secure tls-htpasswd
    registry_start token token
    registry_start open plain
}

teardown_file() {
    load helpers.bash
    load ../registry/registry.bash
    registry_stop_all
}

setup() {
    load helpers.bash
    load ../registry/registry.bash
    needs docker-registry htpasswd openssl python3 skopeo
    export HOME=$BATS_TEST_TMPDIR/home XDG_RUNTIME_DIR=$BATS_TEST_TMPDIR/runtime COFFER_REGISTRIES_CONF=/dev/null
    unset REGISTRY_AUTH_FILE DOCKER_CONFIG XDG_CONFIG_HOME
    CONFIG=$HOME/.docker/config.json
    mkdir -p "$HOME" "$XDG_RUNTIME_DIR"
    LOCKED=$(registry locked)
    SECURE=$(registry secure)
}

kept() { # HOST [FILE]: the login of the host, as the file has it
    jq -r --arg host "$1" '.auths[$host].auth // "none"' "${2:-$CONFIG}" | base64 -d
}

login() {
    coffer login -u someone --password-stdin "$@" <<< secret
}

make_helper() { # NAME: keeps what it is given in $BATS_TEST_TMPDIR/keychain
    mkdir -p "$BATS_TEST_TMPDIR/bin"
    cat > "$BATS_TEST_TMPDIR/bin/docker-credential-$1" << END
#!/bin/sh
keychain=$BATS_TEST_TMPDIR/keychain
case \$1 in
store) cat > \$keychain ;;
get) cat > /dev/null; cat \$keychain 2> /dev/null || { echo credentials not found in native keychain; exit 1; } ;;
erase) cat > /dev/null; rm \$keychain ;;
esac
END
    chmod 755 "$BATS_TEST_TMPDIR/bin/docker-credential-$1"
    export PATH=$BATS_TEST_TMPDIR/bin:$PATH
}

@test "a login that the registry takes is kept, for us alone" {
    run login "$LOCKED"
    echo "$output"
    [ "$status" -eq 0 ]
    [ "${lines[0]}" = "coffer: warning: the password is in $CONFIG, which others cannot read but which is not encrypted; a credential helper (credsStore) would keep it in a keychain" ]
    [ "${lines[1]}" = "Login Succeeded" ]
    [ "$(kept "$LOCKED")" = someone:secret ]
    [ "$(stat -c %a "$CONFIG")" = 600 ]
    [ "$(stat -c %a "$HOME/.docker")" = 700 ]
}

@test "one that it does not take is not" {
    run coffer login -u someone --password-stdin "$LOCKED" <<< wrong-password
    echo "$output"
    [ "$status" -eq 125 ]
    [ "$output" = "coffer: $LOCKED: the registry does not accept this user and password (\"authentication required\")" ]
    [ ! -e "$CONFIG" ]
}

@test "a login in place of another keeps the rest of the file" {
    mkdir -p "$HOME/.docker"
    echo '{"psFormat": "x", "auths": {"other.example.com": {"auth": "dTpw"}, "'"$LOCKED"'": {"auth": "b2xkOm9sZA=="}}}' > "$CONFIG"
    login "$LOCKED"
    [ "$(kept "$LOCKED")" = someone:secret ]
    [ "$(kept other.example.com)" = u:p ]
    [ "$(jq -r .psFormat "$CONFIG")" = x ]
}

@test "the login that is kept is tried when none is given" {
    login "$LOCKED"
    run coffer login "$LOCKED" < /dev/null
    echo "$output"
    [ "$status" -eq 0 ]
    [ "$output" = $'Authenticating with existing credentials...\nLogin Succeeded' ]
    echo "{\"auths\": {\"$LOCKED\": {\"auth\": \"b2xkOm9sZA==\"}}}" > "$CONFIG"
    run coffer login "$LOCKED" < /dev/null
    echo "$output"
    [ "$status" -eq 125 ]
    [ "${lines[0]}" = "Authenticating with existing credentials..." ]
    [ "${lines[1]}" = "coffer: $LOCKED: the registry does not accept this user and password (\"authentication required\")" ]
}

@test "a login that is kept and not taken is named as such" {
    mkdir -p "$HOME/.docker"
    echo "{\"auths\": {\"$LOCKED\": {\"auth\": \"b2xkOm9sZA==\"}}}" > "$CONFIG"
    run coffer tags "$LOCKED/team/app"
    echo "$output"
    [ "$status" -eq 125 ]
    [[ $output == "coffer: $LOCKED/team/app: the registry refuses the login that is kept for it ("*"); run coffer login $LOCKED" ]]
}

@test "with TLS: by the authority of certs.d, of --cert-dir, or unverified" {
    run login "$SECURE"
    echo "$output"
    [ "$status" -eq 125 ]
    [[ $output == *certificate* ]]
    [ ! -e "$CONFIG" ]
    login --cert-dir "$REGISTRY_CERTS" "$SECURE"
    [ "$(kept "$SECURE")" = someone:secret ]
    rm "$CONFIG"
    login --tls-verify=false "$SECURE"
    [ "$(kept "$SECURE")" = someone:secret ]
    rm "$CONFIG"
    mkdir -p "$HOME/.config/containers/certs.d"
    cp -r "$REGISTRY_CERTS" "$HOME/.config/containers/certs.d/$SECURE"
    login "$SECURE"
    [ "$(kept "$SECURE")" = someone:secret ]
}

@test "to a registry that gives tokens" {
    login "$(registry token)"
    [ "$(kept "$(registry token)")" = someone:secret ]
    run coffer login -u someone --password-stdin "$(registry token)" <<< wrong
    echo "$output"
    [ "$status" -eq 125 ]
    [[ $output == "coffer: $(registry token): 127.0.0.1:"*" does not accept this user and password (\"incorrect username or password\")" ]]
    run coffer tags --creds someone:wrong "$(registry token)/team/app"
    echo "$output"
    [[ $output == *" does not accept this user and password (\"incorrect username or password\")" ]]
    run coffer tags "$(registry token)/team/app"
    echo "$output"
    [[ $output == *"/team/app: $(registry token) has none"* ]] # the login that is kept was taken
}

@test "a registry that asks for nothing takes all" {
    login "$(registry open)"
    [ "$(kept "$(registry open)")" = someone:secret ]
}

@test "skopeo and we read each other's logins" {
    login "$LOCKED"
    skopeo login --tls-verify=false --authfile "$CONFIG" --get-login "$LOCKED" | grep -x someone
    skopeo login --tls-verify=false --authfile "$BATS_TEST_TMPDIR/auth.json" -u someone --password-stdin "$LOCKED" <<< secret
    run coffer login --authfile "$BATS_TEST_TMPDIR/auth.json" "$LOCKED" < /dev/null
    echo "$output"
    [ "$output" = $'Authenticating with existing credentials...\nLogin Succeeded' ]
    coffer logout --authfile "$BATS_TEST_TMPDIR/auth.json" "$LOCKED"
    [ "$(jq -c .auths "$BATS_TEST_TMPDIR/auth.json")" = "{}" ]
}

@test "--authfile and REGISTRY_AUTH_FILE name another file" {
    login --authfile "$BATS_TEST_TMPDIR/1.json" "$LOCKED"
    [ "$(kept "$LOCKED" "$BATS_TEST_TMPDIR/1.json")" = someone:secret ]
    REGISTRY_AUTH_FILE=$BATS_TEST_TMPDIR/2.json login "$LOCKED"
    [ "$(kept "$LOCKED" "$BATS_TEST_TMPDIR/2.json")" = someone:secret ]
    DOCKER_CONFIG=$BATS_TEST_TMPDIR/docker login "$LOCKED"
    [ "$(kept "$LOCKED" "$BATS_TEST_TMPDIR/docker/config.json")" = someone:secret ]
    [ ! -e "$CONFIG" ]
}

@test "a credential helper keeps it, and the file does not" {
    make_helper test
    mkdir -p "$HOME/.docker"
    echo "{\"credsStore\": \"test\", \"auths\": {\"$LOCKED\": {\"auth\": \"b2xkOm9sZA==\"}}}" > "$CONFIG"
    run login "$LOCKED"
    echo "$output"
    [ "$output" = "Login Succeeded" ]
    [ "$(jq -c ".auths" "$CONFIG")" = "{\"$LOCKED\":{}}" ]
    [ "$(jq -r .Secret "$BATS_TEST_TMPDIR/keychain")" = secret ]
    run coffer login "$LOCKED" < /dev/null
    [ "$output" = $'Authenticating with existing credentials...\nLogin Succeeded' ]
    run coffer logout "$LOCKED"
    [ "$output" = "Removing login credentials for $LOCKED" ]
    [ ! -e "$BATS_TEST_TMPDIR/keychain" ]
    [ "$(jq -c .auths "$CONFIG")" = "{}" ]
}

@test "a helper that is not there is named" {
    mkdir -p "$HOME/.docker"
    echo '{"credsStore": "no-such"}' > "$CONFIG"
    run login "$LOCKED"
    echo "$output"
    [ "$status" -eq 125 ]
    [ "$output" = "coffer: $CONFIG: credsStore: docker-credential-no-such is in no folder of PATH" ]
    [ "$(cat "$CONFIG")" = '{"credsStore": "no-such"}' ]
}

@test "logging out forgets one or all" {
    login "$LOCKED"
    login "$(registry open)"
    run coffer logout "$LOCKED"
    [ "$output" = "Removing login credentials for $LOCKED" ]
    [ "$(kept "$LOCKED")" != someone:secret ]
    [ "$(kept "$(registry open)")" = someone:secret ]
    run coffer logout "$LOCKED"
    [ "$status" -eq 0 ]
    [ "$output" = "Not logged in to $LOCKED" ]
    run coffer logout --all
    [ "$output" = "Removed login credentials for all registries" ]
    [ "$(jq -c .auths "$CONFIG")" = "{}" ]
    run coffer logout --all
    [ "$output" = "Not logged in to any registry" ]
}

@test "a login in podman's file is told of and left alone" {
    mkdir -p "$XDG_RUNTIME_DIR/containers"
    echo "{\"auths\": {\"$LOCKED\": {\"auth\": \"dTpw\"}}}" > "$XDG_RUNTIME_DIR/containers/auth.json"
    run coffer logout "$LOCKED"
    echo "$output"
    [ "$status" -eq 0 ]
    [ "${lines[0]}" = "coffer: warning: $XDG_RUNTIME_DIR/containers/auth.json holds a login for $LOCKED, too; give --authfile to remove it" ]
    [ "${lines[1]}" = "Not logged in to $LOCKED" ]
    [ "$(kept "$LOCKED" "$XDG_RUNTIME_DIR/containers/auth.json")" = u:p ]
}

@test "on a terminal it asks, and does not show the password" {
    mkfifo "$BATS_TEST_TMPDIR/typed"
    (
        sleep 1
        echo someone
        sleep 1
        echo secret
        sleep 2
    ) > "$BATS_TEST_TMPDIR/typed" &
    run timeout 20 script --quiet --return --command "$COFFER login $LOCKED; stty -a" /dev/null < "$BATS_TEST_TMPDIR/typed"
    echo "$output"
    [ "$status" -eq 0 ]
    [[ $output == *"Username: "*someone*"Password: "*"Login Succeeded"* ]]
    [[ $output != *secret* ]]
    [[ $output == *" echo "* ]]
    [ "$(kept "$LOCKED")" = someone:secret ]
}

@test "the terminal shows what is typed again when the question is broken off" {
    mkfifo "$BATS_TEST_TMPDIR/typed"
    (
        sleep 1
        printf '\003'
        sleep 2
    ) > "$BATS_TEST_TMPDIR/typed" &
    run timeout 20 script --quiet --return --command "trap : INT; $COFFER login -u someone $LOCKED; echo code \$?; stty -a" /dev/null \
        < "$BATS_TEST_TMPDIR/typed"
    echo "$output"
    [[ $output == *"Password: "*"code 130"* ]]
    [[ $output == *" echo "* ]]
    [ ! -e "$CONFIG" ]
}

@test "a blocked registry is not asked" {
    printf '[[registry]]\nprefix = "%s"\nblocked = true\n' "$LOCKED" > "$BATS_TEST_TMPDIR/registries.conf"
    COFFER_REGISTRIES_CONF=$BATS_TEST_TMPDIR/registries.conf run login "$LOCKED"
    echo "$output"
    [ "$status" -eq 125 ]
    [[ $output == *"$LOCKED is blocked: $BATS_TEST_TMPDIR/registries.conf, line 1, says so of $LOCKED" ]]
}

@test "what cannot be is refused by name" {
    refused() { # MESSAGE ARGUMENT...
        local message=$1
        shift
        run coffer login "$@" < /dev/null
        echo "$output"
        [ "$status" -eq 125 ]
        [ "${lines[-1]}" = "coffer: $message" ]
    }
    refused "both --password and --password-stdin: which of them?" -u x -p y --password-stdin "$LOCKED"
    refused "--password-stdin needs --username" --password-stdin "$LOCKED"
    refused "standard input is no terminal to ask on; give --username and --password-stdin" -u x "$LOCKED"
    refused "the password is empty" -u x --password-stdin "$LOCKED"
    refused "the user's name is empty" -u "" -p y "$LOCKED"
    refused 'the user "a:b": a user'"'"'s name cannot hold a colon' -u a:b -p y "$LOCKED"
    refused 'expected a registry as HOST[:PORT], with a dot or a port or localhost, found "host/path"' -u x -p y host/path
    refused 'expected a registry as HOST[:PORT], with a dot or a port or localhost, found "word"' -u x -p y word
    refused 'expected a registry as HOST[:PORT], with a dot or a port or localhost, found "../x"' -u x -p y ../x
    run coffer login -u x --password-stdin "$LOCKED" < <(printf 'a\0b')
    [ "$output" = "coffer: the password on standard input holds a NUL byte" ]
    run coffer login -u x --password-stdin "$LOCKED" < <(head -c 70000 /dev/zero | tr '\0' a)
    [ "$output" = "coffer: the password on standard input has more than 65536 bytes" ]
    run coffer logout --all "$LOCKED"
    [ "$output" = "coffer: both --all and $LOCKED: which of them?" ]
    mkdir -p "$HOME/.docker"
    echo '{"auths" "secret"}' > "$CONFIG"
    run login "$LOCKED"
    echo "$output"
    [ "$output" = "coffer: $CONFIG: line 1, column 17: ':' expected" ]
}

@test "a password on the command line is warned of" {
    run coffer login -u someone -p secret "$LOCKED"
    echo "$output"
    [ "$status" -eq 0 ]
    [ "${lines[0]}" = "coffer: warning: --password is seen by all who may list processes; use --password-stdin" ]
    [ "${lines[-1]}" = "Login Succeeded" ]
}

@test "an ordinary user's helper is asked as himself, not in the namespace of his layers" {
    needs_root # to become the user
    needs umoci busybox setpriv newuidmap
    make_user
    as_user unshare --user true 2> /dev/null || skip "this host gives ordinary users no user namespaces"
    registry_push "$(make_image tiny):tiny" "$LOCKED/team/tiny:1" --dest-creds someone:secret
    make_helper test
    echo "{\"ServerURL\":\"$LOCKED\",\"Username\":\"someone\",\"Secret\":\"secret\"}" > "$BATS_TEST_TMPDIR/keychain"
    sed -i "2i id -u >> $HOME/asked-as" "$BATS_TEST_TMPDIR/bin/docker-credential-test"
    mkdir -p "$HOME/.docker"
    echo '{"credsStore": "test"}' > "$CONFIG"
    chown -R "$TEST_UID" "$HOME" "$XDG_RUNTIME_DIR" "$BATS_TEST_TMPDIR/keychain"
    run as_user "$COFFER" --root "$HOME/run" --store "$HOME/store" pull "$LOCKED/team/tiny:1"
    echo "$output"
    [ "$status" -eq 0 ]
    run as_user "$COFFER" --root "$HOME/run" --store "$HOME/store" push -q "$LOCKED/team/tiny:1" "$LOCKED/team/other:1"
    echo "$output"
    [ "$status" -eq 0 ]
    [ "$(wc -l < "$HOME/asked-as")" -ge 2 ] # each session asks: a push has one for each end
    [ "$(sort -u "$HOME/asked-as")" = "$TEST_UID" ]
}
