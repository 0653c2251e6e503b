// Limits, quotas, refills and expiry (gateway.md §4) with the server's clocks
// in the test's hand.
import assert from "node:assert/strict";
import {
  Api, Clock, NodeOrigin, Server, call, scenario, type Address,
} from "./harness/index.js";

type Own = Parameters<Parameters<typeof scenario>[1]>[0];
const nobody: Address = { host: "127.0.0.1", port: 9 };
let serial = 0;

async function begin(cleanup: Own, profile: object, extra: object = {}, origin = nobody) {
  const clock = await Clock.make(cleanup);
  const server = await Server.start(cleanup, { env: clock.environment });
  const { api } = server;
  const app = await api.application(`limits-${++serial}`, origin, profile, extra);
  const [token] = await api.tokens(app.id);
  return { clock, server, api, app, token };
}

const ask = async (api: Api, app: any, token: any, extra: object = {}) => {
  const answer = await api.authenticate(app.id, token.token, extra);
  assert.equal(answer.status, 200);
  return answer.json.data[0];
};

function random(seed: number) {
  return () => {
    seed = (seed * 1664525 + 1013904223) >>> 0;
    return seed / 2 ** 32;
  };
}

for (const [limit, timeWindow] of [[1, 1], [5, 60], [1_000_000, 86_400]] as [number, number][])
  scenario(`sliding ${limit} in ${timeWindow} s: never more in any window, refused at most an eighth longer`, async (cleanup) => {
    const { clock, api, app, token } = await begin(cleanup, { ratelimit: { limit, timeWindow } });
    const W = timeWindow * 1000;
    const next = random(limit);
    const taken: [at: number, cost: number][] = [];
    // Real time passes too, a little: an answer lies between two readings.
    const slack = 250;
    for (let i = 0; i < 120; i++) {
      const cost = limit === 1 ? 1 : 1 + Math.floor((next() * limit) / 3);
      const sent = clock.now_ms();
      const got = await ask(api, app, token, { cost });
      const came = clock.now_ms();
      const within = (from: number) => taken.filter(([t]) => t > from).reduce((n, [, c]) => n + c, 0);
      if (got.valid) {
        taken.push([came, cost]);
        // All that was surely inside one window.
        const sure = taken.filter(([t]) => t > came - W + slack).reduce((n, [, c]) => n + c, 0);
        assert.ok(sure <= limit, `${sure} of ${limit} in a window`);
      } else {
        assert.equal(got.code, "rate_limited");
        assert.ok(within(sent - W * 1.125 - slack) + cost > limit, "refused though W + W/8 holds room");
      }
      await clock.advance(Math.floor(next() * W * 0.3));
    }
    assert.ok(taken.length > 10);
  });

scenario("the wall clock stepping changes no limit: they run on time that passes", async (cleanup) => {
  const { clock, api, app, token } = await begin(cleanup, { ratelimit: { limit: 2, timeWindow: 60 }, remaining: 10, refill: { amount: 10, interval: 3600 } });
  for (let i = 0; i < 2; i++) assert.equal((await ask(api, app, token)).valid, true);
  for (const step of [3_600_000, -7_200_000, 86_400_000, -86_400_000]) {
    await clock.step(step);
    const got = await ask(api, app, token);
    assert.equal(got.code, "rate_limited", `after ${step}`);
    assert.equal(got.remaining, 8, `no refill by the step ${step}`);
  }
  await clock.advance(68_000);
  assert.equal((await ask(api, app, token)).valid, true);
});

for (const algorithm of ["sliding", "fixed", "token_bucket"])
  scenario(`a client alone that obeys ${algorithm}'s X-RateLimit-Reset and Retry-After is never refused again`, async (cleanup) => {
    const origin = await NodeOrigin.start(cleanup);
    const { clock, server, app, token } = await begin(cleanup,
      { ratelimits: [{ name: "l", limit: 4, timeWindow: 10, algorithm }] }, { detailResponse: true }, origin.address);
    const through = () => call(server.door("gateway"), "GET", "/", { host: app.domain, authorization: `Bearer ${token.token}` });
    let passed = 0;
    for (let round = 0; round < 12; round++) {
      const answer = await through();
      if (answer.status === 429) {
        const wait = Number(answer.headers["retry-after"]);
        assert.ok(wait >= 1 && wait <= 12, `Retry-After ${wait}`);
        assert.equal(answer.headers["x-ratelimit-remaining"], "0");
        await clock.advance(wait * 1000);
        assert.equal((await through()).status, 200, `obeyed ${wait} s and was refused`);
      } else {
        assert.equal(answer.status, 200);
        assert.equal(answer.headers["x-ratelimit-limit"], "4");
        assert.ok(answer.headers["ratelimit"] && answer.headers["ratelimit-policy"]);
        if (answer.headers["x-ratelimit-remaining"] === "0") {
          await clock.advance(Number(answer.headers["x-ratelimit-reset"]) * 1000);
          assert.equal((await through()).status, 200, "obeyed Reset and was refused");
        }
      }
      passed++;
    }
    assert.equal(passed, 12);
  });

