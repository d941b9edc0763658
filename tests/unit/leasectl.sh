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
for verb in balance history mints audit restore "withdraw a@b.example" "send 1"; do
	# shellcheck disable=SC2086 # a verb and its argument
	"$ctl" wallet $verb --config "$conf" >/dev/null 2>&1
	result $? 1 "wallet $verb without an agent fails"
done
"$ctl" earnings --by week --config "$conf" >/dev/null 2>&1
result $? 2 "earnings by nothing else than day, offer or mint"
"$ctl" wallet withdraw --config "$conf" >/dev/null 2>&1
result $? 2 "withdraw wants a target"

# A backup without an agent, and where it may go.
phrase=$dir/phrase
core=$dir/state/core
echo "four words and a number 7" >"$phrase"
"$ctl" backup --config "$conf" --passphrase-file "$phrase" "$dir/backup" 2>"$dir/err"
result $? 1 "a passphrase that others can read is refused"
chmod 600 "$phrase"
"$ctl" backup --config "$conf" --passphrase-file "$phrase" "$dir/backup" 2>"$dir/err"
result $? 1 "no backup without a database"
echo "the database" >"$core/agent.db"
"$ctl" backup --config "$conf" --passphrase-file "$phrase" "$dir/backup" >/dev/null 2>"$dir/err"
result $? 0 "backup"
result "$(stat -c %a "$dir/backup")" 600 "that is private"
grep -q "the database" "$dir/backup"
result $? 1 "and sealed"
"$ctl" backup --config "$conf" --passphrase-file "$phrase" "$dir/backup" 2>/dev/null
result $? 1 "and is not replaced"
"$ctl" restore --config "$conf" --passphrase-file "$phrase" "$dir/backup" 2>/dev/null
result $? 1 "restore refuses a folder with an agent in it"
mkdir "$dir/new"
sed "s|^state_dir = .*|state_dir = $dir/new/state|;/^seed_key_file/d" "$conf" >"$dir/new/leased.conf"
echo "another passphrase" >"$dir/wrong" && chmod 600 "$dir/wrong"
"$ctl" restore --config "$dir/new/leased.conf" --passphrase-file "$dir/wrong" "$dir/backup" 2>/dev/null
result $? 1 "restore refuses the wrong passphrase"
test -e "$dir/new/state"
result $? 1 "and leaves nothing then"
head -c 200 "$dir/backup" >"$dir/cut"
"$ctl" restore --config "$dir/new/leased.conf" --passphrase-file "$phrase" "$dir/cut" 2>/dev/null
result $? 1 "restore refuses half a file"
"$ctl" restore --config "$dir/new/leased.conf" --passphrase-file "$phrase" "$dir/backup" >/dev/null
result $? 0 "restore"
for file in agent.db nostr.key column.key; do
	cmp -s "$core/$file" "$dir/new/state/core/$file"
	result $? 0 "brings $file back"
done
"$ctl" backup --config "$dir/new/leased.conf" --passphrase-file "$phrase" "$dir/again" >/dev/null
result $? 0 "and the seed opens with a key of its own"
cmp -s "$dir/seed.key" "$dir/new/seed.key"
result $? 1 "which is another one"
test -e "$dir/new/state/core/instance"
result $? 1 "an agent's id is not restored"

echo "[nostr]" >"$conf" && echo "relay = gopher://x" >>"$conf"
result "$("$ctl" check-config "$conf" 2>&1 | grep -c "leased.conf:2: relay")" 1 "errors have a line"
echo '{"args":["/bin/true"],"env":{"A":"b"}}' >"$dir/spec"
"$ctl" bundle "$dir/spec" >"$dir/out" 2>&1
result $? 1 "bundle wants a whole spec"
result "$(grep -c 'image: missing' "$dir/out")" 1 "and names what is missing"
echo '{"image":"x","args":["/bin/true"],"ports":[{"inside":80}],"limits":{"memory":"64Mi"}}' >"$dir/spec"
"$ctl" bundle --id-base 500000 "$dir/spec" >"$dir/out" 2>"$dir/err"
result $? 0 "bundle prints"
result "$(grep -c '"memory":{"limit":67108864,' "$dir/out")" 1 "config.json with the spec's limits"
result "$(grep -c 'refused: ports: this provider does not offer' "$dir/err")" 1 "and says what a buyer is refused"
echo '{"devices":[{"path":"/dev/null","target":"/dev/mine","access":"r"}]}' >"$dir/template"
"$ctl" bundle "$dir/spec" >/dev/full 2>"$dir/err"
result $? 1 "a full disk is told"
"$ctl" bundle --grant "$dir/template" "$dir/spec" "$dir/bundle" 2>/dev/null
result $? 0 "bundle writes"
result "$(stat -c %a "$dir/bundle/config.json")" 600 "a private config.json"
result "$(grep -c '"path":"/dev/mine","major":1,"minor":3' "$dir/bundle/config.json")" 1 "with the grant's device"
echo '{"description":"x","spec":{"image":"x"},"variables":{"N":{"type":"integer","default":"3"},"KEY":{"secret":true,"required":true}},"grant":{"devices":[{"path":"/dev/null","target":"/dev/mine"}]},"reasons":{"devices":"x"}}' >"$dir/box.json"
echo '{"env":{"N":"4x"}}' >"$dir/spec"
result "$("$ctl" bundle --template "$dir/box.json" "$dir/spec" 2>&1 | grep -c 'env.N: want a whole number')" 1 "a template's types are checked"
echo '{"env":{"KEY":"s3cret"}}' >"$dir/spec"
"$ctl" bundle --template "$dir/box.json" "$dir/spec" >"$dir/out" 2>/dev/null
result $? 0 "bundle of a template"
result "$(grep -c '"N=3","KEY=s3cret".*"path":"/dev/mine"' "$dir/out")" 1 "with its variables and what it grants"
echo "1..$count"
