// Who may do what: every endpoint of /openapi.json, every role, no key, a bad
// key, another account's key. The expectations are api.md §1, by hand.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import {
  Api, Cleanup, anotherAccount, call, roles, serverWithRoot, type Server,
} from "./harness/index.js";

type Role = (typeof roles)[number] | "root" | "anybody";

/** Lowest role. "viewer: every GET but the audit log; editor: + tokens, tags,
 * an application's name, description, tags; admin: + profiles, applications,
 * import, counters, audit; owner: + management keys"; accounts: root. */
const lowest: Record<string, Role> = {
  "post /accounts/create": "root",
  "get /accounts": "root",
  "get /accounts/{id}": "root",
  "patch /accounts/{id}": "root",
  "delete /accounts/{id}": "root",
  "post /{account_id}/applications/create": "admin",
  "get /{account_id}/applications": "viewer",
  "get /{account_id}/applications/{id}": "viewer",
  "patch /{account_id}/applications/{id}": "editor",
  "delete /{account_id}/applications/{id}": "admin",
  "post /{account_id}/applications/{id}/tags": "editor",
  "get /{account_id}/applications/{id}/origins": "viewer",
  "get /api/v1/applications/{id}/origins": "viewer",
  "get /api/v1/applications": "viewer",
  "get /api/v1/applications/{id}": "viewer",
  "patch /api/v1/applications/{id}": "editor",
  "delete /api/v1/applications/{id}": "admin",
  "post /api/v1/applications/{id}/tags": "editor",
  "post /{account_id}/token/create/{application_id}": "editor",
  "post /{account_id}/token/import/{application_id}": "admin",
  "get /{account_id}/token": "viewer",
  "get /{account_id}/token/{id}": "viewer",
  "patch /{account_id}/token/{id}": "editor",
  "delete /{account_id}/token/{id}": "editor",
  "post /{account_id}/token/{id}/tags": "editor",
  "post /{account_id}/token/{id}/rotate": "editor",
  "get /{account_id}/token/{id}/usage": "viewer",
  "get /{account_id}/token/{id}/counters": "viewer",
  "delete /{account_id}/token/{id}/counters": "admin",
  "get /api/v1/keys": "viewer",
  "get /api/v1/keys/{id}": "viewer",
  "patch /api/v1/keys/{id}": "editor",
  "delete /api/v1/keys/{id}": "editor",
  "post /api/v1/keys/{id}/tags": "editor",
  "post /{account_id}/authentication/create": "admin",
  "get /{account_id}/authentication": "viewer",
  "get /{account_id}/authentication/{id}": "viewer",
  "patch /{account_id}/authentication/{id}": "admin",
  "delete /{account_id}/authentication/{id}": "admin",
  "post /{account_id}/applications/{application_id}/jwt/validation": "admin",
  "get /{account_id}/applications/{application_id}/jwt/validation": "viewer",
  "delete /{account_id}/applications/{application_id}/jwt/validation": "admin",
  "post /api/v1/applications/{application_id}/jwt/validation": "admin",
  "get /api/v1/applications/{application_id}/jwt/validation": "viewer",
  "delete /api/v1/applications/{application_id}/jwt/validation": "admin",
  "post /{account_id}/jwt/create": "admin",
  "get /{account_id}/jwt": "viewer",
  "get /{account_id}/jwt/{id}": "viewer",
  "patch /{account_id}/jwt/{id}": "admin",
  "delete /{account_id}/jwt/{id}": "admin",
  "post /{account_id}/jwk/create": "admin",
  "get /{account_id}/jwk": "viewer",
  "get /{account_id}/jwk/{id}": "viewer",
  "patch /{account_id}/jwk/{id}": "admin",
  "delete /{account_id}/jwk/{id}": "admin",
  "post /{account_id}/routing/create": "admin",
  "post /{account_id}/routing/{application_id}/routing-profiles": "admin",
  "get /{account_id}/routing": "viewer",
  "get /{account_id}/routing/{id}": "viewer",
  "patch /{account_id}/routing/{id}": "admin",
  "delete /{account_id}/routing/{id}": "admin",
  "patch /{account_id}/security/waf/{application_id}": "admin",
  "patch /{account_id}/security/geoblock/{application_id}": "admin",
  "get /{account_id}/data": "viewer",
  "get /api/v1/data": "viewer",
  ...Object.fromEntries(["security", "abuse"].flatMap((noun) => [
    [`post /{account_id}/${noun}/create`, "admin"],
    [`get /{account_id}/${noun}`, "viewer"],
    [`get /{account_id}/${noun}/{id}`, "viewer"],
    [`patch /{account_id}/${noun}/{id}`, "admin"],
    [`delete /{account_id}/${noun}/{id}`, "admin"],
  ])),
  "post /{account_id}/schema/create": "admin",
  "get /{account_id}/schema": "viewer",
  "get /{account_id}/schema/{id}": "viewer",
  "get /{account_id}/schema/{id}/coverage": "viewer",
  "patch /{account_id}/schema/{id}": "admin",
  "delete /{account_id}/schema/{id}": "admin",
  "post /{account_id}/tag/create": "editor",
  "post /tags": "editor",
  "get /tags": "viewer",
  "get /{account_id}/tag": "viewer",
  "get /{account_id}/tag/{id}": "viewer",
  "patch /{account_id}/tag/{id}": "editor",
  "delete /{account_id}/tag/{id}": "editor",
  "post /{account_id}/management-key/create": "owner",
  "get /{account_id}/management-key": "viewer",
  "get /{account_id}/management-key/{id}": "viewer",
  "patch /{account_id}/management-key/{id}": "owner",
  "delete /{account_id}/management-key/{id}": "owner",
  "get /{account_id}/challenge": "viewer",
  "get /{account_id}/challenge/{id}": "viewer",
  "post /{account_id}/challenge/{id}/verify": "editor", // a block: admin (detection.test.ts)
  "post /{account_id}/challenge/{id}/deny": "editor",
  "get /{account_id}/token/{id}/detection": "viewer",
  "delete /{account_id}/token/{id}/detection": "admin",
  "get /{account_id}/applications/{application_id}/detection": "viewer",
  "delete /{account_id}/applications/{application_id}/detection": "admin",
  "get /{account_id}/audit": "admin",
  "get /{account_id}/events": "viewer",
  "get /{account_id}/events/{id}": "viewer",
  "get /{account_id}/analytics": "viewer",
  "get /{account_id}/applications/{id}/totals": "viewer",
  "get /{account_id}/traces/{request_id}": "viewer",
  "post /{account_id}/alert/create": "editor",
  "get /{account_id}/alert": "viewer",
  "get /{account_id}/alert/{id}": "viewer",
  "patch /{account_id}/alert/{id}": "editor",
  "delete /{account_id}/alert/{id}": "editor",
  "post /{account_id}/alert/{id}/rotate": "editor",
  "post /{account_id}/alert/{id}/test": "editor",
  "get /{account_id}/alert/{id}/dead-letters": "viewer",
  "post /{account_id}/alert/{id}/dead-letters/{delivery_id}/resend": "editor",
  "delete /{account_id}/alert/{id}/dead-letters/{delivery_id}": "editor",
  ...Object.fromEntries(["/{account_id}/monitor/{application_id}", "/api/v1/applications/{application_id}/monitor"].flatMap((path) => [
    [`get ${path}`, "viewer"],
    [`put ${path}`, "admin"],
    [`get ${path}/status`, "viewer"],
    [`get ${path}/history`, "viewer"],
  ])),
  "get /assertion-keys": "root",
  "post /assertion-keys/rotate": "root",
  "get /.well-known/jwks.json": "anybody",
  "post /authenticate": "anybody",
  "post /authenticate/batch": "anybody",
  "get /openapi.json": "anybody",
  "get /healthz": "anybody",
  "get /readyz": "anybody", // the listener of the tests is on loopback
  "get /metrics": "anybody",
};