scenario("fixed starts anew at each window; a token bucket holds its burst and fills at its rate", async (cleanup) => {
  const { clock, api, app, token } = await begin(cleanup, { ratelimits: [{ name: "f", limit: 3, timeWindow: 60, algorithm: "fixed" }] });
  // A second behind an edge: the server counts from its own start, and may be
  // some milliseconds behind the wall clock.
  await clock.advance(61_000 - (clock.now_ms() % 60_000));
  for (let i = 0; i < 3; i++) assert.equal((await ask(api, app, token)).valid, true);
  assert.equal((await ask(api, app, token)).code, "rate_limited");
  await clock.advance(60_000);
  assert.equal((await ask(api, app, token, { cost: 3 })).valid, true);

  const bucket = await api.application(`limits-${++serial}`, nobody,
    { ratelimits: [{ name: "b", limit: 60, timeWindow: 600, algorithm: "token_bucket", burst: 20 }] });
  const [other] = await api.tokens(bucket.id);
  assert.equal((await ask(api, bucket, other, { cost: 21 })).valid, false, "never above its burst");
  assert.equal((await ask(api, bucket, other, { cost: 20 })).valid, true);
  assert.equal((await ask(api, bucket, other)).valid, false);
  await clock.advance(50_000); // a tenth a second: 5
  assert.equal((await ask(api, bucket, other, { cost: 6 })).valid, false);
  assert.equal((await ask(api, bucket, other, { cost: 5 })).valid, true);
  await clock.advance(3_600_000);
  assert.equal((await ask(api, bucket, other, { cost: 21 })).valid, false, "nor after an hour");
  assert.equal((await ask(api, bucket, other, { cost: 20 })).valid, true);
});

scenario("of several limits all hold, the first refused is named, and a refusal takes nothing", async (cleanup) => {
  const { clock, server, api, app, token } = await begin(cleanup,
    { ratelimits: [{ name: "second", limit: 2, timeWindow: 1 }, { name: "minute", limit: 3, timeWindow: 60 }, { name: "day", limit: 100, timeWindow: 86_400 }], remaining: 50 },
    { detailResponse: true });
  const counters = async () => (await api.get(`token/${token.id}/counters`)).json.data[0];
  for (let i = 0; i < 2; i++) assert.equal((await ask(api, app, token)).valid, true);
  const before = await counters();
  assert.deepEqual(before.limits.map((l: any) => [l.name, l.used]), [["second", 2], ["minute", 2], ["day", 2]]);
  const refused = await call(server.door("gateway"), "GET", "/", { host: app.domain, authorization: `Bearer ${token.token}` });
  assert.equal(refused.status, 429);
  assert.equal(refused.headers["x-ratelimit-limit"], "2", "the second's");
  assert.match(refused.headers["ratelimit"]!.toString(), /second/);
  for (let i = 0; i < 5; i++) assert.equal((await ask(api, app, token)).valid, false);
  const after = await counters();
  assert.deepEqual([after.used, after.limits.map((l: any) => l.used)], [before.used, before.limits.map((l: any) => l.used)]);
  await clock.advance(2_000);
  assert.equal((await ask(api, app, token)).valid, true);
  await clock.advance(2_000);
  const minute = await ask(api, app, token);
  assert.deepEqual([minute.code, minute.ratelimit.limit], ["rate_limited", 3]);
  assert.equal((await ask(api, app, token, { cost: 60 })).code, "rate_limited", "limits come before the quota");
});

