#!/usr/bin/env bash
# Brings the images beside this script into the engine, and where a registry is named, from there into it.
#
#   ./load.sh [REGISTRY]      e.g. registry.example.internal; writes manifests-REGISTRY.yaml to apply
#
# Nothing is loaded unless every file has its checksum. The engine is $ENGINE (podman or docker), with $PODMAN_FLAGS.
set -euo pipefail
cd "$(dirname "$0")"
registry=${1:-}
read -ra engine <<<"${ENGINE:-podman} ${PODMAN_FLAGS:-}"

sha256sum --check --quiet SHA256SUMS || { echo "load.sh: expected the files as they were packed; copy the archive again" >&2; exit 3; }
gzip -dc images.tar.gz | "${engine[@]}" load
[ -n "$registry" ] || exit 0
while read -r image; do
  target=$registry/${image#localhost/}
  "${engine[@]}" tag "$image" "$target"
  "${engine[@]}" push "$target"
done <images.txt
sed "s#registry\.example\.internal/#$registry/#" manifests.yaml >"manifests-${registry//[:\/]/-}.yaml"
echo "kubectl apply -f $PWD/manifests-${registry//[:\/]/-}.yaml"
