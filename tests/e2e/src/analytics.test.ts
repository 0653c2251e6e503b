// Analytics: totals that are exact, also after a killed process; figures by
// time, outcome, status, route, token, owner and tag that equal a count by
// hand (api.md §9, docs/analytics.md).
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import {
  Api, Cleanup, Clock, NodeOrigin, Server, anotherAccount, call, eventually, memory_KiB, sanitized, serverWithRoot,
} from "./harness/index.js";

const cleanup = new Cleanup();
let server: Server;
let clock: Clock;
let api: Api;
let other: Api;
let origin: NodeOrigin;
const minute = 60_000;

before(async () => {
  clock = await Clock.make(cleanup);
  origin = await NodeOrigin.start(cleanup, (request, response) => {
    response.statusCode = Number(/code=(\d+)/.exec(request.url!)?.[1] ?? 200);
    response.end("x".repeat(1000));
  });
  const made = await serverWithRoot(cleanup, { env: clock.environment });
  server = made.server;
  api = server.api;
  other = await anotherAccount(server, made.rootKey, "analytics");
});
after(() => cleanup.run());

const list = async (query: string, of = api) => {
  const answer = await of.get(`analytics?${query}`);
  assert.equal(answer.status, 200, answer.text);
  return answer.json.data;
};
const totals = async (id: string, of = api) => (await of.get(`applications/${id}/totals`)).json.data[0];
const sum = (rows: any[], field = "requests") => rows.reduce((n, row) => n + row[field], 0);
const by = (rows: any[], field = "requests") => Object.fromEntries(rows.map((row) => [row.group, row[field]]));
/** Until the minute of what was sent is in its files. */
async function over(of: Api, id: string, wanted: number) {
  await clock.advance(minute);
  await eventually(`figures of ${wanted} requests`, async () =>
    sum(await list(`application_id=${id}&${day()}`, of)) === wanted);
}
const day = () => {
  const now = clock.now_ms();
  return `start=${new Date(now - 3600_000).toISOString()}&end=${new Date(now + 3600_000).toISOString()}`;
};