scenario("a changed limit acts at once on what was counted; a changed window or algorithm starts empty", async (cleanup) => {
  const { api, app, token } = await begin(cleanup, { ratelimit: { limit: 5, timeWindow: 3600 } });
  const change = async (profile: object) => assert.equal((await api.patch(`authentication/${app.auth_id}`, profile)).status, 200);
  for (let i = 0; i < 3; i++) assert.equal((await ask(api, app, token)).valid, true);
  await change({ ratelimit: { limit: 3, timeWindow: 3600 } });
  assert.equal((await ask(api, app, token)).code, "rate_limited");
  await change({ ratelimit: { limit: 4, timeWindow: 3600 } });
  assert.equal((await ask(api, app, token)).ratelimit.remaining, 0);
  assert.equal((await ask(api, app, token)).valid, false);
  await change({ ratelimit: { limit: 4, timeWindow: 1800 } });
  assert.equal((await ask(api, app, token)).ratelimit.remaining, 3, "empty");
  await change({ ratelimit: null, ratelimits: [{ name: "f", limit: 4, timeWindow: 1800, algorithm: "token_bucket" }] });
  assert.equal((await ask(api, app, token, { cost: 4 })).valid, true, "empty");
  await change({ ratelimits: null });
  assert.equal((await ask(api, app, token)).ratelimit ?? null, null);
});

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
for (const [interval, length] of [[90, 90_000], ["hourly", HOUR], ["daily", DAY], ["weekly", 7 * DAY]] as [any, number][])
  scenario(`refill ${interval}: due by its interval from creation, never above the quota, a top-up may be`, async (cleanup) => {
    const { clock, api, app, token } = await begin(cleanup, { remaining: 10, refill: { amount: 3, interval } });
    const left = async () => (await ask(api, app, token, { peek: true })).remaining;
    assert.equal((await ask(api, app, token, { cost: 10 })).remaining, 0);
    assert.equal((await ask(api, app, token)).code, "quota_exhausted");
    await clock.advance(length - 20_000);
    assert.equal((await ask(api, app, token)).code, "quota_exhausted", "not before it is due");
    await clock.advance(20_000);
    assert.equal((await ask(api, app, token)).remaining, 2, "one interval");
    await clock.advance(2 * length);
    assert.equal(await left(), 8, "two missed intervals at once");
    await clock.advance(50 * length);
    assert.equal(await left(), 10, "never above the quota");
    assert.equal((await api.patch(`token/${token.id}`, { remaining: { add: 5 } })).status, 200);
    assert.equal(await left(), 15, "a top-up is");
    await clock.advance(3 * length);
    assert.equal(await left(), 15, "and a refill leaves it");
  });

scenario("refill monthly: the same day and time, else the month's last day", async (cleanup) => {
  const { clock, api } = await begin(cleanup, {});
  const app = await api.application(`limits-${++serial}`, nobody, { remaining: 5, refill: { amount: 5, interval: "monthly" } });
  // To a 31st of January, noon.
  const now = new Date(clock.now_ms());
  await clock.advance(Date.UTC(now.getUTCFullYear() + 1, 0, 31, 12) - clock.now_ms());
  const [token] = await api.tokens(app.id);
  const to = async (year: number, month: number, day: number, hour: number, minute: number) =>
    clock.advance(Date.UTC(year, month, day, hour, minute) - clock.now_ms());
  const year = new Date(clock.now_ms()).getUTCFullYear();
  const last = new Date(Date.UTC(year, 2, 0)).getUTCDate(); // February's
  const exhaust = async () => assert.equal((await ask(api, app, token, { cost: 5 })).valid, true);
  const empty = async (when: string) => assert.equal((await ask(api, app, token)).code, "quota_exhausted", when);
  await exhaust();
  await to(year, 1, last, 11, 59);
  await empty("before February's last day, noon");
  await to(year, 1, last, 12, 1);
  await exhaust();
  await to(year, 2, 31, 11, 59);
  await empty("not on the 28th of March");
  await to(year, 2, 31, 12, 1);
  await exhaust();
  await to(year, 3, 30, 12, 1);
  await exhaust();
  await empty("once a month");
});

scenario("refill without remaining: the quota is its amount", async (cleanup) => {
  const { clock, api, app, token } = await begin(cleanup, { refill: { amount: 4, interval: 60 } });
  assert.equal((await ask(api, app, token)).remaining, 3);
  assert.equal((await ask(api, app, token, { cost: 4 })).code, "quota_exhausted");
  assert.equal((await ask(api, app, token, { cost: 3 })).remaining, 0);
  await clock.advance(60_000);
  assert.equal((await ask(api, app, token)).remaining, 3);
});

