// TLS on both sides: certificates by name, reload without a drop, origins
// verified unless somebody says otherwise (gateway.md §1 row 1, §3).
import assert from "node:assert/strict";
import { copyFile, mkdtemp, readFile, rm } from "node:fs/promises";
import { request, Agent } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect, type SecureVersion, type TLSSocket } from "node:tls";
import {
  Authority, Clock, Gateway, Hosts, NodeOrigin, RawClient, call, deadline, eventually, scenario, typeauth,
  type Address,
} from "./harness/index.js";

interface Met {
  status: number;
  body: string;
  headers: Record<string, unknown>;
  protocol: string | null;
  subject: string;
}

/** One HTTPS request on a connection of its own. */
function ask(
  to: Address,
  ca: Buffer,
  headers: Record<string, string>,
  options: { servername?: string; minVersion?: any; maxVersion?: any; agent?: Agent } = {},
): Promise<Met> {
  return deadline(10_000, "an answer over TLS", new Promise((resolve, reject) => {
    const asked = request(
      { ...to, ca, path: "/", headers, agent: false, servername: headers.host!, ...options },
      (answer) => {
        const socket = answer.socket as TLSSocket;
        const parts: Buffer[] = [];
        const protocol = socket.getProtocol();
        const subject = socket.getPeerCertificate().subject?.CN ?? "resumed";
        answer.on("data", (part) => parts.push(part));
        answer.on("end", () => resolve({
          status: answer.statusCode!, body: Buffer.concat(parts).toString(),
          headers: answer.headers, protocol, subject,
        }));
      },
    );
    asked.on("error", reject);
    asked.end();
  }));
}

scenario("TLS 1.2 and 1.3 with a certificate for each name", async (cleanup) => {
  const authority = await Authority.make(cleanup);
  const shop = await authority.issue("shop", "DNS:shop.example.test");
  const other = await authority.issue("other", "DNS:other.example.test", "DNS:*.wild.test");
  const origin = await NodeOrigin.start(cleanup);
  const gateway = await Gateway.start(cleanup, origin.address, {
    args: [
      "--gateway-tls", "127.0.0.1:0",
      "--certificate", `${shop.cert},${shop.key}`,
      "--certificate", `${other.cert},${other.key}`,
    ],
  });
  const { api } = gateway.server;
  const second = await api.application("other", origin.address);
  await api.application("wild", origin.address, undefined, { domain: "*.wild.test" });
  const door = gateway.server.door("gateway-tls");
  for (const version of ["TLSv1.2", "TLSv1.3"]) {
    const limits = { minVersion: version, maxVersion: version };
    const met = await ask(door, authority.pem, gateway.headers, limits);
    assert.deepEqual([met.status, met.protocol, met.subject], [200, version, "shop"]);
    const wild = await ask(door, authority.pem, { host: "x.wild.test" }, limits);
    assert.deepEqual([wild.status, wild.subject], [200, "other"]);
  }
  assert.equal(origin.requests[0]!.headers["x-forwarded-proto"], "https");
  assert.match(origin.requests[0]!.headers.forwarded!, /proto=https/);
  await assert.rejects(ask(door, authority.pem, gateway.headers, { minVersion: "TLSv1", maxVersion: "TLSv1.1" }));

  const crossed = await ask(door, authority.pem, { host: second.domain }, { servername: gateway.host });
  assert.equal(crossed.status, 421);
  assert.equal(JSON.parse(crossed.body).error.code, "misdirected_request");
  const lines = await gateway.log(5);
  assert.ok(lines.every((l) => l.x === 1));

  // Plain HTTP to the TLS door is no request.
  const raw = await RawClient.open(cleanup, door);
  await raw.send(gateway.head());
  const got = await raw.untilClosed();
  assert.ok(!got.toString("latin1").includes("200 OK"));
});

