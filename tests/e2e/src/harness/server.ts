// Starts the real program on free ports with a data directory of its own.
import { spawn, execFile, type ChildProcess } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { Api } from "./api.js";
import { Cleanup, deadline, lines } from "./lifetime.js";

const run = promisify(execFile);

function fromEnvironment(name: string): string {
  const path = process.env[name];
  if (!path) throw new Error(`${name} is not set: run ./test e2e`);
  return path;
}

/** The program under test, built with test hooks. */
export const binary = () => fromEnvironment("TYPEAUTH_BIN");
/** The same program as users get it. */
export const releaseBinary = () => fromEnvironment("TYPEAUTH_RELEASE_BIN");

export interface Address {
  host: string;
  port: number;
}

export interface ServerOptions {
  /** Further options of `typeauth serve`; later ones win. */
  args?: string[];
  /** Often the environment of a Clock and Hosts. */
  env?: Record<string, string>;
  /** A directory of an earlier server; else a new one, removed at the end. */
  data?: string;
  binary?: string;
  /** A command that becomes the program, which it is given with its options. */
  under?: string[];
}

export class Server {
  readonly #child: ChildProcess;
  readonly #ended: Promise<number | string>;
  readonly #doors: Map<string, Address>;
  #log: string[];
  readonly data: string;
  /** Management API with the owner key of the first account. */
  api!: Api;
  accountId!: string;
  ownerKey!: string;

  private constructor(
    child: ChildProcess,
    ended: Promise<number | string>,
    doors: Map<string, Address>,
    log: string[],
    data: string,
  ) {
    this.#child = child;
    this.#ended = ended;
    this.#doors = doors;
    this.#log = log;
    this.data = data;
  }

  static async start(
    cleanup: Cleanup,
    options: ServerOptions = {},
  ): Promise<Server> {
    const program = options.binary ?? binary();
    let data = options.data;
    if (!data) {
      const made = await mkdtemp(join(tmpdir(), "typeauth-e2e-"));
      cleanup.add(() => rm(made, { recursive: true, force: true }));
      data = made;
    }
    // Makes the account the first time, and names it each time.
    const init = JSON.parse(
      (await run(program, ["init", "--data", data, "--json"])).stdout,
    ) as { account_id: string; key?: string | null };

    // Origins of tests count what they are asked: monitors are for their own test.
    const args = ["serve", "--data", data, "--workers", "2"];
    if (program === binary()) args.push("--monitors", "no");
    for (const door of ["api", "gateway", "verify", "ops"])
      args.push(`--${door}`, "127.0.0.1:0");
    const [command, ...words] = [...(options.under ?? []), program, ...args, ...(options.args ?? [])];
    const child = spawn(command!, words, {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, ...options.env },
    });
    const log: string[] = [];
    const ended = new Promise<number | string>((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (code, signal) => resolve(signal ?? code ?? -1));
    });
    cleanup.add(async () => {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill("SIGKILL");
        await ended;
      }
    });

    const doors = new Promise<Map<string, Address>>((resolve, reject) => {
      lines(child.stderr!, (line) => log.push(line));
      lines(child.stdout!, (line) => {
        log.push(line);
        if (line.startsWith("listening ")) resolve(readDoors(line));
      });
      ended.then((how) =>
        reject(new Error(`server ended (${how}):\n${log.join("\n")}`)),
      );
    });
    const server = new Server(
      child,
      ended,
      await deadline(60_000, "the server to listen", doors),
      log,
      data,
    );
    server.accountId = init.account_id;
    server.ownerKey = init.key ?? "";
    server.api = new Api(server.door("api"), server.accountId, server.ownerKey);
    return server;
  }

  /** Where a listener is: api, gateway, verify, ops, gateway-tls. */
  door(name: string): Address {
    const address = this.#doors.get(name);
    if (!address) throw new Error(`the server has no ${name} listener`);
    return address;
  }

  get pid(): number {
    return this.#child.pid!;
  }

  /** All lines of standard output and error so far. */
  get log(): readonly string[] {
    return this.#log;
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  /** Waits for the end: exit code, or the name of the signal. */
  ended(limit_ms = 60_000): Promise<number | string> {
    return deadline(limit_ms, "the server to end", this.#ended);
  }

  /** SIGTERM; throws unless it ends by itself with exit code 0. */
  async stop(): Promise<void> {
    this.signal("SIGTERM");
    const how = await this.ended();
    if (how !== 0)
      throw new Error(`server ended (${how}):\n${this.#log.join("\n")}`);
  }

  /** As a power cut for the process: SIGKILL. */
  async kill(): Promise<void> {
    this.signal("SIGKILL");
    await this.ended();
  }
}

/** "listening api=127.0.0.1:4001 gateway=[::1]:4002 verify=off" */
function readDoors(line: string): Map<string, Address> {
  const doors = new Map<string, Address>();
  for (const word of line.split(" ").slice(1)) {
    const [, name, host, port] =
      /^([a-z-]+)=\[?([^\]]*?)\]?:(\d+)$/.exec(word) ?? [];
    if (name && host && port) doors.set(name, { host, port: Number(port) });
  }
  return doors;
}

/** Built with a sanitizer, as ./test says: memory and CPU time are its own. */
export const sanitized = process.env["ASAN_OPTIONS"] !== undefined;

/** Runs the program to its end. */
export async function typeauth(
  args: string[],
  program = binary(),
): Promise<{ code: number; stdout: string; stderr: string }> {
  try {
    return { code: 0, ...(await run(program, args)) };
  } catch (error) {
    const failure = error as { code: number; stdout: string; stderr: string };
    if (typeof failure.code !== "number") throw error;
    return failure;
  }
}
