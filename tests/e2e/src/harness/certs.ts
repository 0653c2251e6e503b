// Certificates made with the machine's openssl: an authority and what it signs.
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Cleanup } from "./lifetime.js";

const run = promisify(execFile);

export interface Pair {
  /** Paths of PEM files. */
  cert: string;
  key: string;
}

export class Authority {
  private constructor(
    readonly directory: string,
    readonly file: string,
    readonly pem: Buffer,
  ) {}

  static async make(cleanup: Cleanup): Promise<Authority> {
    const directory = await mkdtemp(join(tmpdir(), "typeauth-certs-"));
    cleanup.add(() => rm(directory, { recursive: true, force: true }));
    const ca = join(directory, "ca");
    await run("openssl", [
      "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
      "-keyout", `${ca}.key`, "-out", `${ca}.crt`, "-days", "3650", "-subj", "/CN=Test CA",
    ]);
    return new Authority(directory, `${ca}.crt`, await readFile(`${ca}.crt`));
  }

  /** `names` as in subjectAltName: "DNS:a.example", "IP:127.0.0.1". */
  async issue(label: string, ...names: string[]): Promise<Pair> {
    const at = join(this.directory, label);
    const ca = join(this.directory, "ca");
    await run("openssl", [
      "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
      "-keyout", `${at}.key`, "-out", `${at}.csr`, "-subj", `/CN=${label}`,
    ]);
    await writeFile(`${at}.ext`, `subjectAltName=${names.join(",")}\n`);
    await run("openssl", [
      "x509", "-req", "-in", `${at}.csr`, "-CA", `${ca}.crt`, "-CAkey", `${ca}.key`,
      "-CAcreateserial", "-days", "365", "-extfile", `${at}.ext`, "-out", `${at}.crt`,
    ]);
    return { cert: `${at}.crt`, key: `${at}.key` };
  }
}
