#!/usr/bin/env bash
# Runs INPUT_RUN with the Doppler variables in its environment: they end with this process, and no file that the
# runner reads gets them. A blank input is "not given" and leaves the job's own variable alone.
set -euo pipefail

if [ -n "${INPUT_DOPPLER_TOKEN:-}" ]; then
    # A token that did not come from `secrets` is not known to the runner yet.
    printf '::add-mask::%s\n' "$INPUT_DOPPLER_TOKEN"
    export DOPPLER_TOKEN=$INPUT_DOPPLER_TOKEN
fi
[ -z "${INPUT_DOPPLER_PROJECT:-}" ] || export DOPPLER_PROJECT=$INPUT_DOPPLER_PROJECT
[ -z "${INPUT_DOPPLER_CONFIG:-}" ] || export DOPPLER_CONFIG=$INPUT_DOPPLER_CONFIG
[ -z "${INPUT_WORKING_DIRECTORY:-}" ] || cd "$INPUT_WORKING_DIRECTORY"

script=$INPUT_RUN
unset INPUT_RUN INPUT_WORKING_DIRECTORY INPUT_DOPPLER_TOKEN INPUT_DOPPLER_PROJECT INPUT_DOPPLER_CONFIG
exec bash --noprofile --norc -eo pipefail -c "$script"
