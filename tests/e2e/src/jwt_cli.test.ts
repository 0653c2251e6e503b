// `typeauth jwt verify` judges what the `jose` library signs.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as jose from "jose";
import { Cleanup, binary, scenario } from "./harness/index.js";

type Key = Awaited<ReturnType<typeof jose.importJWK>>;

interface Signer { alg: string; sign: Key; jwk: jose.JWK; pem?: string }

const asymmetric = [
  "RS256", "RS384", "RS512", "PS256", "PS384", "PS512",
  "ES256", "ES384", "ES512", "EdDSA", "Ed448",
];

async function signers(): Promise<Signer[]> {
  const all: Signer[] = [];
  for (const name of asymmetric) {
    const alg = name === "Ed448" ? "EdDSA" : name;
    const options = name === "Ed448" ? { crv: "Ed448" } : {};
    const pair = await jose.generateKeyPair(alg, options);
    all.push({
      alg,
      sign: pair.privateKey,
      jwk: await jose.exportJWK(pair.publicKey),
      pem: await jose.exportSPKI(pair.publicKey),
    });
  }
  for (const alg of ["HS256", "HS384", "HS512"]) {
    const secret = Buffer.alloc(Number(alg.slice(2)) / 8, alg);
    all.push({ alg, sign: secret, jwk: { kty: "oct", k: secret.toString("base64url") } });
  }
  return all;
}

const now = () => Math.floor(Date.now() / 1000);
const token = (signer: Signer, claims: jose.JWTPayload = {}, header = {}) =>
  new jose.SignJWT({ sub: "somebody", exp: now() + 600, nbf: now() - 60, ...claims })
    .setProtectedHeader({ alg: signer.alg, ...header })
    .setIssuedAt(now() - 60)
    .sign(signer.sign);

function files(cleanup: Cleanup) {
  const directory = mkdtempSync(join(tmpdir(), "typeauth-jwt-"));
  cleanup.add(() => rmSync(directory, { recursive: true }));
  let made = 0;
  return (content: string | object) => {
    const path = join(directory, `${made++}`);
    writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content));
    return path;
  };
}

function verify(args: string[], input?: string) {
  const said = spawnSync(binary(), ["jwt", "verify", ...args], {
    input: input ?? "",
    encoding: "utf8",
    timeout: 60_000,
  });
  return { status: said.status, out: said.stdout, why: said.stderr };
}

scenario("tokens of the jose library verify in every algorithm, by JWK, set and PEM", async (cleanup) => {
  const file = files(cleanup);
  const all = await signers();
  const set = file({ keys: all.map((s, i) => ({ ...s.jwk, kid: `key ${i}` })) });
  for (const [i, signer] of all.entries()) {
    const good = await token(signer);
    const last = good.endsWith("A") ? "Q" : "A";
    const middle = Math.floor((good.lastIndexOf(".") + good.length) / 2);
    const bad = good.slice(0, middle) + (good[middle] === "A" ? "B" : "A") + good.slice(middle + 1);
    for (const keys of [signer.jwk, { keys: [signer.jwk] }, signer.pem]) {
      if (!keys) continue;
      const path = file(keys);
      assert.deepEqual(verify(["--keys", path, good]), { status: 0, out: "ok\n", why: "" }, signer.alg);
      const said = verify(["--keys", path, bad]);
      assert.equal(said.out, "invalid_signature\n", signer.alg);
      assert.equal(said.status, 1);
      assert.match(said.why, /signature/);
      assert.equal(verify(["--keys", path, good + last]).out, "invalid_signature\n");
    }
    const named = await token(signer, {}, { kid: `key ${i}` });
    assert.equal(verify(["--keys", set, named]).out, "ok\n", signer.alg);
    const misnamed = await token(signer, {}, { kid: `key ${i}'--` });
    assert.match(verify(["--keys", set, misnamed]).why, /no key has the token's kid/);
  }
});

scenario("one token a line gives one line back, each by its published code", async (cleanup) => {
  const file = files(cleanup);
  const signer = (await signers()).at(-1)!;
  const keys = file(signer.jwk);
  const unsigned = new jose.UnsecuredJWT({}).encode();
  const lines: [string, string][] = [
    [await token(signer), "ok"],
    [await token(signer, { exp: now() - 1 }), "token_expired"],
    [await token(signer, { nbf: now() + 600 }), "token_not_active"],
    [await token(signer, { iat: "later" as unknown as number }), "ok"], // setIssuedAt wins
    [await token(signer, { exp: "later" as unknown as number }), "invalid_claim"],
    [unsigned, "invalid_signature"],
    ["", "invalid_signature"],
    ["x".repeat(1_000_000), "invalid_signature"],
    [await token(signer, { long: "x".repeat(11_000) }), "ok"],
  ];
  const text = lines.map(([t]) => t).join("\n");
  for (const input of [text, text + "\n"]) {
    const said = verify(["--keys", keys], input);
    assert.deepEqual(said.out.trimEnd().split("\n"), lines.map(([, code]) => code));
    assert.equal(said.status, 1);
    assert.match(said.why, /^2: exp is past$/m);
    assert.match(said.why, /^6: alg none/m);
  }
  assert.deepEqual(verify(["--keys", keys], lines[0]![0] + "\n"), { status: 0, out: "ok\n", why: "" });
});

scenario("--any-payload judges the signature alone, --alg narrows", async (cleanup) => {
  const file = files(cleanup);
  const signer = (await signers()).at(-1)!;
  const keys = file(signer.jwk);
  const text = await new jose.CompactSign(new TextEncoder().encode("no JSON"))
    .setProtectedHeader({ alg: signer.alg })
    .sign(signer.sign as Uint8Array);
  assert.equal(verify(["--keys", keys, text]).out, "invalid_claim\n");
  assert.equal(verify(["--keys", keys, "--any-payload", text]).out, "ok\n");
  const expired = await token(signer, { exp: 1 });
  assert.equal(verify(["--keys", keys, "--any-payload", expired]).out, "ok\n");
  const good = await token(signer);
  assert.equal(verify(["--keys", keys, "--alg", "ES256,HS512", good]).out, "ok\n");
  assert.equal(verify(["--keys", keys, "--alg", "ES256,HS256", good]).out, "invalid_signature\n");
});

scenario("unusable keys and wrong usage end with status 2 and a reason", async (cleanup) => {
  const file = files(cleanup);
  const keys = file((await signers()).at(-1)!.jwk);
  const { privateKey } = await jose.generateKeyPair("ES256", { extractable: true });
  const cases: [string[], RegExp][] = [
    [[], /usage/],
    [["--keys", keys, "--alg", "none", "a.b.c"], /no algorithm 'none'/],
    [["--keys", keys, "a.b.c", "d.e.f"], /usage/],
    [["--keys", "/nowhere", "a.b.c"], /No such file/],
    [["--keys", file("{}"), "a.b.c"], /kty/],
    [["--keys", file({ kty: "oct", k: "c2hvcnQ" }), "a.b.c"], /shorter than the hash/],
    [["--keys", file(await jose.exportPKCS8(privateKey)), "a.b.c"], /private key/],
  ];
  for (const [args, reason] of cases) {
    const said = verify(args);
    assert.equal(said.status, 2, args.join(" "));
    assert.equal(said.out, "");
    assert.match(said.why, reason);
  }
});
