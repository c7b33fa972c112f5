#!/bin/sh
# Puts the tools on the PATH of the job's later steps. In this order: the programs in INPUT_BIN_DIR; the runner's tool cache and
# PATH, if the SHA-256 of each program is the one in dist.json; a download, checked the same way; a build of this checkout.
# Only a release has a dist.json: any other checkout is built.
#
# POSIX sh, so that it works in a container without bash. It is given no secret and passes none on.
# (Backticks in messages name inputs; they are not commands.)
# shellcheck disable=SC2016
set -euf

dist=$GITHUB_ACTION_PATH/dist.json
temp=${RUNNER_TEMP:?}/deploy-action
# Cargo.toml is the one list of programs: `[[bin]]` and the line after it.
every=$(sed -n '/^\[\[bin\]\]/{n;s/^name = "\(.*\)"$/\1/p;}' "$GITHUB_ACTION_PATH/Cargo.toml" | tr '\n' ' ')
every=${every% }

# fail CODE MESSAGE HELP: the error on stderr, and one annotation. The text never has a line break: inputs with control
# characters are refused before they are quoted.
fail() {
    printf 'error: %s\n  help: %s\n' "$2" "$3" >&2
    printf '::error title=deploy-action::%s\n' "$(escaped "$2 ($3)")" >&2
    exit "$1"
}
warn() { printf '::warning title=deploy-action::%s\n' "$(escaped "$1")" >&2; }
escaped() { printf '%s' "$1" | sed 's/%/%25/g'; }

# printable NAME VALUE: refuses a value that could end a line of the log and begin a workflow command.
printable() {
    case $2 in
    *[[:cntrl:]]*) fail 2 "the input \`$1\` has a control character" "give it on one line" ;;
    esac
}
printable bin-dir "${INPUT_BIN_DIR:-}"
printable base-url "${INPUT_BASE_URL:-}"
printable verify "${INPUT_VERIFY:-}"
# The tools may be given as a YAML block, one per line.
asked=$(printf '%s' "${INPUT_TOOLS:-}" | tr ',\n\r\t' '    ')
printable tools "$asked"

# --- what dist.json lists -----------------------------------------------------------------------------------------------------

# ci/package writes dist.json with one key per line, which is what makes it readable without a JSON parser.
# listed KEY: a text at the top of dist.json.
listed() { sed -n 's/^  "'"$1"'": "\([^"]*\)".*/\1/p' "$dist"; }
# of_target KEY: a text of this platform's entry.
of_target() { sed -n '/^    "'"$target"'": {/,/^    }/s/^ *"'"$1"'": "\([^"]*\)".*/\1/p' "$dist"; }
# programs: the names of this platform's programs.
programs() { sed -n '/^    "'"$target"'": {/,/^    }/s/^        "\([a-z-]*\)": "[0-9a-f]*".*/\1/p' "$dist"; }

target=
version=
if [ -f "$dist" ]; then
    case ${RUNNER_OS:-}-${RUNNER_ARCH:-} in
    Linux-X64) candidates='x86_64-unknown-linux-musl x86_64-unknown-linux-gnu' ;;
    Linux-ARM64) candidates='aarch64-unknown-linux-musl aarch64-unknown-linux-gnu' ;;
    macOS-X64) candidates=x86_64-apple-darwin ;;
    macOS-ARM64) candidates=aarch64-apple-darwin ;;
    *) candidates= ;;
    esac
    version=$(listed version)
    for target in $candidates; do
        known=$(programs | tr '\n' ' ')
        [ -z "$known" ] || break
    done
    [ -n "${known:-}" ] || target=
fi
[ -n "$target" ] || known=$every

names=
for tool in ${asked:-$known}; do
    case " $known " in
    *" $tool "*) names="$names $tool" ;;
    *) fail 2 "there is no tool \`$tool\`${target:+ for $target}" "give the input \`tools\` some of: $known" ;;
    esac
done
[ -n "$names" ] || fail 2 'the input `tools` names no tool' "give some of: $known"

# --- the ways to get them: each leaves a directory in $from -------------------------------------------------------------------

# sha256 FILE: prints its SHA-256.
sha256() {
    if command -v sha256sum >/dev/null 2>&1; then
        sha256sum "$1" | cut -d ' ' -f 1
    elif command -v shasum >/dev/null 2>&1; then
        shasum -a 256 "$1" | cut -d ' ' -f 1
    elif command -v openssl >/dev/null 2>&1; then
        openssl dgst -sha256 -r "$1" | cut -d ' ' -f 1
    else
        fail 2 'there is no program to check a SHA-256 with' 'install sha256sum (coreutils), shasum or openssl in an earlier step'
    fi
}

