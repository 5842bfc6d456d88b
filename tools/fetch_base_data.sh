#!/usr/bin/env bash
# Fetches the Debian packages whose photographs a base is trained on, checks them, and unpacks them into a folder.
# Nothing is installed. What is there already is not fetched again.
set -euo pipefail

if [ $# != 1 ]; then
  echo "usage: $0 FOLDER" >&2
  exit 64
fi
folder=$1

# Package, version and SHA-256 of the .deb, from Debian 12 (bookworm).
packages="
tuxpaint-stamps-default 2022.06.04-1 6db6c1bfc870a47f1499d6203b083522eacb57c5f9c87d468f2e92eb6d9d5f34
scratch 1.4.0.6~dfsg1-6.1 36c582eb93110f64f06c4e685c41e933ccba2fa68db12f79b10bfe840b21fc10
gcompris-qt-data 3.1-2 e9cf06ab2105529068df73085784e835d2ff03f870d2a8091f09125d40abac9f
opencv-doc 4.6.0+dfsg-12 4b12681df35878207ac7097dc66184b2ae552e4bf4ddd2af04a0f03ed0b8682a
"

mkdir -p "$folder/debs"
# apt-get download writes into the current folder, and checks names and versions itself.
cd "$folder/debs"
while read -r package version digest; do
  [ -n "$package" ] || continue
  done="$folder/debs/$package.$digest.done"
  [ ! -e "$done" ] || continue
  file=${package}_${version}_all.deb
  if ! sha256sum --quiet -c <<< "$digest  $file" > /dev/null 2>&1; then
    rm -f "$file"
    echo "fetching $package $version" >&2
    apt-get download -qq -o APT::Sandbox::User="$(id -un)" "$package=$version" >&2 \
      || { echo "$package $version: apt-get can't fetch it; it is in Debian 12's main archive" >&2; exit 69; }
    sha256sum --quiet -c <<< "$digest  $file" >&2 \
      || { echo "$folder/debs/$file: its SHA-256 is not $digest" >&2; exit 65; }
  fi
  dpkg-deb -x "$file" "$folder"
  touch "$done"
done <<< "$packages"
echo "$folder"
