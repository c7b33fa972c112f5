# Releases on a host: BASE/releases/ID, BASE/shared, and the link BASE/current. A separate program, because sudo may run it.
# Its last line of output is its answer. Arguments: what to do, BASE, ID, the method that replaces a link, and what else it needs.
sd_do=$1 sd_base=$2 sd_id=$3 sd_how=$4
shift 4
sd_mark=.ssh-deploy-release
sd_all=$sd_base/releases
sd_newline='
'

# A rename that replaces a link to a folder: plain mv would move into the folder, and ln -sfn removes first.
sd_replace() {
  case $sd_how in
    mv-T) mv -Tf "$1" "$2" ;;
    mv-h) mv -hf "$1" "$2" ;;
    perl) perl -e 'rename $ARGV[0], $ARGV[1] or exit 1' "$1" "$2" ;;
    *) return 1 ;;
  esac
}

# Finds a method that replaces a link in BASE, or in its parent if BASE does not exist yet.
sd_find_how() {
  sd_try=$sd_test/.ssh-deploy-test$$
  mkdir "$sd_try" "$sd_try/old" "$sd_try/new" || return
  for sd_how in mv-T mv-h perl; do
    rm -f "$sd_try/a" "$sd_try/b"
    ln -s new "$sd_try/a" && ln -s old "$sd_try/b"
    if sd_replace "$sd_try/a" "$sd_try/b" && [ ! -e "$sd_try/old/a" ]; then
      case $(ls -l "$sd_try/b") in *'-> new') echo "$sd_how"; break ;; esac
    fi
    rm -f "$sd_try/old/a"
  done
  rm -rf "$sd_try"
}

# Our releases, the newest first. An ID begins with its time; a folder of another name is not ours.
sd_releases() {
  # IDs are letters, digits, `.` and `-`.
  # shellcheck disable=SC2012
  ls "$sd_all" | sort -r | while IFS= read -r sd_one; do
    case $sd_one in [0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]T*) [ ! -e "$sd_all/$sd_one/$sd_mark" ] || echo "$sd_one" ;; esac
  done
}

# The releases whose checks passed and that no rollback has left, the newest first.
sd_good() {
  sd_releases | while IFS= read -r sd_one; do
    [ "$(sd_status "$sd_one")" != good ] || echo "$sd_one"
  done
}

# The newest good release that is older than $1; the newest of all if $1 is not ours.
sd_before() {
  sd_seen=yes
  [ ! -e "$sd_all/$1/$sd_mark" ] || sd_seen=
  sd_releases | while IFS= read -r sd_one; do
    if [ "$sd_one" = "$1" ]; then
      sd_seen=yes
    elif [ -n "$sd_seen" ] && [ "$(sd_status "$sd_one")" = good ]; then
      echo "$sd_one"
      break
    fi
  done
}

sd_status() {
  while IFS= read -r sd_row; do
    case $sd_row in status=*) echo "${sd_row#status=}" ;; esac
  done <"$sd_all/$1/$sd_mark"
}

# The release that current points to.
sd_current() {
  sd_at=$(cd -P "$sd_base/current" && pwd -P) && echo "${sd_at##*/}"
}