test("figures equal a count by hand, by every kind of group and filter", async () => {
  const app = await api.application("figures", origin.address, { ratelimit: { limit: 3, timeWindow: 3600 } });
  const [routing] = await api.create(`routing/${app.id}/routing-profiles`, {
    name: "figures", endpoints: [{ public_method: "GET", public_path: "/users/{id}", target_path: "/u/{id}" }] });
  assert.ok(routing.id);
  const [one] = await api.tokens(app.id, { owner: "customer-1", tags: ["environment:production", "beta"] });
  const [two] = await api.tokens(app.id, { owner: "customer-2", tags: ["environment:production"] });
  const get = (token: string, path: string) =>
    call(server.door("gateway"), "GET", path, { host: app.domain, authorization: `Bearer ${token}` });
  const seen: number[] = [];
  for (let i = 0; i < 5; i++) seen.push((await get(one.token, "/users/7")).status);
  for (const code of [200, 404, 500]) seen.push((await get(two.token, `/other?code=${code}`)).status);
  seen.push((await get("nobody", "/users/7")).status);
  assert.equal((await api.authenticate(app.id, two.token)).json.success, false, "its limit is used up");
  assert.deepEqual(seen, [200, 200, 200, 429, 429, 200, 404, 500, 401]);

  const whole = await totals(app.id);
  assert.equal(whole.requests, 10);
  assert.deepEqual(whole.outcomes, { passed: 6, unauthorized: 1, limited: 3 });
  assert.equal(whole.cost, 10);
  assert.equal((await totals(app.id)).requests, 10, "asking is not counted");
  await over(api, app.id, 10);

  const of = (query: string) => list(`application_id=${app.id}&${day()}&${query}`);
  const [all] = await of("");
  assert.deepEqual(all.outcomes, { passed: 6, unauthorized: 1, limited: 3 });
  assert.deepEqual([all.requests, all.bytes_in, all.bytes_out, all.cost],
    [10, whole.bytes_in, whole.bytes_out, whole.cost]);
  assert.ok(all.latency.p50_us > 0 && all.latency.p50_us <= all.latency.p95_us && all.latency.p95_us <= all.latency.p99_us);
  assert.deepEqual(by(await of("group_by=outcome")), { passed: 6, unauthorized: 1, limited: 3 });
  assert.deepEqual(by(await of("group_by=status")), { 200: 5, 429: 2, 404: 1, 500: 1, 401: 1 });
  assert.deepEqual(by(await of("group_by=route")), { "GET /users/{id}": 6, "": 4 });
  assert.deepEqual(by(await of("group_by=country")), { "": 10 });
  assert.deepEqual(by(await of("group_by=token")), { [one.id]: 5, [two.id]: 4 });
  assert.deepEqual(by(await of("group_by=owner")), { "customer-1": 5, "customer-2": 4 });
  assert.deepEqual(by(await of("group_by=tag")), { "environment:production": 9, beta: 5 });
  const minutes = await of("granularity=minute&limit=1000");
  assert.equal(sum(minutes), 10);
  assert.ok(minutes.length >= 120 && minutes.length <= 122, "a row a minute, also where nothing was");
  assert.equal(sum(await of("granularity=hour&group_by=status")), 10);

  assert.deepEqual((await of(`token_id=${one.id}`))[0].outcomes, { passed: 3, limited: 2 });
  assert.deepEqual(by(await of(`token_id=${two.id}&group_by=status`)), { 200: 2, 404: 1, 500: 1 });
  const filters = ["owner=customer-1", "tag=environment:production", "tags[environment]=production", "tag=beta", "owner=nobody"];
  for (const [filter, n] of filters.map((filter, i) => [filter, [5, 9, 9, 5, 0][i]] as const)) {
    assert.equal((await of(filter))[0].requests, n, filter);
    assert.equal((await list(`${day()}&${filter}`))[0].requests, n, `${filter} of the account`);
  }
  const { figures } = (await api.get(`token/${one.id}/usage`)).json.data[0];
  assert.deepEqual([figures.requests, figures.cost, figures.bytes_out > 0, figures.p99_us > 0], [5, 5, true, true]);
  assert.deepEqual(by(await of("tag=beta&group_by=route")), { "GET /users/{id}": 5 });
  assert.equal((await list(day()))[0].requests, 10);
  assert.equal((await list(day(), other))[0].requests, 0);
  for (const query of [`application_id=${app.id}`, `token_id=${one.id}`])
    assert.equal((await other.get(`analytics?${query}`)).status, 404);
  assert.equal((await other.get(`applications/${app.id}/totals`)).status, 404);

  const csv = await call(server.door("api"), "GET", `/${api.accountId}/analytics?application_id=${app.id}&${day()}&group_by=status`,
    { authorization: `Bearer ${api.key}`, accept: "text/csv" });
  assert.match(csv.headers["content-type"]!, /^text\/csv/);
  const lines = csv.text.trimEnd().split("\r\n");
  assert.equal(lines[0], "start,end,group,requests,bytes_in,bytes_out,cost,p50_us,p95_us,p99_us");
  assert.equal(lines.length, 1 + 5);
  assert.match(lines[1]!, /^\S+Z,\S+Z,"200",5,/);
});

test("what cannot be asked is refused with its field", async () => {
  const app = await api.application("refused", origin.address, {});
  for (const [query, field] of [
    ["granularity=second", "granularity"], ["start=yesterday", "start"], ["end=2026-13-01", "end"],
    ["start=2026-01-02&end=2026-01-01", "end"], ["start=2020-01-01&end=2026-01-01", "end"],
    ["granularity=minute&start=2026-01-01&end=2026-01-02", "end"],
    ["granularity=hour&start=2026-01-01&end=2026-03-01", "end"],
    ["application_id=app_1", "application_id"], ["token_id=x", "token_id"], ["owner=", "owner"], ["tag=", "tag"],
    [`owner=${"x".repeat(256)}`, "owner"], ["owner=a&tag=b", "tag"], ["tag=a&tags[b]=c", "tag"],
    ["group_by=colour", "group_by"], ["group_by=route", "group_by"], ["group_by=token", "group_by"],
    ["owner=a&group_by=tag", "group_by"], ["limit=0", "limit"], ["limit=1001", "limit"], ["starting_after=x", "starting_after"],
    ["starting_after=1&ending_before=2", "ending_before"], ["format=xml", "format"], ["name=x", "name"], ["colour=red", "colour"],
  ]) {
    const answer = await api.get(`analytics?${query}`);
    assert.equal(answer.status, 400, query);
    assert.equal(answer.json.error!.field, field, query);
  }
  assert.equal((await api.get(`analytics?application_id=${app.id}&group_by=token`)).status, 200);
});

