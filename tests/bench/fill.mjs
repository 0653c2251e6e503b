// Fills a data directory with N imported tokens and stops.
//   node fill.mjs TYPEAUTH DATA N
import { execFileSync, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'

const [program, data, count] = process.argv.slice(2)
const { account_id: account, key } = JSON.parse(execFileSync(program,
  ['init', '--data', data, '--json'], { encoding: 'utf8' }))
const server = spawn(program, ['serve', '--data', data, '--api', '127.0.0.1:0',
  '--gateway', 'off', '--workers', '1'], { stdio: ['ignore', 'pipe', 'inherit'] })
const api = await new Promise((resolve, reject) => {
  let text = ''
  server.on('exit', code => reject(new Error(`server ended with ${code}`)))
  server.stdout.on('data', chunk => {
    const found = /listening .*api=(\S+)/.exec(text += chunk)
    if (found) resolve(found[1].replace(/^(?!http)/, 'http://'))
  })
})
async function ask (path, body) {
  const answer = await fetch(api + path, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify(body)
  })
  const json = await answer.json()
  if (!json.success) throw new Error(`${path}: ${JSON.stringify(json)}`)
  return json.data
}
const [profile] = await ask(`/${account}/authentication/create`,
  { name: 'fill', keyType: 'token', ratelimit: { limit: 1000, timeWindow: 60 }, remaining: 1000000 })
const [app] = await ask(`/${account}/applications/create`,
  { name: 'fill', domain: '127.0.0.1', originHostname: 'http://127.0.0.1:9', auth_id: profile.id })
for (let i = 0; i < +count; i += 10000) {
  const tokens = Array.from({ length: Math.min(10000, count - i) }, (_, k) =>
    ({ hash: createHash('sha256').update(`fill ${i + k}`).digest('hex') }))
  await ask(`/${account}/token/import/${app.id}`, { tokens })
  if (process.stderr.isTTY) process.stderr.write(`\r${i + tokens.length} tokens`)
}
server.removeAllListeners('exit')
server.kill('SIGTERM')
await new Promise(resolve => server.on('exit', resolve))
