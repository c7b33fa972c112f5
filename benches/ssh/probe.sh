# What a deploy does on a host beside its command, as plain shell: `xargs ssh` runs it to show what the host's work costs by itself.
# A private folder with two relays, the lock, the last state, the staged script with its checksum, free space; then the command in its
# own process group, the state again, and everything removed.
umask 077
d=$(mktemp -d) || exit 97
trap 'rm -rf "$d"' EXIT
mkfifo "$d/out" "$d/err"
tee /dev/null <"$d/out" &
tee /dev/null <"$d/err" >&2 &
exec 5>"$d/out" 6>"$d/err"
mkdir -p "$HOME/.ssh-deploy"
exec 8<>"$HOME/.ssh-deploy/probe.lock"
flock -n 8 || exit 75
cat "$HOME/.ssh-deploy/probe.state" >/dev/null 2>&1
echo true >"$d/script"
test "$(wc -c <"$d/script")" -eq 5 || exit 1
sha256sum "$d/script" >/dev/null
df -Pk "$d" >/dev/null
echo begun >"$HOME/.ssh-deploy/probe.state.new"
mv -f "$HOME/.ssh-deploy/probe.state.new" "$HOME/.ssh-deploy/probe.state"
setsid bash -eo pipefail "$d/script" >&5 2>&6 8>&-
code=$?
ps -A -o pgid= -o stat= >/dev/null
echo "$code" >"$HOME/.ssh-deploy/probe.state.new"
mv -f "$HOME/.ssh-deploy/probe.state.new" "$HOME/.ssh-deploy/probe.state"
exec 5>&- 6>&-
wait
exit "$code"
