// nostrmini.mjs PORT: a relay that takes and serves anything.
import nostrmini from 'nostrmini'

if (process.argv[2] !== '--prepare') {
  const relay = new (nostrmini.default ?? nostrmini)()
  await relay.listen(Number(process.argv[2]), '127.0.0.1')
}