# is_listed FILE TOOL: whether FILE is the program that dist.json lists.
is_listed() { [ -f "$1" ] && [ "$(sha256 "$1")" = "$(of_target "$2")" ]; }

cached() {
    cache=${RUNNER_TOOL_CACHE:-$temp}/deploy-action/$version/$target
    [ -f "$cache.complete" ] || return 1
    for tool in $names; do is_listed "$cache/$tool" "$tool" || return 1; done
    from=$cache
}

# Programs on PATH are copied into one directory, since they may be in several.
on_path() {
    rm -rf "$temp/path"
    mkdir -p "$temp/path"
    for tool in $names; do
        found=$(command -v "$tool") || return 1
        is_listed "$found" "$tool" || return 1
        cp "$found" "$temp/path/$tool"
    done
    from=$temp/path
}

# fetch URL FILE: one try.
fetch() {
    if command -v curl >/dev/null 2>&1; then
        curl --fail --silent --show-error --location --connect-timeout 10 --max-time 120 --output "$2" "$1"
    elif command -v timeout >/dev/null 2>&1 && command -v wget >/dev/null 2>&1; then
        # Not wget's -T: with it the wget of busybox 1.35 (Debian 12) ends with a segmentation fault.
        timeout 120 wget -q -O "$2" "$1"
    elif command -v wget >/dev/null 2>&1; then
        wget -q -O "$2" "$1"
    else
        echo 'there is neither curl nor wget' >&2
        return 1
    fi
}

download() {
    base=${INPUT_BASE_URL:-$(listed base_url)}
    archive=$(of_target archive)
    mkdir -p "$temp"
    for try in 1 2 3; do
        fetch "${base%/}/$archive" "$temp/$archive" 2>"$temp/fetch.log" && break
        if [ "$try" = 3 ]; then
            reason=$(tail -n 1 "$temp/fetch.log" | tr -d '[:cntrl:]')
            [ -z "${INPUT_BASE_URL:-}" ] ||
                fail 75 "cannot download ${base%/}/$archive: $reason" 'check the input `base-url`, or give `bin-dir`'
            warn "cannot download $archive ($reason): the tools are built from source, which takes minutes"
            return 1
        fi
        sleep "$try"
    done
    [ "$(sha256 "$temp/$archive")" = "$(of_target sha256)" ] ||
        fail 2 "$archive from $base is not the file that dist.json lists: its SHA-256 differs" 'use another mirror, and report this'
    attested "$temp/$archive"
    unpacked=$temp/unpacked.$$
    mkdir -p "$unpacked"
    tar -xzf "$temp/$archive" -C "$unpacked" || fail 2 "$archive cannot be unpacked" 'install tar and gzip in an earlier step'
    for tool in $(programs); do
        is_listed "$unpacked/bin/$tool" "$tool" ||
            fail 2 "\`$tool\` in $archive is not the program that dist.json lists: its SHA-256 differs" 'report this'
    done
    # Filled under a temporary name and renamed, so that a job that is cut off leaves no half-filled cache.
    mkdir -p "${cache%/*}"
    rm -rf "$cache" "$cache.complete"
    mv "$unpacked/bin" "$cache" && : >"$cache.complete"
    from=$cache
}

# attested FILE: holds the archive against GitHub's attestation, as the input `verify` asks.
attested() {
    case ${INPUT_VERIFY:-auto} in
    never) return ;;
    auto | always) ;;
    *) fail 2 "the input \`verify\` is neither auto, always nor never: ${INPUT_VERIFY}" 'give one of these' ;;
    esac
    repository=consult/deploy-action
    if ! gh attestation --help >/dev/null 2>&1 || [ -z "${GH_TOKEN:-}" ]; then
        [ "${INPUT_VERIFY:-auto}" = auto ] ||
            fail 77 'the attestation cannot be checked: it takes a `gh` that knows attestations, and a token' 'install gh, and leave the input `github-token` as it is'
        echo "deploy-action: the archive's attestation was not checked (no gh, or no token); its SHA-256 was"
        return
    fi
    file=$1
    set -- --repo "$repository" --signer-workflow "$repository/.github/workflows/release.yml" --source-digest "$(listed source)"
    # The release has the attestation beside its archives; a mirror without it leaves the question to GitHub.
    if fetch "${base%/}/attestation.json" "$temp/attestation.json" 2>/dev/null; then
        set -- "$@" --bundle "$temp/attestation.json"
    fi
    if gh attestation verify "$file" "$@" >"$temp/attestation.log" 2>&1; then
        return
    fi
    case $(cat "$temp/attestation.log") in
    *[Ff]ailed\ to\ fetch* | *"HTTP 403"* | *"HTTP 429"* | *"HTTP 5"* | *dial\ tcp* | *timeout*)
        [ "${INPUT_VERIFY:-auto}" = always ] || {
            echo "deploy-action: GitHub could not be asked for the archive's attestation; its SHA-256 was checked"
            return
        }
        fail 75 "GitHub could not be asked for the attestation of ${file##*/}" 'run the job again, or give the input `verify: auto`'
        ;;
    esac
    fail 77 "${file##*/} has no valid attestation of $repository" 'do not use this download, and report this'
}

