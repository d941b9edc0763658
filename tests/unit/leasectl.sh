#!/bin/sh
# leasectl without an agent: exit statuses, what init writes, that keys are never replaced.
set -u
ctl=${BUILD_DIR:-.}/leasectl
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
conf=$dir/leased.conf
count=0

# result STATUS WANTED NAME
result() {
	count=$((count + 1))
	if [ "$1" = "$2" ]; then
		echo "ok $count - $3"
	else
		echo "not ok $count - $3 (got $1, not $2)"
	fi
}

init() {
	"$ctl" init --config "$conf" --state-dir "$dir/state" --relay wss://r.example \
		--mint https://m.example --price 10sat/h --image a=oci:/srv/a --user 64123 \
		--no-check "$@" >"$dir/out" 2>"$dir/err"
}

echo 1..13
"$ctl" >/dev/null 2>&1
result $? 2 "no verb is bad usage"
"$ctl" --help >/dev/null
result $? 0 "help"
"$ctl" init --relay wss://r.example --config "$conf" >/dev/null 2>&1 </dev/null
result $? 2 "init without a terminal names what is missing"
init
result $? 0 "init writes"
result "$(stat -c %a "$dir/state/core/nostr.key")" 600 "the key is private"
result "$(grep -c '^provider  npub1' "$dir/out")" 1 "init tells who we are"
"$ctl" check-config "$conf" >"$dir/printed"
result $? 0 "the file is valid"
cp "$dir/state/core/nostr.key" "$dir/key"
init
result $? 1 "a second init refuses"
init --force --set offer.cpu=2 --set volume.activation=none
result $? 0 "unless forced"
cmp -s "$dir/key" "$dir/state/core/nostr.key"
result $? 0 "and keeps the key"
result "$(grep -c '^cpu = 2$' "$conf")" 1 "--set reaches the offer"
"$ctl" status --config "$conf" >/dev/null 2>&1
result $? 1 "status without an agent fails"
echo "[nostr]" >"$conf" && echo "relay = gopher://x" >>"$conf"
result "$("$ctl" check-config "$conf" 2>&1 | grep -c "leased.conf:2: relay")" 1 "errors have a line"
