// A seeded corpus of schemas and values. Values are judged by `typeauth schema
// validate` and by ajv; as bodies of requests by `typeauth schema check`, by ajv
// and by express-openapi-validator. What they do not agree on is returned.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Ajv2020 } from "ajv/dist/2020.js";
import { default as Draft04 } from "ajv-draft-04";
import formats from "ajv-formats";
import { middleware } from "express-openapi-validator";
import { binary } from "./server.js";

export type Dialect = "2020-12" | "3.0";
type Json = null | boolean | number | string | Json[] | { [name: string]: Json };
type Schema = { [keyword: string]: Json };

export type Oracle = "ajv" | "express-openapi-validator";
export interface Disagreement { oracle: Oracle; dialect: Dialect; schema: Json; value: Json; ours: boolean }
export interface Comparison { pairs: number; valid: number; found: Disagreement[] }

class Dice {
  constructor(private state: number) {}
  below(n: number): number {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % n;
  }
  one<T>(of: readonly T[]): T { return of[this.below(of.length)]!; }
  chance(percent: number): boolean { return this.below(100) < percent; }
}

// Without "": ajv takes a missing member of that name for none that is missing.
const names = ["a", "b", "c", "ab", "x-y", "é", "a/b", " "];
const words = [
  "", "a", "ab", "abc", "é", "🐲🐲", "a b", "12", "true", "2024-02-29", "2023-02-29", "12:00:00Z",
  "2024-02-29T12:00:00Z", "2024-02-29T25:00:00Z", "a@example.com", "a@", "127.0.0.1", "256.0.0.1", "::1", ":::",
  "https://example.com/a?b#c", "relative/path", "123e4567-e89b-12d3-a456-426614174000", "123e4567", "example.com", "-bad-",
  "/a/b~1", "/a~2", "YWJj", "YWJ",
];
const patterns = ["^a", "b$", "^[a-c]{1,2}$", "\\d", "^\\w+$", "^$", "é", "^(a|ab)(c|bc)?$", "\\s", "^[^a]", "[\\u{1F432}]"];
const formatNames = [
  "date", "date-time", "time", "email", "ipv4", "ipv6", "uri", "uuid", "hostname", "json-pointer", "byte", "int32", "int64", "unknown",
];
const numbers = [0, 1, -1, 2, 3, 5, 10, 100, 1.5, -2.5, 0.1, 0.3, 1e20, 2147483648, 4.35, 1e-7];

function scalar(d: Dice): Json {
  return d.one<() => Json>([
    () => null, () => d.chance(50), () => d.one(numbers), () => d.below(12), () => d.one(words), () => d.one(words),
  ])();
}

function value(d: Dice, depth: number): Json {
  if (depth === 0 || d.chance(55)) return scalar(d);
  if (d.chance(45)) return Array.from({ length: d.below(5) }, () => value(d, depth - 1));
  return Object.fromEntries(Array.from({ length: d.below(5) }, () => [d.one(names), value(d, depth - 1)]));
}

class Maker {
  /** `names`: of the two schemas that others refer to. */
  constructor(private d: Dice, private dialect: Dialect, private names: readonly [string, string] = ["A", "B"]) {}

  private types = ["string", "number", "integer", "boolean", "array", "object"];

  schema(depth: number): Schema {
    const d = this.d, s: Schema = {}, old = this.dialect === "3.0";
    if (d.chance(12)) {
      const name = d.one(this.names);
      if (old) return { $ref: `#/components/schemas/${name}` };
      s.$ref = `#/$defs/${name}`;
    }
    if (d.chance(60)) {
      if (!old && d.chance(25)) s.type = [...new Set([d.one(this.types), d.one([...this.types, "null"])])];
      else s.type = old || d.chance(90) ? d.one(this.types) : "null";
      if (old && d.chance(25)) s.nullable = true;
    }
    for (let i = d.below(4); i > 0; i--) this.keyword(s, depth);
    return s;
  }

  private list(depth: number): Schema[] {
    return Array.from({ length: 1 + this.d.below(3) }, () => this.schema(depth));
  }

  private map(depth: number, keys: readonly string[]): Schema {
    return Object.fromEntries(Array.from({ length: 1 + this.d.below(3) }, () => [this.d.one(keys), this.schema(depth)]));
  }

