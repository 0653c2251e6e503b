// What 10,000 monitored endpoints cost: CPU time of the whole program without any
// other work, from /proc, over one interval of 60 s, plain, over TLS, and plain by
// a name of /etc/hosts (for which the resolver reads that file each time).
//   node monitor.mjs TYPEAUTH PERFORMANCE_MD [plain|tls|name…]
// Each part takes about two and a half minutes: two minutes of them are the
// interval in which the first checks spread, and the one that is measured. A part
// replaces its row in the section between the marks of PERFORMANCE_MD. Ends with
// 1 when a row misses what it must. Plain origins are addresses of 127.0.0.0/8:
// each application has its own.
import { execFileSync, spawn } from 'node:child_process'
import fs from 'node:fs'
import http from 'node:http'
import https from 'node:https'
import os from 'node:os'
import path from 'node:path'

const [program, report, ...asked] = process.argv.slice(2)
const APPLICATIONS = 2000
const ENDPOINTS = 5
const INTERVAL_S = 60
const parts = {
  plain: { what: 'plain HTTP', must: 3 },
  tls: { what: 'HTTPS, TLS 1.3, ECDSA P-256, a full handshake each', must: 15 },
  name: { what: 'plain HTTP by a name of `/etc/hosts`' }
}
const sleep = ms => new Promise(resolve => setTimeout(resolve, ms))

function pair (dir) {
  const [key, cert] = ['key', 'cert'].map(name => path.join(dir, name))
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', key,
    '-out', cert, '-days', '365', '-subj', '/CN=bench', '-addext', 'subjectAltName=IP:127.0.0.1'], { stdio: 'ignore' })
  return { key: fs.readFileSync(key), cert: fs.readFileSync(cert), file: cert }
}
const address = i => `127.1.${i >> 8}.${i & 255}`

async function origin (tls) {
  const seen = { n: 0 }
  const answer = (request, response) => { seen.n++; response.end('ok') }
  const server = tls ? https.createServer(tls, answer) : http.createServer(answer)
  await new Promise(resolve => server.listen({ port: 0, host: '0.0.0.0', backlog: 4096 }, resolve))
  return { seen, port: server.address().port, close: () => { server.closeAllConnections(); server.close() } }
}

async function serve (dir, args) {
  const data = path.join(dir, 'data')
  const { account_id: account, key } = JSON.parse(execFileSync(program, ['init', '--data', data, '--json'], { encoding: 'utf8' }))
  const child = spawn(program, ['serve', '--data', data, '--api', '127.0.0.1:0', '--gateway', '127.0.0.1:0', '--workers', '1',
    '--access-log', 'off', '--applications-max', '100000', ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  const port = await new Promise((resolve, reject) => {
    let text = ''
    child.once('exit', code => reject(new Error(`server ended with ${code}`)))
    child.stdout.on('data', part => {
      text += part
      const found = /api=\S+?:(\d+) /.exec(text)
      if (found) resolve(Number(found[1]))
    })
  })
  return { child, account, key, port }
}

const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
const ask = ({ port, key }, method, target, body) => new Promise((resolve, reject) => {
  const text = body ? JSON.stringify(body) : ''
  const sent = http.request({ host: '127.0.0.1', port, method, path: target, agent,
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) } }, answer => {
    let got = ''
    answer.on('data', part => { got += part })
    answer.on('end', () => answer.statusCode < 300 ? resolve(got) : reject(new Error(got)))
  })
  sent.on('error', reject)
  sent.end(text)
})

/** User and system time of the process and, by name, of its threads; seconds. */
function cpu (pid) {
  const of = file => {
    const text = fs.readFileSync(file, 'utf8')
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    return { name: /\((.*)\)/.exec(text)[1], s: (Number(fields[11]) + Number(fields[12])) / 100 }
  }
  const threads = {}
  for (const id of fs.readdirSync(`/proc/${pid}/task`)) {
    const { name, s } = of(`/proc/${pid}/task/${id}/stat`)
    threads[name] = (threads[name] ?? 0) + s
  }
  return { all: of(`/proc/${pid}/stat`).s, threads }
}
const figure = (text, name) => Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(text)[1])

