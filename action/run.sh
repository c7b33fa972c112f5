#!/bin/sh
# Runs INPUT_RUN with the Doppler variables in its environment: they end with this process, and no file that the
# runner reads gets them. A blank input is "not given" and leaves the job's own variable alone.
# (Backticks in messages name inputs; they are not commands.)
# shellcheck disable=SC2016
set -euf

# A script over 128 KiB does not get here: the system refuses to start a program with such a variable. action.yml looks for this.
echo started=true >>"$GITHUB_OUTPUT"

fail() {
    printf 'error: %s\n  help: %s\n' "$1" "$2" >&2
    printf '::error title=deploy-action::%s (%s)\n' "$1" "$2" >&2
    exit 2
}

if [ -n "${INPUT_DOPPLER_TOKEN:-}" ]; then
    # The runner does not know a token that did not come from `secrets`. Each line is masked, so that nothing of a token with a
    # line break in it is printed either, and only then is such a token refused.
    printf '%s\n' "$INPUT_DOPPLER_TOKEN" | while IFS= read -r line; do
        line=$(printf '%s' "$line" | tr -d '\r' | sed 's/%/%25/g')
        [ -z "$line" ] || printf '::add-mask::%s\n' "$line"
    done
    case $INPUT_DOPPLER_TOKEN in
    *[[:space:][:cntrl:]]*) fail 'the input `doppler-token` has a blank or a line break in it' 'store the token again, without one' ;;
    esac
    export DOPPLER_TOKEN="$INPUT_DOPPLER_TOKEN"
fi
[ -z "${INPUT_DOPPLER_PROJECT:-}" ] || export DOPPLER_PROJECT="$INPUT_DOPPLER_PROJECT"
[ -z "${INPUT_DOPPLER_CONFIG:-}" ] || export DOPPLER_CONFIG="$INPUT_DOPPLER_CONFIG"
[ -z "${INPUT_IDENTITY:-}" ] || export DOPPLER_IDENTITY_ID="$INPUT_IDENTITY"
if [ -n "${INPUT_WORKING_DIRECTORY:-}" ]; then
    case $INPUT_WORKING_DIRECTORY in
    *[[:cntrl:]]*) fail 'the input `working-directory` has a control character' 'give it on one line' ;;
    esac
    [ -d "$INPUT_WORKING_DIRECTORY" ] ||
        fail "the input \`working-directory\` is not a directory: $INPUT_WORKING_DIRECTORY" 'check out the repository first, or correct the path'
    cd -- "$INPUT_WORKING_DIRECTORY"
fi

script=$INPUT_RUN
unset INPUT_RUN INPUT_WORKING_DIRECTORY INPUT_DOPPLER_TOKEN INPUT_DOPPLER_PROJECT INPUT_DOPPLER_CONFIG INPUT_IDENTITY BASH_ENV
if command -v bash >/dev/null 2>&1; then
    exec bash --noprofile --norc -eo pipefail -c "$script"
fi
echo 'deploy-action: there is no bash here; the script runs in sh -eu, which ignores a failed first command of a pipe' >&2
exec sh -eu -c "$script"
