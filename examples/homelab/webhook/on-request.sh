#!/bin/sh
# Started by webhook for a request with a right signature. A request that is sent a second time is refused: its id is part of the
# signed body, so an old request cannot get a new one.
set -eu

case $REQUEST_ID in
*[!A-Za-z0-9-]* | '')
    echo "the request has no id" >&2
    exit 2
    ;;
esac

seen=${WEBHOOK_SEEN:-.requests}
touch "$seen"
if grep -qxF "$REQUEST_ID" "$seen"; then
    echo "request $REQUEST_ID was served before" >&2
    exit 1
fi
echo "$REQUEST_ID" >>"$seen"
tail -n 1000 "$seen" >"$seen.new" && mv "$seen.new" "$seen"

cd ..
exec stage-run --lock-wait 30m
