#!/usr/bin/env bash
# Brings the images beside this script into the engine, and where a registry is named, from there into it.
#
#   ./load.sh [REGISTRY]      e.g. registry.example.internal; makes k8s/overlays/ours for it, to be edited and applied
#
# Nothing is loaded unless every file has its checksum. The engine is $ENGINE (podman or docker), with $PODMAN_FLAGS.
# An overlay that is there already stays as it is.
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
ours=k8s/overlays/ours
if [ ! -e "$ours" ]; then
  cp -r k8s/overlays/airgap "$ours"
  sed -i "s#registry\.example\.internal/#$registry/#" "$ours/kustomization.yaml"
fi
cat <<END
The images are in $registry. What is left is yours:
  $PWD/$ours/kustomization.yaml     addresses of the service and of the object storage
  $PWD/$ours/network-policy.yaml    network and port of the object storage
  the secrets, by the commands in $PWD/docs/operations.md, "Without a way out"
Then: kubectl apply -k $PWD/$ours
END
