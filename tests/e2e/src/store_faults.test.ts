// A data directory that cannot be written to, a file system that is full to the
// last byte, tombstones that have served their time.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { chmod, chown, copyFile, mkdir, mkdtemp, open, rm, statfs, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import {
  Cleanup, Clock, NodeOrigin, Server, binary, call, eventually, scenario, typeauth,
} from "./harness/index.js";

const run = promisify(execFile);
const root = process.getuid!() === 0;
const NOBODY = 65534;
const nowhere = { host: "127.0.0.1", port: 9 };

/** The program as a user who is bound by modes, and a directory of his. */
async function bound(cleanup: Cleanup): Promise<{ program: string; data: string }> {
  const directory = await mkdtemp(join(tmpdir(), "typeauth-bound-"));
  cleanup.add(() => rm(directory, { recursive: true, force: true }));
  const data = join(directory, "data");
  await mkdir(data, { mode: 0o700 });
  if (!root) return { program: binary(), data };
  await chmod(directory, 0o755);
  const copy = join(directory, "typeauth.bin");
  const program = join(directory, "typeauth");
  await copyFile(binary(), copy);
  await chmod(copy, 0o755);
  await writeFile(program, `#!/bin/sh
exec setpriv --reuid ${NOBODY} --regid ${NOBODY} --clear-groups ${copy} "$@"
`, { mode: 0o755 });
  await chown(data, NOBODY, NOBODY);
  return { program, data };
}

scenario("a data directory that is read-only at the start is said, and nothing is made", async (cleanup) => {
  const { program, data } = await bound(cleanup);
  const serve = () => typeauth(["serve", "--data", data, "--api", "127.0.0.1:0", "--gateway", "off"], program);
  const refused = async (what: string) => {
    const { code, stderr } = await serve();
    assert.equal(code, 1, what);
    assert.ok(stderr.includes(data), `${what}: ${stderr}`);
    assert.match(stderr, /denied|read-only|readonly/i, what);
  };
  await chmod(data, 0o500);
  await refused("an empty directory");
  await chmod(data, 0o700);
  const first = await Server.start(cleanup, { data, binary: program });
  const app = await first.api.application("kept", nowhere, {});
  const [token] = await first.api.tokens(app.id);
  await first.stop();
  await chmod(data, 0o500);
  await refused("a store of before");
  await chmod(data, 0o700);
  const again = await Server.start(cleanup, { data, binary: program });
  assert.equal((await again.api.authenticate(app.id, token.token)).json.success, true);
  await again.stop();
});

scenario("a data directory that becomes read-only stops neither traffic nor what was acknowledged", async (cleanup) => {
  const origin = await NodeOrigin.start(cleanup);
  const { program, data } = await bound(cleanup);
  const server = await Server.start(cleanup, { data, binary: program });
  const { api } = server;
  const app = await api.application("frozen", origin.address, { remaining: 1000 });
  const [token] = await api.tokens(app.id);
  const through = () => call(server.door("gateway"), "GET", "/", {
    host: app.domain, authorization: `Bearer ${token.token}`,
  });
  assert.equal((await through()).status, 200);
  await chmod(data, 0o500);
  server.signal("SIGHUP"); // the access log is opened again, or stays
  const secrets: string[] = [];
  let unsure = 0;
  for (let i = 0; i < 20; i++) {
    assert.equal((await through()).status, 200, "traffic goes on");
    const made = await api.post(`token/create/${app.id}`, { metadata: { long: `${i} `.repeat(500) } });
    if (made.status === 201) secrets.push(made.json.data[0].token);
    else unsure++;
    assert.ok(made.status === 201 || made.status === 503, made.text);
    assert.equal((await api.get("token")).status, 200);
  }
  await chmod(data, 0o700);
  await eventually("ready", async () => (await call(server.door("ops"), "GET", "/readyz")).status === 200);
  assert.equal((await api.post(`token/create/${app.id}`, {})).status, 201);
  await server.kill();
  const again = await Server.start(cleanup, { data, binary: program });
  for (const secret of [token.token, ...secrets])
    assert.equal((await again.api.authenticate(app.id, secret)).json.success, true);
  const { remaining } = (await again.api.authenticate(app.id, token.token, { peek: true })).json.data[0];
  assert.equal(remaining, 1000 - 21 - 1, `counts of a frozen disk; ${unsure} unsure`);
  await again.stop();
});