/** The same below every name that a noun has. */
const aliases: [string, string[]][] = [
  ["/{account_id}/applications", ["/{account_id}/application"]],
  ["/{account_id}/token", ["/{account_id}/keys", "/{account_id}/tokens"]],
  ["/{account_id}/tag", ["/{account_id}/tags"]],
  ["/{account_id}/security", ["/{account_id}/firewall"]],
  ["/{account_id}/alert", ["/{account_id}/alerts"]],
];

const cleanup = new Cleanup();
let server: Server;
let other: Api;
let rootKey: string;
const keys: Record<string, string> = {};

before(async () => {
  ({ server, rootKey } = await serverWithRoot(cleanup));
  for (const role of roles)
    keys[role] = (await server.api.create("management-key/create", { name: role, role }))[0].key;
  keys["root"] = rootKey;
  other = await anotherAccount(server, rootKey, "other");
});
after(() => cleanup.run());

/** Ids that nobody has: what is permitted answers 404 or 400, and changes nothing. */
function target(path: string): string {
  const prefix = /applications?\b/.test(path) ? "app" : /token|keys/.test(path) ? "tok"
    : /authentication/.test(path) ? "auth"
    : /schema/.test(path) ? "schema" : /routing/.test(path) ? "route" : /security/.test(path) ? "sec" : /abuse/.test(path) ? "abuse" : /jw[kt]/.test(path) ? /jwk/.test(path) ? "jwk" : "jwt" : /tags?\b/.test(path) ? "tag"
    : /challenge/.test(path) ? "chal" : /alert/.test(path) ? "alert" : /management/.test(path) ? "key" : "acc";
  return path
    .replace("{account_id}", server.accountId)
    .replace("{application_id}", "app_00000000000000000000000000")
    .replace("{request_id}", "0".repeat(32))
    .replace("{delivery_id}", "dlv_00000000000000000000000000")
    .replace("{id}", `${prefix}_00000000000000000000000000`);
}

