#!/usr/bin/env bats
# coffer history: the steps of an image, as its configuration tells them.
load helpers
load images

setup() {
    needs_root
    images_setup
}

HISTORY='.history = [
    {created: "2001-02-03T04:05:06Z", created_by: "/bin/sh -c #(nop) ADD file:1234 in / ", comment: "base"},
    {created: "2001-02-03T04:05:07Z", created_by: "CMD [\"/bin/sh\"]", empty_layer: true},
    {created: "2002-02-03T04:05:08Z", created_by: "RUN /bin/sh -c apt-get update && \tapt-get install --yes ünicode-data"}]'

@test "history shows the steps, the last first, with the sizes of their layers" {
    CONFIG=$HISTORY layout "$WORK/app" 1 "$(zeros a 2000)" "$(zeros b 30000)"
    coffer load -q "oci:$WORK/app"
    id=$(coffer inspect -f '{{.Id}}' app:1)
    run coffer history --format '{{.ID}}|{{.CreatedAt}}|{{.CreatedBy}}|{{.Size}}|{{.Comment}}' app:1
    [ "$status" -eq 0 ]
    [ "${#lines[@]}" -eq 3 ]
    [ "${lines[0]}" = "${id:7:12}|2002-02-03 04:05:08 +0000 UTC|RUN /bin/sh -c apt-get update &&  apt-get in…|30kB|" ]
    [ "${lines[1]}" = '<missing>|2001-02-03 04:05:07 +0000 UTC|CMD ["/bin/sh"]|0B|' ]
    [ "${lines[2]}" = '<missing>|2001-02-03 04:05:06 +0000 UTC|/bin/sh -c #(nop) ADD file:1234 in / |2kB|base' ]
    run coffer history app:1
    [[ "${lines[0]}" =~ ^IMAGE\ +CREATED\ +CREATED\ BY\ +SIZE\ +COMMENT$ ]]
    [[ "${lines[1]}" =~ ^"${id:7:12}"\ +[0-9]+\ years\ ago\ +RUN ]]
    run coffer history --no-trunc --human=false app:1
    [[ "${lines[0]}" =~ ^IMAGE\ +CREATED\ AT\ +CREATED\ BY\ +SIZE\ +COMMENT$ ]]
    [[ "${lines[1]}" =~ ^"$id   2002-02-03 04:05:08 +0000 UTC   RUN /bin/sh -c apt-get update &&  apt-get install --yes ünicode-data"\ +30000 ]]
    [ "$(coffer image history -q app:1)" = "${id:7:12}"$'\n<missing>\n<missing>' ]
    [ "$(coffer history --format json app:1 | jq -r .Size | paste -sd ' ')" = "30kB 0B 2kB" ]
}

@test "history of an image whose configuration tells less than its layers, or more" {
    layout "$WORK/none" 1 "$(zeros a 1000)" "$(zeros b 2000)"
    coffer load -q "oci:$WORK/none"
    [ "$(coffer history --format '{{.CreatedSince}} {{.Size}}' none:1)" = $'N/A 2kB\nN/A 1kB' ]
    CONFIG=$HISTORY layout "$WORK/more" 1 "$(zeros c 3000)"
    coffer load -q "oci:$WORK/more"
    [ "$(coffer history --format '{{.Size}}' more:1 | paste -sd ' ')" = "3kB 0B 0B" ]
}

@test "history: what is not there, and a configuration that is damaged" {
    layout "$WORK/app" 1 "$(zeros a 2000)"
    coffer load -q "oci:$WORK/app"
    fails 'image nothing:latest is not in the store; load one with "coffer load" or "coffer pull"' coffer history nothing
    id=$(coffer inspect -f '{{.Id}}' app:1)
    blob=$(coffer_store)/blobs/sha256/${id#sha256:}
    tr a b < "$blob" > "$WORK/damaged"
    cat "$WORK/damaged" > "$blob"
    fails "history of app:1: $blob is damaged: its digest is $(digest_of "$blob")" coffer history app:1
    rm "$blob"
    fails "history of app:1: blobs/sha256/${id#sha256:} is not in the store" coffer history app:1
}
