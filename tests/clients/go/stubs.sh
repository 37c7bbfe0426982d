#!/bin/sh
# Makes unmaskv1 of the protocol, which names no package of Go: stubs.sh PROTO_DIR. Needs Go, and protoc or what PROTOC says.
set -eu
proto=$(cd "$1" && pwd)
cd "$(dirname "$0")"
module=unmask.example/explain
GOBIN=$PWD/bin go install tool
for file in "$proto"/unmask/v1/*.proto; do
    name=unmask/v1/$(basename "$file")
    set -- "$@" "$name" "--go_opt=M$name=$module/unmaskv1" "--go-grpc_opt=M$name=$module/unmaskv1"
done
shift
rm -rf unmaskv1
${PROTOC:-protoc} "-I$proto" "$@" \
    "--plugin=$PWD/bin/protoc-gen-go" --go_out=. "--go_opt=module=$module" \
    "--plugin=$PWD/bin/protoc-gen-go-grpc" --go-grpc_out=. "--go-grpc_opt=module=$module"
