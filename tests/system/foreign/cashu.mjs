// cashu.mjs: cashu-ts, a wallet that nobody here wrote.
//   flow MINT                               everything a wallet does with a mint, as checks
//   lock MINT AMOUNT PUBKEY REFUND LOCKTIME a token locked to PUBKEY with DLEQ proofs
//   plain MINT AMOUNT                       a token that anybody can spend
//   receive MINT TOKEN [PRIVKEY]            swap a token to itself
//   read-creq - TEXT                        what a payment request says
//   creq MINT AMOUNT PUBKEY [URL]           a payment request; PUBKEY "": no lock; to be posted to URL
//   receive-payload MINT JSON               take what was posted for it
//   release MINT TOKEN SIGNATURES           swap an unspent locked token by its owner's signatures, a JSON array
import { PaymentRequest, Wallet, decodePaymentRequest, getEncodedToken } from '@cashu/cashu-ts'
import { randomBytes } from 'node:crypto'
import { secp256k1 } from '@noble/curves/secp256k1.js'
import { check, give, refused, sleep } from './report.mjs'

const [verb, mint, ...args] = process.argv.slice(2)
const hex = bytes => Buffer.from(bytes).toString('hex')
const sum = proofs => proofs.reduce((total, p) => total + Number(p.amount), 0)
const keyPair = () => {
  const priv = secp256k1.utils.randomSecretKey()
  return { priv: hex(priv), pub: hex(secp256k1.getPublicKey(priv, true)) }
}

async function open () {
  const wallet = new Wallet(mint, { unit: 'sat', bip39seed: randomBytes(64) })
  await wallet.loadMint()
  return wallet
}

async function fund (wallet, amount) {
  let quote = await wallet.createMintQuoteBolt11(amount)
  for (let i = 0; i < 50 && quote.state !== 'PAID'; i++) {
    await sleep(100)
    quote = await wallet.checkMintQuoteBolt11(quote.quote)
  }
  return wallet.mintProofsBolt11(amount, quote)
}

const encode = proofs => getEncodedToken({ mint, proofs, unit: 'sat' })
const lock = (wallet, amount, proofs, options) => wallet.ops.send(amount, proofs).asP2PK(options).run()

async function flow () {
  const wallet = await open()
  const now = () => Math.floor(Date.now() / 1000)
  let have = await fund(wallet, 1000)
  check(sum(have) === 1000, 'mints 1000 sat', sum(have))
  check(have.every(p => p.dleq), 'every minted proof has a DLEQ proof')

  const first = await wallet.ops.send(100, have).run()
  check(sum(first.send) === 100, 'sends 100 sat', sum(first.send))
  const got = await wallet.ops.receive(encode(first.send)).requireDleq(true).run()
  check(sum(got) === 100 - wallet.getFeesForProofs(first.send), 'receives them, less the fee, with DLEQ checked', sum(got))
  check(await refused(() => wallet.receive(encode(first.send))), 'a spent token is refused')
  const states = await wallet.checkProofsStates([...first.send, ...got])
  check(states.slice(0, first.send.length).every(s => s.state === 'SPENT') &&
    states.slice(first.send.length).every(s => s.state === 'UNSPENT'), 'states of spent and unspent proofs', JSON.stringify(states))
  have = [...first.keep, ...got]

  const owner = keyPair()
  const buyer = keyPair()
  const locked = await lock(wallet, 64, have, { pubkey: owner.pub, refundKeys: [buyer.pub], locktime: now() + 3600 })
  have = locked.keep
  check(await refused(() => wallet.receive(encode(locked.send))), 'a locked token needs a signature')
  check(await refused(() => wallet.receive(encode(locked.send), { privkey: buyer.priv })), 'the refund key cannot take it before the locktime')
  const taken = await wallet.receive(encode(locked.send), { privkey: owner.priv })
  check(sum(taken) > 0, 'the owner of the lock takes it', sum(taken))

  const early = await lock(wallet, 32, have, { pubkey: owner.pub, refundKeys: [buyer.pub], locktime: now() - 10 })
  have = early.keep
  const back = await wallet.receive(encode(early.send), { privkey: buyer.priv })
  check(sum(back) > 0, 'after the locktime the refund key takes it back', sum(back))

  const seed = randomBytes(64)
  const one = new Wallet(mint, { unit: 'sat', bip39seed: seed })
  await one.loadMint()
  const kept = await one.ops.receive(encode((await wallet.send(40, have)).send)).asDeterministic(1).run()
  const two = new Wallet(mint, { unit: 'sat', bip39seed: seed })
  await two.loadMint()
  const restored = await two.restore(0, 50)
  check(sum(restored.proofs) === sum(kept), 'restore finds the proofs of a seed', `${sum(restored.proofs)} of ${sum(kept)}`)

  const key = keyPair()
  const quote = await wallet.createLockedMintQuote(21, key.pub)
  await sleep(500)
  check(await refused(() => wallet.mintProofsBolt11(21, quote.quote)), 'a quote with a key needs its signature')
  const minted = await wallet.mintProofsBolt11(21, quote, { privkey: key.priv })
  check(sum(minted) === 21, 'a quote with a key mints with its signature', sum(minted))
}

function readRequest (text) {
  const r = decodePaymentRequest(text)
  const nut10 = r.nut10 ?? {}
  return { id: r.id, amount: Number(r.amount), unit: r.unit, mints: r.mints, description: r.description, singleUse: r.singleUse, kind: nut10.kind, data: nut10.data }
}

function makeRequest (amount, pubkey, url) {
  const nut10 = pubkey ? { kind: 'P2PK', data: pubkey, tags: [] } : undefined
  const transport = url ? [{ type: 'post', target: url }] : undefined
  return new PaymentRequest(transport, '9f86d081', Number(amount), 'sat', [mint], 'of cashu-ts', true, nut10).toEncodedCreqA()
}

async function main () {
  if (verb === 'flow') return flow()
  if (verb === 'read-creq') return give(readRequest(args[0]))
  if (verb === 'creq') return give({ request: makeRequest(...args) })
  const wallet = await open()
  if (verb === 'lock') {
    const [amount, pubkey, refund, locktime] = args
    const proofs = await fund(wallet, Number(amount) + 20)
    const { send } = await lock(wallet, Number(amount), proofs, { pubkey, refundKeys: [refund], locktime: Number(locktime) })
    return give({ token: encode(send) })
  }
  if (verb === 'plain') {
    const { send } = await wallet.send(Number(args[0]), await fund(wallet, Number(args[0]) + 20))
    return give({ token: encode(send) })
  }
  if (verb === 'receive') {
    const proofs = await wallet.receive(args[0], args[1] ? { privkey: args[1] } : {})
    return give({ amount: sum(proofs) })
  }
  if (verb === 'receive-payload') {
    const { proofs } = JSON.parse(args[0])
    return give({ amount: sum(await wallet.receive(encode(proofs))) })
  }
  if (verb === 'release') {
    const { proofs } = wallet.decodeToken(args[0])
    const states = await wallet.checkProofsStates(proofs)
    check(states.every(s => s.state === 'UNSPENT'), 'the mint says that the token is unspent', JSON.stringify(states))
    const signatures = JSON.parse(args[1])
    const signed = proofs.map((p, i) => ({ ...p, witness: { signatures: [signatures[i]] } }))
    return give({ amount: sum(await wallet.receive(encode(signed))) })
  }
  throw new Error(`unknown verb ${verb}`)
}

main().catch(e => {
  check(false, `cashu-ts ${verb}`, e?.stack ?? e)
  process.exitCode = 1
})