const ask = (where: string, key: string | null) => {
  const [method, path] = where.split(" ") as [string, string];
  const body = method === "post" || method === "patch" || method === "put" ? { nonsense: 1 } : undefined;
  return server.api.call(method.toUpperCase(), target(path), { body, key });
};

test("the table names every endpoint that is published, and no other", async () => {
  const { document } = await server.api.contract();
  const published: string[] = [];
  for (const [path, methods] of Object.entries<any>(document.paths))
    for (const method of Object.keys(methods))
      if (method !== "$ref") published.push(`${method} ${path}`);
  assert.deepEqual(published.sort(), Object.keys(lowest).sort());
  for (const where of published) {
    const [method, path] = where.split(" ") as [string, string];
    const operation = document.paths[path][method];
    if (lowest[where] !== "anybody")
      assert.equal(operation["x-role"], lowest[where], where);
  }
});

for (const [where, role] of Object.entries(lowest))
  test(`${where} is for ${role} and above`, async () => {
    if (role === "anybody") {
      assert.ok(![401, 403].includes((await ask(where, null)).status));
      return;
    }
    const without = await ask(where, null);
    assert.equal(without.status, 401, without.text);
    assert.match(String(without.headers["www-authenticate"]), /^Bearer/);
    for (const asker of [...roles, "root"]) {
      const answer = await ask(where, keys[asker]!);
      const may: boolean = asker === "root" ||
        (role !== "root" && roles.indexOf(asker as any) >= roles.indexOf(role as any));
      assert.equal(answer.status === 403, !may, `${asker}: ${answer.status} ${answer.text}`);
      assert.notEqual(answer.status, 401);
      assert.ok(answer.status < 500, answer.text);
      if (answer.status === 403) assert.equal(answer.json.error!.code, "forbidden");
    }
    if (where.includes("{account_id}")) {
      const foreign = await ask(where, other.key);
      assert.equal(foreign.status, 404, `another account: ${foreign.text}`);
    }
  });

