// Fills a data directory for a benchmark through the management API.
//   node provision.mjs A-ours|B-ours|B-ours-guarded|C-ours|D-ours-ALG TYPEAUTH PEERS_DIR RUN_DIR
// A: one public application for Host 127.0.0.1. B: one application with the
// bench's 100,000 keys imported as hashes and a limit a key; guarded: with a
// security and an abuse profile (guard.mjs). C: the same keys
// over 100 applications, and data/req-C-ours.txt with their ids. D: one
// application for JWTs of ALG, signature, issuer, audience and times judged,
// with a limit a subject.
import { execFileSync, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import fs from 'node:fs'
import { abuse, guardFiles, security } from './guard.mjs'

const [name, program, peers, run] = process.argv.slice(2)
const scenario = name[0]
const guarded = name.endsWith('-guarded')
if (guarded) guardFiles(program, peers, `${run}/data`)
const { account_id: account, key } = JSON.parse(execFileSync(program,
  ['init', '--data', `${run}/data`, '--json'], { encoding: 'utf8' }))
const server = spawn(program, ['serve', '--data', `${run}/data`,
  '--api', '127.0.0.1:0', '--gateway', 'off', '--workers', '1',
  '--applications-max', '1000', '--subjects-max', '262144'],
{ stdio: ['ignore', 'pipe', 'inherit'] })

const api = await new Promise((resolve, reject) => {
  let text = ''
  server.on('exit', code => reject(new Error(`server ended with ${code}`)))
  server.stdout.on('data', chunk => {
    text += chunk
    const found = /listening .*api=(\S+)/.exec(text)
    if (found) resolve(found[1].replace(/^(?!http)/, 'http://'))
  })
})

async function ask (method, path, body) {
  const answer = await fetch(api + path, {
    method,
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: body && JSON.stringify(body)
  })
  const json = await answer.json()
  if (!json.success) throw new Error(`${method} ${path}: ${JSON.stringify(json)}`)
  return json.data
}

const origin = 'http://127.0.0.1:9000'

async function importKeys (application, keys) {
  for (let i = 0; i < keys.length; i += 10000) {
    const tokens = keys.slice(i, i + 10000).map(k =>
      ({ hash: createHash('sha256').update(k).digest('hex') }))
    await ask('POST', `/${account}/token/import/${application}`, { tokens })
  }
}

if (scenario === 'A') {
  await ask('POST', `/${account}/applications/create`,
    { name: 'bench', domain: '127.0.0.1', originHostname: origin, public: true })
} else if (scenario === 'D') {
  const alg = name.slice(-5)
  const key = alg === 'HS256'
    ? { kty: 'oct', kid: 'k1', alg, k: fs.readFileSync(`${peers}/data/hs256-secret.txt`).toString('base64url') }
    : fs.readFileSync(`${peers}/data/${alg.toLowerCase()}-pub.pem`, 'utf8')
  const [jwt] = await ask('POST', `/${account}/jwt/create`,
    { name: 'bench', keys: [key], algorithms: [alg], issuer: 'https://issuer.example', audience: 'gateway' })
  const [profile] = await ask('POST', `/${account}/authentication/create`,
    { name: 'bench', keyType: 'jwt', jwt_id: jwt.id, ratelimit: { limit: 1000000, timeWindow: 10 } })
  await ask('POST', `/${account}/applications/create`,
    { name: 'bench', domain: '127.0.0.1', originHostname: origin, auth_id: profile.id })
} else {
  const keys = fs.readFileSync(`${peers}/data/keys.txt`, 'utf8').trim().split('\n')
  const [profile] = await ask('POST', `/${account}/authentication/create`,
    { name: 'bench', keyType: 'token', ratelimit: { limit: 1000000, timeWindow: 10 } })
  const n = scenario === 'B' ? 1 : 100
  const guards = guarded
    ? {
        security_id: (await ask('POST', `/${account}/security/create`, security))[0].id,
        abuse_id: (await ask('POST', `/${account}/abuse/create`, abuse))[0].id
      }
    : {}
  const apps = []
  for (let i = 0; i < n; i++) {
    const [app] = await ask('POST', `/${account}/applications/create`, {
      name: `bench ${i}`,
      domain: n === 1 ? '127.0.0.1' : `app${i}.bench.example`,
      originHostname: origin,
      auth_id: profile.id,
      ...guards
    })
    apps.push(app.id)
    await importKeys(app.id, keys.filter((_, k) => k % n === i))
  }
  if (scenario === 'C') {
    const out = fs.createWriteStream(`${peers}/data/req-C-ours.txt`)
    keys.forEach((k, i) => {
      const body = JSON.stringify({ token: k, appID: apps[i % n] })
      out.write('POST /authenticate HTTP/1.1\r\nHost: 127.0.0.1\r\n' +
        'Content-Type: application/json\r\n' +
        `Content-Length: ${body.length}\r\n\r\n${body}%%\n`)
    })
    await new Promise(resolve => out.end(resolve))
  }
}
fs.writeFileSync(`${run}/ready`, 'yes\n')
server.kill('SIGTERM')
server.removeAllListeners('exit')
await new Promise(resolve => server.on('exit', resolve))
