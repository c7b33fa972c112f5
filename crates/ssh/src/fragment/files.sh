# What happens to files on a host: a separate program, because sudo may run it. Its last line of output is its answer.
# Arguments: what to do, the destination, the staged path beside it, the kind, the digest or checksum, the mode.
sd_do=$1 sd_dest=$2 sd_next=$3 sd_kind=$4 sd_digest=$5 sd_mode=$6
sd_mark=.ssh-deploy-upload
LC_ALL=C
export LC_ALL
sd_summer=sha256sum
command -v sha256sum >/dev/null || sd_summer='shasum -a 256'
command -v "${sd_summer%% *}" >/dev/null || sd_summer='cksum'

# What a folder holds, sorted: a line per entry with its type, mode and name, and for a file one with its checksum.
sd_list() {
  (
    cd "$1" || exit
    find . ! -path "./$sd_mark" -exec ls -ldn {} + | while read -r sd_bits _ _ _ _ _ _ _ sd_name; do
      echo "${sd_bits%[.+@]} $sd_name"
    done
    # shellcheck disable=SC2086
    find . -type f ! -path "./$sd_mark" -exec $sd_summer {} +
  ) | sort
}

# Whether the folder has all that was put there, as it was, whatever its times: the lines of its mark are its digest and what it held.
sd_has_all() {
  sd_count=$(($(wc -l <"$sd_dest/$sd_mark")))
  [ "$sd_count" -gt 1 ] && [ "$(($({ echo "# $sd_digest"; sd_list "$sd_dest"; cat "$sd_dest/$sd_mark"; } | sort | uniq -d | wc -l)))" -eq "$sd_count" ]
}

# absent, same, ours, foreign, no_parent
sd_look() {
  sd_parent=${sd_dest%/*}
  if [ ! -d "${sd_parent:-/}" ]; then echo no_parent
  elif [ ! -w "${sd_parent:-/}" ]; then echo read_only
  elif [ ! -e "$sd_dest" ] && [ ! -L "$sd_dest" ]; then echo absent
  elif [ "$sd_kind" = file ]; then
    if [ -d "$sd_dest" ]; then echo foreign
    elif [ "$(sd_sum "$sd_dest")" = "$sd_digest" ] && [ -n "$(find "$sd_dest" -prune -perm "$sd_mode")" ]; then echo same
    else echo ours; fi
  elif [ -d "$sd_dest" ] && [ ! -L "$sd_dest" ] && [ -s "$sd_dest/$sd_mark" ]; then
    # The mark is written last: what is newer was changed on the host.
    if sd_has_all && [ -z "$(find "$sd_dest" -newer "$sd_dest/$sd_mark")" ]; then echo same; else echo ours; fi
  else echo foreign; fi
}

# Checks what has arrived in `$sd_next.part`; a folder is unpacked beside its destination.
sd_unpack() {
  sd_found=$(sd_sum "$sd_next.part")
  if [ -n "$sd_found" ] && [ "$sd_found" != "$sd_digest" ]; then echo damaged; return; fi
  if [ "$sd_kind" = file ]; then
    if ! chmod "$sd_mode" "$sd_next.part" || ! mv -f "$sd_next.part" "$sd_next"; then echo failed; return; fi
  else
    if ! mkdir "$sd_next" || ! tar -xpof "$sd_next.part" -C "$sd_next"; then echo failed; return; fi
    rm -f "$sd_next.part"
  fi
  if [ -n "$sd_found" ]; then echo checked; else echo unchecked; fi
}

# A rename; a folder makes way for a moment, for a rename cannot replace it.
sd_place() {
  if [ "$sd_kind" = folder ]; then
    { echo "# $sd_digest"; sd_list "$sd_next"; } >"$sd_next/$sd_mark" || { echo failed; return; }
    [ ! -e "$sd_dest" ] || mv "$sd_dest" "$sd_next.old" || { echo failed; return; }
  fi
  if mv -f "$sd_next" "$sd_dest"; then
    echo placed
    rm -rf "$sd_next.old"
  else
    [ ! -e "$sd_next.old" ] || mv "$sd_next.old" "$sd_dest"
    echo failed
  fi
}

case $sd_do in
  look) sd_look ;;
  unpack) sd_unpack ;;
  place) sd_place ;;
esac
