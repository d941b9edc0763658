// pay-request.mjs MINT AMOUNT CREQ [plain]: pay a request with cashu-ts, locked as it wants (but with "plain"), send the
// payment with nostr-tools (NIP-17) as its transport says, and give the first answer that comes, in words.
import { Wallet, decodePaymentRequest } from '@cashu/cashu-ts'
import { Relay, useWebSocketImplementation } from 'nostr-tools/relay'
import { finalizeEvent, generateSecretKey, getPublicKey } from 'nostr-tools/pure'
import * as nip17 from 'nostr-tools/nip17'
import * as nip19 from 'nostr-tools/nip19'
import WebSocket from 'ws'
import { randomBytes } from 'node:crypto'
import { secp256k1 } from '@noble/curves/secp256k1.js'
import { check, give, sleep } from './report.mjs'

useWebSocketImplementation(WebSocket)
process.on('unhandledRejection', e => { if (!/auth timed out/.test(e)) throw e })
const [mint, amount, text, how] = process.argv.slice(2)

async function fund (wallet, sum) {
  let quote = await wallet.createMintQuoteBolt11(sum)
  for (let i = 0; i < 50 && quote.state !== 'PAID'; i++) {
    await sleep(100)
    quote = await wallet.checkMintQuoteBolt11(quote.quote)
  }
  return wallet.mintProofsBolt11(sum, quote)
}

async function connect (url, key) {
  const relay = new Relay(url)
  relay.onauth = template => Promise.resolve(finalizeEvent(template, key))
  await relay.connect()
  await sleep(200)
  return relay
}

async function main () {
  const asked = decodePaymentRequest(text)
  const way = asked.transport.find(t => t.type === 'nostr')
  check(asked.unit === 'sat' && asked.mints.length === 1 && asked.mints[0] === mint, 'cashu-ts reads the request', JSON.stringify(asked))
  check(way?.tags?.some(t => t[0] === 'n' && t[1] === '17'), 'which is paid by NIP-17', JSON.stringify(way))
  const { type, data: to } = nip19.decode(way.target)
  check(type === 'nprofile' && to.relays.length > 0, 'to a profile with relays', JSON.stringify(to))
  const wallet = new Wallet(mint, { unit: 'sat', bip39seed: randomBytes(64) })
  await wallet.loadMint()
  const money = await fund(wallet, Number(amount) + 20)
  const locktime = Number(asked.nut10?.tags?.find(t => t[0] === 'locktime')?.[1])
  const refund = Buffer.from(secp256k1.getPublicKey(secp256k1.utils.randomSecretKey(), true)).toString('hex')
  const { send } = asked.nut10 && how !== 'plain'
    ? await wallet.ops.send(Number(amount), money).asP2PK({ pubkey: asked.nut10.data, locktime, refundKeys: [refund] }).run()
    : await wallet.send(Number(amount), money)
  const proofs = send.map(p => ({ ...p, amount: Number(p.amount) }))
  const key = generateSecretKey()
  const relay = await connect(to.relays[0], key)
  const answer = new Promise(resolve => relay.subscribe([{ kinds: [1059], '#p': [getPublicKey(key)] }],
    { onevent: e => resolve(nip17.unwrapEvent(e, key)) }))
  const payload = JSON.stringify({ id: asked.id, mint, unit: 'sat', proofs })
  await relay.publish(nip17.wrapEvent(key, { publicKey: to.pubkey }, payload))
  const rumor = await Promise.race([answer, sleep(20000)])
  check(rumor?.kind === 14 && rumor.pubkey === to.pubkey, 'the provider answers with a chat message', JSON.stringify(rumor))
  give({ answer: rumor?.content ?? '', sent: proofs.reduce((n, p) => n + p.amount, 0) })
  process.exit(0)
}

main().catch(e => {
  check(false, 'cashu-ts pays a request', e?.stack ?? e)
  process.exitCode = 1
})
