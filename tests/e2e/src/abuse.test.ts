// Abuse profiles in traffic (detectors.md §2): the limit by address, header and
// token, exact under many connections; disposable mail through both doors, with a
// list that comes, changes and breaks while the server runs. What a place or a
// list means has its table: tests/unit/check/test_abuse.c.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Clock, Gateway, NodeOrigin, Server, bringList, call, eventually, scenario, type Answer, type Cleanup, type GatewayOptions } from "./harness/index.js";

interface World { gateway: Gateway; origin: NodeOrigin; profile: (members: object) => Promise<any> }

/** A gateway with an abuse profile that `profile` replaces by a new one. */
async function world(cleanup: Cleanup, options: GatewayOptions = {}): Promise<World> {
  const origin = await NodeOrigin.start(cleanup);
  const gateway = await Gateway.start(cleanup, origin.address, options);
  const { api } = gateway.server;
  let n = 0;
  return {
    gateway, origin,
    profile: async (members) => {
      const [made] = await api.create("abuse/create", { name: `abuse ${++n}`, ...members });
      const attached = await api.patch(`applications/${gateway.application.id}`, { abuse_id: made.id });
      assert.equal(attached.status, 200, attached.text);
      return made;
    },
  };
}

const code = (answer: Answer): string => (answer.status < 400 ? "" : JSON.parse(answer.text).error.code);

const verify = async (gateway: Gateway, telemetry?: object, more: object = {}): Promise<any> => {
  const answer = await call(gateway.server.door("verify"), "POST", "/authenticate", { "content-type": "application/json" },
    JSON.stringify({ token: gateway.token.token, appID: gateway.application.id, telemetry, ...more }));
  assert.equal(answer.status, 200, answer.text);
  return JSON.parse(answer.text).data[0];
};

/** `times` requests of each of 16 connections at once; what became of them. */
async function crowd(gateway: Gateway, times: number, headers: (connection: number) => Record<string, string>) {
  const told = new Map<string, number>();
  await Promise.all(Array.from({ length: 16 }, async (_, i) => {
    const client = await gateway.raw();
    const fields = Object.entries(headers(i)).map(([name, value]) => `${name}: ${value}`);
    for (let k = 0; k < times; k++) {
      await client.send(gateway.head("GET / HTTP/1.1", fields));
      const answer = await client.read("GET");
      const said = answer.status === 200 ? "" : JSON.parse(answer.body.toString()).error.code;
      told.set(said, (told.get(said) ?? 0) + 1);
    }
  }));
  return told;
}

scenario("a limit counts exactly over 16 connections: by address, header, token", async (cleanup) => {
  const { gateway, origin, profile } = await world(cleanup);
  for (const [scope, header, values] of [
    ["ip", "x-any", 16], ["header:X-One", "x-one", 1], ["header:X-Two", "x-two", 2], ["header:X-None", "x-any", 4], ["token", "x-any", 16],
  ] as const) {
    await profile({ ratelimit: { requests: 300, interval: "1h" }, scope });
    await gateway.server.api.delete(`token/${gateway.token.id}/counters`);
    const before = origin.requests.length;
    const told = await crowd(gateway, 60, (i) => ({ [header]: `v${i % values}` }));
    const limits = scope.toLowerCase() === `header:${header}` ? values : 1;
    assert.deepEqual([told.get(""), told.get("global_rate_limited")], [300 * limits, 960 - 300 * limits], `${scope} ${values}`);
    assert.equal(origin.requests.length - before, 300 * limits);
    // no other profile's count: a changed interval starts empty
    await profile({ ratelimit: { requests: 1, interval: "59m" }, scope });
    assert.equal(code(await gateway.ask()), "");
    assert.equal(code(await gateway.ask()), "global_rate_limited");
  }
});

scenario("a forged X-Forwarded-For changes nothing; a trusted proxy's is counted", async (cleanup) => {
  for (const trusted of [false, true]) {
    const { gateway, profile } = await world(cleanup, { args: trusted ? ["--trusted-proxies", "127.0.0.0/8"] : [] });
    await profile({ ratelimit: { requests: 40, interval: "1h" } });
    const told = await crowd(gateway, 10, (i) => ({ "x-forwarded-for": `198.51.100.${i}`, forwarded: `for=198.51.100.${i}` }));
    assert.equal(told.get(""), trusted ? 160 : 40);
    // IPv6 counts by /64
    if (!trusted) continue;
    const from = (address: string) => gateway.ask("GET", "/", { "x-forwarded-for": address }).then(code);
    for (let i = 0; i < 40; i++) assert.equal(await from(`2001:db8::${i}:1`), "");
    assert.equal(await from("2001:db8::ffff"), "global_rate_limited");
    assert.equal(await from("2001:db8:0:1::1"), "");
  }
});

