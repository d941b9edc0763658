// devtools.mjs: a client of a browser that speaks the DevTools protocol.
//   render URL      what a page becomes whose script builds it: checks, with a picture of it
import WebSocket from 'ws'
import { inflateSync } from 'node:zlib'
import { check, give } from './report.mjs'

const [, url] = process.argv.slice(2)
const PAGE = 'data:text/html,<title>no</title><body style="margin:0;background:rgb(12,200,34)"><p id=p></p><script>' +
  'document.title="made by a script";p.textContent=[1,2,3].map(x=>x*x).join("+")</script>'

// Call methods of one target, and wait for its events.
async function attach (address) {
  const socket = new WebSocket(address)
  const open = new Map()
  let id = 0
  await new Promise((resolve, reject) => { socket.on('open', resolve); socket.on('error', reject) })
  socket.on('message', text => {
    const m = JSON.parse(text)
    open.get(m.id ?? m.method)?.(m.result ?? m.params ?? m)
  })
  const event = name => new Promise(resolve => open.set(name, resolve))
  const call = (method, params = {}) => {
    socket.send(JSON.stringify({ id: ++id, method, params }))
    return event(id)
  }
  return { call, event, close: () => socket.close() }
}

// The first point of a PNG without an interlace: whatever the filter of its row, nothing lies before it.
function firstPoint (png) {
  const parts = []
  for (let at = 8; at < png.length; at += 12 + png.readUInt32BE(at)) {
    if (png.toString('latin1', at + 4, at + 8) === 'IDAT') parts.push(png.subarray(at + 8, at + 8 + png.readUInt32BE(at)))
  }
  return [...inflateSync(Buffer.concat(parts)).subarray(1, 4)].join()
}

setTimeout(() => { throw new Error('no end after 50 s') }, 50000).unref()
const version = await (await fetch(`${url}/json/version`)).json()
check(/Chrom/.test(version.Browser), 'it says which browser it is', JSON.stringify(version))
const target = await (await fetch(`${url}/json/new?about:blank`, { method: 'PUT' })).json()
const page = await attach(`${url.replace(/^http/, 'ws')}/devtools/page/${target.id}`)
await page.call('Page.enable')
const loaded = page.event('Page.loadEventFired')
await page.call('Page.navigate', { url: PAGE })
await loaded
const said = await page.call('Runtime.evaluate', { expression: 'document.title + ": " + p.textContent', returnByValue: true })
check(said.result?.value === 'made by a script: 1+4+9', 'a script of a page runs', JSON.stringify(said))
const shot = await page.call('Page.captureScreenshot', { format: 'png' })
check(firstPoint(Buffer.from(shot.data ?? '', 'base64')) === '12,200,34', 'and the page is rendered', shot.data?.length)
page.close()
give(version.Browser)
