// Do others feel an application with a WAF? Interleaved rounds in which a tenth
// of the load is for one, and for its twin without: what the others' p50 and the
// reactors' CPU time for one of their requests become.
//   node waf_fairness.mjs TYPEAUTH [ROUNDS=12] [SECONDS=1.5] [RATE=1000] [FILE]
// FILE keeps the rounds: of several short runs the last judges all of them.
// Prints a line a round and the medians of the in-round ratios; ends with 1
// when a median is above 1.05. Everything is on loopback.
//
// The reactors' CPU time holds what the WAF's own requests cost there (body,
// hand-over, coming back). They are many microseconds, but theirs, not the
// others'. So each arm is measured twice, with all of the others and with half of
// them, beside the same tenth: the difference is what the other half cost, and
// holds nothing that is a WAF request's. What it does hold is all that one of the
// others' requests pays more for: caches and cores shared with the threads that
// judge, turns that are interrupted. To subtract what the tenth costs alone would
// flatter: alone each of them wakes a reactor that sleeps, among others it finds
// it awake. A twin with the same steps would leave out what these do to others.
import { execFileSync, spawn } from 'node:child_process'
import fs from 'node:fs'
import http from 'node:http'
import os from 'node:os'
import path from 'node:path'

const [program, rounds = 12, seconds = 1.5, rate = 1000, file] = process.argv.slice(2)
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

const at = (list, share) => [...list].sort((a, b) => a - b)[Math.floor((list.length - 1) * share)]
const median = list => at(list, 0.5)

/** `others` a second for them, and a tenth of the load for `host`. */
async function load (host, others) {
  const times = []
  const answers = []
  const cpu = reactors()
  const began = performance.now()
  let asked = 0
  for (let g = 0; performance.now() - began < seconds * 1000;) {
    const passed = (performance.now() - began) / 1000
    for (; asked < passed * others; asked++) answers.push(ask('plain.test').then(a => { times.push(a[1]); return a[0] }))
    for (; g < passed * rate / 10; g++) answers.push(ask(host).then(a => a[0]))
    await new Promise(resolve => setTimeout(resolve, 1))
  }
  const statuses = await Promise.all(answers)
  return { p50: median(times), us: (reactors() - cpu) / 1000, others: asked, all: statuses.length, bad: statuses.filter(s => s !== 200).length }
}

/** What the others feel beside `host`; `fullFirst`: which load comes first. */
async function arm (host, fullFirst) {
  const first = await load(host, fullFirst ? rate : rate / 2)
  const second = await load(host, fullFirst ? rate / 2 : rate)
  const [full, half] = fullFirst ? [first, second] : [second, first]
  return { p50: full.p50, cpu: (full.us - half.us) / (full.others - half.others), all: full.us / full.all, bad: full.bad + half.bad }
}

const kept = file && fs.existsSync(file) ? JSON.parse(fs.readFileSync(file, 'utf8')) : []
let status = 0
try {
  await load('guarded.test', Number(rate)) // warms everything up
  for (let i = 0; i < rounds; i++) {
    const order = ['guarded.test', 'twin.test']
    if (i % 2) order.reverse()
    const arms = {}
    for (const host of order) arms[host] = await arm(host, i % 4 < 2)
    const [w, o] = [arms['guarded.test'], arms['twin.test']]
    kept.push({ p50: w.p50 / o.p50, cpu: w.cpu / o.cpu, all: w.all / o.all })
    console.log(`p50 ${o.p50.toFixed(3)} -> ${w.p50.toFixed(3)} ms, one of the others ${o.cpu.toFixed(1)} -> ${w.cpu.toFixed(1)} us, all ${o.all.toFixed(1)} -> ${w.all.toFixed(1)} us a request (${o.bad + w.bad} not 200)`)
  }
  if (file) fs.writeFileSync(file, JSON.stringify(kept))
  for (const [name, text, judged] of [['p50', 'p50 of the others', true], ['cpu', 'CPU of one of their requests', true], ['all', 'CPU a request, the WAF\'s own among them', false]]) {
    const list = kept.map(round => round[name])
    const [low, middle, high] = [0.25, 0.5, 0.75].map(share => at(list, share))
    console.log(`${text}: ${middle.toFixed(3)} (${low.toFixed(3)}-${high.toFixed(3)}) of what it is without, ${list.length} rounds${judged ? `; must be at most ${MUST}` : ''}`)
    if (judged && middle > MUST) status = 1
  }
} finally {
  server.kill('SIGTERM')
  await ended
  origin.close()
  agent.destroy()
  fs.rmSync(data, { recursive: true })
}
process.exit(status)
