// Schema profiles (gateway.md §6) from the API to both doors: what is refused
// and how it is told, what is only logged, how documents of any size are kept,
// and what coverage says. The engine has its own tables and suites.
import assert from "node:assert/strict";
import { Api, Gateway, NodeOrigin, Server, call, sanitized, scenario, type Answer, type Cleanup } from "./harness/index.js";

const person = {
  type: "object",
  required: ["name", "age"],
  additionalProperties: false,
  properties: {
    id: { type: "integer", readOnly: true },
    name: { type: "string", minLength: 1, maxLength: 20 },
    age: { type: "integer", minimum: 0, maximum: 150 },
    password: { type: "string", writeOnly: true },
    pet: { oneOf: [{ $ref: "#/components/schemas/Cat" }, { $ref: "#/components/schemas/Dog" }], discriminator: { propertyName: "kind" } },
  },
};

const document = (more: object = {}) => ({
  openapi: "3.0.3",
  info: { title: "people", version: "1" },
  paths: {
    "/people": {
      get: {
        operationId: "list",
        parameters: [
          { name: "limit", in: "query", schema: { type: "integer", minimum: 1, maximum: 100 } },
          { name: "X-Trace", in: "header", schema: { type: "string", pattern: "^[a-f0-9]+$" } },
          { name: "session", in: "cookie", schema: { type: "string", maxLength: 8 } },
        ],
        responses: { 200: { description: "people", content: { "application/json": { schema: { type: "array", items: { $ref: "#/components/schemas/Person" } } } } } },
      },
      post: {
        operationId: "add",
        requestBody: {
          required: true,
          content: {
            "application/json": { schema: { $ref: "#/components/schemas/Person" } },
            "application/x-www-form-urlencoded": { schema: { $ref: "#/components/schemas/Person" } },
            "multipart/form-data": { schema: { $ref: "#/components/schemas/Person" } },
          },
        },
        responses: { 201: { description: "made" } },
      },
    },
    "/people/{id}": {
      parameters: [{ name: "id", in: "path", required: true, schema: { type: "integer" } }],
      get: { operationId: "one", responses: { 200: { description: "one" } } },
    },
    ...more,
  },
  components: {
    schemas: {
      Person: person,
      Cat: { type: "object", required: ["kind", "lives"], properties: { kind: { type: "string" }, lives: { type: "integer" } } },
      Dog: { type: "object", required: ["kind", "barks"], properties: { kind: { type: "string" }, barks: { type: "boolean" } } },
    },
  },
});

interface Guarded { gateway: Gateway; origin: NodeOrigin; profile: any }

async function guarded(cleanup: Cleanup, profile: object = {}, options: object = {}): Promise<Guarded> {
  const origin = await NodeOrigin.start(cleanup);
  const gateway = await Gateway.start(cleanup, origin.address, options);
  const { api } = gateway.server;
  const [made] = await api.create("schema/create", { name: "people", openapi: document(), ...profile });
  const attached = await api.patch(`applications/${gateway.application.id}`, { schema_id: made.id });
  assert.equal(attached.status, 200, attached.text);
  return { gateway, origin, profile: made };
}

/** The same data in another process. */
async function restarted(cleanup: Cleanup, gateway: Gateway) {
  const before = gateway.server;
  await before.stop();
  const server = await Server.start(cleanup, { data: before.data });
  const api = new Api(server.door("api"), before.accountId, before.ownerKey);
  const ask = (method: string, path: string, headers: Record<string, string> = {}, body?: string) =>
    call(server.door("gateway"), method, path, { ...gateway.headers, ...headers }, body);
  return { api, ask };
}

const violations = (answer: Answer): any[] => (answer.json.error as any).violations ?? [];
const json = { "content-type": "application/json" };
const post = (gateway: Gateway, body: unknown, headers: Record<string, string> = json) =>
  gateway.ask("POST", "/people", headers, typeof body === "string" ? body : JSON.stringify(body));

