#!/bin/sh
# lease without a network: every verb explains itself and refuses what it does not know.
set -u
lease=${BUILD_DIR:-.}/lease
LEASE_HOME=$(mktemp -d) || exit 1
export LEASE_HOME
trap 'rm -rf "$LEASE_HOME"' EXIT
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

for verb in offers run exec logs ls show status topup rm recover verify identity \
	'wallet fund' 'wallet balance' 'wallet mints' 'wallet receive' 'wallet pending' 'wallet backup' \
	'wallet restore' 'wallet history' 'wallet pay' 'wallet send' 'wallet reclaim' 'wallet request' \
	'wallet move'; do
	# shellcheck disable=SC2086 # two words are two arguments
	"$lease" $verb --help >"$LEASE_HOME/help" 2>&1
	result $? 0 "$verb --help"
	grep -q "lease $verb" "$LEASE_HOME/help"
	result $? 0 "$verb --help names the verb"
	# shellcheck disable=SC2086
	"$lease" $verb --no-such-option >/dev/null 2>&1
	result $? 2 "$verb refuses an option that it does not have"
done

"$lease" no-such-verb >/dev/null 2>&1
result $? 2 "an unknown verb is refused"
"$lease" wallet 2>&1 | grep -q 'wallet what? fund, balance'
result $? 0 "half a verb is told what follows"
"$lease" run >/dev/null 2>&1
result $? 2 "run wants an image"
"$lease" run --for 0 oci:a >/dev/null 2>&1
result $? 2 "run wants time"
"$lease" run --name Bad_Name oci:a >/dev/null 2>&1
result $? 2 "run refuses a name that is none"
"$lease" run --spec "$LEASE_HOME/none" oci:a >/dev/null 2>&1
result $? 2 "run refuses a spec that is not there"
echo '{"args":["x"],"limits":{"memory":"512m"}}' >"$LEASE_HOME/spec"
"$lease" run --spec "$LEASE_HOME/spec" oci:a >/dev/null 2>"$LEASE_HOME/said"
result $? 2 "run refuses a spec with a mistake"
grep -q 'spec: limits.memory: .*write 512Mi' "$LEASE_HOME/said"
result $? 0 "and names file and field"
echo '{"args":["x"]}' >"$LEASE_HOME/spec"
"$lease" run --spec "$LEASE_HOME/spec" >/dev/null 2>&1
result $? 2 "run wants an image where the spec has none"
echo '{"image":"oci:a"}' >"$LEASE_HOME/spec"
"$lease" run --cpus x --spec "$LEASE_HOME/spec" >/dev/null 2>"$LEASE_HOME/said"
grep -q 'cpus' "$LEASE_HOME/said"
result $? 0 "the spec's image is enough"
"$lease" run --max-risk 0 oci:a >/dev/null 2>&1
result $? 2 "run wants a risk that is some time"
"$lease" run --token-file "$LEASE_HOME/none" oci:a >"$LEASE_HOME/said" 2>&1
result $? 2 "run refuses a token file that is not there"
echo junk >"$LEASE_HOME/junk"
"$lease" run --token-file "$LEASE_HOME/junk" oci:a >"$LEASE_HOME/said" 2>&1
result $? 2 "run refuses a file that holds no token"
grep -q -- --token-file "$LEASE_HOME/said"
result $? 0 "and says which option it was"
"$lease" run --token-file - oci:a </dev/null >/dev/null 2>&1
result $? 2 "and an empty standard input"
"$lease" run --token-file "$LEASE_HOME/junk" --mint https://mint.example oci:a >/dev/null 2>&1
result $? 2 "run refuses a mint beside a token"
"$lease" topup --token-file "$LEASE_HOME/none" a >/dev/null 2>&1
result $? 2 "topup refuses a token file that is not there"
"$lease" wallet fund -- -5 >/dev/null 2>&1
result $? 2 "wallet fund refuses what is no amount"
"$lease" ls >/dev/null 2>&1
result $? 0 "ls of an empty book"
"$lease" wallet fund 100 >"$LEASE_HOME/said" 2>&1
result $? 14 "wallet fund without a mint is refused"
grep -q -- '--mint URL' "$LEASE_HOME/said"
result $? 0 "and says how to name one"
"$lease" wallet mints >/dev/null 2>&1
result $? 0 "wallet mints of an empty wallet"
"$lease" -q wallet pending >"$LEASE_HOME/said" 2>&1
result "$?$(cat "$LEASE_HOME/said")" 0 "wallet pending of an empty wallet says nothing"
mkdir "$LEASE_HOME/strict"
printf '[limits]\nper_day = many\n' >"$LEASE_HOME/strict/lease.conf"
"$lease" --home "$LEASE_HOME/strict" ls >"$LEASE_HOME/said" 2>&1
result $? 14 "a limit that is no amount is refused"
grep -q 'lease.conf:2' "$LEASE_HOME/said"
result $? 0 "with file and line"
mode=$(stat -c %a "$LEASE_HOME/seed.sealed")
result "$mode" 600 "the seed is readable by its owner only"
"$lease" wallet backup "$LEASE_HOME/copy" 2>/dev/null
result $? 0 "wallet backup"
result "$(stat -c %a "$LEASE_HOME/copy")" 600 "of which the copy is private"
"$lease" wallet backup "$LEASE_HOME/copy" 2>/dev/null
result $? 2 "wallet backup replaces nothing"
"$lease" wallet backup --words >"$LEASE_HOME/words"
result "$(wc -w <"$LEASE_HOME/words")" 12 "wallet backup --words shows them"
grep -q "$(cut -d' ' -f1-3 "$LEASE_HOME/words")" "$LEASE_HOME/seed.sealed" "$LEASE_HOME/wallet.db"
result $? 1 "nothing else does"
chmod 600 "$LEASE_HOME/words"
"$lease" wallet restore --words "$LEASE_HOME/words" >/dev/null 2>&1
result $? 14 "wallet restore takes no other words for a wallet that is there"
"$lease" --home "$LEASE_HOME/other" wallet restore --words - <"$LEASE_HOME/words" >/dev/null 2>&1
result $? 0 "but for a new one"
result "$("$lease" --home "$LEASE_HOME/other" wallet backup --words)" "$(cat "$LEASE_HOME/words")" "which has the same seed then"
receipts=${TESTS_DIR:-tests}/vectors/receipt
provider=npub1nzwqkakt2cuhrlwfhme3asrvx4s0xfyadm57tkpu2a39t9hqtahs7fsn89
"$lease" verify "$receipts/memory.json" >"$LEASE_HOME/said" 2>&1
result $? 0 "verify takes a genuine receipt"
grep -q "signed by *$provider" "$LEASE_HOME/said"
result $? 0 "names its signer"
grep -q "memory, never on its disk" "$LEASE_HOME/said"
result $? 0 "where the header lay"
grep -q "tried then, and failed" "$LEASE_HOME/said"
result $? 0 "that opening was tried"
grep -q "^not proven *that nobody" "$LEASE_HOME/said"
result $? 0 "and what is not proven"
"$lease" verify --provider "$provider" - <"$receipts/memory.json" >/dev/null
result $? 0 "also from standard input, of this provider"
"$lease" verify --provider "$(printf %064d 1)" "$receipts/memory.json" >/dev/null 2>&1
result $? 13 "not of another one"
"$lease" --json verify "$receipts/memory.json" | grep -q '"opening_refused":true'
result $? 0 "verify --json prints its fields"
"$lease" verify "$receipts/disk.json" >"$LEASE_HOME/said"
result $? 0 "verify takes one of a volume that survives reboots"
grep -q "lay on the host's disk" "$LEASE_HOME/said"
result $? 0 "and says where the header lay"
grep -q "was not tried" "$LEASE_HOME/said"
result $? 0 "and that opening was not tried"
grep -q "$(printf '\033')" "$LEASE_HOME/said"
result $? 1 "control characters do not reach the terminal"
"$lease" verify "$receipts/plain.json" | grep -q "^data *not encrypted"
result $? 0 "verify says what was not encrypted"
for bad in left money early kind forged; do
	"$lease" verify "$receipts/$bad.json" >/dev/null 2>&1
	result $? 13 "verify refuses a receipt: $bad"
done
"$lease" verify no-such-lease >/dev/null 2>&1
result $? 3 "verify wants a file or a lease"
rm "$LEASE_HOME/seed.key"
"$lease" wallet balance >/dev/null 2>&1
result $? 14 "without its key the seed does not open"
echo "1..$count"
