# The remote side of a deploy: reads steps from stdin, one after the other, and answers each with its records on stderr.
# Set before this text: sd_nonce (of the first record), sd_name (of the private folder), sd_grace (tenths of a second).
# Set by the texts that the client sends: sd_target of a file; sd_script, sd_user, sd_feed and sd_receiver of a step.
# Comments, indentation and blank lines are removed before it is sent. POSIX sh; no local, no arrays, no bashisms.

# 3: the client's lines. 4 and 7: the real stderr and stdout. 5 and 6: the relays. 8: the lock. 9: the file being received.
exec 3<&0 4>&2 7>&1 </dev/null >/dev/null 2>&1
trap '' HUP PIPE
set -f
sd_umask=$(umask)
umask 077
# Messages of kill and df are read in English, and ${#text} counts bytes. A step gets the login's own locale back.
sd_locale=${LC_ALL-}
sd_localized=${LC_ALL+yes}
LC_ALL=C
export LC_ALL
sd_newline='
'
sd_values=
sd_exact=
sd_lease=
sd_user=
sd_beats=0
sd_watcher=
sd_reader=

# Only builtins see a nonce: an argument list is public. mksh has no builtin printf.
case $(command -v printf) in
  printf) sd_put() { printf '%s' "$1"; } ;;
  *) sd_put() { print -rn -- "$1"; } ;;
esac

# A line of the client has arrived: resets the watchdog, and shows those who wait for a lease that its holder lives.
sd_pulse() {
  kill -USR1 "$sd_watcher"
  [ -z "$sd_lease" ] || { sd_beats=$((sd_beats + 1)); echo "$sd_name.$1.$sd_beats" >"$sd_lease/beat"; }
}

# A record on its own line, also after a line that a script left open. If a step has killed its relay, directly.
sd_say() {
  sd_put "$sd_newline$sd_nonce $*$sd_newline" >&6 || sd_put "$sd_newline$sd_nonce $*$sd_newline" >&4
}

# Ends the loop: the lock is released with our last descriptor of it. A daemon of a step may still write to the relays.
sd_leave() {
  [ -z "$sd_watcher" ] || kill -KILL "$sd_watcher"
  [ -z "$sd_reader" ] || kill -KILL "$sd_reader"
  sd_clean
  exit 0
}