scenario("a refusal tells the limit, and who waits as told passes", async (cleanup) => {
  const clock = await Clock.make(cleanup);
  const { gateway, profile } = await world(cleanup, { env: clock.environment });
  const made = await profile({ ratelimit: { requests: "2", interval: "10m" }, scope: "ip" });
  assert.deepEqual(made.ratelimit, { requests: 2, interval: 600 });
  let answer = await gateway.ask();
  assert.equal(answer.headers["ratelimit-policy"], '"global";q=2;w=600');
  assert.match(String(answer.headers["ratelimit"]), /^"global";r=1;t=\d+$/);
  assert.equal(answer.headers["x-ratelimit-limit"], "2");
  await gateway.ask();
  answer = await gateway.ask();
  assert.equal(answer.status, 429);
  assert.equal(code(answer), "global_rate_limited");
  assert.equal(answer.headers["x-ratelimit-remaining"], "0");
  const wait = Number(answer.headers["retry-after"]);
  assert.ok(wait >= 600 && wait <= 675, `${wait}`);
  await clock.advance((wait - 80) * 1000);
  assert.equal(code(await gateway.ask()), "global_rate_limited");
  await clock.advance(80 * 1000);
  assert.equal(code(await gateway.ask()), "");
  // without detailResponse only the class is said
  await gateway.server.api.patch(`applications/${gateway.application.id}`, { detailResponse: false });
  for (let i = 0; i < 2; i++) answer = await gateway.ask();
  assert.equal(code(answer), "too_many_requests");
});

scenario("out of band the telemetry's address and headers are counted, with the cost", async (cleanup) => {
  const { gateway, profile } = await world(cleanup);
  await profile({ ratelimit: { requests: 10, interval: "1h" } });
  const from = (ipaddress: string, more = {}) => verify(gateway, { ipaddress }, more);
  assert.deepEqual((await from("192.0.2.1", { cost: 4 })).ratelimit.remaining, 6);
  assert.equal((await from("192.0.2.1", { cost: 7, peek: true })).code, "global_rate_limited");
  assert.equal((await from("192.0.2.1", { cost: 6 })).valid, true);
  const refused = await from("::ffff:192.0.2.1");
  assert.equal(refused.code, "global_rate_limited");
  assert.ok(refused.retryAfter > 3000, JSON.stringify(refused));
  assert.equal((await from("192.0.2.2")).valid, true);
  for (let i = 0; i < 12; i++) assert.equal((await verify(gateway)).valid, true, "nobody in particular");
  await profile({ ratelimit: { requests: 1, interval: "1h" }, scope: "header:x-user" });
  const of = (user: string) => verify(gateway, { ipaddress: "192.0.2.7", headers: { "X-User": user } });
  assert.deepEqual([(await of("ann")).valid, (await of("ann")).valid, (await of("bob")).valid], [true, false, true]);
});

scenario("a killed server counts tokens on and visitors anew", async (cleanup) => {
  for (const [scope, expected] of [["token", "global_rate_limited"], ["ip", ""]] as const) {
    const { gateway, profile } = await world(cleanup, { data: directory(cleanup) });
    await profile({ ratelimit: { requests: 3, interval: "1h" }, scope });
    for (let i = 0; i < 3; i++) assert.equal(code(await gateway.ask()), "");
    assert.equal(code(await gateway.ask()), "global_rate_limited");
    await gateway.server.kill();
    const server = await Server.start(cleanup, { data: gateway.server.data });
    const answer = await call(server.door("gateway"), "GET", "/", gateway.headers);
    assert.equal(code(answer), expected, scope);
  }
});

/* --- disposable mail --------------------------------------------------------- */

function directory(cleanup: Cleanup): string {
  const made = mkdtempSync(join(tmpdir(), "typeauth-abuse-"));
  cleanup.add(() => rmSync(made, { recursive: true, force: true }));
  return made;
}

const metric = async (gateway: Gateway, name: string): Promise<number> => {
  const { text } = await gateway.server.api.get("/metrics");
  return Number(new RegExp(`^${name} (\\d+)$`, "m").exec(text)?.[1]);
};

