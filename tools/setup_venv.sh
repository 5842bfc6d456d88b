#!/bin/sh
# Makes the Python environment of tools/ outside the repository, once, and prints the path of its interpreter.
#
#   PYTHON=$(tools/setup_venv.sh)
#
# IMAGIC_VENV chooses another folder. Where pip is told of a folder of wheels (PIP_FIND_LINKS) that holds a build of
# PyTorch for the CPU, that one is taken; elsewhere the newest of PyPI.
set -eu

here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
venv=${IMAGIC_VENV:-${XDG_CACHE_HOME:-$HOME/.cache}/imagic/venv}
ready=$venv/imagic-requirements.txt

if ! cmp -s "$here/requirements.txt" "$ready"; then
  echo "making the Python environment $venv" >&2
  python3 -m venv "$venv" >&2
  torch=torch
  for wheel in ${PIP_FIND_LINKS:-}/torch-*+cpu-*.whl; do
    [ -e "$wheel" ] && torch=$wheel
  done
  "$venv/bin/pip" install --quiet "$torch" >&2
  "$venv/bin/pip" install --quiet --requirement "$here/requirements.txt" >&2
  # Only its copy of OpenAI's CLIP vocabulary is read, so none of what it depends on is wanted.
  "$venv/bin/pip" install --quiet --no-deps open_clip_torch >&2
  cp "$here/requirements.txt" "$ready"
fi
echo "$venv/bin/python"
