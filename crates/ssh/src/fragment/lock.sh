# The deploy lock of a host and the state of its last deploy. Runs in the remote loop, which holds the lock in descriptor 8.
# Set before this text: sd_do (what to do), sd_at (the lock's path without its ending), sd_made (whether to make its folder),
# sd_holder (one line about us), sd_token (what tells our run from others), sd_seen (a lease's last sign of life).

sd_free_lock() {
  exec 8>&-
  [ -z "$sd_lease" ] || [ ! -e "$sd_lease/$sd_name" ] || rm -rf "$sd_lease"
  sd_lease=
}

# Reports who holds the lock. The first word of the record is the token of the holder's run.
sd_report_holder() {
  sd_row=
  IFS= read -r sd_row <"$1"
  case $sd_row in
    "$sd_token "*) sd_say lock same ;;
    *) sd_say lock "$2 $sd_row" ;;
  esac
}

sd_flock() {
  # Without truncation: the record in it is the holder's.
  exec 8<>"$sd_at.lock"
  # Named once more, because mksh hides its descriptors from the programs that it starts.
  if flock -n 8 8<&8; then
    sd_put "$sd_holder$sd_newline" >"$sd_at.lock"
    sd_say lock held
  else
    exec 8>&-
    sd_report_holder "$sd_at.lock" "busy -"
  fi
}

# Without flock(1): a folder, which only one mkdir can make. Its holder writes to `beat` at every pulse.
sd_try_lease() {
  if mkdir "$sd_at.lease"; then
    sd_put "$sd_holder$sd_newline" >"$sd_at.lease/holder"
    echo "$sd_name" >"$sd_at.lease/beat"
    true >"$sd_at.lease/$sd_name"
    sd_lease=$sd_at.lease
    sd_say lock held
  else
    sd_row=
    IFS= read -r sd_row <"$sd_at.lease/beat"
    sd_report_holder "$sd_at.lease/holder" "busy ${sd_row:--}"
  fi
}

# Takes over a lease whose last sign of life is still sd_seen: by a rename, so that only one of several waiters does, and only
# if what was renamed is what was seen.
sd_take_over() {
  sd_row=
  IFS= read -r sd_row <"$sd_at.lease/beat"
  if [ "${sd_row:--}" = "$sd_seen" ] && mv "$sd_at.lease" "$sd_at.lease.$sd_name"; then
    IFS= read -r sd_row <"$sd_at.lease.$sd_name/beat"
    if [ "${sd_row:--}" = "$sd_seen" ]; then
      rm -rf "$sd_at.lease.$sd_name"
    else
      mv "$sd_at.lease.$sd_name" "$sd_at.lease"
    fi
  fi
  sd_try_lease
}

# What a run under this lock has left that was killed: its private folder, and staged files beside their destinations. What this run
# has made itself stays: a home that hosts share, or one host under two names, has it too.
sd_remove_leftovers() {
  set +f
  for sd_base in "${XDG_RUNTIME_DIR-}" "${TMPDIR-}" /tmp "${HOME-}"; do
    case $sd_base in /*) ;; *) continue ;; esac
    for sd_one in "$sd_base/${sd_name%.*.*}".*; do
      case $sd_one in */"${sd_name%.*}".*) continue ;; esac
      [ ! -d "$sd_one" ] || rm -rf "$sd_one"
    done
  done
  set -f
  mv "$sd_at.staged" "$sd_at.staged.$sd_name" || return
  # Rows of the name of a private folder and a path.
  while read -r sd_by sd_one; do
    case $sd_by in "${sd_name%.*}".*) echo "$sd_by $sd_one" >>"$sd_at.staged"; continue ;; esac
    case $sd_one in /*) rm -rf "$sd_one" ;; esac
  done <"$sd_at.staged.$sd_name"
  rm -f "$sd_at.staged.$sd_name"
}

sd_acquire() {
  [ "$sd_made" = no ] || [ -d "${sd_at%/*}" ] || mkdir -p "${sd_at%/*}"
  if ! true >>"$sd_at.lock"; then
    sd_say lock unwritable
  elif command -v flock >/dev/null; then
    sd_flock
  elif [ "$sd_do" = take_over ]; then
    sd_take_over
  else
    sd_try_lease
  fi
}

# What is held is still held afterwards: the descriptor is a new one.
sd_status() {
  if [ -e "$sd_at.lease/holder" ]; then
    sd_row=
    IFS= read -r sd_row <"$sd_at.lease/beat"
    sd_report_holder "$sd_at.lease/holder" "busy ${sd_row:--}"
  elif [ ! -e "$sd_at.lock" ]; then
    sd_say lock free
  elif ! command -v flock >/dev/null || flock -n 9 9<>"$sd_at.lock"; then
    sd_say lock free
  else
    sd_report_holder "$sd_at.lock" "busy -"
  fi
}

case $sd_do in
  acquire | take_over) sd_acquire ;;
  release) sd_free_lock ;;
  status) sd_status ;;
  unlock)
    # Only a lease can outlive its holder.
    sd_row=
    IFS= read -r sd_row <"$sd_at.lease/beat"
    [ "${sd_row:--}" != "$sd_seen" ] || rm -rf "$sd_at.lease"
    sd_status
    ;;
esac
