// Every field of every request body, from the hand-written facts in
// tests/vectors/fields.json: bad input answers 400 with the field's name and
// stores nothing; good input is taken.
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Cleanup, Server, bringPlaces, placeFile, typeauth, type Answer } from "./harness/index.js";

interface Row {
  type: "string" | "integer" | "boolean" | "array" | "object" | "any";
  min?: number;
  max?: number;
  required?: boolean;
  null: "clears" | "refused" | "listed";
  good?: unknown[];
  bad?: [value: unknown, field?: string, status?: number][];
  items?: string;
  itemsValue?: unknown;
  alone?: Record<string, unknown>;
  fill?: string;
  maxBytes?: number;
  skipGood?: boolean;
}
interface Endpoint {
  id: string;
  method: string;
  path: string;
  key: "owner" | "root";
  bodyOptional?: boolean;
  good: Record<string, unknown>;
  fields?: Record<string, Row>;
  same?: string;
  override?: Record<string, Row>;
  drop?: string[];
  readonly?: Record<string, unknown>;
}

const facts = JSON.parse(
  readFileSync(
    new URL("../../vectors/fields.json", import.meta.url),
    "utf8",
  ),
) as { endpoints: Endpoint[]; elsewhere: Record<string, string> };

function rowsOf(endpoint: Endpoint): Record<string, Row> {
  const base = endpoint.same
    ? rowsOf(facts.endpoints.find((other) => other.id === endpoint.same)!)
    : {};
  const rows = { ...base, ...endpoint.fields, ...endpoint.override };
  for (const name of endpoint.drop ?? []) delete rows[name];
  if (endpoint.method === "PATCH")
    for (const name of Object.keys(rows))
      rows[name] = { ...rows[name]!, required: false };
  return rows;
}

let counter = 0;
/** {n}: a new number each time; {hash}: a new digest. */
function fresh<T>(value: T): T {
  const text = JSON.stringify(value);
  if (text === undefined) return value;
  return JSON.parse(
    text
      .replace(/\{n\}/g, () => String(++counter))
      .replace(/\{hash\}/g, () =>
        createHash("sha256").update(randomBytes(16)).digest("hex"),
      ),
  ) as T;
}

const wrongTypes: Record<Row["type"], unknown[]> = {
  string: [7, true, [], {}],
  integer: ["7", true, [], {}, 1.5],
  boolean: ["yes", 1, [], {}],
  array: ["x", 7, true, {}],
  object: ["x", 7, true, []],
  any: [],
};

function items(row: Row, n: number): unknown[] {
  return Array.from({ length: n }, (_, i) =>
    row.itemsValue !== undefined
      ? fresh(JSON.parse(JSON.stringify(row.itemsValue).replace(/\{i\}/g, String(i))))
      : row.items!.replace(/\{i\}/g, String(i)),
  );
}

function badValues(name: string, row: Row): [unknown, string, number][] {
  const field = name;
  const out: [unknown, string, number][] = wrongTypes[row.type].map((value) => [
    value,
    field,
    400,
  ]);
  const fill = row.fill ?? "x";
  if (row.type === "string") {
    if (row.max) out.push([fill.repeat(row.max + 1), field, 400]);
    if (row.min && row.min > 1) out.push([fill.repeat(row.min - 1), field, 400]);
    if (row.required) out.push(["", field, 400]);
  }
  if (row.type === "integer") {
    if (row.max !== undefined) out.push([row.max + 1, field, 400]);
    if (row.min !== undefined) out.push([row.min - 1, field, 400]);
    out.push([-1, field, 400], [1e300, field, 400]);
  }
  if (row.type === "array" && row.max)
    out.push([items(row, row.max + 1), field, 400]);
  if (row.type === "array" && row.required) out.push([[], field, 400]);
  if (row.maxBytes) out.push([{ x: "y".repeat(row.maxBytes) }, field, 400]);
  if (row.null === "refused") out.push([null, field, 400]);
  for (const [value, at, status] of row.bad ?? [])
    out.push([value, at ?? field, status ?? 400]);
  return out;
}

function goodValues(row: Row): unknown[] {
  if (row.skipGood) return [];
  const out: unknown[] = [...(row.good ?? [])];
  if (row.type === "boolean") out.push(true, false);
  if (row.type === "string" && row.max && !row.fill && !row.good)
    out.push(String(++counter).padStart(row.max, "x")); // names are unique
  if (row.type === "integer" && row.min !== undefined) out.push(row.min);
  if (row.type === "integer" && row.max !== undefined) out.push(row.max);
  if (row.type === "array" && row.max && row.max < 100)
    out.push(items(row, row.max));
  if (row.null === "clears") out.push(null);
  return out;
}