test("the names that a noun also has are guarded alike", async () => {
  for (const [path, others] of aliases)
    for (const [where, role] of Object.entries(lowest))
      for (const name of others) {
        const [method, at] = where.split(" ") as [string, string];
        if (at !== path && !at.startsWith(`${path}/`)) continue;
        const same = `${method} ${name}${at.slice(path.length)}`;
        const below = keys[roles[roles.indexOf(role as any) - 1]!]!;
        assert.equal((await ask(same, below)).status, 403, same);
        const allowed = await ask(same, keys[role]!);
        assert.ok(![401, 403, 405].includes(allowed.status), `${same}: ${allowed.text}`);
        assert.equal((await ask(same, other.key)).status, 404, same);
      }
});

test("another account's objects are not there, by id or by list", async () => {
  const { api } = server;
  const app = await api.application("mine", { host: "127.0.0.1", port: 9 }, {});
  const [token] = await api.tokens(app.id);
  const [tag] = await api.create("tag/create", { name: "mine" });
  const [key] = await api.create("management-key/create", { name: "mine", role: "viewer" });
  const [route] = await api.create("routing/create", { name: "mine", endpoints: [{ public_path: "/" }] });
  const [keySet] = await api.create("jwk/create", { name: "mine", url: "https://keys.example.com/" });
  const [secure] = await api.create("security/create", { name: "mine", ip: { deny: ["192.0.2.1"] } });
  const [abuse] = await api.create("abuse/create", { name: "mine", blocklist: ["mine.example"] });
  const [schema] = await api.create("schema/create", { name: "mine", openapi: "openapi: 3.1.0\ninfo: {title: t, version: '1'}\npaths: {}\n" });
  assert.equal((await other.get(`schema/${schema.id}/coverage`)).status, 404);
  const objects: [string, string, object][] = [
    ["schema", schema.id, { name: "theirs" }],
    ["security", secure.id, { name: "theirs" }], ["abuse", abuse.id, { name: "theirs" }],
    ["routing", route.id, { name: "theirs" }], ["jwk", keySet.id, { name: "theirs" }],
    ["applications", app.id, { name: "theirs" }], ["token", token.id, { owner: "theirs" }],
    ["authentication", app.auth_id, { prefix: "x" }], ["tag", tag.id, { name: "theirs" }],
    ["management-key", key.id, { name: "theirs" }],
  ];
  for (const [noun, id, change] of objects) {
    const before_ = (await api.get(`${noun}/${id}`)).text;
    for (const owner of [other, new Api(server.door("api"), server.accountId, other.key)]) {
      assert.equal((await owner.get(`${noun}/${id}`)).status, 404, noun);
      assert.equal((await owner.patch(`${noun}/${id}`, change)).status, 404, noun);
      assert.equal((await owner.delete(`${noun}/${id}`)).status, 404, noun);
    }
    assert.ok(!(await other.get(noun)).text.includes(id), noun);
    assert.equal((await api.get(`${noun}/${id}`)).text, before_);
  }
  for (const path of [`waf/${app.id}?status=disable`, `geoblock/${app.id}?area=off`])
    assert.equal((await other.patch(`security/${path}`, undefined)).status, 404, path);
  for (const [field, id] of [["security_id", secure.id], ["abuse_id", abuse.id]]) {
    const stolen = await other.post("applications/create", { name: "x", [field]: id });
    assert.deepEqual([stolen.status, stolen.json.error!.field], [400, field]);
  }
  assert.equal((await api.get(`applications/${app.id}`)).json.data[0].security_id, "", "no switch of theirs made one");
  for (const path of [`token/${token.id}/usage`, `token/${token.id}/counters`])
    assert.equal((await other.get(path)).status, 404, path);
  assert.equal((await other.post(`token/${token.id}/rotate`, {})).status, 404);
  assert.equal((await other.delete(`token/${token.id}/counters`)).status, 404);
  assert.equal((await other.post(`token/create/${app.id}`, {})).status, 404);
  assert.equal((await other.get(`token?applicationId=${app.id}`)).json.data.length, 0);
  assert.equal((await other.get(`/api/v1/keys/${token.id}`)).status, 404);
  assert.equal((await other.get(`/api/v1/applications?account_id=${server.accountId}`)).status, 404);
  const stolen = await other.post("applications/create", { name: "x", auth_id: app.auth_id });
  assert.equal(stolen.status, 400);
  assert.equal(stolen.json.error!.field, "auth_id");
});