scenario("certificates for one name, or for none, are refused at the start with their files", async (cleanup) => {
  const authority = await Authority.make(cleanup);
  const shop = await authority.issue("shop", "DNS:shop.example.test");
  const twin = await authority.issue("twin", "DNS:twin.example.test", "DNS:shop.example.test");
  const bare = await authority.issue("bare", "IP:127.0.0.1");
  const data = await mkdtemp(join(tmpdir(), "typeauth-certs-"));
  cleanup.add(() => rm(data, { recursive: true, force: true }));
  const start = (...certificates: string[]) => typeauth([
    "serve", "--data", data, "--api", "127.0.0.1:0", "--gateway", "off", "--gateway-tls", "127.0.0.1:0",
    ...certificates.flatMap((one) => ["--certificate", one]),
  ]);
  const twice = await start(`${shop.cert},${shop.key}`, `${twin.cert},${twin.key}`);
  assert.equal(twice.code, 1);
  assert.ok(twice.stderr.includes(`two certificates for "shop.example.test": ${shop.cert} and ${twin.cert}`), twice.stderr);
  const none = await start(`${shop.cert},${shop.key}`, `${bare.cert},${bare.key}`);
  assert.equal(none.code, 1);
  assert.ok(none.stderr.includes(`certificate ${bare.cert} has no DNS name in its subjectAltName`), none.stderr);
});

scenario("a ticket resumes a session in TLS 1.2 and 1.3, until its keys are gone", async (cleanup) => {
  const authority = await Authority.make(cleanup);
  const shop = await authority.issue("shop", "DNS:shop.example.test");
  const origin = await NodeOrigin.start(cleanup);
  const clock = await Clock.make(cleanup);
  const gateway = await Gateway.start(cleanup, origin.address, {
    args: ["--gateway-tls", "127.0.0.1:0", "--certificate", `${shop.cert},${shop.key}`],
    env: clock.environment,
  });
  const door = gateway.server.door("gateway-tls");
  const meet = (version: SecureVersion, session?: Buffer) => deadline(10_000, "an answer",
    new Promise<{ resumed: boolean; session: Buffer }>((resolve, reject) => {
      let kept = session; // TLS 1.2 gives a new one only when the keys have changed
      let got = "";
      let resumed = false;
      const socket = connect({
        ...door, ca: authority.pem, servername: gateway.host, session,
        minVersion: version, maxVersion: version, ALPNProtocols: ["http/1.1"],
      }, () => {
        resumed = socket.isSessionReused();
        socket.write(gateway.head("GET / HTTP/1.1", ["Connection: close"]));
      });
      socket.on("session", (one) => (kept = one));
      socket.on("data", (part) => (got += part.toString("latin1")));
      socket.on("error", reject);
      socket.on("close", () => got.startsWith("HTTP/1.1 200") && kept
        ? resolve({ resumed, session: kept })
        : reject(new Error(`${got} ${kept}`)));
    }));
  for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
    const first = await meet(version);
    assert.equal(first.resumed, false, version);
    const second = await meet(version, first.session);
    assert.equal(second.resumed, true, version);
    gateway.server.signal("SIGHUP");
    await eventually("reloaded", () => gateway.server.log.some((l) => /reloaded/.test(l)));
    assert.equal((await meet(version, second.session)).resumed, true, `${version}, after a reload`);
    await clock.advance(5 * 3600 * 1000);
    assert.equal((await meet(version, second.session)).resumed, false, `${version}, hours later`);
  }
  const { text } = await call(gateway.server.door("ops"), "GET", "/metrics");
  assert.match(text, /^typeauth_tls_handshakes_total 8$/m);
  assert.match(text, /^typeauth_tls_handshakes_resumed_total 4$/m);
});

scenario("large bodies pass over TLS both ways", async (cleanup) => {
  const authority = await Authority.make(cleanup);
  const pair = await authority.issue("shop", "DNS:shop.example.test", "IP:127.0.0.1");
  const origin = await NodeOrigin.start(cleanup, (asked, answer) => asked.pipe(answer), {
    tls: { key: await readFile(pair.key), cert: await readFile(pair.cert) },
  });
  const gateway = await Gateway.start(cleanup, origin.address, {
    application: { originHostname: `https://127.0.0.1:${origin.address.port}` },
    args: ["--gateway-tls", "127.0.0.1:0", "--certificate", `${pair.cert},${pair.key}`, "--ca-file", authority.file],
  });
  const body = Buffer.alloc(8 << 20, "0123456789abcdef-");
  const echoed = await deadline(30_000, "the echo", new Promise<Buffer>((resolve, reject) => {
    const asked = request(
      {
        ...gateway.server.door("gateway-tls"), ca: authority.pem, agent: false, method: "POST",
        servername: gateway.host, headers: { ...gateway.headers, "content-length": body.length },
      },
      (answer) => {
        const parts: Buffer[] = [];
        answer.on("data", (part) => parts.push(part));
        answer.on("end", () => resolve(Buffer.concat(parts)));
        answer.on("error", reject);
      },
    );
    asked.on("error", reject);
    asked.end(body);
  }));
  assert.ok(echoed.equals(body));
});

