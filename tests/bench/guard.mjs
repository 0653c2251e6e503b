// What the guarded scenario B has beside the plain one: location data, the
// list of disposable mail domains, and requests whose clients have addresses
// and mail addresses of their own. Seeded, so that each run has the same.
//   guardFiles(TYPEAUTH, PEERS_DIR, DATA_DIR)   before the server starts
//   security, abuse                             bodies of the two profiles
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import { mmdb } from '../e2e/dist/harness/mmdb.js'

let state = 20261128
const random = n => { // mulberry32
  state = (state + 0x6D2B79F5) | 0
  let t = Math.imul(state ^ (state >>> 15), 1 | state)
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
  return ((t ^ (t >>> 14)) >>> 0) % n
}
const pick = list => list[random(list.length)]

const PLACES = [['GB', 51.5, -0.12], ['DE', 52.5, 13.4], ['FR', 48.9, 2.35], ['US', 40.7, -74], ['US', 37.8, -122.4],
  ['IN', 19.1, 72.9], ['AU', -33.9, 151.2], ['BR', -23.5, -46.6], ['JP', 35.7, 139.7], ['ZA', -26.2, 28]]
// 50,000 networks that clients come from, 100,000 that lists name: apart.
const networks = Array.from({ length: 50000 }, (_, i) => `${11 + (i >> 14)}.${(i >> 6) & 255}.${(i & 63) << 2}.0/24`)
const listed = Array.from({ length: 100000 }, (_, i) => `${64 + (i >> 14)}.${(i >> 6) & 255}.${(i & 63) << 2}.0/${22 + i % 3}`)

function domain () {
  const letters = 'abcdefghijklmnopqrstuvwxyz0123456789'
  let text = ''
  for (let n = 6 + random(12); n > 0; n--) text += letters[random(36)]
  return `x${text}.${pick(['com', 'net', 'org', 'xyz', 'top', 'info'])}`
}

export function guardFiles (program, peers, data) {
  fs.mkdirSync(data, { recursive: true, mode: 0o700 })
  fs.writeFileSync(`${data}/dbip-city-ipv4.mmdb`, mmdb(networks.map(network => {
    const [country, latitude, longitude] = pick(PLACES)
    return { network, value: { country_code: country, latitude, longitude, accuracy_radius: 20, autonomous_system_number: 64512 + random(1000) } }
  })))
  const modules = `${data}/../node_modules`
  const lists = {
    'disposable-domains': 'index.json',
    '@dahoom/disposable-email': 'domains.json',
    'disposable-email-domains-js': 'dist/dict/disposable_email_blocklist.json'
  }
  for (const [name, file] of Object.entries(lists)) {
    const path = `${modules}/${name}/${file}`
    fs.mkdirSync(path.slice(0, path.lastIndexOf('/')), { recursive: true })
    fs.writeFileSync(`${modules}/${name}/package.json`, JSON.stringify({ name, version: '1.0.0', license: 'MIT' }))
    fs.writeFileSync(path, JSON.stringify(Array.from({ length: 60400 }, domain)))
  }
  execFileSync(program, ['data', 'update', '--data', data, '--only', 'mail', '--from', modules], { stdio: 'ignore' })
  const out = fs.openSync(`${peers}/data/req-B-guarded.txt`, 'w')
  for (const request of fs.readFileSync(`${peers}/data/req-B.txt`, 'utf8').split('%%\n')) {
    if (!request.trim()) continue
    const address = pick(networks).replace(/0\/24$/, String(1 + random(254)))
    const mail = `user${random(1e6)}@${pick(['gmail.com', 'example.org', 'web.de', 'company.example'])}`
    fs.writeSync(out, request.replace('\r\n\r\n', `\r\nX-Forwarded-For: ${address}\r\nX-User-Email: ${mail}\r\n\r\n`) + '%%\n')
  }
  fs.closeSync(out)
}

export const security = {
  name: 'guarded',
  ip: { deny: listed },
  geoblock: { deny: ['KP', 'CU'] },
  rules: [
    ['admin', 'http.request.uri.path starts_with "/admin" and not ip.src in {10.0.0.0/8 192.168.0.0/16}'],
    ['agents', 'http.user_agent matches "(?i)(sqlmap|nikto|masscan)"'],
    ['method', 'http.request.method in {"TRACE" "TRACK" "DEBUG"}'],
    ['dots', 'http.request.uri.path contains ".." or url_decode(http.request.uri.path) contains "\\x00"'],
    ['debug', 'http.request.uri.args["debug"] eq "true"'],
    ['network', 'ip.src.asnum in {64496 64497 64498}'],
    ['country', 'ip.src.country eq "KP" and http.request.method ne "GET"'],
    ['cookie', 'http.request.cookies["session"] eq "stolen"'],
    ['length', 'len(http.request.uri) gt 4000'],
    ['header', 'http.request.headers["x-scanner"] ne ""']
  ].map(([name, expression]) => ({ name, action: 'block', expression }))
}

export const abuse = {
  name: 'guarded',
  ratelimit: { requests: '1m', interval: '10m' },
  checkLocations: ['header'],
  checkPropertyName: 'X-User-Email',
  blocklist: ['blocked.example'],
  geoSentry: 'STANDARD',
  anomalyDetection: 'STANDARD'
}