scenario("a full file system: refused whole, traffic and revocation's truth stay, room mends all", async (cleanup, t) => {
  const at = await mkdtemp(join(tmpdir(), "typeauth-full-"));
  cleanup.add(() => rm(at, { recursive: true, force: true }));
  if (!root) return t.skip("mounting needs root");
  try {
    await run("mount", ["-t", "tmpfs", "-o", "size=24m,mode=0700", "none", at]);
  } catch {
    return t.skip("mounting is forbidden here");
  }
  cleanup.add(() => run("umount", ["-l", at]));
  const origin = await NodeOrigin.start(cleanup);
  const data = join(at, "data");
  await mkdir(data, { mode: 0o700 });
  const own = new Cleanup();
  cleanup.add(() => own.run());
  const server = await Server.start(own, { data, args: ["--workers", "1"] });
  const { api } = server;
  const app = await api.application("full", origin.address, { remaining: 100_000 });
  const [token] = await api.tokens(app.id);
  const through = async () => (await call(server.door("gateway"), "GET", "/", {
    host: app.domain, authorization: `Bearer ${token.token}`,
  })).status;
  const ready = async () => (await call(server.door("ops"), "GET", "/readyz")).status;
  const count = async () => (await api.get("token?limit=1000")).json.data.length;

  const filler = await open(join(at, "filler"), "w");
  const left = async () => {
    const fs = await statfs(at);
    return fs.bavail * fs.bsize;
  };
  const fill = async () => {
    for (const size of [1 << 20, 4096])
      for (const block = Buffer.alloc(size); ; )
        if (!(await filler.write(block).then((w) => w.bytesWritten === size, () => false))) break;
    assert.equal(await left(), 0);
  };
  await fill();
  // What SQLite has already in its log it may write over: until it must grow.
  let refused;
  const made = new Map<string, number>([["", 1]]);
  for (let i = 0; i < 200 && !refused; i++) {
    const answer = await api.post(`token/create/${app.id}`, {
      amount: 20, owner: `o${i}`, metadata: { long: `${i} `.repeat(800) },
    });
    if (answer.status === 201) made.set(`o${i}`, 20);
    else refused = answer;
  }
  assert.ok(refused, "never refused");
  assert.equal(refused.status, 503, refused.text);
  assert.deepEqual(refused.json.data, []);
  assert.equal(await ready(), 503);
  for (let i = 0; i < 50; i++) assert.equal(await through(), 200, "traffic goes on");
  const answer = await api.delete(`token/${token.id}`);
  if (answer.status === 200) assert.equal(await through(), 401);
  else assert.deepEqual([answer.status, await through()], [503, 200]);
  const revoked = answer.status === 200;
  assert.equal((await api.get("applications")).status, 200, "reading goes on");

  await filler.truncate(0);
  await filler.close();
  await eventually("ready again", async () => (await ready()) === 200, 20_000);
  if (!revoked) assert.equal((await api.delete(`token/${token.id}`)).status, 200);
  assert.equal(await through(), 401);
  assert.equal((await api.post(`token/create/${app.id}`, { owner: "after" })).status, 201);
  const tokens = await count();
  const owners = new Set((await api.get("token?limit=1000")).json.data.map((one: any) => one.owner));
  for (const owner of owners) assert.ok(owner === "after" || made.has(owner as string), `${owner} was refused`);
  await server.kill();
  const again = await Server.start(own, { data });
  assert.equal((await again.api.get("token?limit=1000")).json.data.length, tokens);
  assert.equal((await again.api.authenticate(app.id, token.token)).json.error!.code, "token_revoked");
  await again.stop();
});

scenario("tombstones and old secrets are known for 30 days, then nobody's", async (cleanup) => {
  const clock = await Clock.make(cleanup);
  const server = await Server.start(cleanup, { env: clock.environment });
  const { api } = server;
  const app = await api.application("graves", nowhere, {});
  const [first, later, rotated] = await api.tokens(app.id, { amount: 3 });
  const code = async (secret: string) => (await api.authenticate(app.id, secret)).json.error?.code;
  const shown = async (token: any) => (await api.get(`token/${token.id}?revoked=true`)).status;
  // Purging runs at once when there is an application to purge.
  let rounds = 0;
  const purge = async () => {
    const other = await api.application(`round${rounds++}`, nowhere, {});
    assert.equal((await api.delete(`applications/${other.id}`)).status, 200);
  };
  const day = 86_400_000;
  assert.equal((await api.delete(`token/${first.id}`)).status, 200);
  await clock.advance(2 * day);
  assert.equal((await api.delete(`token/${later.id}`)).status, 200);
  const next = (await api.post(`token/${rotated.id}/rotate`, {})).json.data[0].token;
  await clock.advance(29 * day);
  await purge();
  // What ends the first has also judged the others.
  await eventually("the first is purged", async () => (await shown(first)) === 404);
  await eventually("and nobody's", async () => (await code(first.token)) === "invalid_token");
  assert.equal(await shown(later), 200);
  assert.equal((await api.get(`token/${later.id}`)).status, 404);
  assert.equal(await code(later.token), "token_revoked");
  assert.equal(await code(rotated.token), "token_revoked");
  await clock.advance(2 * day);
  await purge();
  await eventually("the later one is purged", async () => (await shown(later)) === 404);
  await eventually("and nobody's", async () => (await code(later.token)) === "invalid_token");
  await eventually("nor the old secret", async () => (await code(rotated.token)) === "invalid_token");
  assert.equal(await code(next), undefined);
  assert.equal((await api.get(`token/${rotated.id}`)).status, 200);
  await server.stop();
  const again = await Server.start(cleanup, { data: server.data, env: clock.environment });
  assert.equal((await again.api.authenticate(app.id, later.token)).json.error!.code, "invalid_token");
  assert.equal((await again.api.authenticate(app.id, next)).json.success, true);
  await again.stop();
});
