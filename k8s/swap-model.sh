#!/bin/sh
# Replaces the models of all running pods, one after the other, without failing a request.
#
#   k8s/swap-model.sh DIR          DIR holds the new archives, as python -m torchserve_model.archive -o DIR makes them
#
# In each pod TorchServe loads the new version beside the old one, sends requests to it, lets the old one finish
# and removes it (torchserve_model/swap.py). A version that does not come up leaves its pod, and the pods after
# it, as they were. Cut short, it is finished by running it again. Back: the same with the old archives. The pods
# must have the component model-swap.
# NAMESPACE (default animation) says where; DRAIN_S shortens the wait for old requests. Needs kubectl.
set -eu

namespace=${NAMESPACE:-animation}
selector=app.kubernetes.io/name=animation-server,app.kubernetes.io/component=server
incoming=/tmp/incoming
store=/tmp/torchserve/store

[ $# -eq 1 ] || { sed -n '2,10s/^# \{0,1\}//p' "$0" >&2; exit 2; }
ls "$1"/*.mar >/dev/null 2>&1 || { echo "$1: expected .mar archives, found none" >&2; exit 2; }

k() { kubectl --namespace "$namespace" "$@"; }

pods=$(k get pods --selector "$selector" --field-selector status.phase=Running \
  --output 'jsonpath={.items[*].metadata.name}')
[ -n "$pods" ] || { echo "expected running pods of $selector in $namespace, found none" >&2; exit 1; }

for pod in $pods; do
  echo "$pod"
  k exec "$pod" --container torchserve -- rm -rf "$incoming"
  k exec "$pod" --container torchserve -- mkdir "$incoming"
  archives=
  for archive in "$1"/*.mar; do
    # by standard input: kubectl cp would want tar in the image
    k exec "$pod" --container torchserve --stdin -- \
      sh -c 'cat > "$0"' "$incoming/$(basename "$archive")" < "$archive"
    archives="$archives $incoming/$(basename "$archive")"
  done
  # shellcheck disable=SC2086 # one argument an archive
  k exec "$pod" --container torchserve -- \
    python -m torchserve_model.swap $archives --store "$store" ${DRAIN_S:+--drain-s "$DRAIN_S"}
  k exec "$pod" --container torchserve -- rm -rf "$incoming"
done
echo "Pods that start from now on have the models of their image: release an image of this version too."
