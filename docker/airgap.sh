#!/usr/bin/env bash
# Packs everything that a cluster without a way out needs: images, manifests, their documentation, and a script that
# brings the images in.
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
cp -r "$here/../k8s" "$folder/k8s"
# an overlay of whoever packs is for another cluster
rm -rf "$folder/k8s/overlays/ours"
install -d "$folder/docs"
install -m 644 "$here"/../docs/*.md "$here/../docs/sample_drawing.jpg" "$folder/docs"
install -m 755 "$here/airgap_load.sh" "$folder/load.sh"
(cd "$folder" && find . -type f ! -name SHA256SUMS -printf '%P\0' | sort -z | xargs -0 sha256sum >"$staging/SHA256SUMS")
mv "$staging/SHA256SUMS" "$folder"
mkdir -p "$(dirname "$out")"
tar -C "$staging" -cf "$out" "$(basename "$folder")"
echo "$out: $(du -h "$out" | cut -f1)"