scenario("requests that the document does not allow are refused with every violation", async (cleanup) => {
  const { gateway, origin } = await guarded(cleanup);
  const long = "x".repeat(21);
  const multipart = (age: string) =>
    `--b\r\nContent-Disposition: form-data; name="name"\r\n\r\nAda\r\n--b\r\nContent-Disposition: form-data; name="age"\r\n\r\n${age}\r\n--b--\r\n`;
  const rows: [string, Promise<Answer>, number, string[]][] = [
    ["a good one", post(gateway, { name: "Ada", age: 36 }), 200, []],
    ["two mistakes", post(gateway, { name: long, age: -1 }), 400, ["/body/name", "/body/age"]],
    ["a member too many and one missing", post(gateway, { name: "Ada", shoe: 1 }), 400, ["/body", "/body/shoe"]],
    ["readOnly in a request", post(gateway, { name: "Ada", age: 1, id: 7 }), 400, ["/body/id"]],
    ["writeOnly in a request", post(gateway, { name: "Ada", age: 1, password: "p" }), 200, []],
    ["a discriminator chooses", post(gateway, { name: "Ada", age: 1, pet: { kind: "Dog", lives: 9 } }), 400, ["/body/pet"]],
    ["… and is satisfied", post(gateway, { name: "Ada", age: 1, pet: { kind: "Cat", lives: 9 } }), 200, []],
    ["no JSON", post(gateway, "{"), 400, ["/body"]],
    ["a member twice", post(gateway, '{"name":"A","age":1,"age":2}'), 400, ["/body"]],
    ["no body", gateway.ask("POST", "/people", json), 400, ["/body"]],
    ["another type", post(gateway, "x", { "content-type": "text/plain" }), 415, ["/header/Content-Type"]],
    ["no type", post(gateway, "x", {}), 415, ["/header/Content-Type"]],
    ["a good form", post(gateway, "name=Ada&age=36", { "content-type": "application/x-www-form-urlencoded" }), 200, []],
    ["a bad form", post(gateway, "name=Ada&age=old", { "content-type": "application/x-www-form-urlencoded" }), 400, ["/body/age"]],
    ["good parts", post(gateway, multipart("36"), { "content-type": "multipart/form-data; boundary=b" }), 200, []],
    ["bad parts", post(gateway, multipart("old"), { "content-type": "multipart/form-data; boundary=b" }), 400, ["/body/age"]],
    ["a good query", gateway.ask("GET", "/people?limit=5&other=1"), 200, []],
    ["a bad query", gateway.ask("GET", "/people?limit=500"), 400, ["/query/limit"]],
    ["a bad field", gateway.ask("GET", "/people", { "x-trace": "xyz" }), 400, ["/header/X-Trace"]],
    ["a bad cookie", gateway.ask("GET", "/people", { cookie: "session=123456789" }), 400, ["/cookie/session"]],
    ["a good path", gateway.ask("GET", "/people/7"), 200, []],
    ["a bad path", gateway.ask("GET", "/people/seven"), 400, ["/path/id"]],
    ["an encoded path", gateway.ask("GET", "/people/%37"), 200, []],
    ["an unknown path is logged by default", gateway.ask("GET", "/pets"), 200, []],
  ];
  for (const [says, asked, status, pointers] of rows) {
    const answer = await asked;
    assert.equal(answer.status, status, `${says}: ${answer.text}`);
    if (status === 200) continue;
    assert.equal(answer.json.error!.code, "schema_violation", says);
    const found = violations(answer).map((one) => one.pointer);
    assert.deepEqual([...new Set(found)].sort(), pointers.sort(), `${says}: ${answer.text}`);
    for (const one of violations(answer)) {
      assert.ok(one.keyword && one.message, says);
      assert.match(one.schema, /^#/, says);
    }
  }
  assert.equal(origin.requests.length, rows.filter((row) => row[2] === 200).length, "no refused request reached the origin");
});

scenario("without detailResponse a refusal tells its class alone", async (cleanup) => {
  const { gateway } = await guarded(cleanup, {}, { application: { detailResponse: false } });
  const bad = await post(gateway, { name: 7 });
  assert.equal(bad.status, 400);
  assert.deepEqual(bad.json.error, { code: "bad_request" });
  const type = await post(gateway, "x", { "content-type": "text/plain" });
  assert.equal(type.status, 415);
  assert.deepEqual(type.json.error, { code: "bad_request" });
});

scenario("unknown endpoints are refused, logged or let pass", async (cleanup) => {
  const { gateway, origin, profile } = await guarded(cleanup, { unknownEndpoints: "block" });
  const { api } = gateway.server;
  const unknown = await gateway.ask("GET", "/pets");
  assert.equal(unknown.status, 400, unknown.text);
  assert.deepEqual(violations(unknown).map((one) => one.pointer), ["/path"]);
  const method = await gateway.ask("DELETE", "/people");
  assert.equal(method.status, 405, method.text);
  assert.equal(method.headers.allow, "GET, POST");
  assert.equal((await gateway.ask("HEAD", "/people")).status, 200, "HEAD as GET");
  for (const mode of ["allow", "log"]) {
    assert.equal((await api.patch(`schema/${profile.id}`, { unknownEndpoints: mode })).status, 200);
    assert.equal((await gateway.ask("DELETE", "/people")).status, 200, mode);
    assert.equal((await gateway.ask("GET", "/pets")).status, 200, mode);
    assert.equal((await post(gateway, {})).status, 400, mode);
  }
  assert.equal((await api.patch(`schema/${profile.id}`, { rule: "log", unknownEndpoints: "block" })).status, 200);
  assert.equal((await post(gateway, {})).status, 200, "rule log refuses nothing");
  assert.equal((await gateway.ask("GET", "/pets")).status, 200, "not even what is unknown");
  assert.equal(origin.last.target, "/pets");
});

scenario("only the endpoints that are named are protected", async (cleanup) => {
  const { gateway, profile } = await guarded(cleanup, { endpoints: ["POST /people", "/people/{id}"] });
  const { api } = gateway.server;
  assert.equal((await gateway.ask("GET", "/people?limit=500")).status, 200);
  assert.equal((await post(gateway, {})).status, 400);
  assert.equal((await gateway.ask("GET", "/people/seven")).status, 400);
  assert.equal((await api.patch(`schema/${profile.id}`, { endpoints: [] })).status, 200);
  assert.equal((await gateway.ask("GET", "/people?limit=500")).status, 400);
  const other = await api.patch(`schema/${profile.id}`, { endpoints: ["POST /people", "PUT /people"] });
  assert.equal(other.status, 400);
  assert.equal(other.json.error!.field, "endpoints[1]");
});

scenario("what is asked out of band is judged by what telemetry tells", async (cleanup) => {
  const { gateway } = await guarded(cleanup, { unknownEndpoints: "block" });
  const ask = async (telemetry?: object) => {
    const answer = await call(gateway.server.door("api"), "POST", "/authenticate", { "content-type": "application/json" },
      JSON.stringify({ token: gateway.token.token, appID: gateway.application.id, telemetry }));
    assert.equal(answer.status, 200);
    return answer.json.data[0];
  };
  assert.equal((await ask()).valid, true, "nothing is told of a request");
  assert.equal((await ask({ url: "/people?limit=5", method: "GET" })).valid, true);
  assert.equal((await ask({ url: "https://shop.test/people", method: "POST", headers: json })).valid, true, "its body is not known");
  const query = await ask({ url: "/people?limit=500", method: "GET" });
  assert.equal(query.code, "schema_violation");
  assert.deepEqual(query.violations.map((one: any) => one.pointer), ["/query/limit"]);
  assert.equal((await ask({ url: "/people", method: "POST", headers: { "Content-Type": "text/plain" } })).code, "schema_violation");
  assert.equal((await ask({ url: "/people", method: "GET", headers: { "x-trace": ["zz"] } })).code, "schema_violation");
  assert.equal((await ask({ url: "/pets", method: "GET" })).code, "schema_violation");
});

scenario("long bodies are judged too, up to inspectBytes", async (cleanup) => {
  const more = {
    "/bulk": { post: {
      requestBody: { content: { "application/json": { schema: { type: "array", items: { $ref: "#/components/schemas/Person" } } } } },
      responses: { 200: { description: "taken" } } } },
  };
  const { gateway, origin, profile } = await guarded(cleanup, { openapi: document(more), inspectBytes: 1 << 20 });
  const people = (n: number, last: object = {}) =>
    JSON.stringify([...Array.from({ length: n }, (_, i) => ({ name: `p${i}`, age: i % 100 })), { name: "last", age: 1, ...last }]);
  const ask = (body: string) => gateway.ask("POST", "/bulk", json, body);
  const many = sanitized ? 2000 : 20000; // too long for a turn, and in the 50 ms of CPU
  const good = people(many);
  assert.ok(good.length > 20 * many && good.length < 1 << 20);
  assert.equal((await ask(good)).status, 200);
  assert.equal(origin.last.body.toString(), good, "the origin gets it whole");
  const bad = await ask(people(many, { age: "old" }));
  assert.equal(bad.status, 400, bad.text);
  assert.deepEqual(violations(bad).map((one) => one.pointer), [`/body/${many}/age`]);
  const over = await ask(people(60000));
  assert.equal(over.status, 413);
  const { api } = gateway.server;
  assert.equal((await api.patch(`schema/${profile.id}`, { overLimit: "pass" })).status, 200);
  assert.equal((await ask(people(60000, { age: "old" }))).status, 200, "passes unjudged");
  const metrics = (await call(gateway.server.door("api"), "GET", "/metrics")).text;
  assert.match(metrics, /typeauth_schema_worked_total [1-9]/);
});

scenario("a body that no protected operation has is of any length and encoding", async (cleanup) => {
  const { gateway, origin, profile } = await guarded(cleanup, { inspectBytes: 1024, endpoints: ["POST /people", "GET /people/{id}"] });
  const long = "x".repeat(5000);
  const zipped = { ...json, "content-encoding": "gzip" };
  assert.equal((await post(gateway, long)).status, 413);
  assert.equal((await post(gateway, long, zipped)).status, 415);
  const asked: [string, string][] = [["PUT", "/uploads/1"], ["PUT", "/people"], ["GET", "/people"], ["GET", "/people/7"]];
  for (const [method, path] of asked)
    for (const headers of [json, zipped])
      assert.equal((await gateway.ask(method, path, headers, long)).status, 200, `${method} ${path}`);
  assert.equal(origin.requests.length, 2 * asked.length);
  const { api } = gateway.server;
  assert.equal((await api.patch(`schema/${profile.id}`, { endpoints: ["GET /people/{id}"] })).status, 200);
  assert.equal((await post(gateway, long)).status, 200);
});

scenario("a document with an error is refused with the error's place", async (cleanup) => {
  const server = await Server.start(cleanup);
  const { api } = server;
  const rows: [unknown, RegExp][] = [
    ["openapi: 3.0.3\ninfo: {title: t, version: '1'}\npaths:\n  /a:\n    get: {parameters: [{name: x, in: nowhere}]}\n",
      /^\/paths\/~1a\/get\/parameters\/0 \(line 5, column \d+\): /],
    ['{"openapi": "3.0.3",\n"info":}', /line 2/],
    [{ ...document(), openapi: "2.0" }, /^\/openapi: OpenAPI 2\.0 is not supported/],
    [{ ...document(), components: { schemas: { A: { type: "strin" }, B: { type: "nil" } } } }, /^\/components\/schemas\/A\/type: .*more error/],
    ["", /1 byte/],
    ["a: [", /not YAML/],
  ];
  for (const [openapi, says] of rows) {
    const answer = await api.post("schema/create", { name: "bad", openapi });
    assert.equal(answer.status, 400, JSON.stringify(openapi));
    assert.equal(answer.json.error!.field, "openapi");
    assert.match(answer.json.message, says);
  }
  for (const openapi of [7, [], true, null])
    assert.equal((await api.post("schema/create", { name: "bad", openapi })).json.error!.field, "openapi");
  assert.deepEqual((await api.get("schema")).json.data, []);
});

scenario("a document is kept as it was sent; lists do not show it", async (cleanup) => {
  const server = await Server.start(cleanup);
  const { api } = server;
  const yaml = "# people\nopenapi: 3.1.0\ninfo: {title: t, version: '1'}\npaths: {}\n";
  const [made] = await api.create("schema/create", { name: "yaml", openapi: yaml });
  assert.equal(made.openapi, yaml);
  const shown = (await api.get(`schema/${made.id}`)).json.data[0];
  assert.equal(shown.openapi, yaml);
  assert.equal(shown.rule, "block");
  const text = '{"openapi":"3.1.0","info":{"title":"t","version":"1"},"paths":{},"x-n":1.0000000000000000000001}';
  const raw = `{"name":"object","openapi":${text}}`;
  const object = (await api.post("schema/create", raw)).json.data[0];
  assert.equal(object.openapi, text, "numbers are not rounded");
  const list = (await api.get("schema")).json.data;
  assert.deepEqual(list.map((one: any) => [one.name, "openapi" in one]), [["object", false], ["yaml", false]]);
  const { openapi: _, ...rest } = shown;
  assert.deepEqual(list[1], rest);
  // written back as it was read; another name leaves the document
  assert.equal((await api.patch(`schema/${made.id}`, shown)).status, 200);
  const named = await api.patch(`schema/${made.id}`, { name: "other" });
  assert.equal(named.json.data[0].openapi, yaml);
  assert.equal((await api.patch(`schema/${made.id}`, { openapi: null })).status, 400);
  const nulls = { openapi: "3.1.0", info: { title: "t", version: "1" }, paths: {}, components: { schemas: { A: { const: null } } } };
  const merged = await api.patch(`schema/${made.id}`, { openapi: nulls });
  assert.deepEqual(JSON.parse(merged.json.data[0].openapi), nulls, "a document is replaced, not merged");
  const audit = (await api.get(`audit?object_id=${made.id}`)).json.data;
  assert.match(audit[0].after.openapi, /^sha256:[0-9a-f]{64}$/);
  assert.notEqual(audit[0].after.openapi, audit[0].before.openapi);
  assert.equal((await api.delete(`schema/${made.id}`)).status, 200);
  assert.equal((await api.get(`schema/${made.id}`)).status, 404);
});

scenario("16 MiB of document are taken, kept over a restart, and no byte more", async (cleanup) => {
  const origin = await NodeOrigin.start(cleanup);
  const gateway = await Gateway.start(cleanup, origin.address);
  const { server } = gateway;
  const { api } = server;
  const most = 16 << 20;
  const frame = JSON.stringify({ ...document(), "x-filler": "@" });
  const sized = (n: number) => frame.replace("@", '\\"'.repeat(((n - frame.length + 1) >> 1) - 1) + "x".repeat(2 + ((n - frame.length + 1) & 1)));
  const whole = sized(most);
  assert.equal(whole.length, most);
  const idempotent = { headers: { "idempotency-key": "a-document-of-16-MiB" } };
  const made = await api.post("schema/create", { name: "large", openapi: whole }, idempotent);
  assert.equal(made.status, 201, made.text.slice(0, 300));
  assert.equal(made.json.data[0].openapi, whole);
  const again = await api.post("schema/create", { name: "large", openapi: whole }, idempotent);
  assert.equal(again.headers["idempotency-replayed"], "true");
  assert.equal(again.text, made.text);
  const id = made.json.data[0].id;
  const over = await api.post("schema/create", { name: "over", openapi: sized(most + 1) });
  assert.equal(over.status, 400, over.text.slice(0, 300));
  assert.equal(over.json.error!.field, "openapi");
  const upload = await api.post("schema/create", { name: "over", openapi: "x".repeat(33 << 20) });
  assert.equal(upload.status, 413);
  assert.equal((await api.patch(`applications/${gateway.application.id}`, { schema_id: id })).status, 200);
  assert.equal((await post(gateway, {})).status, 400);
  const list = await api.get("schema");
  assert.ok(list.text.length < 2000);
  const later = await restarted(cleanup, gateway);
  assert.equal((await later.ask("POST", "/people", json, "{}")).status, 400, "the same after a restart");
  assert.equal((await later.api.get(`schema/${id}`)).json.data[0].openapi, whole);
});

scenario("more operations than the setting need endpoints", async (cleanup) => {
  const server = await Server.start(cleanup, { args: ["--schema-endpoints", "2"] });
  const { api } = server;
  const all = await api.post("schema/create", { name: "all", openapi: document() });
  assert.equal(all.status, 400);
  assert.equal(all.json.error!.field, "endpoints");
  assert.equal((await api.post("schema/create", { name: "two", openapi: document(), endpoints: ["/people"] })).status, 201);
});

scenario("coverage tells which operations were seen, which never, and what hit none", async (cleanup) => {
  const { gateway, profile } = await guarded(cleanup);
  const coverage = async (api: Api) => (await api.get(`schema/${profile.id}/coverage`)).json.data[0];
  const before = await coverage(gateway.server.api);
  assert.equal(before.never, 3);
  assert.deepEqual(before.unknown, []);
  for (let i = 0; i < 3; i++) await gateway.ask("GET", "/people");
  await post(gateway, {});
  for (let i = 0; i < 4; i++) await gateway.ask("GET", `/pets/${i}/toys`);
  await gateway.ask("PUT", "/people");
  const check = (seen: any) => {
    const by = Object.fromEntries(seen.operations.map((one: any) => [one.operationId, one]));
    assert.equal(by.list.count, 3);
    assert.equal(by.add.count, 1, "a refused request has hit its operation");
    assert.equal(by.one.count, 0);
    assert.equal(by.one.lastSeen, null);
    assert.ok(Math.abs(Date.parse(by.list.lastSeen) - Date.now()) < 60_000);
    assert.deepEqual([seen.seen, seen.never], [2, 1]);
    assert.deepEqual(seen.unknown.map((one: any) => [one.method, one.path, one.count]),
      [["GET", "/pets/{}/toys", 4], ["PUT", "/people", 1]]);
  };
  check(await coverage(gateway.server.api));
  const { api, ask } = await restarted(cleanup, gateway);
  check(await coverage(api));
  await ask("GET", "/people/1");
  const renamed = await api.patch(`schema/${profile.id}`, { openapi: document({ "/new": { get: { responses: {} } } }) });
  assert.equal(renamed.status, 200);
  const later = await coverage(api);
  assert.equal(later.operations.find((one: any) => one.operationId === "one").count, 1, "another document goes on where it agrees");
  assert.deepEqual([later.seen, later.never], [3, 1]);
});

scenario("answers of the origin are judged beside the stream, and only counted", async (cleanup) => {
  const bodies: Record<string, [number, string, string]> = {
    "/people?limit=1": [200, "application/json", JSON.stringify([{ name: "Ada", age: 36, id: 1 }])],
    "/people?limit=2": [200, "application/json", JSON.stringify([{ name: "Ada", age: "old" }])],
    "/people?limit=3": [200, "application/json", JSON.stringify([{ name: "Ada", age: 3, password: "secret" }])],
    "/people?limit=4": [200, "text/html", "<p>"],
    "/people?limit=5": [418, "application/json", "{}"],
    "/people?limit=6": [200, "application/json", "[" + JSON.stringify({ name: "Ada", age: 1 }) + (",".padEnd(200_000) + JSON.stringify({ name: "Ada", age: 2 })) + "]"],
  };
  const origin = await NodeOrigin.start(cleanup, (request, response) => {
    const [status, type, body] = bodies[request.url!]!;
    response.writeHead(status, { "content-type": type }).end(body);
  });
  const gateway = await Gateway.start(cleanup, origin.address);
  const { api } = gateway.server;
  const [made] = await api.create("schema/create", { name: "people", openapi: document(), responses: "log", responseSample: 1 });
  await api.patch(`applications/${gateway.application.id}`, { schema_id: made.id });
  const count = async (verdict: string) => {
    const text = (await call(gateway.server.door("api"), "GET", "/metrics")).text;
    return Number(new RegExp(`typeauth_schema_answers_total\\{verdict="${verdict}"\\} (\\d+)`).exec(text)![1]);
  };
  for (const [target, [status, , body]] of Object.entries(bodies)) {
    const answer = await gateway.ask("GET", target);
    assert.equal(answer.status, status, target);
    assert.equal(answer.text, body, "every byte as it came");
  }
  assert.equal(await count("ok"), 1);
  assert.equal(await count("violation"), 4, "a type, a writeOnly member, another media type, another status");
  assert.equal((await api.patch(`schema/${made.id}`, { responseSample: 10_000 })).status, 200);
  for (let i = 0; i < 5; i++) await gateway.ask("GET", "/people?limit=2");
  assert.ok((await count("violation")) <= 6, "the others are not looked at");
});