# ok, METHOD, the current release, the newest good one, and the newest good one that is not current; else what is wrong.
sd_look() {
  sd_test=$sd_base
  [ -d "$sd_base" ] || sd_test=${sd_base%/*}/
  if [ ! -d "$sd_test" ] || [ ! -w "$sd_test" ]; then echo read_only; return; fi
  if [ -L "$sd_base/current" ]; then
    sd_root=$(cd -P "$sd_all" && pwd -P)
    sd_at=$(cd -P "$sd_base/current" && pwd -P)
    case $sd_at in "$sd_root"/*) ;; *) echo current_elsewhere; return ;; esac
  elif [ -e "$sd_base/current" ]; then
    echo current_no_link
    return
  fi
  sd_how=$(sd_find_how)
  [ -n "$sd_how" ] || { echo no_rename; return; }
  sd_now=$(sd_current)
  sd_list=$(sd_good)
  sd_last=${sd_list%%"$sd_newline"*}
  # What is live is what a deploy that fails goes back to, if it is good.
  case $sd_newline$sd_list$sd_newline in *"$sd_newline$sd_now$sd_newline"*) sd_last=$sd_now ;; esac
  sd_other=$(sd_before "$sd_now")
  echo "ok $sd_how ${sd_now:--} ${sd_last:--} ${sd_other:--}"
}

# Unpacks $1, whose checksum is $2, and links the shared paths that follow.
sd_unpack() {
  sd_part=$1 sd_digest=$2 sd_run=$3
  shift 3
  sd_found=$(sd_sum "$sd_part")
  [ -z "$sd_found" ] || [ "$sd_found" = "$sd_digest" ] || { echo damaged; return; }
  # A deploy that is resumed may find what its first attempt has left.
  rm -rf "${sd_all:?}/$sd_id"
  if ! mkdir -p "$sd_all/$sd_id" || ! tar -xpof "$sd_part" -C "$sd_all/$sd_id"; then echo failed; return; fi
  for sd_name in "$@"; do
    case $sd_name in
      */) sd_name=${sd_name%/}; mkdir -p "$sd_base/shared/$sd_name" ;;
      *) [ -e "$sd_base/shared/$sd_name" ] || { echo "missing $sd_base/shared/$sd_name"; return; } ;;
    esac
    case $sd_name in */*) mkdir -p "$sd_all/$sd_id/${sd_name%/*}" ;; esac
    rm -rf "${sd_all:?}/$sd_id/$sd_name"
    ln -s "$sd_base/shared/$sd_name" "$sd_all/$sd_id/$sd_name" || { echo failed; return; }
  done
  sd_note staged
  echo unpacked
}

sd_note() {
  { echo "id=$sd_id"; echo "run=${sd_run-}"; echo "status=$1"; } >"$sd_all/$sd_id/$sd_mark.new" && mv -f "$sd_all/$sd_id/$sd_mark.new" "$sd_all/$sd_id/$sd_mark"
}

sd_switch() {
  sd_link=$sd_base/.current.$$
  [ -d "$sd_all/$sd_id" ] && ln -s "releases/$sd_id" "$sd_link" && sd_replace "$sd_link" "$sd_base/current" && { echo switched; return; }
  rm -f "$sd_link"
  echo failed
}

# Keeps so many good releases; removes unfinished and bad ones but the newest. Never the current, the previous, or what is not ours.
sd_prune() {
  sd_keep=$1 sd_previous=$2
  sd_now=$(sd_current)
  sd_kept=0 sd_bad=0
  sd_releases | while IFS= read -r sd_one; do
    case $(sd_status "$sd_one") in
      # One that was rolled back from had passed its checks.
      good | left)
        sd_kept=$((sd_kept + 1))
        [ "$sd_kept" -gt "$sd_keep" ] || continue
        ;;
      *)
        sd_bad=$((sd_bad + 1))
        [ "$sd_bad" -gt 1 ] || continue
        ;;
    esac
    [ "$sd_one" = "$sd_now" ] || [ "$sd_one" = "$sd_previous" ] || rm -rf "${sd_all:?}/$sd_one"
  done
  echo pruned
}

# Marks the release that was current, if the one that has become current is older: it was rolled back from, and is not good any more.
sd_leave() {
  case $sd_newline$(sd_releases)$sd_newline in
    *"$sd_newline$1$sd_newline"*"$sd_id$sd_newline"*) sd_run=$2; sd_id=$1; sd_note left ;;
  esac
  echo 'left'
}

case $sd_do in
  look) sd_look ;;
  unpack) sd_unpack "$@" ;;
  switch) sd_switch ;;
  mark) sd_run=$2; sd_note "$1" && echo marked ;;
  prune) sd_prune "$@" ;;
  status) sd_status "$sd_id" ;;
  leave) sd_leave "$@" ;;
esac
