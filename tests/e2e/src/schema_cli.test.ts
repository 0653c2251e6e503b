// `typeauth schema validate` against the standard's own cases, and what it
// says to people.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Cleanup, binary, scenario } from "./harness/index.js";

const suite = new URL("../../vectors/json-schema/draft2020-12/", import.meta.url);

interface Group {
  description: string;
  schema: unknown;
  tests: { description: string; data: unknown; valid: boolean }[];
}

function files(cleanup: Cleanup) {
  const directory = mkdtempSync(join(tmpdir(), "typeauth-schema-"));
  cleanup.add(() => rmSync(directory, { recursive: true }));
  let made = 0;
  return (content: unknown) => {
    const path = join(directory, `${made++}`);
    writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content));
    return path;
  };
}

function validate(args: string[], input = "") {
  const said = spawnSync(binary(), ["schema", "validate", ...args], {
    input,
    encoding: "utf8",
    timeout: 60_000,
    maxBuffer: 1 << 26,
  });
  return { status: said.status, out: said.stdout, why: said.stderr };
}

const verdicts = (out: string) => out.split("\n").filter((line) => line && !line.startsWith(" "));

// What OpenAPI documents cannot express here, each with its reason.
const leaves = "its reference leaves the document (gateway.md §6: `$ref` within the document)";
const metaschema = "its dialect is a document of its own; only 2020-12 itself is known";
const exceptions: Record<string, string> = {
  "anchor.json: invalid anchors": leaves,
  "defs.json: validate definition against metaschema": leaves,
  "dynamicRef.json: strict-tree schema, guards against misspelled properties": leaves,
  "dynamicRef.json: tests for implementation dynamic anchor and reference link": leaves,
  "dynamicRef.json: $ref and $dynamicAnchor are independent of order - $defs first": leaves,
  "dynamicRef.json: $ref and $dynamicAnchor are independent of order - $ref first": leaves,
  "id.json: Invalid use of fragments in location-independent $id": leaves,
  "id.json: Valid use of empty fragments in location-independent $id": leaves,
  "id.json: Unnormalized $ids are allowed but discouraged": leaves,
  "ref.json: remote ref, containing refs itself": leaves,
  "ref.json: URN base URI with f-component": leaves,
  "vocabulary.json: schema that uses custom metaschema with with no validation vocabulary": metaschema,
  "vocabulary.json: ignore unrecognized optional vocabulary": metaschema,
  "refRemote.json: remote ref": leaves,
  "refRemote.json: fragment within remote ref": leaves,
  "refRemote.json: anchor within remote ref": leaves,
  "refRemote.json: ref within remote ref": leaves,
  "refRemote.json: base URI change": leaves,
  "refRemote.json: base URI change - change folder": leaves,
  "refRemote.json: base URI change - change folder in subschema": leaves,
  "refRemote.json: root ref in remote ref": leaves,
  "refRemote.json: remote ref with ref to defs": leaves,
  "refRemote.json: Location-independent identifier in remote ref": leaves,
  "refRemote.json: retrieved nested refs resolve relative to their URI not $id": leaves,
  "refRemote.json: remote HTTP ref with different $id": leaves,
  "refRemote.json: remote HTTP ref with different URN $id": leaves,
  "refRemote.json: remote HTTP ref with nested absolute ref": leaves,
};

function run(cleanup: Cleanup, folder: string, args: string[], skipped: Record<string, string>) {
  const file = files(cleanup);
  const seen = new Set<string>();
  let cases = 0;
  for (const name of readdirSync(new URL(folder, suite)).filter((n) => n.endsWith(".json"))) {
    const groups = JSON.parse(readFileSync(new URL(folder + name, suite), "utf8")) as Group[];
    for (const group of groups) {
      const id = `${name}: ${group.description}`;
      const path = file(group.schema);
      const said = validate(
        ["--schema", path, ...args],
        group.tests.map((t) => JSON.stringify(t.data) + "\n").join(""),
      );
      if (id in skipped) {
        seen.add(id);
        if (said.status === 2) continue;
      }
      const want = group.tests.map((t) => (t.valid ? "valid" : "invalid"));
      if (id in skipped) {
        assert.notDeepEqual(verdicts(said.out), want, `${id} is no exception any more`);
        continue;
      }
      assert.deepEqual(verdicts(said.out), want, `${id}\n${said.out}${said.why}`);
      assert.equal(said.status, want.includes("invalid") ? 1 : 0, id);
      cases += want.length;
    }
  }
  assert.deepEqual([...seen].sort(), Object.keys(skipped).sort());
  return cases;
}