test("on paths without an account a root key says which", async () => {
  const without = await server.api.get("/api/v1/applications", { key: rootKey });
  assert.equal(without.status, 400);
  assert.equal(without.json.error!.field, "account_id");
  const named = await server.api.get(`/api/v1/applications?account_id=${server.accountId}`, { key: rootKey });
  assert.equal(named.status, 200);
  const none = await server.api.get("/api/v1/applications?account_id=acc_00000000000000000000000000", { key: rootKey });
  assert.equal(none.status, 404);
});

test("an editor changes an application's name, description and tags, nothing else", async () => {
  const app = await server.api.application("edited", { host: "127.0.0.1", port: 9 }, {});
  const path = `applications/${app.id}`;
  const key = keys["editor"]!;
  const good = await server.api.patch(path, { name: "by editor", description: "d", tags: ["t"] }, { key });
  assert.equal(good.status, 200, good.text);
  for (const [name, value] of Object.entries({
    domain: "e.example.test", originHostname: "e.example", detailResponse: true, auth_id: null,
    enabled: false, public: false, maxBodyBytes: 5, timeouts: null, authenticate: { mode: "off" },
  })) {
    const bad = await server.api.patch(path, { [name]: value }, { key });
    const same = JSON.stringify(app[name] ?? null) === JSON.stringify(value);
    assert.equal(bad.status, same ? 200 : 403, `${name}: ${bad.text}`);
    if (!same) assert.equal(bad.json.error!.field, name);
  }
  const { name, description, tags, updatedAt, ...rest } = (await server.api.get(path)).json.data[0];
  for (const [field, value] of Object.entries(rest)) assert.deepEqual(value, app[field], field);
});

test("a key that expired, or was taken away, is refused at once", async () => {
  const [made] = await server.api.create("management-key/create", { name: "short", role: "viewer" });
  assert.equal((await server.api.get("applications", { key: made.key })).status, 200);
  assert.equal((await server.api.patch(`management-key/${made.id}`, { role: "verifier" })).status, 200);
  assert.equal((await server.api.get("applications", { key: made.key })).status, 403);
  assert.equal((await server.api.delete(`management-key/${made.id}`)).status, 200);
  assert.equal((await server.api.get("applications", { key: made.key })).status, 401);
});

test("the last owner key cannot go, nor lose its role", async () => {
  const mine = (await other.get("management-key")).json.data;
  assert.equal(mine.length, 1);
  const path = `management-key/${mine[0].id}`;
  const [soon] = await other.create("management-key/create", { name: "soon", role: "owner", expires: 3600 });
  for (const answer of [
    await other.delete(path), await other.patch(path, { role: "admin" }), await other.patch(path, { expires: 3600 }),
  ]) {
    assert.equal(answer.status, 409, answer.text);
    assert.equal(answer.json.error!.code, "last_owner_key");
  }
  assert.equal((await other.get(path)).json.data[0].expiresAt, null);
  assert.equal((await other.delete(`management-key/${soon.id}`)).status, 200);
  const [second] = await other.create("management-key/create", { name: "second", role: "owner" });
  assert.equal((await other.patch(path, { role: "admin" })).status, 200);
  assert.equal((await other.get("applications")).status, 200);
  const back = await other.patch(path, { role: "owner" }, { key: second.key });
  assert.equal(back.status, 200);
});

test("bad management keys are limited by address; a good one passes on", async () => {
  let limited;
  for (let i = 0; i < 200 && !limited; i++) {
    const answer = await server.api.get("applications", { key: `tam_${i}` });
    if (answer.status === 429) limited = answer;
    else assert.equal(answer.status, 401);
  }
  assert.ok(limited, "200 bad keys were never limited");
  assert.ok(Number(limited.headers["retry-after"]) >= 1);
  assert.equal(limited.json.error!.code, "too_many_failures");
  assert.equal((await server.api.get("applications")).status, 200);
  assert.equal((await call(server.door("api"), "GET", "/healthz")).status, 200);
});
