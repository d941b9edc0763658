// Results of a script, one JSON object a line: the test that called it turns them into TAP.
export const check = (ok, name, detail = '') =>
  console.log(JSON.stringify({ check: name, ok: Boolean(ok), detail: ok ? '' : String(detail) }))

// The error's text if `work` is refused, or null.
export async function refused (work) {
  try {
    await work()
    return null
  } catch (e) {
    return String(e?.message ?? e)
  }
}

export const give = value => console.log(JSON.stringify({ value }))
export const sleep = ms => new Promise(resolve => setTimeout(resolve, ms))
