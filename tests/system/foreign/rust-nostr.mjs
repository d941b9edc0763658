// rust-nostr.mjs: rust-nostr's SDK (WASM), another client that nobody here wrote.
//   verify                          verify the JSON array of events on standard input
//   unwrap SECRET                   the rumor in the kind 1059 event on standard input
//   fetch RELAY FILTER              events that match, fetched and verified by its client
import * as sdk from '@rust-nostr/nostr-sdk'
import WebSocket from 'ws'
import { readFileSync } from 'node:fs'
import { check, give } from './report.mjs'

globalThis.WebSocket = WebSocket
sdk.loadWasmSync()
const [verb, ...args] = process.argv.slice(2)

async function main () {
  if (verb === 'verify') {
    const events = JSON.parse(readFileSync(0)).map(e => sdk.Event.fromJson(JSON.stringify(e)))
    return check(events.length && events.every(e => e.verify()), `rust-nostr verifies ${events.length} events`)
  }
  if (verb === 'unwrap') {
    const signer = sdk.NostrSigner.keys(sdk.Keys.parse(args[0]))
    const gift = await sdk.UnwrappedGift.fromGiftWrap(signer, sdk.Event.fromJson(readFileSync(0, 'utf8')))
    return give({ ...JSON.parse(gift.rumor.asJson()), sender: gift.sender.toHex() })
  }
  if (verb === 'fetch') {
    const client = new sdk.Client(sdk.NostrSigner.keys(sdk.Keys.generate()))
    await client.addRelay(args[0])
    await client.connect()
    const events = await client.fetchEvents(sdk.Filter.fromJson(args[1]), sdk.Duration.fromSecs(10))
    const found = events.toVec()
    check(found.every(e => e.verify()), 'rust-nostr verifies every event')
    return give(found.map(e => JSON.parse(e.asJson())))
  }
  throw new Error(`unknown verb ${verb}`)
}

main().then(() => process.exit(), e => {
  check(false, `rust-nostr ${verb}`, e?.stack ?? e)
  process.exit(1)
})