scenario("SIGHUP takes up new certificates and drops nobody", async (cleanup) => {
  const authority = await Authority.make(cleanup);
  const first = await authority.issue("first", "DNS:shop.example.test");
  const next = await authority.issue("next", "DNS:shop.example.test");
  const origin = await NodeOrigin.start(cleanup);
  const live = { cert: `${authority.directory}/live.crt`, key: `${authority.directory}/live.key` };
  const install = async (pair: { cert: string; key: string }) => {
    await copyFile(pair.cert, live.cert);
    await copyFile(pair.key, live.key);
  };
  await install(first);
  const gateway = await Gateway.start(cleanup, origin.address, {
    args: ["--gateway-tls", "127.0.0.1:0", "--certificate", `${live.cert},${live.key}`],
  });
  const door = gateway.server.door("gateway-tls");
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  cleanup.add(() => agent.destroy());
  const kept = () => ask(door, authority.pem, gateway.headers, { agent });
  assert.equal((await kept()).subject, "first");

  let failed = 0;
  let on = true;
  const load = Promise.all(Array.from({ length: 3 }, async () => {
    while (on) {
      const met = await ask(door, authority.pem, gateway.headers).catch(() => undefined);
      if (met?.status !== 200) failed++;
    }
  }));
  await install(next);
  gateway.server.signal("SIGHUP");
  await eventually("the next certificate is shown", async () =>
    (await ask(door, authority.pem, gateway.headers)).subject === "next");
  assert.equal((await kept()).status, 200, "the connection of before lives");
  // Files that do not fit leave what holds.
  await copyFile(first.key, live.key);
  gateway.server.signal("SIGHUP");
  await eventually("the trouble is told", () => gateway.server.log.some((l) => /certificate/.test(l)));
  assert.equal((await ask(door, authority.pem, gateway.headers)).subject, "next");
  on = false;
  await load;
  assert.equal(failed, 0);
});

scenario("HTTPS origins are verified: authority, name, time", async (cleanup) => {
  const authority = await Authority.make(cleanup);
  const pair = await authority.issue("good", "DNS:origin.test", "IP:127.0.0.1");
  const tls = { key: await readFile(pair.key), cert: await readFile(pair.cert) };
  const origin = await NodeOrigin.start(cleanup, undefined, { tls });
  const { port } = origin.address;
  const hosts = await Hosts.make(cleanup, "origin.test 127.0.0.1\nanother.test 127.0.0.1\n");
  const at = async (name: string, args: string[]) => {
    const gateway = await Gateway.start(cleanup, origin.address, {
      application: { originHostname: `https://${name}:${port}` },
      env: hosts.environment,
      args,
    });
    const answer = await gateway.ask();
    return [answer.status, answer.status === 200 ? "" : answer.json.error?.code];
  };
  const trusted = ["--ca-file", authority.file];
  assert.deepEqual(await at("origin.test", []), [502, "origin_unreachable"], "unknown authority");
  assert.equal(origin.requests.length, 0);
  assert.deepEqual(await at("origin.test", trusted), [200, ""]);
  assert.deepEqual(await at("127.0.0.1", trusted), [200, ""], "an address in the certificate");
  assert.deepEqual(await at("another.test", trusted), [502, "origin_unreachable"], "wrong name");
  assert.deepEqual(await at("another.test", ["--origin-tls-verify", "no"]), [200, ""]);
  assert.equal(origin.last.headers.host, `another.test:${port}`);
});

scenario("an origin that speaks no TLS where it should is 502", async (cleanup) => {
  const origin = await NodeOrigin.start(cleanup);
  const gateway = await Gateway.start(cleanup, origin.address, {
    application: { originHostname: `https://127.0.0.1:${origin.address.port}` },
  });
  assert.equal((await gateway.ask()).status, 502);
  assert.equal(origin.requests.length, 0);
});
