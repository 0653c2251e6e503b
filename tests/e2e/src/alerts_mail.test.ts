// Alerts by mail (docs/alerts.md) through a real SMTP server, and through hostile
// ones: stripped STARTTLS, replies that run ahead, lines without end, certificates
// of strangers.
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Authority, NodeOrigin, Server, call, eventually, scenario } from "./harness/index.js";

const { SMTPServer } = createRequire(import.meta.url)("smtp-server");
type Own = Parameters<Parameters<typeof scenario>[1]>[0];
interface Mail { from: string; to: string[]; text: string; user: string; secure: boolean }

async function passwordFile(cleanup: Own, password = "secret of the mail server"): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "typeauth-smtp-"));
  cleanup.add(() => rm(directory, { recursive: true, force: true }));
  const file = join(directory, "password");
  await writeFile(file, `${password}\n`);
  return file;
}

async function mailServer(cleanup: Own, authority: Authority, options: object = {}) {
  const mails: Mail[] = [], pair = await authority.issue("localhost", "DNS:localhost");
  const server = new SMTPServer({
    key: await readFile(pair.key), cert: await readFile(pair.cert), authMethods: ["PLAIN", "LOGIN"],
    onAuth: (auth: any, session: any, done: any) =>
      auth.username === "typeauth" && auth.password === "secret of the mail server"
        ? done(null, { user: auth.username }) : done(new Error("no")),
    onData: (stream: any, session: any, done: any) => {
      const parts: Buffer[] = [];
      stream.on("data", (d: Buffer) => parts.push(d));
      stream.on("end", () => {
        mails.push({ from: session.envelope.mailFrom.address, to: session.envelope.rcptTo.map((r: any) => r.address),
          text: Buffer.concat(parts).toString(), user: session.user, secure: session.secure });
        done();
      });
    },
    ...options,
  });
  server.on("error", () => {});
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  cleanup.add(() => new Promise<void>((resolve) => server.close(() => resolve())));
  return { mails, port: server.server.address().port as number };
}

const start = (cleanup: Own, port: number, args: string[]) => Server.start(cleanup, { args: [
  "--smtp-server", `localhost:${port}`, "--smtp-from", "alerts@example.org", ...args] });
const mailAlert = async (server: Server, more: object = {}) =>
  (await server.api.create("alert/create", { name: "Bereitschaft", to: ["ops@example.com", "boss@example.com"], kinds: ["detection"], ...more }))[0];
const tested = async (server: Server, alert: any) => (await server.api.post(`alert/${alert.id}/test`)).json.data[0];

function decoded(mail: Mail) {
  const [head, body] = mail.text.split("\r\n\r\n") as [string, string];
  const subject = [.../=\?UTF-8\?B\?([^?]*)\?=/g[Symbol.matchAll](head)].map(([, w]) => Buffer.from(w!, "base64").toString()).join("");
  return { head, subject, body: Buffer.from(body.replace(/\r\n/g, ""), "base64").toString() };
}

for (const [mode, extra] of [["starttls", {}], ["implicit", { secure: true }]] as [string, object][])
  for (const method of ["PLAIN", "LOGIN"])
    scenario(`a detection is mailed with ${mode} and AUTH ${method}`, async (cleanup) => {
      const authority = await Authority.make(cleanup);
      const { mails, port } = await mailServer(cleanup, authority, { ...extra, authMethods: [method] });
      const server = await start(cleanup, port, ["--smtp-tls", mode, "--ca-file", authority.file,
        "--smtp-user", "typeauth", "--smtp-password-file", await passwordFile(cleanup)]);
      const alert = await mailAlert(server);
      assert.equal(alert.secret, undefined);
      const said = await tested(server, alert);
      assert.deepEqual([said.delivered, said.problem], [true, ""]);
      assert.equal(mails[0]!.user, "typeauth");
      assert.ok(mails[0]!.secure);
      const origin = await NodeOrigin.start(cleanup);
      const [profile] = await server.api.create("security/create", { name: "deny", ip: { deny: ["127.0.0.0/8"] } });
      const app = await server.api.application("shop", origin.address, {}, { security_id: profile.id });
      await call(server.door("gateway"), "GET", "/", { host: app.domain });
      await eventually("the mail comes", () => mails.length === 2);
      const { head, subject, body } = decoded(mails[1]!);
      assert.deepEqual([mails[1]!.from, mails[1]!.to], ["alerts@example.org", ["ops@example.com", "boss@example.com"]]);
      assert.match(subject, /^\[Type Auth\] ip_blocked at shop\.example\.test/);
      assert.match(body, /application {3}app_/);
      assert.match(body, /"action":"block"/);
      assert.match(head, /^Date: \w{3}, \d+ \w{3} \d{4} [\d:]{8} \+0000\r$/m);
      assert.ok(!server.log.join("\n").includes("secret of the mail server"));
    });

