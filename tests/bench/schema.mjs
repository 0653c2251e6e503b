// What judging a body of 1 KB by a schema of 20 properties costs, beside ajv
// and fastify's compiler of it in the same run; what a route costs.
//   meson compile -C build micro_schema
//   node schema.mjs build/tests/bench/micro_schema docs/performance.md
// Interleaved rounds; of each the best, as all of them count nanoseconds of one
// thread. Writes the section between the marks of PERFORMANCE_MD.
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import { createRequire } from 'node:module'
import os from 'node:os'
import path from 'node:path'

const [micro, report] = process.argv.slice(2)
const require = createRequire(new URL('../e2e/package.json', import.meta.url))
const Ajv = require('ajv/dist/2020').default
const addFormats = require('ajv-formats')
const AjvCompiler = require('@fastify/ajv-compiler')

const text = (n, more = {}) => ({ type: 'string', minLength: 1, maxLength: n, ...more })
const schema = {
  type: 'object',
  additionalProperties: false,
  required: ['id', 'name', 'mail', 'created', 'amount', 'currency', 'items'],
  properties: {
    id: { type: 'string', format: 'uuid' }, name: text(100), mail: { type: 'string', format: 'email' },
    created: { type: 'string', format: 'date-time' }, updated: { type: 'string', format: 'date-time' },
    amount: { type: 'number', minimum: 0, maximum: 1e9 }, currency: { enum: ['EUR', 'USD', 'GBP', 'JPY'] },
    quantity: { type: 'integer', minimum: 1, maximum: 1000 }, active: { type: 'boolean' },
    phone: text(30, { pattern: '^\\+[0-9 ]+$' }), street: text(100), city: text(50), zip: text(10, { pattern: '^[A-Z0-9 -]+$' }),
    country: { type: 'string', minLength: 2, maxLength: 2 }, note: { type: 'string', maxLength: 600 }, url: { type: 'string', format: 'uri' },
    tags: { type: 'array', maxItems: 20, uniqueItems: true, items: text(20) },
    items: { type: 'array', minItems: 1, items: { type: 'object', required: ['sku', 'n'], properties: { sku: text(20), n: { type: 'integer', minimum: 1 } } } },
    customer: { type: 'object', properties: { id: { type: 'integer' }, name: text(100), vip: { type: 'boolean' } } },
    meta: { type: ['object', 'null'] }
  }
}
const value = {
  id: '3f2a7c1e-9b4d-4e6f-8a21-0c5d7e9f1b23', name: 'Ada Lovelace', mail: 'ada@example.com',
  created: '2026-11-28T09:00:00Z', updated: '2026-11-28T09:30:00.250Z', amount: 1234.5, currency: 'EUR', quantity: 12, active: true,
  phone: '+44 20 7946 0000', street: '12 St James Square', city: 'London', zip: 'SW1Y 4JH', country: 'GB', note: '',
  url: 'https://example.com/orders/12', tags: ['new', 'analytical', 'engine'],
  items: [{ sku: 'A-1', n: 2 }, { sku: 'B-22', n: 1 }, { sku: 'C-333', n: 7 }], customer: { id: 7, name: 'Charles Babbage', vip: true }, meta: null
}
value.note = 'x'.repeat(1024 - JSON.stringify(value).length)
const body = JSON.stringify(value)

const ajv = new Ajv({ strict: false })
addFormats(ajv)
const compiled = ajv.compile(schema)
const fastify = AjvCompiler()({}, { customOptions: { strict: false } })({ schema, method: 'POST', url: '/', httpPart: 'body' })
const jobs = {
  'ajv, compiled': () => compiled(JSON.parse(body)),
  '@fastify/ajv-compiler': () => fastify(JSON.parse(body)) === true
}
for (const [name, run] of Object.entries(jobs))
  if (run() !== true) throw new Error(`${name} refuses the body: ${JSON.stringify(compiled.errors)}`)

const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'typeauth-bench-'))
const files = ['schema', 'body'].map(name => path.join(dir, name))
fs.writeFileSync(files[0], JSON.stringify(schema))
fs.writeFileSync(files[1], body)
const best = {}
const keep = (name, ns) => { best[name] = Math.min(best[name] ?? Infinity, ns) }
for (let round = 0; round < 3; round++) {
  for (const line of execFileSync(micro, files, { encoding: 'utf8' }).trim().split('\n')) keep(...line.split('\t').map((one, i) => (i ? Number(one) : one)))
  for (const [name, run] of Object.entries(jobs)) {
    const n = 20000
    const from = process.cpuUsage()
    for (let i = 0; i < n; i++) run()
    const took = process.cpuUsage(from)
    keep(name, (took.user + took.system) * 1000 / n)
  }
}
fs.rmSync(dir, { recursive: true })

const us = ns => (ns / 1000).toFixed(2)
const judged = best.judged - best.unjudged
const rows = [
  ['judging a body of 1 KB by 20 properties, over not judging it', judged, 3000],
  ['the same by `ajv`, compiled, with `JSON.parse`', best['ajv, compiled']],
  ['the same by `@fastify/ajv-compiler`, with `JSON.parse`', best['@fastify/ajv-compiler']],
  ['a route with two variables, over none', best['one-rule'] - best['no-rule'], 300],
  ['50 rules in each of 100 applications (5,000), over one in each', Math.max(0, best['all-rules'] - best['single-rules']), 100] // 1 % of a request
]
const table = rows.map(([what, ns, must]) =>
  `| ${what} | ${us(ns)} µs | ${must ? `≤${us(must)} µs` : ''} | ${!must ? '' : ns <= must ? 'held' : 'MISSED'} |`)
const marks = ['<!-- schemas: tests/bench/schema.mjs -->', '<!-- /schemas -->']
const section = `${marks[0]}
## Schemas and routes

CPU of one thread, best of interleaved rounds; \`tests/bench/micro_schema.c\` runs the chain of a public application.

| what | seen | must | |
| --- | --: | --: | --- |
${table.join('\n')}
${marks[1]}`
let page = fs.readFileSync(report, 'utf8')
const [from, to] = marks.map(mark => page.indexOf(mark))
page = from < 0 ? `${page.trimEnd()}\n\n${section}\n` : page.slice(0, from) + section + page.slice(to + marks[1].length)
fs.writeFileSync(report, page)
console.log(section)
process.exit(rows.every(([, ns, must]) => !must || ns <= must) ? 0 : 1)