  private keyword(s: Schema, depth: number): void {
    const d = this.d, old = this.dialect === "3.0", next = depth - 1;
    const flat: (() => void)[] = [
      () => { s.enum = Array.from({ length: 1 + d.below(4) }, () => value(d, 1)); s.enum = s.enum.filter((v, i, all) => all.findIndex((o) => JSON.stringify(o) === JSON.stringify(v)) === i); },
      () => { s.minimum = d.one(numbers); if (old && d.chance(40)) s.exclusiveMinimum = d.chance(70); },
      () => { s.maximum = d.one(numbers); if (old && d.chance(40)) s.exclusiveMaximum = d.chance(70); },
      () => { s.multipleOf = d.one([1, 2, 3, 5, 0.5, 0.25, 0.1, 0.01]); },
      () => { s.minLength = d.below(4); },
      () => { s.maxLength = d.below(6); },
      () => { s.pattern = d.one(patterns); },
      () => { s.format = d.one(formatNames); },
      () => { s.minItems = d.below(3); },
      () => { s.maxItems = d.below(4); },
      () => { s.uniqueItems = d.chance(80); },
      () => { s.minProperties = d.below(3); },
      () => { s.maxProperties = d.below(4); },
      () => { s.required = [...new Set([d.one(names), d.one(names)])]; },
    ];
    if (!old)
      flat.push(
        () => { s.const = value(d, 1); },
        () => { s.exclusiveMinimum = d.one(numbers); },
        () => { s.exclusiveMaximum = d.one(numbers); },
        () => { s.dependentRequired = { [d.one(names)]: [d.one(names)] }; },
      );
    if (depth === 0) return d.one(flat)();
    const nested: (() => void)[] = [
      () => { s.properties = this.map(next, names); },
      () => { s.properties = this.map(next, names); },
      () => { s.additionalProperties = d.chance(50) ? d.chance(30) : this.schema(next); },
      () => { s.items = this.schema(next); if (old) s.type ??= "array"; },
      () => { s.allOf = this.list(next); },
      () => { s.anyOf = this.list(next); },
      () => { s.oneOf = this.list(next); },
      () => { s.not = this.schema(next); },
    ];
    if (!old)
      nested.push(
        () => { s.patternProperties = this.map(next, patterns); },
        () => { s.propertyNames = this.schema(next); },
        () => { s.prefixItems = this.list(next); },
        () => { s.contains = this.schema(next); if (d.chance(40)) s.minContains = d.below(3); if (d.chance(40)) s.maxContains = d.below(4); },
        () => { s.if = this.schema(next); if (d.chance(80)) s.then = this.schema(next); if (d.chance(60)) s.else = this.schema(next); },
        () => { s.dependentSchemas = this.map(next, names); },
        () => { s.unevaluatedProperties = d.chance(60) ? false : this.schema(next); },
        () => { s.unevaluatedItems = d.chance(60) ? false : this.schema(next); },
      );
    d.one(d.chance(45) ? flat : nested)();
  }

  /** A schema, and those that it refers to. */
  whole(): { schema: Schema; shared: Schema } {
    const schema = this.schema(3), shared: Schema = {};
    const text = (x: Json) => JSON.stringify(x).replace(/"\$ref":"[^"]*",?/g, "").replace(/,}/g, "}");
    for (const name of this.names) {
      const one = this.schema(1);
      delete one.$ref; // no circles
      shared[name] = JSON.parse(text(one)) as Schema;
    }
    return { schema, shared };
  }

  values(schema: Schema, n: number): Json[] {
    return Array.from({ length: n }, () => (this.d.chance(75) ? this.like(schema, 4) : value(this.d, 3)));
  }

  /** Something like what the schema wants. */
  like(s: Json, depth: number): Json {
    const d = this.d;
    if (depth === 0 || s === null || typeof s !== "object" || Array.isArray(s) || d.chance(15)) return value(d, 2);
    if (Array.isArray(s.enum) && d.chance(80)) return d.one(s.enum);
    if ("const" in s && d.chance(80)) return s.const!;
    for (const key of ["allOf", "anyOf", "oneOf"])
      if (Array.isArray(s[key]) && d.chance(50)) return this.like(d.one(s[key] as Json[]), depth - 1);
    const type = Array.isArray(s.type) ? d.one(s.type) : s.type;
    if (type === "object" || s.properties || s.required) {
      const made: { [name: string]: Json } = {};
      for (const [name, of] of Object.entries((s.properties ?? {}) as Schema)) if (d.chance(80)) made[name] = this.like(of, depth - 1);
      for (const name of (s.required ?? []) as string[]) if (d.chance(85)) made[name] ??= value(d, 1);
      if (d.chance(30)) made[d.one(names)] = value(d, 1);
      return made;
    }
    if (type === "array" || s.items || s.prefixItems || s.contains)
      return Array.from({ length: d.below(4) }, (_, i) =>
        this.like((s.prefixItems as Json[] | undefined)?.[i] ?? s.items ?? s.contains ?? {}, depth - 1));
    if (type === "string" || s.pattern || s.format) return d.one(words);
    if (type === "number" || type === "integer") return d.one(numbers);
    if (type === "boolean") return d.chance(50);
    return value(d, 1);
  }
}

function ajv(dialect: Dialect) {
  // 0.3 is a multiple of 0.1: ajv divides binary fractions, so that it must be told to round.
  const options = { multipleOfPrecision: 9, strict: false, allErrors: false, validateFormats: true, logger: false as const, unicodeRegExp: true, ownProperties: true };
  const made = dialect === "2020-12" ? new Ajv2020(options) : new (Draft04 as unknown as typeof Ajv2020)(options);
  (formats as unknown as typeof formats.default)(made as never, { mode: "full" });
  return made;
}

