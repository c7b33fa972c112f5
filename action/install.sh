#!/bin/sh
# Puts the tools on the PATH of the job's later steps: from INPUT_BIN_DIR, else by building this checkout.
# POSIX sh, so that it works in a container without bash. It is given no secret and passes none on.
# (Backticks in messages name inputs; they are not commands.)
# shellcheck disable=SC2016
set -eu

known='secrets-env preflight-report stack-output pages-deploy-all ssh-deploy'

# fail MESSAGE HELP: the contract's error form, and one annotation.
fail() {
    printf 'error: %s\n  help: %s\n' "$1" "$2" >&2
    printf '::error title=deploy-action::%s (%s)\n' "$1" "$2" >&2
    exit 2
}

tools=$(printf '%s' "${INPUT_TOOLS:-$known}" | tr ',\n' '  ')
names=
for tool in $tools; do
    case " $known " in
    *" $tool "*) names="$names $tool" ;;
    *) fail "there is no tool \`$tool\`" "give the input \`tools\` some of: $known" ;;
    esac
done
[ -n "$names" ] || fail "the input \`tools\` names no tool" "give some of: $known"

# Everything that a build is not owed: a dependency's build script runs with what is left.
drop_secrets() {
    for name in $(env | sed -n 's/^\([A-Za-z_][A-Za-z0-9_]*\)=.*/\1/p'); do
        case $name in
        CARGO_*) ;;
        *TOKEN* | *SECRET* | *PASSWORD* | *PASSPHRASE* | *_KEY) unset "$name" ;;
        esac
    done
}

build() {
    bins=
    for tool in $names; do bins="$bins --bin $tool"; done
    echo "::group::Building$names"
    # In this checkout, so that no .cargo/config.toml of the caller's repository applies.
    # shellcheck disable=SC2086
    (drop_secrets && cd "$GITHUB_ACTION_PATH" && cargo build --release --locked $bins) || {
        echo '::endgroup::'
        fail "the tools could not be built from source with $(cargo --version 2>&1 | head -n 1)" \
            'see the log above, or give the input `bin-dir` a directory with ready programs'
    }
    echo '::endgroup::'
    from=${CARGO_TARGET_DIR:-$GITHUB_ACTION_PATH/target}/release
}

if [ -n "${INPUT_BIN_DIR:-}" ]; then
    [ -d "$INPUT_BIN_DIR" ] || fail "the input \`bin-dir\` is not a directory: $INPUT_BIN_DIR" 'give the directory that holds the tools'
    from=$INPUT_BIN_DIR
elif [ -f "$GITHUB_ACTION_PATH/Cargo.toml" ] && command -v cargo >/dev/null 2>&1; then
    build
else
    fail "no way to install the tools on ${RUNNER_OS:-an unknown system} ${RUNNER_ARCH:-of an unknown kind}: there is no cargo on PATH" \
        'give the input `bin-dir` a directory with ready programs, or install Rust in an earlier step'
fi

# A separate directory, so that nothing else in `from` comes onto PATH.
bin="${RUNNER_TEMP:?}/deploy-action/bin"
mkdir -p "$bin"
version=
for tool in $names; do
    [ -f "$from/$tool" ] || fail "there is no \`$tool\` in $from" 'build or unpack all tools that the input `tools` names'
    cp -f "$from/$tool" "$bin/$tool"
    chmod 755 "$bin/$tool"
    said=$("$bin/$tool" --version) || said=
    case $said in
    "$tool "*) version=${said##* } ;;
    *) fail "\`$tool\` from $from does not run on ${RUNNER_OS:-this} ${RUNNER_ARCH:-system}" 'give programs that were built for this runner' ;;
    esac
done

printf '%s\n' "$bin" >>"$GITHUB_PATH"
printf 'bin-dir=%s\nversion=%s\n' "$bin" "$version" >>"$GITHUB_OUTPUT"
printf 'deploy-action %s:%s in %s\n' "$version" "$names" "$bin"
