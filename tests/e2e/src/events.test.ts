// Events: what a refusal leaves behind for its account, at both doors, over
// restarts, killed processes and full disks (api.md §9).
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, open, readdir, readFile, statfs, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import {
  type Api, Cleanup, Clock, Server, anotherAccount, call, eventually, scenario, serverWithRoot,
} from "./harness/index.js";

const run = promisify(execFile);
const root = process.getuid!() === 0;
const nowhere = { host: "127.0.0.1", port: 9 };
const cleanup = new Cleanup();
let server: Server;
let api: Api;
let other: Api;
let serial = 0;

before(async () => {
  const made = await serverWithRoot(cleanup, { args: ["--trusted-proxies", "127.0.0.0/8"] });
  server = made.server;
  api = server.api;
  other = await anotherAccount(server, made.rootKey, "events");
});
after(() => cleanup.run());

const proxied = (app: any, headers: Record<string, string> = {}, path = "/v1/things?secret=1", at = server) =>
  call(at.door("gateway"), "GET", path, { host: app.domain, ...headers });
const list = async (query = "", of = api) => (await of.get(`events${query}`)).json as any;
const sum = (events: any[]) => events.reduce((n, one) => n + one.count, 0);
const app = (own: Api = api, profile: object = {}) => own.application(`events-${++serial}`, nowhere, profile);

test("a refusal at the gateway is an event with what was asked for, and no secret", async () => {
  const one = await app();
  const [token] = await api.tokens(one.id);
  const answer = await proxied(one, { authorization: "Bearer wrong-secret-value", "x-forwarded-for": "203.0.113.9" });
  assert.equal(answer.status, 401);
  const { data, has_more, dropped } = await list(`?application_id=${one.id}`);
  assert.equal(data.length, 1);
  assert.equal(has_more, false);
  assert.equal(dropped, 0);
  const [event] = data;
  assert.match(event.id, /^evt_[0-9A-HJKMNP-TV-Z]{26}$/);
  assert.deepEqual(
    [event.door, event.outcome, event.code, event.status, event.method, event.path, event.ip, event.count, event.enforced],
    ["proxy", "unauthorized", "invalid_token", 401, "GET", "/v1/things", "203.0.113.9", 1, true]);
  assert.equal(event.host, one.domain);
  assert.equal(event.request_id, answer.headers["x-request-id"]);
  assert.deepEqual(event.findings, []);
  assert.ok(Math.abs(Date.parse(event.createdAt) - Date.now()) < 60_000);
  assert.equal(event.token_id, undefined);
  const text = JSON.stringify(event);
  for (const secret of ["wrong-secret-value", "secret=1", token.token]) assert.ok(!text.includes(secret));
  assert.deepEqual((await api.get(`events/${event.id}`)).json.data, [event]);
  assert.equal((await list(`?ip=203.0.113.9&application_id=${one.id}`)).data.length, 1);
  assert.equal((await list(`?ip=203.0.113.10&application_id=${one.id}`)).data.length, 0);
});

test("a refused question tells of the request that telemetry told of, its token and its owner", async () => {
  const one = await app(api, { ratelimit: { limit: 1, timeWindow: 3600 } });
  const [token] = await api.tokens(one.id, { owner: "customer-7" });
  const telemetry = { url: "https://shop.example/cart/9?card=4111", method: "PUT", ipaddress: "198.51.100.4", timestamp: Date.now() };
  for (const success of [true, false])
    assert.equal((await api.authenticate(one.id, token.token, { telemetry })).json.success, success);
  const { data: [event, ...more] } = await list(`?application_id=${one.id}`);
  assert.deepEqual(more, [], "what passed is none");
  assert.deepEqual(
    [event.door, event.outcome, event.code, event.method, event.host, event.path, event.ip, event.token_id, event.owner],
    ["verify", "limited", "rate_limited", "PUT", "shop.example", "/cart/9", "198.51.100.4", token.id, "customer-7"]);
  assert.ok(!JSON.stringify(event).includes("4111"));
});

test("a batch has an event for each refused question", async () => {
  const one = await app();
  const [token] = await api.tokens(one.id);
  const answer = await api.call("POST", "/authenticate/batch", {
    body: { questions: [
      { appID: one.id, token: "nobody" }, { appID: one.id, token: token.token },
      { appID: one.id, token: token.token, scopes: ["admin"] }, { appID: "app_00000000000000000000000000", token: "x" },
    ] },
    key: null,
  });
  assert.equal(answer.status, 200);
  const { data } = await list(`?application_id=${one.id}`);
  assert.deepEqual(data.map((e: any) => e.code), ["insufficient_scope", "invalid_token"]);
  assert.equal(data[0].token_id, token.id);
});