const cleanup = new Cleanup();
let server: Server;
let rootKey: string;
const places: Record<string, string> = {};

before(async () => {
  const data = await mkdtemp(join(tmpdir(), "typeauth-fields-"));
  cleanup.add(() => rm(data, { recursive: true, force: true }));
  await typeauth(["init", "--data", data]);
  const made = await typeauth([
    "key", "create", "--root", "--data", data, "--json",
  ]);
  rootKey = JSON.parse(made.stdout).key;
  bringPlaces(data, placeFile({ "127.0.0.0/8": { country: "DE" } }));
  server = await Server.start(cleanup, {
    data,
    args: ["--applications-max", "100000", "--smtp-server", "127.0.0.1:9", "--smtp-from", "alerts@example.com"],
  });
  const { api } = server;
  const origin = { host: "127.0.0.1", port: 9 };
  const application = await api.application("base", origin, { prefix: "t_" });
  const [token] = await api.tokens(application.id);
  places["account"] = server.accountId;
  places["application"] = application.id;
  places["authentication"] = application.auth_id;
  places["schema"] = (await api.create("schema/create",
    { name: "patched", openapi: "openapi: 3.1.0\ninfo: {title: t, version: '1'}\npaths: {/a: {get: {}}}\n" }))[0].id;
  places["routing"] = (await api.create("routing/create",
    { name: "base", endpoints: [{ public_path: "/base" }] }))[0].id;
  places["abuse"] = (await api.create("abuse/create", { name: "base" }))[0].id;
  places["alert"] = (await api.create("alert/create",
    { name: "base", url: "https://hooks.example/" }))[0].id;
  places["security"] = (await api.create("security/create", { name: "base" }))[0].id;
  places["token"] = token.id;
  places["tag"] = (await api.create("tag/create", { name: "base-tag" }))[0].id;
  places["tagged"] = (await api.application("tagged", origin)).id;
  const inline = facts.endpoints.find((one) => one.id === "jwk.create")!.good;
  for (const noun of ["jwk", "jwt"])
    places[noun] = (await api.create(`${noun}/create`,
      { name: "base", keys: inline["keys"] }))[0].id;
  places["key"] = (await api.create("management-key/create",
    { name: "base", role: "viewer" }))[0].id;
});
after(() => cleanup.run());

const pathOf = (endpoint: Endpoint) =>
  endpoint.path.replace(/\{(\w+)\}/g, (_, name: string) => places[name]!);

function ask(endpoint: Endpoint, body: unknown): Promise<Answer> {
  return server.api.call(endpoint.method, pathOf(endpoint), {
    body,
    key: endpoint.key === "root" ? rootKey : server.ownerKey,
  });
}

/** What is stored of that noun, as the API shows it. */
async function stored(endpoint: Endpoint): Promise<string> {
  const path = pathOf(endpoint);
  const key = endpoint.key === "root" ? rootKey : server.ownerKey;
  const noun = endpoint.id.split(".")[0]!;
  const list: Record<string, string> = {
    account: "/accounts",
    application: `/${server.accountId}/applications`,
    authentication: `/${server.accountId}/authentication`,
    routing: `/${server.accountId}/routing`,
    abuse: `/${server.accountId}/abuse`,
    schema: `/${server.accountId}/schema`,
    alert: `/${server.accountId}/alert`,
    security: `/${server.accountId}/security`,
    token: `/${server.accountId}/token`,
    tag: `/${server.accountId}/tag`,
    jwt: `/${server.accountId}/jwt`,
    jwk: `/${server.accountId}/jwk`,
    "management-key": `/${server.accountId}/management-key`,
  };
  const from = endpoint.method === "PATCH" ? path : `${list[noun]}?limit=1000`;
  const answer = await server.api.get(from, { key });
  assert.equal(answer.status, 200, answer.text);
  const mask = (o: any) => ({ id: o.id, version: answer.headers.etag, ...o });
  return JSON.stringify(answer.json.data.map(mask));
}

