// nostr.mjs: nostr-tools, a client that nobody here wrote.
//   flow RELAY [auth]               what a client does with a relay, as checks; auth: it must ask for NIP-42
//   note RELAY TEXT                 publish a note; its id
//   fetch RELAY FILTER              events that match, verified
//   unwrap SECRET                   the rumor in the kind 1059 event on standard input
//   wrap RELAY SECRET TO RUMOR      wrap the rumor (JSON: kind, content, tags) for TO and publish it
//   ask RELAY SECRET TO RUMOR       the same, and the contents of the replies until the final one
import { finalizeEvent, generateSecretKey, getPublicKey, verifyEvent } from 'nostr-tools/pure'
import { Relay, useWebSocketImplementation } from 'nostr-tools/relay'
import * as nip59 from 'nostr-tools/nip59'
import WebSocket from 'ws'
import { readFileSync } from 'node:fs'
import { check, give, refused, sleep } from './report.mjs'

useWebSocketImplementation(WebSocket)
const [verb, ...args] = process.argv.slice(2)
const bytes = hex => Uint8Array.from(Buffer.from(hex, 'hex'))
const now = () => Math.floor(Date.now() / 1000)
const sign = (key, kind, tags = [], content = '', at = now()) => finalizeEvent({ kind, tags, content, created_at: at }, key)

// PyPI nostr-relay takes an AUTH without answering it with OK, which nostr-tools takes for a failure.
process.on('unhandledRejection', e => { if (!/auth timed out/.test(e)) throw e })

async function connect (url, key) {
  const relay = new Relay(url)
  relay.onauth = template => Promise.resolve(finalizeEvent(template, key))
  await relay.connect()
  await sleep(200) // a relay that asks at once has asked now
  return relay
}

// Stored events that match, until EOSE.
function stored (relay, filter) {
  return new Promise((resolve, reject) => {
    const events = []
    const timer = setTimeout(() => reject(new Error(`no EOSE for ${JSON.stringify(filter)}`)), 10000)
    const done = () => { clearTimeout(timer); resolve(events); sub.close() }
    const sub = relay.subscribe([filter], {
      onevent: e => events.push(e),
      oneose: done,
      onclose: reason => { clearTimeout(timer); resolve(Object.assign(events, { reason })) }
    })
  })
}

async function flow (url, wantsAuth) {
  const key = generateSecretKey()
  const peer = generateSecretKey()
  const pub = getPublicKey(key)
  const relay = await connect(url, key)
  const info = await (await fetch(url.replace(/^ws/, 'http'), { headers: { accept: 'application/nostr+json' } })).json()
  check(Array.isArray(info.supported_nips), 'NIP-11 says which NIPs are supported', JSON.stringify(info))

  const note = sign(key, 1, [['t', 'leased']], 'hello')
  await relay.publish(note)
  const byId = await stored(relay, { ids: [note.id] })
  check(byId.length === 1 && verifyEvent(byId[0]) && byId[0].content === 'hello', 'an event comes back by id', byId.length)
  check((await stored(relay, { '#t': ['leased'], authors: [pub] })).length === 1, 'and by author and tag')
  check((await stored(relay, { authors: [pub], kinds: [2] })).length === 0, 'and not by another kind')
  const bad = { ...sign(key, 1, [], 'x'), content: 'y' }
  check(await refused(() => relay.publish(bad)), 'an event with a wrong id is refused')

  const offer = n => sign(key, 38402, [['d', 'small'], ['t', 'leased']], `offer ${n}`, now() - 10 + n)
  await relay.publish(offer(1))
  await relay.publish(offer(2))
  const offers = await stored(relay, { kinds: [38402], authors: [pub] })
  check(offers.length === 1 && offers[0].content === 'offer 2', 'the newer addressable event replaces the older', offers.map(e => e.content))
  await relay.publish(sign(key, 10402, [], 'beat 1', now() - 5))
  await relay.publish(sign(key, 10402, [], 'beat 2', now() - 4))
  const beats = await stored(relay, { kinds: [10402], authors: [pub] })
  check(beats.length === 1 && beats[0].content === 'beat 2', 'the newer replaceable event replaces the older', beats.map(e => e.content))
  const limited = await stored(relay, { authors: [pub], limit: 1 })
  check(limited.length === 1, 'limit is kept', limited.length)
  const gone = sign(key, 1, [['expiration', String(now() - 60)]], 'expired')
  await refused(() => relay.publish(gone))
  check((await stored(relay, { ids: [gone.id] })).length === 0, 'an expired event is not served (NIP-40)')

  const other = await connect(url, peer)
  let live
  const sub = other.subscribe([{ kinds: [1059], '#p': [getPublicKey(peer)], limit: 0 }], { onevent: e => { live = e } })
  await sleep(300)
  await relay.publish(nip59.wrapEvent({ kind: 24402, content: '{"v":1}', tags: [] }, key, getPublicKey(peer)))
  for (let i = 0; i < 50 && !live; i++) await sleep(100)
  const rumor = live && nip59.unwrapEvent(live, peer)
  check(rumor?.kind === 24402 && rumor.content === '{"v":1}' && rumor.pubkey === pub, 'a wrap reaches a live subscription and opens')
  sub.close()
  if (wantsAuth) await guarded(url, relay, other, peer)
  relay.close()
  other.close()
}

