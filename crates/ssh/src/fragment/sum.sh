# The SHA-256 of a file, by whatever computes one here; nothing if nothing does. Only its digits: a path may have as many characters.
sd_sum() {
  for sd_word in $(sha256sum "$1" || shasum -a 256 "$1" || sha256 -q "$1" || openssl dgst -sha256 "$1"); do
    case $sd_word in *[!0-9a-f]*) continue ;; esac
    [ "${#sd_word}" -ne 64 ] || { echo "$sd_word"; return; }
  done
}