scenario("addresses of listed domains are refused wherever the profile looks", async (cleanup) => {
  const data = join(directory(cleanup), "data");
  bringList(data, ["trash.example.com"]);
  const { gateway, origin, profile } = await world(cleanup, { data, profile: { remaining: 1000 } });
  await profile({ checkLocations: ["header", "cookie", "query", "body"], checkPropertyName: "email", blocklist: ["bad.example"], exceptions: ["ok.trash.example.com"] });
  const json = { "content-type": "application/json" }, form = { "content-type": "application/x-www-form-urlencoded" };
  const cases: [says: string, target: string, headers: Record<string, string>, body: string | undefined, expected: string][] = [
    ["nothing", "/", {}, undefined, ""],
    ["header", "/", { email: "Ann <a@x.trash.example.com>" }, undefined, "disposable_email"],
    ["header, blocklist", "/", { email: "a@BAD.example." }, undefined, "disposable_email"],
    ["header, exception", "/", { email: "a@ok.trash.example.com" }, undefined, ""],
    ["header, unknown", "/", { email: "a@example.com" }, undefined, ""],
    ["cookie", "/", { cookie: "a=1; email=a%40trash.example.com" }, undefined, "disposable_email"],
    ["query", "/?a=1&email=a%40trash.example.com", {}, undefined, "disposable_email"],
    ["JSON", "/", json, '{"email":"a@trash.example.com"}', "disposable_email"],
    ["JSON, another member", "/", json, '{"e-mail":"a@trash.example.com"}', ""],
    ["JSON, escaped", "/", json, '{"\\u0065mail":"a\\u0040trash.example.com"}', "disposable_email"],
    ["JSON, twice", "/", json, '{"email":"a@example.com","email":"a@trash.example.com"}', "bad_request"],
    ["form", "/", form, "a=1&email=a%40trash.example.com", "disposable_email"],
    ["form, passes whole", "/", form, "a=1&email=a%40example.com", ""],
  ];
  for (const [says, target, headers, body, expected] of cases) {
    const before = origin.requests.length;
    const answer = await gateway.ask(body ? "POST" : "GET", target, headers, body);
    assert.equal(code(answer), expected, says);
    assert.equal(answer.status, { "": 200, disposable_email: 403, bad_request: 400 }[expected], says);
    assert.equal(origin.requests.length - before, expected ? 0 : 1, says);
    if (!expected && body) assert.equal(origin.requests.at(-1)!.body.toString(), body);
    if (body) continue;
    const told = await verify(gateway, { url: target, headers });
    assert.equal(told.code ?? "", expected, `/authenticate: ${says}`);
  }
  // what was refused gave its quota back
  const passed = cases.reduce((sum, [, , , body, expected]) => sum + (expected ? 0 : body ? 1 : 2), 0);
  const [token] = (await gateway.server.api.get(`token/${gateway.token.id}`)).json.data;
  assert.equal(token.effective.remaining, 1000 - passed);
});

scenario("a list comes, changes, breaks and goes while the server runs", async (cleanup) => {
  const data = join(directory(cleanup), "data");
  const { gateway, profile } = await world(cleanup, { data });
  const check = { checkLocations: "header", checkPropertyName: "x-email" };
  const told = async (name: string, members: object) => (await gateway.server.api.post("abuse/create", { name, ...members })).json.message;
  assert.match(await told("told", check), /no list of disposable mail domains/);
  assert.equal(await told("not told", {}), "Created.");
  await profile({ ...check, onFault: "closed" });
  const ask = (domain: string) => gateway.ask("GET", "/", { "x-email": `a@${domain}` }).then(code);
  assert.equal(await ask("one.example.com"), "check_unavailable");
  assert.equal(code(await gateway.ask()), "", "who names no address is not asked for one");
  await profile(check);
  assert.equal(await ask("one.example.com"), "", "open by default");
  bringList(data, ["one.example.com"]);
  await eventually("the first list", async () => (await ask("one.example.com")) === "disposable_email");
  assert.equal(await metric(gateway, "typeauth_mail_domains"), 1);
  assert.equal(await told("listed", check), "Created.");
  bringList(data, ["two.example.com"]);
  await eventually("the second list", async () => (await ask("two.example.com")) === "disposable_email");
  assert.equal(await ask("one.example.com"), "");
  const failures = await metric(gateway, "typeauth_mail_list_load_failures_total");
  rmSync(join(data, "mail.list"));
  writeFileSync(join(data, "mail.list"), "no list");
  await eventually("the damage is seen", async () => (await metric(gateway, "typeauth_mail_list_load_failures_total")) > failures);
  assert.equal(await ask("two.example.com"), "disposable_email", "the list before stays");
  rmSync(join(data, "mail.list"));
  bringList(data, ["three.example.com", "four.example.com"]);
  await eventually("the third list", async () => (await metric(gateway, "typeauth_mail_domains")) === 2);
  assert.equal(await ask("three.example.com"), "disposable_email");
});
