# sourced by our launchers after common.sh: the program and a provisioned data
# directory. Provisioning runs once, through the management API of a server
# that is stopped again, so that what is measured starts as it would after a
# restart.
TYPEAUTH=${TYPEAUTH:-$ROOT/../../../build-release/typeauth}
ours() { # PORT_OPTION PORT [OPTION...]
  [ -s "$RUN/ready" ] || { rm -rf "$RUN/data"; node "$ROOT/../provision.mjs" "$NAME" "$TYPEAUTH" "$ROOT" "$RUN" || exit 1; }
  exec "$TYPEAUTH" serve --data "$RUN/data" --workers 1 --api 127.0.0.1:0 --applications-max 1000 --subjects-max 262144 \
    $([ "$1" = --gateway ] || echo --gateway off) "$1" "127.0.0.1:$2" "${@:3}"
}
