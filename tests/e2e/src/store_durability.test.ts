// What was acknowledged survives kill -9, what was not is whole or absent;
// what the data directory demands; a full disk.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { chmod, mkdtemp, readdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { Api, Cleanup, NodeOrigin, Server, call, eventually, scenario, typeauth } from "./harness/index.js";

const run = promisify(execFile);
const origin = { host: "127.0.0.1", port: 9 };

function random(seed: number) {
  return () => {
    seed = (seed * 1664525 + 1013904223) >>> 0;
    return seed / 2 ** 32;
  };
}

interface Known {
  /** What was acknowledged, by path: the object, or null when deleted. */
  sure: Map<string, any>;
  /** Sent, not acknowledged: either the old or the new object may be there. */
  open: Map<string, any[]>;
  secrets: Map<string, { app: string; secret: string }>;
}

async function changes(api: Api, app: any, known: Known, next: () => number, gone: () => boolean): Promise<void> {
  const pick = () => {
    const all = [...known.sure].filter(([, o]) => o !== null).map(([p]) => p).filter((p) => !known.open.has(p));
    return all[Math.floor(next() * all.length)];
  };
  while (!gone()) {
    const kind = next();
    const path = pick();
    if (kind < 0.5 || !path) {
      const amount = 1 + Math.floor(next() * 5);
      const batch = `b${Math.floor(next() * 1e9)}`;
      known.open.set(`batch ${batch}`, [{ amount, app: app.id }]);
      const answer = await api.post(`token/create/${app.id}`, { amount, owner: batch }).catch(() => undefined);
      if (answer?.status !== 201) continue;
      known.open.delete(`batch ${batch}`);
      for (const t of answer.json.data) {
        known.secrets.set(`token/${t.id}`, { app: app.id, secret: t.token });
        known.sure.set(`token/${t.id}`, { owner: batch, tags: [] });
      }
    } else if (kind < 0.85) {
      const was = known.sure.get(path);
      const change = { owner: `o${Math.floor(next() * 1e9)}`, tags: [`t${Math.floor(next() * 1e9)}`] };
      known.open.set(path, [was, change]);
      const answer = await api.patch(path, change).catch(() => undefined);
      if (answer?.status !== 200) continue;
      known.open.delete(path);
      known.sure.set(path, change);
    } else {
      known.open.set(path, [known.sure.get(path), null]);
      const answer = await api.delete(path).catch(() => undefined);
      if (answer?.status !== 200) continue;
      known.open.delete(path);
      known.sure.set(path, null);
    }
  }
}

const same = (shown: any, expected: any) =>
  expected === null ? shown === null
    : shown !== null && shown.owner === expected.owner && JSON.stringify(shown.tags) === JSON.stringify(expected.tags);

scenario("kill -9 at any moment: every acknowledged change is there, none is half there", async (cleanup) => {
  const data = await mkdtemp(join(tmpdir(), "typeauth-kill-"));
  cleanup.add(() => rm(data, { recursive: true, force: true }));
  const next = random(20261);
  const known: Known = { sure: new Map(), open: new Map(), secrets: new Map() };
  let app: any;
  for (let round = 0; round < 12; round++) {
    const own = new Cleanup();
    const server = await Server.start(own, { data });
    const { api } = server;
    app ??= await api.application("killed", origin, {});
    const shown = new Map<string, any>();
    const batches = new Map<string, number>();
    for (let query = ""; ;) {
      const page = await api.get(`token?limit=1000${query}`);
      for (const t of page.json.data) {
        shown.set(`token/${t.id}`, t);
        batches.set(t.owner, (batches.get(t.owner) ?? 0) + 1);
      }
      if (!page.json.has_more) break;
      query = `&starting_after=${page.json.data.at(-1).id}`;
    }
    for (const [path, expected] of known.sure)
      if (!known.open.has(path))
        assert.ok(same(shown.get(path) ?? null, expected), `round ${round}: ${path} is ${JSON.stringify(shown.get(path))}, not ${JSON.stringify(expected)}`);
    for (const [path, either] of known.open) {
      if (path.startsWith("batch ")) {
        const n = batches.get(path.slice(6)) ?? 0;
        assert.ok(n === 0 || n === either[0].amount, `round ${round}: ${n} of ${either[0].amount} tokens`);
      } else {
        const now = shown.get(path) ?? null;
        const which = either.find((one) => same(now, one));
        assert.notEqual(which, undefined, `round ${round}: ${path} is neither old nor new: ${JSON.stringify(now)}`);
        known.sure.set(path, which);
      }
    }
    // The table of live tokens says what the store says.
    const some = [...known.secrets].slice(-60);
    for (const [path, { app: appId, secret }] of some) {
      const verdict = (await api.authenticate(appId, secret)).json.success;
      assert.equal(verdict, known.sure.get(path) !== null, `round ${round}: ${path} verifies ${verdict}`);
    }
    // Those of unacknowledged batches cannot be followed up: their ids are unknown.
    known.open.clear();
    let dead = false;
    const loops = Array.from({ length: 6 }, () => changes(api, app, known, next, () => dead));
    const moment = 5 + next() * 150;
    await new Promise((resolve) => setTimeout(resolve, moment)); // the moment of the kill, not a synchronisation
    server.signal("SIGKILL");
    dead = true;
    await server.ended();
    await Promise.all(loops);
    await own.run();
  }
  assert.ok(known.sure.size > 100, `only ${known.sure.size} tokens`);
});