scenario("the required cases of the JSON Schema suite get the standard's verdict", async (cleanup) => {
  assert.ok(run(cleanup, "./", [], exceptions) > 1100);
});

scenario("formats that assert agree with the suite's format cases", async (cleanup) => {
  const cases = run(cleanup, "optional/format/", ["--formats"], {
    "idn-hostname.json: validation of internationalized host names":
      "libidn2 does not check the contextual rules of RFC 5892 A.3 (middle dot)",
  });
  assert.ok(cases > 350);
});

scenario("an answer is a verdict, then what is wrong, a line each, indented", async (cleanup) => {
  const file = files(cleanup);
  const schema = file({
    type: "object",
    required: ["id"],
    properties: { id: { type: "integer" }, "a b": { maxLength: 2 } },
  });
  const said = validate(["--schema", schema], '{"id":1}\n{"id":"x","a b":"long"}\n{"id":1,\n{}');
  assert.deepEqual(said, {
    status: 1,
    out: [
      "valid",
      "invalid",
      "  /id: must be an integer, is a string (type #/properties/id/type)",
      "  /a b: must have at most 2 characters, has 4 (maxLength #/properties/a b/maxLength)",
      "invalid",
      "  /: not JSON that is judged: unexpected end of data",
      "invalid",
      '  /: member "id" is missing (required #/required)',
      "",
    ].join("\n"),
    why: "",
  });
  const odd = validate(["--schema", schema], '{"id\\n":1}\n{"id":1,"id":2}\n' + "[".repeat(70) + "]".repeat(70) + "\n");
  assert.deepEqual(verdicts(odd.out), ["invalid", "invalid", "invalid"]);
  assert.match(odd.out, /duplicate member/);
  assert.match(odd.out, /more than 64 levels/);
});

scenario("hostile schemas and values end within the bounds", async (cleanup) => {
  const file = files(cleanup);
  const deep: Record<string, unknown> = { n40: { type: "string" } };
  for (let i = 0; i < 40; i++) {
    const next = { $ref: `#/$defs/n${i + 1}` };
    deep[`n${i}`] = { oneOf: [next, next] };
  }
  const cases: [unknown, string][] = [
    [{ $ref: "#" }, "1"],
    [{ $ref: "#/$defs/n0", $defs: deep }, "1"],
    [{ pattern: "^(\\w+\\s?)*$" }, JSON.stringify("a".repeat(40) + "!")],
    [{ items: { pattern: "^(a+)+$" } }, JSON.stringify(Array(1000).fill("a".repeat(24) + "!"))],
    [{ type: "array", uniqueItems: true, items: { enum: ["x"] } }, JSON.stringify([...Array(900_000).keys()])],
    [{ multipleOf: 0.01, maximum: 1 }, "9".repeat(5_000_000) + "e99999999999999999999"],
  ];
  for (const [schema, value] of cases) {
    const started = process.hrtime.bigint();
    const said = validate(["--schema", file(schema)], value + "\n");
    const ms = Number(process.hrtime.bigint() - started) / 1e6;
    assert.deepEqual(verdicts(said.out), ["invalid"], JSON.stringify(schema).slice(0, 80));
    assert.ok(ms < 2000, `${ms} ms for ${JSON.stringify(schema).slice(0, 80)}`);
  }
});

scenario("wrong usage and unusable schemas end with status 2 and a reason", async (cleanup) => {
  const file = files(cleanup);
  const good = file({});
  const cases: [string[], RegExp][] = [
    [[], /--schema is missing/],
    [["--schema"], /'--schema' is without its value/],
    [["--schema", good, "--wrong"], /'--wrong' is not an option/],
    [["--schema", good, "--dialect", "draft-07"], /2020-12 or 3\.0, not 'draft-07'/],
    [["--schema", "/nowhere"], /\/nowhere: No such file/],
    [["--schema", file("{")], /byte 1: /],
    [["--schema", file({ properties: { a: { type: "strin" } } })], /#\/properties\/a\/type: type must be/],
    [["--schema", file({ $schema: "http://json-schema.org/draft-07/schema#" })], /only the dialect of JSON Schema 2020-12/],
  ];
  for (const [args, reason] of cases) {
    const said = validate(args);
    assert.equal(said.status, 2, args.join(" "));
    assert.equal(said.out, "");
    assert.match(said.why, reason);
  }
  const help = validate(["--help"]);
  assert.equal(help.status, 0);
  assert.match(help.out, /POINTER: SENTENCE \(KEYWORD PLACE\)/);
});