test("filters choose; what is no filter's value is refused with its name", async () => {
  const one = await app();
  const [token] = await api.tokens(one.id);
  const day = new Date().toISOString().slice(0, 10);
  const from = new Date(Date.now() - 1000).toISOString();
  await proxied(one);
  await list(); // recorded before the next, whichever worker has it
  await api.authenticate(one.id, token.token, { scopes: ["admin"] });
  const of = async (query: string) =>
    (await list(`?application_id=${one.id}&${query}`)).data.map((e: any) => e.code);
  assert.deepEqual(await of("limit=10"), ["insufficient_scope", "missing_token"]);
  assert.deepEqual(await of("code=missing_token"), ["missing_token"]);
  assert.deepEqual(await of(`token_id=${token.id}`), ["insufficient_scope"]);
  assert.deepEqual(await of("enforced=true"), ["insufficient_scope", "missing_token"]);
  assert.deepEqual(await of("enforced=false"), []);
  assert.deepEqual(await of("action=block"), []);
  assert.equal((await of(`start=${from}`)).length, 2);
  assert.equal((await of(`end=${from}`)).length, 0);
  assert.equal((await of(`start=${day}`)).length, 2);
  assert.equal((await of(`end=${day}`)).length, 0);
  for (const [query, field] of [
    ["application_id=app_1", "application_id"], ["token_id=nothing", "token_id"], ["action=scream", "action"],
    ["enforced=perhaps", "enforced"], ["ip=1.2.3", "ip"], ["start=yesterday", "start"], ["end=2026-13-01", "end"],
    ["limit=0", "limit"], ["limit=1001", "limit"], ["starting_after=evt_1", "starting_after"],
    ["ending_before=tok_00000000000000000000000000", "ending_before"],
    ["starting_after=evt_00000000000000000000000000&ending_before=evt_00000000000000000000000000", "ending_before"],
  ]) {
    const answer = await api.get(`events?${query}`);
    assert.equal(answer.status, 400, query);
    assert.equal(answer.json.error!.field, field, query);
  }
});

test("pages show each event once, in both directions", async () => {
  const one = await app();
  const ids: string[] = [];
  for (let i = 0; i < 7; i++) await proxied(one);
  const all = (await list(`?application_id=${one.id}`)).data.map((e: any) => e.id);
  assert.equal(all.length, 7);
  assert.deepEqual([...all].sort().reverse(), all, "newest first");
  for (let after = ""; ; after = ids.at(-1)!) {
    const page = await list(`?application_id=${one.id}&limit=3${after && `&starting_after=${after}`}`);
    ids.push(...page.data.map((e: any) => e.id));
    assert.equal(page.next, page.has_more ? ids.at(-1) : undefined);
    if (!page.has_more) break;
  }
  assert.deepEqual(ids, all);
  const back = await list(`?application_id=${one.id}&limit=3&ending_before=${all[5]}`);
  assert.deepEqual(back.data.map((e: any) => e.id), all.slice(2, 5));
  assert.equal(back.has_more, true);
  const first = await list(`?application_id=${one.id}&limit=3&ending_before=${all[2]}`);
  assert.deepEqual(first.data.map((e: any) => e.id), all.slice(0, 2));
});

test("another account sees nothing of them", async () => {
  const one = await app();
  const theirs = await app(other);
  await proxied(one);
  await proxied(theirs);
  const { data: [mine] } = await list(`?application_id=${one.id}`);
  const { data } = await list("", other);
  assert.deepEqual(data.map((e: any) => e.application_id), [theirs.id]);
  assert.equal((await other.get(`events/${mine.id}`)).status, 404);
  assert.equal((await list(`?application_id=${one.id}`, other)).data.length, 0);
  assert.equal((await api.get("events/evt_00000000000000000000000000")).status, 404);
  assert.equal((await api.get("events/nothing")).status, 404);
});

test("a flood is told of in few events that add up to it", async () => {
  const one = await app();
  const n = 400;
  for (let i = 0; i < n; i += 20)
    await Promise.all(Array.from({ length: 20 }, () => proxied(one)));
  await eventually("all are told of", async () => {
    const { data } = await list(`?application_id=${one.id}&limit=1000`);
    return sum(data) === n && data;
  });
  const { data } = await list(`?application_id=${one.id}&limit=1000`);
  assert.ok(data.length < 100, `${data.length} events`);
  const sums = data.filter((e: any) => e.since);
  assert.ok(sums.length > 0);
  for (const one of sums) {
    assert.deepEqual([one.code, one.request_id, one.ip], ["missing_token", undefined, undefined]);
    assert.ok(one.since <= one.createdAt);
  }
});