/** The schema as a document of its own. */
function alone(dialect: Dialect, schema: Schema, shared: Schema): Schema {
  if (dialect === "2020-12") return { ...schema, $defs: shared };
  return { ...("$ref" in schema ? { allOf: [schema] } : schema), components: { schemas: shared } };
}

/** What the program says of lines; its verdicts, without what is wrong. */
function ask(args: string[], document: Json, lines: string[]): string[] {
  const directory = mkdtempSync(join(tmpdir(), "typeauth-corpus-"));
  const path = join(directory, "document");
  try {
    writeFileSync(path, JSON.stringify(document));
    const said = spawnSync(binary(), [...args, path], { input: lines.map((line) => line + "\n").join(""), encoding: "utf8", maxBuffer: 1 << 28 });
    const verdicts = said.stdout.split("\n").filter((line) => line && !line.startsWith(" "));
    if (verdicts.length !== lines.length) throw new Error(`${JSON.stringify(document)}: ${said.stdout.slice(0, 2000)}${said.stderr}`);
    return verdicts;
  } finally {
    rmSync(directory, { recursive: true });
  }
}

export function compare(dialect: Dialect, seed: number, schemas: number, values: number): Comparison {
  const maker = new Maker(new Dice(seed), dialect);
  const all: Comparison = { pairs: 0, valid: 0, found: [] };
  for (let n = 0; n < schemas; n++) {
    const { schema: bare, shared } = maker.whole();
    const schema = alone(dialect, bare, shared);
    const judge = ajv(dialect).compile(schema);
    const instances = maker.values(schema, values);
    const verdicts = ask(
      ["schema", "validate", "--formats", "--dialect", dialect, "--schema"], schema, instances.map((one) => JSON.stringify(one)));
    instances.forEach((value, i) => {
      const ours = verdicts[i] === "valid";
      all.pairs++;
      all.valid += Number(ours);
      if (ours !== judge(value)) all.found.push({ oracle: "ajv", dialect, schema, value, ours });
    });
  }
  return all;
}

/** express-openapi-validator as it stands in front of a server, without one: a body's verdict. */
function express(document: Json): (path: string, body: Json) => Promise<boolean> {
  const chain = middleware({
    apiSpec: document as never,
    validateSecurity: false,
    ajvFormats: { mode: "full" },
    formats: { unknown: true } as never, // or it warns of each
    fileUploader: false,
  });
  const step = (at: number, request: object): Promise<boolean> =>
    new Promise((resolve, reject) => {
      if (at === chain.length) return resolve(true);
      const next = (why?: { status?: number }) => {
        if (!why) resolve(step(at + 1, request));
        else if (why.status === 400) resolve(false);
        else reject(why);
      };
      try {
        void chain[at]!(request as never, {} as never, next as never);
      } catch (why) {
        next(why as { status?: number });
      }
    });
  const app = { enabled: () => true, param: () => undefined };
  const headers = { "content-type": "application/json" };
  return (path, body) => step(0, { app, method: "POST", path, originalUrl: path, url: path, baseUrl: "", headers, query: {}, body });
}

/** The dialect of OpenAPI 3.0, as bodies of requests to documents of 100 operations each. */
export async function compareRequests(seed: number, schemas: number, values: number): Promise<Comparison> {
  const dice = new Dice(seed), dialect = "3.0";
  const all: Comparison = { pairs: 0, valid: 0, found: [] };
  for (let first = 0; first < schemas; first += 100) {
    const made = Array.from({ length: Math.min(100, schemas - first) }, (_, n) => {
      const maker = new Maker(dice, dialect, [`A${n}`, `B${n}`]);
      const { schema, shared } = maker.whole();
      return { path: `/${n}`, schema, shared, bodies: maker.values(schema, values) };
    });
    const document = {
      openapi: "3.0.3",
      info: { title: "corpus", version: "1" },
      paths: Object.fromEntries(made.map(({ path, schema }) => [path, {
        post: { requestBody: { required: true, content: { "application/json": { schema } } }, responses: { 200: { description: "ok" } } },
      }])),
      components: { schemas: Object.assign({}, ...made.map((one) => one.shared)) as Schema },
    };
    const verdicts = ask(["schema", "check", "--request", "-"], document, made.flatMap(({ path, bodies }) =>
      bodies.map((body) => JSON.stringify({ method: "POST", path, headers: { "content-type": "application/json" }, body: JSON.stringify(body) }))));
    const second = express(structuredClone(document));
    for (const { path, schema, shared, bodies } of made) {
      const judge = ajv(dialect).compile(alone(dialect, schema, shared));
      for (const value of bodies) {
        const ours = verdicts.shift()!.startsWith("ok ");
        all.pairs++;
        all.valid += Number(ours);
        const pair = { dialect, schema: alone(dialect, schema, shared), value, ours } as const;
        if (ours !== judge(value)) all.found.push({ oracle: "ajv", ...pair });
        if (ours !== (await second(path, structuredClone(value)))) all.found.push({ oracle: "express-openapi-validator", ...pair });
      }
    }
  }
  return all;
}
