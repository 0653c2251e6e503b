// A seeded corpus of schemas and values, judged by `typeauth schema validate`
// and by ajv; what they do not agree on is returned.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Ajv2020 } from "ajv/dist/2020.js";
import { default as Draft04 } from "ajv-draft-04";
import formats from "ajv-formats";
import { binary } from "./server.js";

export type Dialect = "2020-12" | "3.0";
type Json = null | boolean | number | string | Json[] | { [name: string]: Json };
type Schema = { [keyword: string]: Json };

export interface Disagreement { dialect: Dialect; schema: Json; value: Json; ours: boolean }

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
  constructor(private d: Dice, private dialect: Dialect) {}

  private types = ["string", "number", "integer", "boolean", "array", "object"];

  schema(depth: number): Schema {
    const d = this.d, s: Schema = {}, old = this.dialect === "3.0";
    if (d.chance(12)) {
      if (old) return { $ref: d.one(["#/components/schemas/A", "#/components/schemas/B"]) };
      s.$ref = d.one(["#/$defs/A", "#/$defs/B"]);
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

  whole(): Schema {
    const s = this.schema(3);
    const definitions = { A: this.schema(1), B: this.schema(1) };
    for (const one of Object.values(definitions)) delete one.$ref; // no circles
    const text = (x: Json) => JSON.stringify(x).replace(/"\$ref":"[^"]*",?/g, "").replace(/,}/g, "}");
    const plain = { A: JSON.parse(text(definitions.A)) as Schema, B: JSON.parse(text(definitions.B)) as Schema };
    if (this.dialect === "2020-12") return { ...s, $defs: plain };
    return "$ref" in s ? { allOf: [s], components: { schemas: plain } } : { ...s, components: { schemas: plain } };
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

function oracle(dialect: Dialect) {
  // 0.3 is a multiple of 0.1: ajv divides binary fractions, so that it must be told to round.
  const options = { multipleOfPrecision: 9, strict: false, allErrors: false, validateFormats: true, logger: false as const, unicodeRegExp: true, ownProperties: true };
  const ajv = dialect === "2020-12" ? new Ajv2020(options) : new (Draft04 as unknown as typeof Ajv2020)(options);
  (formats as unknown as typeof formats.default)(ajv as never, { mode: "full" });
  return ajv;
}

export function compare(dialect: Dialect, seed: number, schemas: number, values: number) {
  const d = new Dice(seed), maker = new Maker(d, dialect);
  const directory = mkdtempSync(join(tmpdir(), "typeauth-corpus-"));
  const path = join(directory, "schema");
  const found: Disagreement[] = [];
  let pairs = 0, valid = 0;
  try {
    for (let n = 0; n < schemas; n++) {
      const schema = maker.whole();
      const judge = oracle(dialect).compile(schema);
      const instances = Array.from({ length: values }, () => (d.chance(75) ? maker.like(schema, 4) : value(d, 3)));
      writeFileSync(path, JSON.stringify(schema));
      const said = spawnSync(binary(), ["schema", "validate", "--formats", "--dialect", dialect, "--schema", path], {
        input: instances.map((i) => JSON.stringify(i) + "\n").join(""),
        encoding: "utf8",
        maxBuffer: 1 << 28,
      });
      const verdicts = said.stdout.split("\n").filter((line) => line && !line.startsWith(" "));
      if (verdicts.length !== values) throw new Error(`${JSON.stringify(schema)}: ${said.stderr}`);
      instances.forEach((instance, i) => {
        const ours = verdicts[i] === "valid";
        pairs++;
        valid += Number(ours);
        if (ours !== judge(instance)) found.push({ dialect, schema, value: instance, ours });
      });
    }
  } finally {
    rmSync(directory, { recursive: true });
  }
  return { pairs, valid, found };
}
