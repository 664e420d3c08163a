#!/bin/sh
# Two versions of the models side by side (overlays/canary): how much the new one gets, and what becomes of it.
#
#   k8s/canary.sh weight PERCENT   this share of the requests goes to the new version
#   k8s/canary.sh promote          the new version replaces the old one, pod by pod, then the canary leaves
#   k8s/canary.sh rollback         all requests to the old version, and the canary leaves
#
# The canary gets pods in proportion. Where an HTTPRoute leads to the server the share of requests is exact;
# elsewhere it is the share of pods.
# NAMESPACE (default animation) says where. Needs kubectl.
set -eu

namespace=${NAMESPACE:-animation}
stable=deployment/animation-server
canary=deployment/animation-server-canary

k() { kubectl --namespace "$namespace" "$@"; }

say() { echo "canary: $*"; }

usage() {
  sed -n '2,10s/^# \{0,1\}//p' "$0" >&2
  exit 2
}

has_route() { k get httproute animation-server --output name >/dev/null 2>&1; }

route() { # backends as JSON
  k patch httproute animation-server --type json \
    --patch "[{\"op\": \"replace\", \"path\": \"/spec/rules/0/backendRefs\", \"value\": [$1]}]"
}

backend() { # name, weight
  printf '{"name": "%s", "port": 80, "weight": %d}' "$1" "$2"
}

pods_of() { k get "$1" --output 'jsonpath={.spec.replicas}'; }

scale() { # replicas
  k scale "$canary" --replicas "$1"
  k rollout status "$canary" --timeout 10m
}

weight() {
  percent=$1
  case $percent in '' | *[!0-9]*) usage ;; esac
  [ "$percent" -lt 100 ] || { say "expected less than 100; promote gives it everything" >&2; exit 2; }
  pods=$(pods_of "$stable")
  # c / (c + s) = p / 100, to the nearest pod, and never none while a share is asked for
  share=$(((pods * percent + (100 - percent) / 2) / (100 - percent)))
  [ "$percent" -eq 0 ] || [ "$share" -gt 0 ] || share=1
  if has_route; then
    # Pods before the requests for them, and requests away before their pods.
    now=$(pods_of "$canary")
    [ "$share" -le "$now" ] || scale "$share"
    route "$(backend animation-server-stable $((100 - percent))), $(backend animation-server-canary "$percent")"
    [ "$share" -gt "$now" ] || scale "$share"
    say "$percent % of the requests go to the new version, on $share of $((share + pods)) pods"
  else
    scale "$share"
    say "$share of $((share + pods)) pods have the new version: $((100 * share / (share + pods))) %"
  fi
}

leave() {
  if has_route; then
    route "$(backend animation-server 100)"
  fi
  k delete "$canary" service/animation-server-canary service/animation-server-stable --ignore-not-found
}

promote() {
  image=$(k get "$canary" --output 'jsonpath={.spec.template.spec.containers[?(@.name=="torchserve")].image}')
  [ -n "$image" ] || { say "there is no canary" >&2; exit 1; }
  k set image "$stable" "torchserve=$image"
  if ! k rollout status "$stable" --timeout 15m; then
    say "the new version does not come up; the old pods go on. Back: kubectl rollout undo $stable" >&2
    exit 1
  fi
  leave
  say "promoted $image. Write its tag into the overlay, or the next apply brings the old one back"
}

rollback() {
  leave
  say "rolled back: $(k get "$stable" --output 'jsonpath={.spec.template.spec.containers[?(@.name=="torchserve")].image}')"
}

case ${1:-} in
  weight) [ $# -eq 2 ] || usage; weight "$2" ;;
  promote) promote ;;
  rollback) rollback ;;
  *) usage ;;
esac
