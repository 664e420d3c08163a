#!/bin/sh
# Looks for known vulnerabilities in pinned dependencies: audit.sh [--if-reachable] PIP_AUDIT LOCK...
#
# Ends with 1 where there are any, and where the advisories give no answer; with --if-reachable the latter is
# said and let pass. --strict: what the service does not know must not pass for safe, as it would where a
# mirror answers in its place.
unreachable=1
[ "$1" = --if-reachable ] && unreachable=0 && shift
pip_audit=$1
shift
for lock; do
  if said=$("$pip_audit" --strict --progress-spinner off --no-deps --disable-pip --requirement "$lock" 2>&1); then
    echo "audit: $lock: no known vulnerabilities"
    continue
  fi
  case $said in
    *"known vulnerabilit"*)
      echo "$said" >&2
      exit 1
      ;;
  esac
  echo "audit: $lock: NOT AUDITED, the advisories cannot be reached from here: $(echo "$said" | tail -n 1)" >&2
  [ $unreachable = 0 ] || exit 1
done