for (const endpoint of facts.endpoints) {
  const rows = rowsOf(endpoint);
  for (const [name, row] of Object.entries(rows)) {
    const base = () => fresh({ ...(row.alone ?? endpoint.good) });

    test(`${endpoint.id}: bad values of ${name} are refused by name and store nothing`, async () => {
      const before_ = await stored(endpoint);
      for (const [value, field, status] of badValues(name, row)) {
        const answer = await ask(endpoint, { ...base(), [name]: value });
        const shown = `${name}=${JSON.stringify(value)?.slice(0, 80)}: ${answer.status} ${answer.text.slice(0, 300)}`;
        assert.equal(answer.status, status, shown);
        assert.equal(answer.json.success, false, shown);
        assert.equal(answer.json.error?.field, field, shown);
        assert.deepEqual(answer.json.data, [], shown);
      }
      assert.equal(await stored(endpoint), before_);
    });

    test(`${endpoint.id}: good values of ${name} are taken`, async () => {
      for (const value of goodValues(row)) {
        const answer = await ask(endpoint, { ...base(), [name]: fresh(value) });
        const shown = `${name}=${JSON.stringify(value)?.slice(0, 80)}: ${answer.status} ${answer.text.slice(0, 300)}`;
        assert.ok(answer.status === 200 || answer.status === 201, shown);
      }
    });

    if (row.required)
      test(`${endpoint.id}: without ${name} it is refused by name`, async () => {
        const body = base() as Record<string, unknown>;
        delete body[name];
        if (row.alone) return;
        const answer = await ask(endpoint, body);
        assert.equal(answer.status, 400, answer.text);
        assert.equal(answer.json.error?.field, name);
      });
  }

  test(`${endpoint.id}: an unknown field is refused by name`, async () => {
    const answer = await ask(endpoint, { ...fresh(endpoint.good), nonsense: 1 });
    assert.equal(answer.status, 400, answer.text);
    assert.equal(answer.json.error?.field, "nonsense");
  });

  test(`${endpoint.id}: bodies that are no object, or not strict JSON, are refused`, async () => {
    const good = JSON.stringify(fresh(endpoint.good));
    const deep = "[".repeat(65) + "]".repeat(65);
    const bodies: (string | Buffer)[] = [
      "[]", '"x"', "7", "null", "{", "", "{}x", "{'a':1}", '{"a":1,}',
      '{"nonsense":1,"nonsense":2}', `{"nonsense":${deep}}`,
      Buffer.concat([Buffer.from('{"name":"'), Buffer.from([0xff, 0xfe]), Buffer.from('"}')]),
      good + good,
    ];
    for (const body of bodies) {
      if (body === "" && endpoint.bodyOptional) continue;
      const answer = await ask(endpoint, body);
      assert.equal(answer.status, 400, `${body}: ${answer.status} ${answer.text}`);
    }
  });

  for (const [name, value] of Object.entries(endpoint.readonly ?? {}))
    test(`${endpoint.id}: ${name} is read-only`, async () => {
      const other = await ask(endpoint, { [name]: value });
      assert.equal(other.status, 400, other.text);
      assert.equal(other.json.error?.field, name);
      const [now] = (await server.api.get(pathOf(endpoint))).json.data;
      const same = await ask(endpoint, { [name]: now[name] });
      assert.equal(same.status, 200, same.text);
    });
}

test("every field of the published OpenAPI document has a row", async () => {
  const document = JSON.parse(
    (await server.api.get("/openapi.json", { key: null })).text,
  );
  const resolve = (schema: any): any => {
    while (schema?.$ref)
      schema = schema.$ref
        .slice(2)
        .split("/")
        .reduce((at: any, step: string) => at[step], document);
    return schema;
  };
  const known = new Map(
    facts.endpoints.map((endpoint) => [
      `${endpoint.method.toLowerCase()} ${endpoint.path.replace(/\{\w+\}/g, "{}")}`,
      endpoint,
    ]),
  );
  const nameOf = (operation: any): string =>
    operation.requestBody?.content?.["application/json"]?.schema?.$ref;
  // One schema, one set of rows: /api/v1/… takes what its namesake takes.
  const bySchema = new Map<string, Endpoint>();
  const operations: [string, any][] = [];
  for (const [path, methods] of Object.entries<any>(document.paths))
    for (const [method, operation] of Object.entries<any>(methods)) {
      if (!operation.requestBody) continue;
      const where = `${method} ${path}`;
      if (facts.elsewhere[where]) continue;
      const endpoint = known.get(where.replace(/\{\w+\}/g, "{}"));
      if (endpoint) bySchema.set(nameOf(operation), endpoint);
      operations.push([where, operation]);
    }
  let checked = 0;
  for (const [where, operation] of operations) {
    const endpoint = bySchema.get(nameOf(operation));
    assert.ok(endpoint, `${where} has no rows`);
    const rows = rowsOf(endpoint);
    const schema = resolve(operation.requestBody.content["application/json"].schema);
    for (const name of Object.keys(schema.properties)) {
      if (resolve(schema.properties[name]).readOnly) continue;
      assert.ok(rows[name], `${where}: ${name} has no row`);
      checked++;
    }
  }
  assert.ok(checked > 40, `only ${checked} fields were found`);
});