scenario("a restart keeps limits, quota, counts and last use", async (cleanup) => {
  const first = await Server.start(cleanup);
  const app = await first.api.application("kept", origin, { ratelimit: { limit: 10, timeWindow: 3600 }, remaining: 100 });
  const [token] = await first.api.tokens(app.id, { metadata: { big: "x".repeat(3000) }, scopes: ["a"] });
  for (let i = 0; i < 12; i++) await first.api.authenticate(app.id, token.token);
  const counters = async (api: Api) => api.get(`token/${token.id}/counters`).then((a) => {
    const [c] = a.json.data;
    return JSON.stringify({ ...c, limits: c.limits.map((l: any) => ({ ...l, reset: 0 })) });
  });
  let before = await counters(first.api);
  let shown = (await first.api.get(`token/${token.id}`)).json.data[0];
  assert.ok(shown.lastUsedAt);
  let server = first;
  for (const end of ["kill", "stop", "kill"] as const) {
    await server[end]();
    server = await Server.start(cleanup, { data: first.data });
    const { api } = server;
    assert.equal(await counters(api), before, `after ${end}`);
    assert.deepEqual((await api.get(`token/${token.id}`)).json.data[0], shown, `after ${end}`);
    assert.equal((await api.authenticate(app.id, token.token)).json.error!.code, "rate_limited");
    await api.delete(`token/${token.id}/counters`);
    assert.equal((await api.authenticate(app.id, token.token, { cost: 10 })).json.success, true);
    before = await counters(api);
    shown = (await api.get(`token/${token.id}`)).json.data[0];
  }
  await server.stop();
});

scenario("the server key: missing or wrong is said, and nothing is made in its place", async (cleanup) => {
  const first = await Server.start(cleanup);
  const app = await first.api.application("sealed", origin, {});
  const [token] = await first.api.tokens(app.id);
  await first.stop();
  const { data } = first;
  const key = join(data, "server.key");
  const serve = () => typeauth(["serve", "--data", data, "--api", "127.0.0.1:0", "--gateway", "off"]);
  await rename(key, `${key}.away`);
  const missing = await serve();
  assert.notEqual(missing.code, 0);
  assert.match(missing.stderr, /server key|server\.key/);
  await assert.rejects(stat(key), "no new key in its place");
  await writeFile(key, `${"ab".repeat(32)}\n`, { mode: 0o600 });
  const wrong = await serve();
  assert.notEqual(wrong.code, 0);
  assert.match(wrong.stderr, /server key|server\.key/);
  await rm(key);
  await rename(`${key}.away`, key);
  const again = await Server.start(cleanup, { data });
  assert.equal((await again.api.authenticate(app.id, token.token)).json.success, true);
  await again.stop();
  await chmod(key, 0o644);
  const open = await serve();
  assert.notEqual(open.code, 0, "a server key that others may read");
  assert.match(open.stderr, /server key|server\.key/);
});

scenario("the data directory is private, and one server's", async (cleanup) => {
  const first = await Server.start(cleanup);
  assert.equal((await stat(first.data)).mode & 0o777, 0o700);
  for (const name of await readdir(first.data))
    assert.equal((await stat(join(first.data, name))).mode & 0o077, 0, name);
  const second = await typeauth(["serve", "--data", first.data, "--api", "127.0.0.1:0", "--gateway", "off"]);
  assert.notEqual(second.code, 0);
  assert.match(second.stderr, /in use/);
  assert.equal((await call(first.door("api"), "GET", "/healthz")).status, 200);
  await first.stop();
  await chmod(first.data, 0o755);
  const open = await typeauth(["serve", "--data", first.data, "--api", "127.0.0.1:0", "--gateway", "off"]);
  assert.notEqual(open.code, 0);
  assert.match(open.stderr, /chmod 700/);
  await chmod(first.data, 0o700);
});

scenario("a full disk: changes are refused whole, traffic goes on, readyz is red until there is room", async (cleanup) => {
  const target = await NodeOrigin.start(cleanup);
  const server = await Server.start(cleanup, { args: ["--access-log", "off"] });
  const { api } = server;
  const app = await api.application("full", target.address, { ratelimit: { limit: 1000, timeWindow: 60 } });
  const [token] = await api.tokens(app.id);
  const count = async () => (await api.get("token?limit=1000")).json.data.length;
  const ready = async () => (await call(server.door("ops"), "GET", "/readyz")).status;
  assert.equal(await ready(), 200);
  const before = await count();
  const size = async (bytes: string) => run("prlimit", ["--pid", String(server.pid), `--fsize=${bytes}`]);
  // No file may grow any more: what the kernel says of it, EFBIG, is a write
  // that fails, as ENOSPC is. The signal that comes with it must not end us.
  await size("4096:unlimited");
  let refused;
  for (let i = 0; i < 50 && !refused; i++) {
    const answer = await api.post(`token/create/${app.id}`, { amount: 100, metadata: { x: "y".repeat(3000) } });
    if (answer.status !== 201) refused = answer;
  }
  assert.ok(refused, "never refused");
  assert.ok(refused.status === 503 || refused.status === 500, refused.text);
  assert.deepEqual(refused.json.data, []);
  assert.equal(await count(), before, "nothing half");
  assert.equal(await ready(), 503);
  const through = await call(server.door("gateway"), "GET", "/", { host: app.domain, authorization: `Bearer ${token.token}` });
  assert.equal(through.status, 200, "traffic goes on");
  await size("unlimited:unlimited");
  await eventually("ready again", async () => (await ready()) === 200);
  assert.equal((await api.post(`token/create/${app.id}`, {})).status, 201);
  assert.equal(await count(), before + 1);
  await server.stop();
});
