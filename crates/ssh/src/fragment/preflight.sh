# Looks at what a deploy needs on this host, and reports it. Runs in the remote loop; what a function prints is discarded.
# Set before this text: sd_files (names in the private folder), sd_paths (paths, one per line), sd_as (a user, or nothing).

for sd_file in $sd_files; do
  sd_say file "$sd_file $(wc -c <"$sd_folder/$sd_file") $(sd_sum "$sd_folder/$sd_file")"
done

# The row of df for a path that need not exist yet.
sd_free() {
  sd_path=$1
  case $sd_path in /*) ;; *) sd_path=$HOME/$sd_path ;; esac
  while [ ! -e "$sd_path" ] && [ -n "$sd_path" ]; do sd_path=${sd_path%/*}; done
  sd_row=$(df -Pk "${sd_path:-/}")
  echo "${sd_row##*"$sd_newline"}"
}

sd_rest=$sd_paths$sd_newline
while [ -n "$sd_rest" ]; do
  sd_one=${sd_rest%%"$sd_newline"*}
  sd_rest=${sd_rest#*"$sd_newline"}
  [ -z "$sd_one" ] || sd_say space "$(sd_free "$sd_one")"
done

if [ -n "$sd_as" ]; then
  if sd_words=$(sudo -n -u "$sd_as" sh -c true 2>&1); then
    sd_say sudo yes
    sudo -n kill -l || sd_say kill no
  else
    sd_say sudo "no $(echo "$sd_words" | tail -n 1)"
  fi
fi
