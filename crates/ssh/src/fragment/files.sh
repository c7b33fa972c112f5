# What happens to files on a host: a separate program, because sudo may run it. Its last line of output is its answer.
# Arguments: what to do, the destination, the staged path beside it, the kind, the digest or checksum, the mode.
sd_do=$1 sd_dest=$2 sd_next=$3 sd_kind=$4 sd_digest=$5 sd_mode=$6
sd_mark=.ssh-deploy-upload

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
  elif [ -d "$sd_dest" ] && [ ! -L "$sd_dest" ] && read -r sd_row <"$sd_dest/$sd_mark"; then
    # The mark is written last: what is newer was changed on the host.
    if [ "$sd_row" = "$sd_digest" ] && [ -z "$(find "$sd_dest" -newer "$sd_dest/$sd_mark")" ]; then echo same; else echo ours; fi
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
    echo "$sd_digest" >"$sd_next/$sd_mark" || { echo failed; return; }
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
