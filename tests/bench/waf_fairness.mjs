// Do others feel an application with a WAF? Interleaved rounds in which a tenth
// of the load is for one, and for its twin without: what the others' p50 and the
// reactors' CPU time for one of their requests become.
//   node waf_fairness.mjs TYPEAUTH [ROUNDS=12] [SECONDS=1.5] [RATE=1000] [FILE]
// FILE keeps the rounds: of several short runs the last judges all of them.
// Prints a line a round and the medians of the in-round ratios; ends with 1
// when a median is above 1.05. Everything is on loopback.
//
// A reactor's CPU time holds what the WAF's own requests cost there (body,
// hand-over to the threads that judge, a wake-up when they are done): many
// microseconds, but theirs. Subtracting what they cost alone would flatter, since
// alone each wakes a reactor that sleeps; a twin with the same steps would leave
// out what these do to others. So there are two reactors, and each connection is
// told by which of them spends the time for it: half of the others are on one
// alone, whose CPU time is theirs and nobody else's, and that is what is judged;
// the other half share the reactor of the WAF's requests, and their p50 is judged.
// What a request pays more for is in the figures: caches, cores and wake-ups that
// are shared with the threads that judge. CPU time of the others in the reactor
// that they share cannot be told from the WAF's own; all of it is printed.
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
  '--gateway', '127.0.0.1:0', '--workers', '2', '--access-log', 'off'],
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

const body = JSON.stringify({ name: 'Ada', note: 'a body as clients send it', n: [1, 2, 3] })

/** One request on a connection of its own agent. */
function ask (agent, host) {
  const began = process.hrtime.bigint()
  return new Promise((resolve, reject) => {
    const asked = http.request({
      agent, host: '127.0.0.1', port: doors.gateway, method: 'POST', path: '/items?id=1',
      headers: { host, accept: '*/*', 'user-agent': 'bench/1', 'content-type': 'application/json', 'content-length': body.length }
    }, answer => {
      answer.resume()
      answer.on('end', () => resolve([answer.statusCode, Number(process.hrtime.bigint() - began) / 1e6]))
    })
    asked.on('socket', socket => {
      if (agent.socket && agent.socket !== socket) reject(new Error('a connection was made anew: on which reactor?'))
      agent.socket = socket
    })
    asked.on('error', reject)
    asked.end(body)
  })
}

/** CPU time of each reactor in microseconds. */
const tasks = `/proc/${server.pid}/task`
const reactors = fs.readdirSync(tasks).filter(t => fs.readFileSync(`${tasks}/${t}/comm`, 'latin1').trim() === 'reactor')
const spent = () => reactors.map(t => Number(fs.readFileSync(`${tasks}/${t}/schedstat`, 'latin1').split(' ')[0]) / 1000)

const at = (list, share) => [...list].sort((a, b) => a - b)[Math.floor((list.length - 1) * share)]
const median = list => at(list, 0.5)

/** Connections by the reactor that they are on: `want[i]` on reactor i. */
async function connect (want) {
  const made = want.map(() => [])
  for (let tries = 0; made.some((list, i) => list.length < want[i]); tries++) {
    if (tries > 500) throw new Error('all connections go to one reactor')
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
    await ask(agent, 'plain.test')
    const before = spent()
    for (let i = 0; i < 40; i++) await ask(agent, 'plain.test')
    const us = spent().map((now, i) => now - before[i])
    const on = us.indexOf(Math.max(...us))
    if (us[on] < 10 * Math.min(...us)) throw new Error(`a connection on two reactors? ${us}`)
    if (made[on].length < want[on]) made[on].push(agent)
    else agent.destroy()
  }
  return made
}

const [apart, shared] = await connect([16, 24])
const beside = shared.slice(0, 16)
const judged = shared.slice(16)

/** `rate` requests a second of others, half of them in each reactor, and a
 * tenth for `host`. */
async function arm (host) {
  const groups = [
    { agents: apart, host: 'plain.test', each: rate / 2 }, { agents: beside, host: 'plain.test', each: rate / 2 },
    { agents: judged, host, each: rate / 10 }
  ].map(g => ({ ...g, n: 0, times: [] }))
  const answers = []
  const before = spent()
  const began = performance.now()
  while (performance.now() - began < seconds * 1000) {
    const passed = (performance.now() - began) / 1000
    for (const g of groups)
      for (; g.n < passed * g.each; g.n++)
        answers.push(ask(g.agents[g.n % g.agents.length], g.host).then(([status, ms]) => { g.times.push(ms); return status }))
    await new Promise(resolve => setTimeout(resolve, 1))
  }
  const bad = (await Promise.all(answers)).filter(status => status !== 200).length
  const [alone, mixed] = spent().map((now, i) => now - before[i])
  return { p50: median(groups[1].times), apart: median(groups[0].times), cpu: alone / groups[0].n, mixed: mixed / (groups[1].n + groups[2].n), bad }
}

const kept = file && fs.existsSync(file) ? JSON.parse(fs.readFileSync(file, 'utf8')) : []
let status = 0
try {
  await arm('guarded.test') // warms everything up
  for (let i = 0; i < rounds; i++) {
    const arms = {}
    for (const host of i % 2 ? ['twin.test', 'guarded.test'] : ['guarded.test', 'twin.test']) arms[host] = await arm(host)
    const [w, o] = [arms['guarded.test'], arms['twin.test']]
    kept.push(Object.fromEntries(['p50', 'apart', 'cpu', 'mixed'].map(name => [name, w[name] / o[name]])))
    console.log(`p50 ${o.p50.toFixed(3)} -> ${w.p50.toFixed(3)} ms, one of the others ${o.cpu.toFixed(1)} -> ${w.cpu.toFixed(1)} us, the reactor of the WAF ${o.mixed.toFixed(1)} -> ${w.mixed.toFixed(1)} us a request (${o.bad + w.bad} not 200)`)
  }
  if (file) fs.writeFileSync(file, JSON.stringify(kept))
  for (const [name, text, isJudged] of [['p50', 'p50 of the others in the reactor of the WAF', true], ['apart', 'p50 of those in the other', true], ['cpu', 'CPU of one of their requests', true], ['mixed', 'CPU a request in the reactor of the WAF, its own among them', false]]) {
    const list = kept.map(round => round[name])
    const [low, middle, high] = [0.25, 0.5, 0.75].map(share => at(list, share))
    console.log(`${text}: ${middle.toFixed(3)} (${low.toFixed(3)}-${high.toFixed(3)}) of what it is without, ${list.length} rounds${isJudged ? `; must be at most ${MUST}` : ''}`)
    if (isJudged && middle > MUST) status = 1
  }
} finally {
  server.kill('SIGTERM')
  await ended
  origin.close()
  for (const agent of [...apart, ...shared]) agent.destroy()
  fs.rmSync(data, { recursive: true })
}
process.exit(status)