test("texts are shown as they were sent, quotes and all", async () => {
  const one = await app();
  const path = `/caf\u00e9/"x"\\/\u2028`;
  await api.authenticate(one.id, "nobody", { telemetry: { url: `${path}?a=b`, method: 'G"T', ipaddress: "", timestamp: Date.now() } });
  const { data: [event] } = await list(`?application_id=${one.id}`);
  assert.deepEqual([event.path, event.method, event.ip], [path, 'G"T', "127.0.0.1"], "without one, whoever asked");
});

scenario("a restart keeps events, and a killed process all but the last second's", async (own) => {
  const first = await Server.start(own, {});
  const one = await first.api.application("kept", nowhere, {});
  await proxied(one, {}, "/before", first);
  await first.stop();
  const second = await Server.start(own, { data: first.data });
  const paths = async (of: Server) => (await list("", of.api)).data.map((e: any) => e.path);
  assert.deepEqual(await paths(second), ["/before"]);
  await proxied(one, {}, "/killed", second);
  await eventually("it is on the disk", async () => {
    const files = (await readdir(join(first.data, "events"))).map((f) => readFile(join(first.data, "events", f)));
    return (await Promise.all(files)).some((f) => f.includes("/killed"));
  });
  await second.kill();
  const third = await Server.start(own, { data: first.data });
  assert.deepEqual(await paths(third), ["/killed", "/before"]);
  await third.stop();
});

scenario("a damaged file costs what it held, and nothing else", async (own) => {
  const first = await Server.start(own, { args: ["--workers", "1"] });
  const one = await first.api.application("damaged", nowhere, {});
  for (const path of ["/first", "/second", "/third"]) await proxied(one, {}, path, first);
  await first.stop();
  const folder = join(first.data, "events");
  const [name] = await readdir(folder);
  assert.equal(name, "refusals.00000001.seg");
  const file = join(folder, name!);
  const bytes = await readFile(file);
  const at = bytes.indexOf("/second") + 1;
  bytes[at] = bytes[at]! ^ 1;
  await writeFile(file, bytes);
  const second = await Server.start(own, { data: first.data });
  await proxied(one, {}, "/fourth", second);
  const paths = (await list("", second.api)).data.map((e: any) => e.path);
  assert.deepEqual(paths, ["/fourth", "/first"]);
  await second.stop();
});

scenario("events older than events-days are gone; with 0 none are kept", async (own) => {
  const clock = await Clock.make(own);
  const first = await Server.start(own, { env: clock.environment, args: ["--events-days", "7"] });
  const one = await first.api.application("aged", nowhere, {});
  await proxied(one, {}, "/", first);
  assert.equal((await list("", first.api)).data.length, 1);
  await clock.advance(8 * 86_400_000);
  assert.equal((await list("", first.api)).data.length, 0);
  await first.stop();
  const none = await Server.start(own, { data: first.data, args: ["--events-days", "0"] });
  await proxied(one, {}, "/", none);
  assert.deepEqual((await list("", none.api)).data, []);
  await none.stop();
});

scenario("a full disk loses events and counts them; nothing waits", async (own, t) => {
  if (!root) return t.skip("mounting needs root");
  const first = await Server.start(own, {});
  const one = await first.api.application("full", nowhere, {});
  await first.stop();
  const at = join(first.data, "events");
  await mkdir(at, { recursive: true });
  try {
    await run("mount", ["-t", "tmpfs", "-o", "size=1m,mode=0700", "none", at]);
  } catch {
    return t.skip("mounting is forbidden here");
  }
  own.add(() => run("umount", ["-l", at]));
  const filler = await open(join(at, "filler"), "w");
  for (const block = Buffer.alloc(4096); ; )
    if (!(await filler.write(block).then((w) => w.bytesWritten === 4096, () => false))) break;
  assert.equal((await statfs(at)).bavail, 0);
  const server = await Server.start(own, { data: first.data });
  for (let i = 0; i < 5; i++)
    assert.equal((await proxied(one, {}, "/lost", server)).status, 401);
  const lost = await list("", server.api);
  assert.deepEqual([lost.data, lost.dropped], [[], 5]);
  const metrics = (await call(server.door("ops"), "GET", "/metrics")).text;
  assert.match(metrics, /^typeauth_event_requests_total\{state="dropped"\} 5$/m);
  await filler.truncate(0);
  await filler.close();
  await proxied(one, {}, "/kept", server);
  const kept = await list("", server.api);
  assert.deepEqual(kept.data.map((e: any) => e.path), ["/kept"]);
  assert.equal(kept.dropped, 5);
  await server.stop();
});
