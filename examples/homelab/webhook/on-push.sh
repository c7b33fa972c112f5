#!/bin/sh
# Started by webhook for a push to GitHub with a right signature. GitHub's delivery id is not part of what is signed, so an old request can
# be sent again under a new one: a commit that is deployed already, by itself or in a later one, is not deployed again.
set -eu

case $COMMIT in
*[!0-9a-f]* | '')
    echo "the request has no commit" >&2
    exit 2
    ;;
esac

cd ..
# One push at a time: the next one must not change the files under a deploy that runs.
exec 9>.stage-run.push
flock 9
git fetch --quiet origin main
if git merge-base --is-ancestor "$COMMIT" HEAD; then
    echo "commit $COMMIT was deployed before" >&2
    exit 0
fi
git merge-base --is-ancestor "$COMMIT" origin/main || {
    echo "commit $COMMIT is not on main" >&2
    exit 1
}
git checkout --quiet --detach "$COMMIT"
exec stage-run --lock-wait 30m