async function measure (part) {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'typeauth-bench-'))
  const tls = part === 'tls' ? pair(dir) : null
  const at = await origin(tls)
  const server = await serve(dir, tls ? ['--ca-file', tls.file] : [])
  try {
    for (let i = 0; i < APPLICATIONS; i++)
      await ask(server, 'POST', `/${server.account}/applications/create`, {
        name: `bench ${i}`,
        originHostname: `http${tls ? 's' : ''}://${part === 'name' ? 'localhost' : tls ? '127.0.0.1' : address(i)}:${at.port}`,
        monitor: { endpoints: Array.from({ length: ENDPOINTS }, (_, n) => ({ url: `/${n}` })) }
      })
    await sleep(INTERVAL_S * 1000)
    const before = cpu(server.child.pid)
    const checks = figure(await ask(server, 'GET', '/metrics'), 'typeauth_monitor_checks_total')
    await sleep(INTERVAL_S * 1000)
    const after = cpu(server.child.pid)
    const metrics = await ask(server, 'GET', '/metrics')
    const n = figure(metrics, 'typeauth_monitor_checks_total') - checks
    const healthy = figure(metrics, 'typeauth_monitors{status="HEALTHY"}')
    if (healthy !== APPLICATIONS) throw new Error(`${healthy} of ${APPLICATIONS} are HEALTHY`)
    if (n < APPLICATIONS * ENDPOINTS * 0.95) throw new Error(`only ${n} checks in ${INTERVAL_S} s`)
    const s = after.all - before.all
    const memory = /VmRSS:\s+(\d+)/.exec(fs.readFileSync(`/proc/${server.child.pid}/status`, 'utf8'))[1]
    for (const name of Object.keys(after.threads))
      console.log(`  ${name}: ${((after.threads[name] - (before.threads[name] ?? 0)) * 100 / INTERVAL_S).toFixed(2)} %`)
    return { percent: s * 100 / INTERVAL_S, us: s * 1e6 / n, n, memory: Number(memory) / 1024 }
  } finally {
    server.child.removeAllListeners('exit')
    server.child.kill('SIGKILL')
    at.close()
    fs.rmSync(dir, { recursive: true, force: true })
  }
}

const marks = ['<!-- monitors: tests/bench/monitor.mjs -->', '<!-- /monitors -->']
let page = fs.readFileSync(report, 'utf8')
const [from, to] = marks.map(mark => page.indexOf(mark))
const rows = {}
for (const line of from < 0 ? [] : page.slice(from, to).split('\n'))
  for (const [name, part] of Object.entries(parts)) if (line.startsWith(`| ${part.what} |`)) rows[name] = line
let missed = false
for (const name of asked.length ? asked : Object.keys(parts)) {
  const { what, must } = parts[name]
  const got = await measure(name)
  if (must && got.percent > must) missed = true
  rows[name] = `| ${what} | ${got.percent.toFixed(2)} % | ${must ? `≤${must} %` : ''} | ${!must ? '' : got.percent <= must ? 'held' : 'MISSED'} | ` +
    `${got.us.toFixed(0)} µs | ${got.n.toLocaleString('en')} | ${got.memory.toFixed(0)} MiB |`
  console.log(rows[name])
}
const section = `${marks[0]}
## Monitors

${(APPLICATIONS * ENDPOINTS).toLocaleString('en')} endpoints (${APPLICATIONS.toLocaleString('en')} applications of ${ENDPOINTS}) at ${INTERVAL_S} s; CPU time of the whole program in one interval, nothing else to do.

| endpoints | of a core | must | | a check | checks | RSS |
| --- | --: | --: | --- | --: | --: | --: |
${Object.keys(parts).filter(name => rows[name]).map(name => rows[name]).join('\n')}
${marks[1]}`
page = from < 0 ? `${page.trimEnd()}\n\n${section}\n` : page.slice(0, from) + section + page.slice(to + marks[1].length)
fs.writeFileSync(report, page)
process.exit(missed ? 1 : 0)