test("pages go through all rows once, forth and back", async () => {
  const app = await api.application("pages", origin.address, {});
  const tokens = await api.tokens(app.id, { amount: 25 });
  for (const [i, token] of tokens.entries())
    for (let k = 0; k <= i % 3; k++) await api.authenticate(app.id, token.token);
  await over(api, app.id, tokens.reduce((n, _, i) => n + 1 + (i % 3), 0));
  const query = `application_id=${app.id}&${day()}&group_by=token&limit=10`;
  const rows: any[] = [];
  for (let cursor = "";;) {
    const { data, has_more } = (await api.get(`analytics?${query}${cursor}`)).json;
    rows.push(...data);
    if (!has_more) break;
    cursor = `&starting_after=${data.at(-1).id}`;
  }
  assert.equal(rows.length, 25);
  assert.equal(new Set(rows.map((row) => row.group)).size, 25);
  for (let i = 1; i < rows.length; i++) assert.ok(rows[i - 1].requests >= rows[i].requests);
  assert.deepEqual(await list(`${query}&ending_before=21`), rows.slice(10, 20));
});

test("totals equal the requests answered under load and after kill -9; figures but for the present minute", async () => {
  const data = server.data;
  const app = await api.application("killed", origin.address, {});
  const [token] = await api.tokens(app.id);
  let answered = 0;
  const client = async (at: Server, n: number) => {
    for (let i = 0; i < n; i++)
      try {
        await call(at.door("gateway"), "GET", "/", { host: app.domain, authorization: `Bearer ${token.token}` });
        answered++;
      } catch { return; }
  };
  await Promise.all(Array.from({ length: 8 }, () => client(server, 50)));
  assert.equal(answered, 400);
  await eventually("the totals of all", async () => (await totals(app.id)).requests === 400);
  await over(api, app.id, 400);
  const racing = Promise.all(Array.from({ length: 8 }, () => client(server, 10_000)));
  await eventually("some answers", () => answered > 600);
  await server.kill();
  await racing;
  server = await Server.start(cleanup, { data, env: clock.environment });
  const again = new Api(server.door("api"), api.accountId, api.key);
  const found = (await totals(app.id, again)).requests;
  assert.ok(found >= answered && found <= answered + 8, `${found} of ${answered}, 8 in flight`);
  const counted = sum(await list(`application_id=${app.id}&${day()}`, again));
  assert.ok(counted >= 400 && counted <= found, `the minutes before are there: ${counted}`);
  api = again;
});

test("hours and days hold what their minutes held", async () => {
  const app = await api.application("days", origin.address, {});
  const [token] = await api.tokens(app.id, { owner: "patient" });
  const start = new Date(clock.now_ms()).toISOString().slice(0, 10);
  let told = 0;
  for (let hour = 0; hour < 30; hour += 3) {
    for (let i = 0; i <= hour % 4; i++, told++) await api.authenticate(app.id, token.token);
    await clock.advance(3 * 60 * minute);
    await eventually(`figures of ${told} requests`, async () => {
      const end = new Date(clock.now_ms() + 60 * minute).toISOString();
      return sum(await list(`application_id=${app.id}&start=${start}&end=${end}`)) === told;
    });
  }
  const end = new Date(clock.now_ms() + 24 * 60 * minute).toISOString().slice(0, 10);
  const span = `start=${start}&end=${end}`;
  for (const granularity of ["hour", "day"])
    for (const filter of [`application_id=${app.id}`, `token_id=${token.id}`, "owner=patient"])
      assert.equal(sum(await list(`${span}&granularity=${granularity}&${filter}&limit=1000`)), told, `${granularity} ${filter}`);
});

