# The remote side: runs one script in a process group of its own, and ends that group when our stdin ends.
# Set before this text: sd_nonce, sd_script_bytes, sd_values_bytes, sd_grace_tenths, sd_interpreter (a function).
# Comments, indentation and blank lines are taken out before it is sent. POSIX sh; no local, no arrays, no bashisms.

# fd 3: our stdin, the lifeline. fd 4: the real stderr; what this text's own commands complain about goes nowhere.
exec 3<&0 </dev/null 4>&2 2>/dev/null
trap '' HUP PIPE
sd_umask=$(umask)
umask 077

# A record on a line of its own, also after a line that the script left open.
sd_say() {
  printf '\n%s %s\n' "$sd_nonce" "$*" >&4
}

# setsid(1) is missing on macOS and the BSDs.
sd_lead() {
  if command -v setsid >/dev/null; then
    exec setsid "$@"
  elif command -v perl >/dev/null; then
    exec perl -e 'use POSIX; POSIX::setsid(); exec @ARGV; exit 127' "$@"
  fi
  exec "$@"
}

sd_signal() {
  kill "-$1" "-$sd_pid" || kill "-$1" "$sd_pid"
}

sd_folder=$(mktemp -d "${TMPDIR:-/tmp}/.ssh-deploy.XXXXXX") || sd_folder=$(mktemp -d "$HOME/.ssh-deploy.XXXXXX") || {
  sd_say unusable "cannot make a private folder in ${TMPDIR:-/tmp} or $HOME"
  exit 97
}
sd_interpreter
sd_say ready "$*"

# dd reads byte by byte, so that not one byte of what follows is lost in a buffer; head may read ahead, for nothing follows.
sd_values=
if [ "$sd_values_bytes" -gt 0 ]; then
  sd_values=$(dd bs=1 count="$sd_values_bytes" <&3)
fi
head -c "$sd_script_bytes" <&3 >"$sd_folder/script"
if [ "$(wc -c <"$sd_folder/script")" -ne "$sd_script_bytes" ]; then
  rm -rf "$sd_folder"
  sd_say truncated
  exit 98
fi
sd_say started

# Waits for the end of our stdin, then ends the script's process group.
(
  exec 4>&- >/dev/null
  cat <&3
  : >"$sd_folder/stop"
  read -r sd_pid <"$sd_folder/pid" || exit
  sd_signal TERM
  sd_waited=0
  while sd_signal 0 && [ "$sd_waited" -lt "$sd_grace_tenths" ]; do
    sleep 0.1 || { sleep 1; sd_waited=$((sd_waited + 9)); }
    sd_waited=$((sd_waited + 1))
  done
  sd_signal KILL
  rm -rf "$sd_folder"
) &
sd_watcher=$!

# In the foreground, because a shell lets what it starts in the background ignore SIGINT. Its stdin is /dev/null.
(
  sh -c 'echo "$PPID"' >"$sd_folder/pid"
  trap - HUP PIPE
  exec 2>&4 3<&- 4>&-
  umask "$sd_umask"
  eval "$sd_values"
  unset sd_values
  sd_lead "$@" "$sd_folder/script"
)
sd_code=$?
# Told to stop: what the script started goes too, before we say that it has ended.
if [ -e "$sd_folder/stop" ]; then
  wait "$sd_watcher"
else
  kill -KILL "$sd_watcher"
fi
rm -rf "$sd_folder"
sd_say exit "$sd_code"
exit "$sd_code"