# Removes what is ours: the folder, the staged files and the empty folders named in it, and a lease.
sd_clean() {
  while IFS= read -r sd_path; do
    case $sd_path in /*) rm -rf "$sd_path"; [ ! -e "$sd_path" ] || sudo -n -u "$sd_user" rm -rf "$sd_path" ;; esac
  done <"$sd_folder/remove"
  while IFS= read -r sd_path; do
    rmdir "$sd_path" || sudo -n -u "$sd_user" rmdir "$sd_path"
  done <"$sd_folder/empty"
  # What a step under sudo has left that was killed: only its user can remove it.
  if read -r sd_user <"$sd_folder/as"; then
    set +f
    for sd_path in "${TMPDIR:-/tmp}/$sd_name".?????? /tmp/"$sd_name".??????; do
      [ ! -d "$sd_path" ] || sudo -n -u "$sd_user" rm -rf "$sd_path"
    done
    set -f
  fi
  [ -z "$sd_lease" ] || [ ! -e "$sd_lease/$sd_name" ] || rm -rf "$sd_lease"
  rm -rf "$sd_folder"
}

# Sends a signal to the step's process group. EPERM means that it runs under sudo, never that it is gone.
sd_signal() {
  if sd_words=$(kill "-$1" "-$sd_pid" 2>&1 || kill "-$1" "$sd_pid" 2>&1); then
    # What the first KILL leaves is not ours, and our own zombies may stay in the group: they take every signal.
    [ "$1$sd_killed" = KILLyes ] || { [ "$1" != KILL ] || sd_killed=yes; return 0; }
    sudo -n kill -KILL -- "-$sd_pid"
    return
  fi
  case $sd_words in
    *ermitted*) sd_raised=yes; sudo -n kill "-$1" -- "-$sd_pid" ;;
    *) return 1 ;;
  esac
}

# Whether the step's process group has only processes that we may not signal. While one of ours is among them, kill succeeds and
# leaves them out.
sd_is_denied() {
  sd_words=$(kill -0 "-$sd_pid" 2>&1) && return 1
  case $sd_words in *ermitted*) return 0 ;; *) return 1 ;; esac
}

# What is known of the step's process group: group_gone, group_alive, unknown.
sd_group() {
  if sd_words=$(kill -0 "-$sd_pid" 2>&1); then
    [ "$(sd_states)" = alive ] && echo group_alive || echo group_gone
    return
  fi
  case $sd_words in *ermitted*) ;; *) echo group_gone; return ;; esac
  if sd_words=$(sudo -n kill -0 -- "-$sd_pid" 2>&1); then
    # Processes of other users may be hidden from us: only zombies that we see are gone.
    [ "$(sd_states)" = zombies ] && echo group_gone || echo group_alive
    return
  fi
  case $sd_words in *"o such process"*) echo group_gone ;; *) echo unknown ;; esac
}

# What ps shows of the group: alive, zombies (the first process of a container may never collect them), or nothing. BusyBox' ps lists
# all processes and knows no -A. Without ps, every process counts.
sd_states() {
  sd_all=$(ps -A -o pgid= -o stat= || ps -o pgid,stat) || { echo alive; return; }
  echo "$sd_all" | {
    sd_found=
    while read -r sd_one sd_state; do
      case $sd_one.$sd_state in "$sd_pid".Z*) sd_found=zombies ;; "$sd_pid".*) sd_found=alive; break ;; esac
    done
    echo "$sd_found"
  }
}

# Waits a moment, and counts it in sd_waited: a tenth of a second, later half a second, for each look costs time too.
sd_pause() {
  sd_tenths=1
  [ "$sd_waited" -lt 10 ] || sd_tenths=5
  sleep "0.$sd_tenths" || { sleep 1; sd_tenths=10; }
  sd_waited=$((sd_waited + sd_tenths))
}

# Ends the running step: TERM, and KILL when sd_grace has passed. The first reason is the one that is reported.
sd_end() {
  sd_pid=
  read -r sd_pid <"$sd_folder/end"
  [ "$sd_pid" != ended ] || echo "$1" 1<>"$sd_folder/end"
  sd_waited=0
  while [ "$sd_waited" -lt 50 ]; do
    read -r sd_pid <"$sd_folder/pid"
    [ "$sd_pid" = waiting ] || break
    sd_pause
  done
  sd_waited=0
  case $sd_pid in '' | *[!0-9]*) return ;; esac
  sd_raised=
  sd_killed=
  sd_signal TERM
  while [ "$(sd_group)" != group_gone ] && [ "$sd_waited" -lt $((sd_grace + 10)) ]; do
    if [ "$sd_waited" -ge "$sd_grace" ]; then
      # Again and again: what is left when ours are gone may need sudo.
      sd_signal KILL
    elif [ -z "$sd_raised" ] && sd_is_denied; then
      sd_signal TERM
    fi
    sd_pause
  done
}

# The watchdog: every line of the client resets it by USR1. It counts sleeps, because a clock can jump.
sd_watch() {
  trap 'sd_silent=0' USR1
  sd_silent=0
  sd_put "$sd_newline$sd_nonce ready $sd_shell $sd_folder$sd_newline" >&4
  exec 3<&- 4>&- 5>&- 6>&- 7>&- 8>&-
  while :; do
    sleep 1
    sd_silent=$((sd_silent + 1))
    kill -0 $$ || exit
    [ "$sd_silent" -ge 20 ] || continue
    sd_limit=20
    read -r sd_limit <"$sd_folder/patience"
    [ "$sd_silent" -ge "$sd_limit" ] || continue
    true >"$sd_folder/gone"
    sd_end pulse_lost
    # After a step the loop leaves by itself, when its record is written; that may never be, if nothing reads our output. Between two
    # steps it waits in a read that only a signal ends.
    [ "$sd_pid" != 'done' ] || sd_waited=70
    while [ -d "$sd_folder" ] && [ "$sd_waited" -lt 80 ]; do
      sleep 1
      sd_waited=$((sd_waited + 10))
    done
    [ ! -d "$sd_folder" ] || sd_clean
    # What the loop waits for between two steps (a df that hangs) has inherited the lock. The relays ignore TERM.
    trap '' TERM
    kill -TERM 0
    kill -KILL $$
    exit
  done
}

# While a step runs, owns the client's lines; ends at the line that confirms that its record has arrived.
sd_listen() {
  exec 4>&- 5>&- 6>&- 7>&- 8>&-
  while IFS= read -r sd_line <&3; do
    sd_pulse running
    case $sd_line in
      "next $sd_nonce") exit ;;
      stop) sd_end stopped ;;
    esac
  done
  true >"$sd_folder/gone"
  # A rollback goes on without us, until the watchdog's patience ends.
  [ "$sd_patience" -ne 0 ] || sd_end client_gone
}

# A rollback may outlive its client, and so must its lease, whose signs of life otherwise end with the client's lines.
sd_keep() {
  exec 3<&- 4>&- 5>&- 6>&- 7>&- 8>&-
  # 20 is the watchdog's own patience, and means that the step has ended.
  while kill -0 $$ && read -r sd_limit <"$sd_folder/patience" && [ "$sd_limit" -eq "$sd_patience" ]; do
    sd_beats=$((sd_beats + 1))
    [ ! -e "$sd_lease/$sd_name" ] || echo "$sd_name.kept.$sd_beats" >"$sd_lease/beat"
    sleep 5
  done
}

# Starts "$@" in a process group whose number it writes over the old one (on a full disk nothing new can be written).
# setsid(1) is missing on macOS and the BSDs.
sd_lead() {
  # shellcheck disable=SC2016
  set -- sh -c 'echo "$$" 1<>"$1"; shift; exec "$@"' ssh-deploy "$sd_folder/pid" "$@"
  if command -v setsid >/dev/null; then
    exec setsid "$@"
  elif command -v perl >/dev/null; then
    exec perl -e 'use POSIX; POSIX::setsid(); exec @ARGV; exit 127' "$@"
  fi
  exec "$@"
}

# Runs the step in sd_text, which sets "$@". In the foreground: what a shell starts in the background ignores SIGINT.
sd_step() {
  [ -z "$sd_lease" ] || [ -e "$sd_lease/$sd_name" ] || { sd_say refused the lease was taken over by another run; sd_leave; }
  echo 'waiting ' 1<>"$sd_folder/pid"
  echo 'ended      ' 1<>"$sd_folder/end"
  if [ "$sd_patience" -gt 0 ]; then
    echo "$sd_patience        " 1<>"$sd_folder/patience"
    [ -z "$sd_lease" ] || sd_keep &
  fi
  sd_say started
  sd_listen &
  sd_reader=$!
  (
    trap - HUP PIPE
    exec >&5 2>&6 3<&- 4>&- 5>&- 6>&- 7>&- 8>&-
    umask "$sd_umask"
    if [ -n "$sd_localized" ]; then LC_ALL=$sd_locale; else unset LC_ALL; fi
    sd_user=
    eval "$sd_text"
    set +f
    if [ -n "$sd_user" ]; then
      # Values, then the script, through a pipe: another user cannot read our folder, and sudo passes no variables on.
      echo "$sd_user" >"$sd_folder/as"
      { sd_put "$sd_feed$sd_values"; cat "$sd_script"; } | sd_lead sudo -n -u "$sd_user" sh -c "sd_name=$sd_name; $sd_receiver" "$@"
      exit
    fi
    eval "$sd_values"
    unset sd_values sd_text
    sd_lead "$@" ${sd_script:+"$sd_script"}
  )
  sd_code=$?
  read -r sd_pid <"$sd_folder/pid"
  echo 'done ' 1<>"$sd_folder/pid"
  case $sd_pid in '' | *[!0-9]*) sd_state=group_gone ;; *) sd_state=$(sd_group) ;; esac
  read -r sd_why <"$sd_folder/end"
  # The script may end before the rest of its group, which has as long as it had.
  sd_waited=-5
  while [ "$sd_why" != ended ] && [ "$sd_state" != group_gone ] && [ "$sd_waited" -lt "$sd_grace" ]; do
    sd_pause
    sd_state=$(sd_group)
  done
  # On a busy host, who ends the step may have found our own processes only, of which none is left now.
  sd_waited=0
  sd_killed=
  while [ "$sd_why" != ended ] && [ "$sd_state" = group_alive ] && [ "$sd_waited" -lt 5 ]; do
    sd_signal KILL
    sd_pause
    sd_state=$(sd_group)
  done
  # shellcheck disable=SC1090
  [ ! -s "$sd_folder/$sd_step.after" ] || . "$sd_folder/$sd_step.after"
  [ ! -s "$sd_folder/line" ] || { IFS= read -r sd_line <"$sd_folder/line"; sd_say line "$sd_line"; true >"$sd_folder/line"; }
  # The mark behind the step's last byte on stdout, then the record behind its last byte on stderr.
  sd_mark=marked
  sd_put "$sd_newline$sd_nonce mark$sd_newline" >&5 || sd_mark=unmarked
  sd_say "exit $sd_code $sd_state $sd_why $sd_mark"
  [ ! -e "$sd_folder/gone" ] || sd_leave
  wait "$sd_reader"
  sd_reader=
  [ "$sd_patience" -eq 0 ] || echo '20        ' 1<>"$sd_folder/patience"
  [ ! -e "$sd_folder/gone" ] || sd_leave
}

# Reads $1 lines into sd_text. Half a text runs nothing: the loop ends with its input.
sd_lines() {
  sd_text=
  sd_left=$1
  while [ "$sd_left" -gt 0 ]; do
    IFS= read -r sd_row <&3 || sd_leave
    sd_text=$sd_text$sd_row$sd_newline
    sd_left=$((sd_left - 1))
  done
}

# Finds a program that copies so many bytes of a pipe and leaves the next one in it. BusyBox' head reads ahead.
sd_find_exact() {
  if [ "$(echo ab | { head -c 1 >/dev/null; IFS= read -r sd_rest; echo "$sd_rest"; })" = b ]; then
    sd_exact='head'
  elif [ "$(echo ab | { dd bs=1 count=1 iflag=fullblock >/dev/null; IFS= read -r sd_rest; echo "$sd_rest"; })" = b ]; then
    sd_exact=full
  else
    sd_exact='dd'
  fi
}

# Copies $1 bytes of stdin to descriptor 9.
sd_take() {
  sd_left=$1
  case $sd_exact in
    head) head -c "$sd_left" <&3 >&9 ; return ;;
    full) dd bs="$sd_left" count=1 iflag=fullblock <&3 >&9; return ;;
  esac
  while [ "$sd_left" -gt 0 ]; do
    sd_size=$sd_left
    [ "$sd_size" -le 65536 ] || sd_size=65536
    # A read of a pipe may be short; how short is in dd's last line.
    sd_words=$({ dd bs="$sd_size" count=1 <&3 >&9; } 2>&1) || return 1
    sd_words=${sd_words##*records out"$sd_newline"}
    sd_words=${sd_words%% *}
    case $sd_words in '' | 0 | *[!0-9]*) return 1 ;; esac
    sd_left=$((sd_left - sd_words))
  done
}

# Receives a file: chunks of announced length with pulses between them. After a failed write what follows is not understood.
sd_receive() {
  [ -n "$sd_exact" ] || sd_find_exact
  while IFS= read -r sd_line <&3; do
    sd_pulse receiving
    case $sd_line in
      "data "*) sd_take "${sd_line#data }" || { sd_say failed write; sd_leave; } ;;
      end) sd_say "done 0"; return ;;
    esac
  done
  sd_leave
}

sd_folder=
for sd_base in "${XDG_RUNTIME_DIR-}" "${TMPDIR-}" /tmp "${HOME-}"; do
  case $sd_base in /*) ;; *) continue ;; esac
  sd_folder=$sd_base/$sd_name
  # Written to, because a full disk still takes an empty file. What is written later has its place from the start.
  mkdir "$sd_folder" && mkfifo "$sd_folder/out" "$sd_folder/err" && echo 'done       ' >"$sd_folder/pid" && echo 'ended      ' >"$sd_folder/end" && echo '20        ' >"$sd_folder/patience" && break
  rm -rf "$sd_folder"
  sd_folder=
done
if [ -z "$sd_folder" ]; then
  sd_put "$sd_newline$sd_nonce unusable cannot make a private folder in XDG_RUNTIME_DIR, ${TMPDIR:-TMPDIR}, /tmp or $HOME$sd_newline" >&4
  exit 97
fi
true >"$sd_folder/remove"
true >"$sd_folder/empty"
sd_shell='sh'
! command -v bash >/dev/null || sd_shell=bash

# The relays: with SIGPIPE ignored and a second output, tee goes on reading when the client is gone, and a daemon lives.
(trap '' TERM; exec 3<&- 4>&-; exec tee /dev/null) <"$sd_folder/out" >&7 &
(trap '' TERM; exec 3<&- 7>&-; exec tee /dev/null) <"$sd_folder/err" >&4 &
exec 5>"$sd_folder/out" 6>"$sd_folder/err"
# A line of the client may have arrived already: the watchdog must not die of it before it has its trap.
trap '' USR1
sd_watch &
sd_watcher=$!
trap - USR1

while IFS= read -r sd_line <&3; do
  sd_pulse idle
  # shellcheck disable=SC2086
  set -- $sd_line
  case ${1-} in
    beat) continue ;;
    bye) sd_leave ;;
  esac
  sd_nonce=${2-}
  case ${1-} in
    # Names of files in the folder are ours: letters and digits.
    write) sd_lines "$3"; sd_put "$sd_text" >"$sd_folder/$4"; sd_say "done $?" ;;
    values) sd_lines "$3"; sd_values=$sd_text; sd_say "done 0 ${#sd_values}" ;;
    eval) sd_lines "$3"; eval "$sd_text"; sd_say "done $?" ;;
    step) sd_lines "$3"; sd_patience=$4; sd_step=$5; sd_step ;;
    # A file named by sd_target, which an eval has set.
    put) if true >"$sd_target" && exec 9>"$sd_target"; then sd_receive; exec 9>&-; else sd_say failed open; sd_leave; fi ;;
  esac
done
sd_leave
