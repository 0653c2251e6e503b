// The egress policy (gateway.md §3) against real sockets. The addresses that
// must never be reached exist only in a network of the test's own: this file
// starts itself again in a fresh network namespace, where its loopback
// interface has them all and an origin listens on each.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { Gateway, Hosts, NodeOrigin, eventually, scenario, type Cleanup, type GatewayOptions } from "./harness/index.js";

const refusedAlways = ["169.254.169.254", "169.254.1.1", "[fd00:ec2::254]", "0.0.0.0"];
const refusedByPublic = ["127.0.0.1", "10.1.2.3", "192.168.7.7", "172.20.1.1", "100.64.0.1", "[::1]", "[fc00::7]"];
const outside = "11.22.33.44"; // only looks public: it never leaves this network
const inside = process.env.TYPEAUTH_TEST_NETWORK === "own";

if (!inside)
  scenario("the egress policy, in a network of its own", async () => {
    const addresses = [...refusedAlways, ...refusedByPublic, outside]
      .map((a) => a.replace(/[[\]]/g, ""))
      .filter((a) => !["127.0.0.1", "0.0.0.0", "::1"].includes(a));
    const script = [
      "ip link set lo up",
      ...addresses.map((a) => `ip addr add ${a}/${a.includes(":") ? 128 : 32} dev lo${a.includes(":") ? " nodad" : ""}`),
      `exec "$1" --test-reporter=spec "$2"`,
    ].join(" && ");
    const { NODE_TEST_CONTEXT: _, ...env } = process.env;
    const root = process.getuid?.() === 0 ? [] : ["--map-root-user"];
    await promisify(execFile)(
      "unshare",
      ["--net", ...root, "sh", "-c", script, "sh", process.execPath, fileURLToPath(import.meta.url)],
      { env: { ...env, TYPEAUTH_TEST_NETWORK: "own" }, timeout: 100_000 },
    ).catch((error: { stdout?: string; stderr?: string }) =>
      assert.fail(`${error.stdout ?? ""}${error.stderr ?? String(error)}`));
  });

/** An origin on every address; which of them were connected to. */
async function everywhere(cleanup: Cleanup) {
  const reached: string[] = [];
  const origin = await NodeOrigin.start(
    cleanup,
    (asked, answer) => {
      asked.resume();
      answer.setHeader("Connection", "close"); // each request connects anew
      answer.end(asked.socket.localAddress);
    },
    { host: "::" },
  );
  origin.server.on("connection", (socket) =>
    reached.push((socket.localAddress ?? "").replace("::ffff:", "")));
  return { port: origin.address.port, reached };
}

/** Asks an application that has this origin; its status. */
async function via(gateway: Gateway, originHostname: string): Promise<number> {
  const to = await gateway.server.api.patch(`applications/${gateway.application.id}`, {
    originHostname,
  });
  if (to.status !== 200) return to.status;
  return (await gateway.ask()).status;
}

const start = (cleanup: Cleanup, port: number, options: GatewayOptions = {}) =>
  Gateway.start(cleanup, { host: "127.0.0.1", port }, options);

if (inside) {
  scenario("link-local and metadata addresses are never connected to", async (cleanup) => {
    const { port, reached } = await everywhere(cleanup);
    const gateway = await start(cleanup, port);
    for (const address of refusedAlways) {
      const status = await via(gateway, `http://${address}:${port}`);
      assert.ok(status === 502 || status === 400, `${address}: ${status}`);
    }
    assert.deepEqual(reached, []);
    for (const address of [...refusedByPublic, outside])
      assert.equal(await via(gateway, `http://${address}:${port}`), 200, address);
    const spellings = ["http://[::ffff:169.254.169.254]", "http://2852039166", "http://0xa9fea9fe", "http://169.254.43518"];
    reached.length = 0;
    for (const spelling of spellings)
      assert.notEqual(await via(gateway, `${spelling}:${port}`), 200, spelling);
    assert.deepEqual(reached, []);
  });

  scenario("our own listeners are no origins, by whatever address", async (cleanup) => {
    const { port } = await everywhere(cleanup);
    const gateway = await start(cleanup, port, { args: ["--gateway", "0.0.0.0:0"] });
    for (const door of ["api", "verify", "ops", "gateway"]) {
      const at = gateway.server.door(door).port;
      assert.equal(await via(gateway, `http://127.0.0.1:${at}`), 502, door);
    }
    const at = gateway.server.door("gateway").port;
    for (const address of ["10.1.2.3", outside, "localhost"])
      assert.equal(await via(gateway, `http://${address}:${at}`), 502, address);
  });

  scenario("`public` refuses what is not", async (cleanup) => {
    const { port, reached } = await everywhere(cleanup);
    const gateway = await start(cleanup, port, { args: ["--egress", "public"] });
    for (const address of [...refusedAlways, ...refusedByPublic]) {
      const status = await via(gateway, `http://${address}:${port}`);
      assert.ok(status === 502 || status === 400, `${address}: ${status}`);
    }
    assert.deepEqual(reached, []);
    assert.equal(await via(gateway, `http://${outside}:${port}`), 200);
  });

  scenario("a name that is bound anew is judged anew", async (cleanup) => {
    const { port, reached } = await everywhere(cleanup);
    const hosts = await Hosts.make(cleanup, `rebind.test ${outside}\n`);
    const gateway = await start(cleanup, port, {
      args: ["--egress", "public", "--dns-fresh-ms", "100", "--workers", "1"],
      env: hosts.environment,
    });
    assert.equal(await via(gateway, `http://rebind.test:${port}`), 200);
    for (const bad of ["127.0.0.1", "169.254.169.254", "10.1.2.3", "::1"]) {
      await hosts.set(`rebind.test ${bad}\n`);
      await eventually(`${bad} is refused`, async () => (await gateway.ask()).status === 502);
      for (let i = 0; i < 10; i++) assert.equal((await gateway.ask()).status, 502, bad);
      await hosts.set(`rebind.test ${outside}\n`);
      await eventually("the good address serves", async () => (await gateway.ask()).status === 200);
    }
    await hosts.set(`rebind.test 169.254.169.254\nrebind.test 127.0.0.1\nrebind.test ${outside}\n`);
    for (let i = 0; i < 30; i++) {
      const answer = await gateway.ask();
      assert.equal(answer.status, 200);
      assert.match(answer.text, new RegExp(`${outside}$`));
    }
    assert.deepEqual(new Set(reached), new Set([outside]));
  });

  scenario("redirects are not followed", async (cleanup) => {
    const { port, reached } = await everywhere(cleanup);
    const away = await NodeOrigin.start(cleanup, (asked, answer) => {
      asked.resume();
      answer.writeHead(302, { location: `http://169.254.169.254:${port}/` });
      answer.end();
    });
    const gateway = await start(cleanup, away.address.port);
    const answer = await gateway.ask();
    assert.equal(answer.status, 302);
    assert.deepEqual(reached, []);
  });
}
