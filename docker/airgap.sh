#!/usr/bin/env bash
# Packs everything that a cluster without a way out needs: images, manifests, licences, and a script that installs.
#
#   docker/airgap.sh OUT.tar VERSION IMAGE...      images as the engine knows them
#
# The engine is $ENGINE, with $PODMAN_FLAGS.
set -euo pipefail
out=$(realpath -m "$1") version=$2
shift 2
read -ra engine <<<"${ENGINE:-podman} ${PODMAN_FLAGS:-}"
here=$(cd "$(dirname "$0")" && pwd)
staging=$(mktemp -d)
trap 'rm -rf "$staging"' EXIT
folder=$staging/animation-$version-airgap
mkdir -p "$folder"

several=()
[ "$(basename "${engine[0]}")" = podman ] && several=(--multi-image-archive)
"${engine[@]}" save "${several[@]}" "$@" | gzip -6 >"$folder/images.tar.gz"
printf '%s\n' "$@" >"$folder/images.txt"
kubectl kustomize "$here/../k8s/overlays/airgap" >"$folder/manifests.yaml"
install -m 755 "$here/airgap_load.sh" "$folder/load.sh"
(cd "$folder" && sha256sum images.tar.gz images.txt manifests.yaml load.sh >SHA256SUMS)
mkdir -p "$(dirname "$out")"
tar -C "$staging" -cf "$out" "$(basename "$folder")"
echo "$out: $(du -h "$out" | cut -f1)"
