// Do others feel an application with a WAF? Interleaved rounds in which a tenth
// of the requests is for one, and for its twin without: what the others' p50 and
// the reactors' CPU time a request become. The reactors' share of the WAF's own
// requests is in the figure.
//   node waf_fairness.mjs TYPEAUTH [ROUNDS=12] [SECONDS=2] [RATE=1000]
// Prints a line a round and the medians of the in-round ratios; ends with 1
// when one is above 1.05. Everything is on loopback, 90 s by default.
import { execFileSync, spawn } from 'node:child_process'
import fs from 'node:fs'
import http from 'node:http'
import os from 'node:os'
import path from 'node:path'

const [program, rounds = 12, seconds = 2, rate = 1000] = process.argv.slice(2)
const MUST = 1.05
const data = fs.mkdtempSync(path.join(os.tmpdir(), 'typeauth-bench-'))
const origin = http.createServer((asked, answer) => {
  asked.resume()
  asked.on('end', () => answer.end('ok'))
})
await new Promise(resolve => origin.listen(0, '127.0.0.1', resolve))

const { account_id: account, key } = JSON.parse(execFileSync(program,
  ['init', '--data', data, '--json'], { encoding: 'utf8' }))
const server = spawn(program, ['serve', '--data', data, '--api', '127.0.0.1:0',
  '--gateway', '127.0.0.1:0', '--workers', '1', '--access-log', 'off'],
{ stdio: ['ignore', 'pipe', 'inherit'] })
const ended = new Promise(resolve => server.once('exit', resolve))
const doors = await new Promise((resolve, reject) => {
  let text = ''
  ended.then(code => reject(new Error(`server ended with ${code}`)))
  server.stdout.on('data', part => {
    text += part
    const found = /api=(\S+?):(\d+) gateway=(\S+?):(\d+)/.exec(text)
    if (found) resolve({ api: Number(found[2]), gateway: Number(found[4]) })
  })
})

async function make (what, body) {
  const answer = await fetch(`http://127.0.0.1:${doors.api}/${account}/${what}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify(body)
  })
  const json = await answer.json()
  if (!json.success) throw new Error(`${what}: ${JSON.stringify(json)}`)
  return json.data[0]
}

const originHostname = `http://127.0.0.1:${origin.address().port}`
const waf = await make('security/create', { name: 'waf', waf: { mode: 'block' } })
await make('applications/create', { name: 'plain', domain: 'plain.test', originHostname })
await make('applications/create', { name: 'twin', domain: 'twin.test', originHostname })
await make('applications/create', { name: 'guarded', domain: 'guarded.test', originHostname, security_id: waf.id })

const agent = new http.Agent({ keepAlive: true, maxSockets: 64 })
const body = JSON.stringify({ name: 'Ada', note: 'a body as clients send it', n: [1, 2, 3] })

/** Milliseconds until the answer's end. */
function ask (host) {
  const began = process.hrtime.bigint()
  return new Promise((resolve, reject) => {
    const asked = http.request({
      agent, host: '127.0.0.1', port: doors.gateway, method: 'POST', path: '/items?id=1',
      headers: { host, accept: '*/*', 'user-agent': 'bench/1', 'content-type': 'application/json', 'content-length': body.length }
    }, answer => {
      answer.resume()
      answer.on('end', () => resolve([answer.statusCode, Number(process.hrtime.bigint() - began) / 1e6]))
    })
    asked.on('error', reject)
    asked.end(body)
  })
}

/** CPU time of the reactors in ns. */
function reactors () {
  const tasks = `/proc/${server.pid}/task`
  return fs.readdirSync(tasks).filter(t => fs.readFileSync(`${tasks}/${t}/comm`, 'latin1').trim() === 'reactor')
    .reduce((sum, t) => sum + Number(fs.readFileSync(`${tasks}/${t}/schedstat`, 'latin1').split(' ')[0]), 0)
}

const median = list => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)]

/** One half of a round: `rate` a second for others, and a tenth for the WAF. */
async function half (guarded) {
  const others = []
  const answers = []
  const cpu = reactors()
  const began = performance.now()
  for (let n = 0, g = 0; performance.now() - began < seconds * 1000;) {
    const due = (performance.now() - began) / 1000 * rate
    for (; n < due; n++) answers.push(ask('plain.test').then(a => { others.push(a[1]); return a[0] }))
    for (; g < due / 10; g++) answers.push(ask(guarded ? 'guarded.test' : 'twin.test').then(a => a[0]))
    await new Promise(resolve => setTimeout(resolve, 1))
  }
  const statuses = await Promise.all(answers)
  const bad = statuses.filter(s => s !== 200).length
  return { p50: median(others), cpu: (reactors() - cpu) / 1000 / statuses.length, n: statuses.length, bad }
}

let status = 0
try {
  await half(true) // warms everything up
  const ratios = { p50: [], cpu: [] }
  for (let i = 0; i < rounds; i++) {
    const first = i % 2 === 0
    const a = await half(first)
    const b = await half(!first)
    const [w, o] = first ? [a, b] : [b, a]
    ratios.p50.push(w.p50 / o.p50)
    ratios.cpu.push(w.cpu / o.cpu)
    console.log(`p50 ${o.p50.toFixed(3)} -> ${w.p50.toFixed(3)} ms, reactor ${o.cpu.toFixed(1)} -> ${w.cpu.toFixed(1)} us a request (${o.n}, ${w.n} requests, ${o.bad + w.bad} not 200)`)
  }
  for (const [name, list] of Object.entries(ratios)) {
    const ratio = median(list)
    console.log(`${name}: ${ratio.toFixed(3)} of what it is without (must be below ${MUST})`)
    if (ratio > MUST) status = 1
  }
} finally {
  server.kill('SIGTERM')
  await ended
  origin.close()
  agent.destroy()
  fs.rmSync(data, { recursive: true })
}
process.exit(status)