test("where nothing can be written figures are lost and counted, totals and requests are not", async () => {
  const time = await Clock.make(cleanup);
  const first = await Server.start(cleanup, {});
  const app = await first.api.application("unwritten", origin.address, {});
  const [token] = await first.api.tokens(app.id);
  await first.stop();
  const folder = join(first.data, "analytics");
  await rm(folder, { recursive: true, force: true });
  await writeFile(folder, "no folder");
  const at = await Server.start(cleanup, { data: first.data, env: time.environment });
  const own = new Api(at.door("api"), first.accountId, first.ownerKey);
  const metric = async (state: string) =>
    Number(new RegExp(`^typeauth_analytics_requests_total\\{state="${state}"\\} (\\d+)$`, "m")
      .exec((await call(at.door("ops"), "GET", "/metrics")).text)![1]);
  for (let i = 0; i < 5; i++)
    assert.equal((await call(at.door("gateway"), "GET", "/", { host: app.domain, authorization: `Bearer ${token.token}` })).status, 200);
  await time.advance(minute);
  await eventually("the loss is counted", async () => (await metric("lost")) === 5);
  assert.equal((await totals(app.id, own)).requests, 5);
  await rm(folder);
  await own.authenticate(app.id, token.token);
  await time.advance(minute);
  await eventually("it goes on", async () => (await list("", own))[0].requests === 1);
  assert.equal(await metric("lost"), 5);
  assert.equal(await metric("dropped"), 0);
});

/** DATA/analytics is a disk of a MiB that another fills, until a file is made. */
const fullDisk = `
mount -t tmpfs -o size=1m none "$1" || exit 1
head -c 2m /dev/zero >"$1/filler" 2>/dev/null
{ while [ ! -e "$2" ]; do sleep 0.05; done; rm "$1/filler"; } <&- >/dev/null 2>&1 &
shift 2
exec "$@"`;
const namespaces = spawnSync("unshare", ["-rm", "true"]).status === 0;

test("a full disk delays no request, grows no memory, is told once, and it goes on with room", { skip: namespaces ? false : "no namespaces of one's own are allowed here" }, async () => {
  const time = await Clock.make(cleanup);
  const first = await Server.start(cleanup, {});
  const app = await first.api.application("full", origin.address, {});
  const [token] = await first.api.tokens(app.id);
  await first.stop();
  const folder = join(first.data, "analytics"), room = join(first.data, "room");
  await mkdir(folder, { recursive: true });
  cleanup.add(() => rm(room, { force: true }).then(() => writeFile(room, ""))); // the one who waits for it ends
  const at = await Server.start(cleanup, {
    data: first.data, env: time.environment, under: ["unshare", "-rm", "sh", "-c", fullDisk, "sh", folder, room] });
  const own = new Api(at.door("api"), first.accountId, first.ownerKey);
  const metric = async (state: string) =>
    Number(new RegExp(`^typeauth_analytics_requests_total\\{state="${state}"\\} (\\d+)$`, "m")
      .exec((await call(at.door("ops"), "GET", "/metrics")).text)![1]);
  let asked = 0, slowest_ms = 0;
  const aMinute = async () => {
    for (let i = 0; i < 20; i++, asked++) {
      const began = performance.now();
      assert.equal((await call(at.door("gateway"), "GET", "/", { host: app.domain, authorization: `Bearer ${token.token}` })).status, 200);
      slowest_ms = Math.max(slowest_ms, performance.now() - began);
    }
    await time.advance(minute);
  };
  const lost = () => eventually("the loss is counted", async () => (await metric("lost")) === asked);
  await aMinute();
  await lost();
  const before = await memory_KiB(at.pid);
  for (let i = 0; i < 10; i++) {
    await aMinute();
    await lost();
  }
  const grown = await memory_KiB(at.pid) - before;
  assert.ok(sanitized || grown < 2048, `memory grew by ${grown} KiB`); // sanitizers keep what was freed
  assert.ok(slowest_ms < 1000, `a request took ${slowest_ms} ms`);
  assert.equal((await totals(app.id, own)).requests, asked, "totals are whole");
  assert.equal(at.log.filter((l) => l.includes("figures are lost")).length, 1);
  const missed = asked;
  await writeFile(room, "");
  await eventually("it goes on", async () => {
    await aMinute();
    return await metric("counted") > 0;
  });
  assert.equal(at.log.filter((l) => l.includes("it can be written to again")).length, 1);
  await eventually("its minutes are over", async () => await metric("counted") + await metric("lost") === asked);
  const [counted, gone] = [await metric("counted"), await metric("lost")];
  assert.ok(gone >= missed);
  assert.equal(sum(await list(`application_id=${app.id}&start=${new Date(time.now_ms() - 3600_000).toISOString()}&end=${new Date(time.now_ms() + 60_000).toISOString()}`, own)), counted);
});