// Wraps are only for whom they are addressed to: NIP-42.
async function guarded (url, sender, addressee, peer) {
  const filter = { kinds: [1059], '#p': [getPublicKey(peer)] }
  const stranger = new Relay(url)
  await stranger.connect()
  await sleep(200)
  const closed = await stored(stranger, filter)
  check(closed.length === 0 && /^(auth-required|restricted):/.test(closed.reason), 'a stranger is asked to authenticate', closed.reason)
  stranger.close()
  check((await stored(addressee, filter)).length === 1, 'the addressee gets the wrap')
  check((await stored(sender, filter)).length === 0, 'somebody else who is authenticated does not')
}

// The contents of kind 24403 rumors that answer the request, until one is final.
async function ask (url, secret, to, rumor) {
  const key = bytes(secret)
  const request = JSON.parse(rumor)
  const id = JSON.parse(request.content).request_id
  const relay = await connect(url, key)
  const replies = []
  const seen = new Set()
  const sub = relay.subscribe([{ kinds: [1059], '#p': [getPublicKey(key)] }], {
    onevent: wrap => {
      if (seen.has(wrap.id)) return
      seen.add(wrap.id)
      const inner = nip59.unwrapEvent(wrap, key)
      const reply = JSON.parse(inner.content)
      if (inner.kind === 24403 && inner.pubkey === to && reply.request_id === id) replies.push(reply)
    }
  })
  await sleep(300)
  await relay.publish(nip59.wrapEvent({ tags: [], ...request }, key, to))
  for (let i = 0; i < 300 && !replies.some(r => r.final); i++) await sleep(100)
  sub.close()
  return replies
}

async function main () {
  if (verb === 'flow') return flow(args[0], args[1] === 'auth')
  if (verb === 'unwrap') {
    return give(nip59.unwrapEvent(JSON.parse(readFileSync(0)), bytes(args[0])))
  }
  if (verb === 'note') {
    const key = generateSecretKey()
    const relay = await connect(args[0], key)
    const note = sign(key, 1, [], args[1])
    await relay.publish(note)
    return give(note.id)
  }
  if (verb === 'fetch') {
    const relay = await connect(args[0], generateSecretKey())
    const events = await stored(relay, JSON.parse(args[1]))
    check(events.every(verifyEvent), 'nostr-tools verifies every event')
    return give(events)
  }
  if (verb === 'wrap') {
    const [url, secret, to, rumor] = args
    const relay = await connect(url, bytes(secret))
    const wrap = nip59.wrapEvent({ tags: [], ...JSON.parse(rumor) }, bytes(secret), to)
    await relay.publish(wrap)
    return give(wrap)
  }
  if (verb === 'ask') return give(await ask(...args))
  throw new Error(`unknown verb ${verb}`)
}

main().then(() => process.exit(), e => {
  check(false, `nostr-tools ${verb}`, e?.stack ?? e)
  process.exit(1)
})
