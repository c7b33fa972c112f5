# Prints where each path leads, one line per argument: links are followed as far as there is anything, the rest is kept. A separate
# program, because sudo may run it.
for sd_path in "$@"; do
  sd_rest=
  while ! sd_real=$(cd -P "$sd_path" && pwd -P); do
    sd_rest=/${sd_path##*/}$sd_rest
    sd_path=${sd_path%/*}
    [ -n "$sd_path" ] || sd_path=/
  done
  echo "${sd_real%/}$sd_rest"
done