scenario("remainingScope application: its tokens share one quota, own quotas stay own", async (cleanup) => {
  const { api, app } = await begin(cleanup, { remaining: 6, remainingScope: "application" });
  const [a, b] = await api.tokens(app.id, { amount: 2 });
  const [own] = await api.tokens(app.id, { remaining: 2 });
  assert.equal((await ask(api, app, a, { cost: 2 })).remaining, 4);
  assert.equal((await ask(api, app, b, { cost: 3 })).remaining, 1);
  assert.equal((await ask(api, app, own, { cost: 2 })).remaining, 0);
  assert.equal((await ask(api, app, a, { cost: 2 })).code, "quota_exhausted");
  assert.equal((await ask(api, app, a)).remaining, 0);
  assert.equal((await ask(api, app, b)).code, "quota_exhausted");
  assert.equal((await api.patch(`authentication/${app.auth_id}`, { remaining: 8 })).status, 200);
  assert.equal((await ask(api, app, b)).remaining, 1, "a changed quota acts at once");
  assert.equal((await api.patch(`token/${a.id}`, { remaining: { add: 3 } })).status, 200);
  assert.equal((await ask(api, app, b, { peek: true })).remaining, 4, "a top-up goes to the shared one");
});

scenario("a token expires by wall time, through both doors, before limits are asked", async (cleanup) => {
  const origin = await NodeOrigin.start(cleanup);
  const { clock, server, api, app } = await begin(cleanup, { expires: 100, ratelimit: { limit: 10, timeWindow: 60 } }, { detailResponse: true }, origin.address);
  const [token] = await api.tokens(app.id);
  const [own] = await api.tokens(app.id, { expires: 1000 });
  const [never] = await api.tokens(app.id, { expires: false });
  const through = (t: any) => call(server.door("gateway"), "GET", "/", { host: app.domain, authorization: `Bearer ${t.token}` });
  const life = (t: any) => (Date.parse(t.expiresAt) - Date.parse(t.createdAt)) / 1000;
  assert.deepEqual([life(token), life(own), never.expiresAt], [100, 1000, null]);
  assert.equal((await through(token)).status, 200);
  await api.patch(`authentication/${app.auth_id}`, { expires: 5 });
  await clock.step(90_000);
  assert.equal((await through(token)).status, 200, "a changed lifetime acts on new tokens");
  await clock.step(11_000);
  const late = await through(token);
  assert.deepEqual([late.status, late.json.error!.code], [401, "token_expired"]);
  assert.equal((await ask(api, app, token)).code, "token_expired");
  assert.equal((await api.get(`token/${token.id}/counters`)).json.data[0].limits[0].used, 2, "a refusal takes nothing");
  assert.equal((await through(own)).status, 200);
  await clock.step(-50_000);
  assert.equal((await through(token)).status, 200, "wall time stepped back");
  assert.equal((await api.patch(`token/${token.id}`, { expires: 3600 })).status, 200);
  await clock.step(960_000);
  assert.equal((await through(token)).status, 200, "prolonged");
  assert.equal((await through(own)).status, 401);
  await clock.step(10 * 365 * DAY);
  assert.equal((await through(never)).status, 200);
});

scenario("an old secret ends with its grace", async (cleanup) => {
  const { clock, api, app, token } = await begin(cleanup, {});
  const [next] = (await api.post(`token/${token.id}/rotate`, { gracePeriod: 600 })).json.data;
  await clock.advance(570_000); // a busy machine's own time passes as well
  assert.equal((await ask(api, app, token)).valid, true);
  await clock.advance(31_000);
  assert.equal((await ask(api, app, token)).code, "token_revoked");
  assert.equal((await ask(api, app, next)).valid, true);
});

scenario("an origin that was never reached gives the quota back, not the limit; so does a later refusal", async (cleanup) => {
  const { server, api, app, token } = await begin(cleanup, { ratelimit: { limit: 10, timeWindow: 60 }, remaining: 10 }, { detailResponse: true }, { host: "127.0.0.1", port: 1 });
  const through = (t: any) => call(server.door("gateway"), "GET", "/", { host: app.domain, authorization: `Bearer ${t.token}` });
  const counted = async (t: any) => {
    const [c] = (await api.get(`token/${t.id}/counters`)).json.data;
    return [c.used, c.limits[0].used];
  };
  assert.equal((await through(token)).status, 502);
  assert.deepEqual(await counted(token), [0, 1]);
  const [bound] = await api.tokens(app.id, { ipAllowlist: ["203.0.113.0/24"] });
  assert.equal((await through(bound)).json.error!.code, "ip_not_allowed");
  assert.deepEqual(await counted(bound), [0, 1]);
  const lame = await NodeOrigin.start(cleanup, (_, response) => response.destroy());
  await api.patch(`applications/${app.id}`, { originHostname: `http://127.0.0.1:${lame.address.port}` });
  assert.equal((await call(server.door("gateway"), "POST", "/", { host: app.domain, authorization: `Bearer ${token.token}` }, "x")).status, 502);
  assert.deepEqual(await counted(token), [1, 2], "bytes reached an origin: nothing is given back");
});
