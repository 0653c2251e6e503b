// What a build with test hooks lets a test move: time and names.
import { open, mkdtemp, rm, writeFile, type FileHandle } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Cleanup } from "./lifetime.js";

async function scratchFile(cleanup: Cleanup, name: string): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "typeauth-hook-"));
  cleanup.add(() => rm(directory, { recursive: true, force: true }));
  return join(directory, name);
}

/** The offsets of both clocks of src/base/clock.h, in a file they map. */
export class Clock {
  #wall_ms = 0n;
  #node_ms = 0n;

  private constructor(
    readonly path: string,
    readonly file: FileHandle,
  ) {}

  static async make(cleanup: Cleanup): Promise<Clock> {
    const path = await scratchFile(cleanup, "clock");
    const file = await open(path, "w+");
    cleanup.add(() => file.close());
    const clock = new Clock(path, file);
    await clock.#write();
    return clock;
  }

  /** Time passes. */
  async advance(ms: number): Promise<void> {
    this.#wall_ms += BigInt(ms);
    this.#node_ms += BigInt(ms);
    await this.#write();
  }

  /** Somebody sets the machine's clock: wall time jumps, no time passes. */
  async step(ms: number): Promise<void> {
    this.#wall_ms += BigInt(ms);
    await this.#write();
  }

  /** Wall time as the server sees it. */
  now_ms(): number {
    return Date.now() + Number(this.#wall_ms);
  }

  get environment(): Record<string, string> {
    return { TYPEAUTH_TEST_CLOCK: this.path };
  }

  async #write(): Promise<void> {
    const offsets = Buffer.alloc(16);
    offsets.writeBigInt64LE(this.#wall_ms, 0);
    offsets.writeBigInt64LE(this.#node_ms, 8);
    await this.file.write(offsets, 0, 16, 0);
  }
}

/** A resolver of its own: "name address" a line, read at each resolution. */
export class Hosts {
  private constructor(readonly path: string) {}

  static async make(cleanup: Cleanup, text = ""): Promise<Hosts> {
    const hosts = new Hosts(await scratchFile(cleanup, "hosts"));
    await hosts.set(text);
    return hosts;
  }

  set(text: string): Promise<void> {
    return writeFile(this.path, text);
  }

  get environment(): Record<string, string> {
    return { TYPEAUTH_TEST_HOSTS: this.path };
  }
}
