#!/bin/sh
# Names the reason why the runner could not start run.sh.
# (Backticks in messages name inputs; they are not commands.)
# shellcheck disable=SC2016
printf 'error: %s\n  help: %s\n' 'the script of the input `run` could not be started' \
    'if it is over 128 KiB (32,767 characters on Windows), put it into a file of the repository and run that' >&2
echo '::error title=deploy-action::the script of the input `run` could not be started: it may have at most 128 KiB (32,767 characters on Windows); put it into a file of the repository and run that' >&2
exit 2