scenario("what a server refuses is told: password, recipient, message", async (cleanup) => {
  const authority = await Authority.make(cleanup);
  const { port } = await mailServer(cleanup, authority, {
    onRcptTo: (address: any, _: any, done: any) =>
      address.address === "boss@example.com" ? done(new Error("no such boss")) : done(),
  });
  const base = ["--ca-file", authority.file, "--smtp-user", "typeauth", "--smtp-password-file"];
  const wrong = await start(cleanup, port, [...base, await passwordFile(cleanup, "another")]);
  assert.match((await tested(wrong, await mailAlert(wrong))).problem, /^AUTH: 535/);
  const right = await start(cleanup, port, [...base, await passwordFile(cleanup)]);
  assert.match((await tested(right, await mailAlert(right))).problem, /^RCPT TO: \d+ no such boss/);
});

scenario("a stranger's certificate gets neither password nor message", async (cleanup) => {
  const { mails, port } = await mailServer(cleanup, await Authority.make(cleanup));
  const server = await start(cleanup, port, ["--ca-file", (await Authority.make(cleanup)).file,
    "--smtp-user", "typeauth", "--smtp-password-file", await passwordFile(cleanup)]);
  const said = await tested(server, await mailAlert(server));
  assert.deepEqual([said.delivered, mails.length], [false, 0]);
  assert.match(said.problem, /certificate|verify|issuer/i);
});

/** Says what it is told to, whatever it hears. */
async function hostile(cleanup: Own, onLine: (line: string, socket: Socket) => void, greeting = "220 hello\r\n") {
  const heard: string[] = [], sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    let rest = "";
    socket.on("error", () => {}).on("data", (d) => {
      const lines = (rest + d.toString("latin1")).split("\r\n");
      rest = lines.pop()!;
      for (const line of lines) { heard.push(line); onLine(line, socket); }
    });
    socket.write(greeting);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  cleanup.add(() => { server.close(); for (const s of sockets) s.destroy(); });
  return { heard, port: (server.address() as AddressInfo).port };
}

const evils: [string, (line: string, socket: Socket) => void, RegExp, string?][] = [
  ["STARTTLS is stripped", (line, s) => s.write(line.startsWith("EHLO") ? "250-x\r\n250 AUTH PLAIN LOGIN\r\n" : "250 ok\r\n"), /does not offer STARTTLS/],
  ["STARTTLS is refused", (line, s) => s.write(line.startsWith("EHLO") ? "250 STARTTLS\r\n" : "454 later\r\n"), /STARTTLS: 454 later/],
  ["replies run ahead of STARTTLS", (line, s) => s.write(line.startsWith("EHLO") ? "250 STARTTLS\r\n" : "220 go\r\n250 AUTH PLAIN\r\n"), /broke the protocol/],
  ["replies run ahead at once", () => {}, /broke the protocol/, "220 hello\r\n250 STARTTLS\r\n220 go\r\n"],
  ["a line has no end", (_, s) => { s.write("250-" + "x".repeat(5000)); }, /too long/],
  ["a reply has no end", (_, s) => { for (let i = 0; i < 3000; i++) s.write("250-again\r\n"); }, /too long/],
  ["it is no SMTP", () => {}, /broke the protocol/, "HTTP/1.1 400 Bad Request\r\n\r\n"],
  ["it hangs up", (_, s) => { s.end(); }, /hung up|closed/],
];
for (const [name, onLine, problem, greeting] of evils)
  scenario(`a hostile mail server: ${name}`, async (cleanup) => {
    const { heard, port } = await hostile(cleanup, onLine, greeting);
    const server = await start(cleanup, port, ["--smtp-user", "typeauth", "--smtp-password-file", await passwordFile(cleanup)]);
    const said = await tested(server, await mailAlert(server));
    assert.equal(said.delivered, false);
    assert.match(said.problem, problem);
    assert.ok(heard.every((line) => /^(EHLO example\.org|STARTTLS)$/.test(line)), `it heard ${heard}`);
  });

scenario("a silent mail server ends with its time, and the API does not wait", async (cleanup) => {
  const { port } = await hostile(cleanup, () => {}, "");
  const server = await start(cleanup, port, ["--fetch-timeout-ms", "2000"]);
  const alert = await mailAlert(server);
  const test = tested(server, alert), began = Date.now();
  assert.equal((await server.api.get("alert")).status, 200);
  assert.ok(Date.now() - began < 1500);
  assert.match((await test).problem, /time/);
});

scenario("without a mail server there are no mail alerts", async (cleanup) => {
  const server = await Server.start(cleanup);
  const answer = await server.api.post("alert/create", { name: "m", to: ["a@example.com"] });
  assert.deepEqual([answer.status, answer.json.error!.code, answer.json.error!.field], [409, "no_mail_server", "to"]);
});