# environment: what a build gets, one NAME=VALUE per line.
environment() {
    for name in PATH HOME USER LANG LC_ALL TMPDIR CARGO_HOME RUSTUP_HOME RUSTUP_TOOLCHAIN SSL_CERT_FILE SSL_CERT_DIR \
        CARGO_HTTP_CAINFO HTTP_PROXY HTTPS_PROXY NO_PROXY http_proxy https_proxy no_proxy ALL_PROXY all_proxy; do
        value=
        eval "value=\${$name-}"
        case $value in
        '' | *[[:cntrl:]]*) ;;
        *) printf '%s=%s\n' "$name" "$value" ;;
        esac
    done
}

# Builds in this checkout, so that no .cargo/config.toml of the caller's repository applies. A dependency's build script runs
# with what is in its environment: it gets what is listed here, and no secret of the job. The values travel on stdin, since
# an address of a proxy can hold a password and arguments are visible to every process.
build() {
    bins=
    for tool in $names; do bins="$bins --bin $tool"; done
    echo "::group::Building$names"
    # shellcheck disable=SC2086
    environment | env -i /bin/sh -c '
        while IFS= read -r pair; do export "$pair"; done
        cd "$0" && exec cargo build --release --locked --target-dir "$0/target" "$@" </dev/null
    ' "$GITHUB_ACTION_PATH" $bins || {
        echo '::endgroup::'
        fail 2 "the tools could not be built from source with $(cargo --version 2>&1 | head -n 1 | tr -d '[:cntrl:]')" \
            'see the log above, or give the input `bin-dir` a directory with ready programs'
    }
    echo '::endgroup::'
    from=$GITHUB_ACTION_PATH/target/release
}

mkdir -p "$temp"
from=
if [ -n "${INPUT_BIN_DIR:-}" ]; then
    [ -d "$INPUT_BIN_DIR" ] || fail 2 "the input \`bin-dir\` is not a directory: $INPUT_BIN_DIR" 'give the directory that holds the tools'
    from=$INPUT_BIN_DIR
elif [ -n "$target" ] && { cached || on_path || download; }; then
    :
elif [ -f "$GITHUB_ACTION_PATH/Cargo.toml" ] && command -v cargo >/dev/null 2>&1; then
    build
else
    fail 2 "no way to install the tools on ${RUNNER_OS:-an unknown system} ${RUNNER_ARCH:-of an unknown kind}: there is no cargo on PATH" \
        'give the input `bin-dir` a directory with ready programs, or install Rust in an earlier step'
fi

# --- onto PATH ----------------------------------------------------------------------------------------------------------------

# A separate directory, so that nothing else in `from` comes onto PATH.
bin=$temp/bin
mkdir -p "$bin"
for tool in $names; do
    [ -f "$from/$tool" ] || fail 2 "there is no \`$tool\` in $from" 'build or unpack all tools that the input `tools` names'
    rm -f "$bin/$tool"
    cp "$from/$tool" "$bin/$tool"
    chmod 755 "$bin/$tool"
    printed=$("$bin/$tool" --version 2>/dev/null) || printed=
    case $printed in
    "$tool "*) version=${printed##* } ;;
    *) fail 2 "\`$tool\` from $from does not run on ${RUNNER_OS:-this} ${RUNNER_ARCH:-system}" 'give programs that were built for this runner' ;;
    esac
done

printf '%s\n' "$bin" >>"$GITHUB_PATH"
printf 'bin-dir=%s\nversion=%s\n' "$bin" "$version" >>"$GITHUB_OUTPUT"
printf 'deploy-action %s:%s in %s\n' "$version" "$names" "$bin"
