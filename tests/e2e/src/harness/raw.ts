// A client that sends exactly the bytes it is given, and reads HTTP/1.1
// answers by the letter: what well-behaved libraries hide.
import { connect, type Socket } from "node:net";
import { Cleanup, deadline } from "./lifetime.js";
import type { Address } from "./server.js";

export interface RawAnswer {
  status: number;
  reason: string;
  /** In the order and spelling in which they came. */
  fields: [name: string, value: string][];
  body: Buffer;
  /** The value of a field, undefined when absent, joined when repeated. */
  field(name: string): string | undefined;
}

export class RawClient {
  readonly #socket: Socket;
  #received: Buffer = Buffer.alloc(0);
  #closed = false;
  #error: Error | undefined;
  #wake: () => void = () => {};

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (part: Buffer) => {
      this.#received = Buffer.concat([this.#received, part]);
      this.#wake();
    });
    const ended = (error?: Error) => {
      this.#error ??= error;
      this.#closed = true;
      this.#wake();
    };
    socket.on("error", ended);
    socket.on("end", () => ended());
    socket.on("close", () => ended());
  }

  static async open(cleanup: Cleanup, to: Address): Promise<RawClient> {
    const socket = connect({ ...to, noDelay: true, allowHalfOpen: true });
    cleanup.add(() => socket.destroy());
    await deadline(
      10_000,
      "a connection",
      new Promise((resolve, reject) => {
        socket.once("connect", resolve);
        socket.once("error", reject);
      }),
    );
    return new RawClient(socket);
  }

  /** Resolves when the kernel has the bytes. */
  send(bytes: string | Buffer): Promise<void> {
    return new Promise((resolve, reject) =>
      this.#socket.write(
        typeof bytes === "string" ? Buffer.from(bytes, "latin1") : bytes,
        (error) => (error ? reject(error) : resolve()),
      ),
    );
  }

  /** Sends FIN; answers can still be read. */
  finish(): void {
    this.#socket.end();
  }

  /** Closes with RST. */
  reset(): void {
    this.#socket.resetAndDestroy();
  }

  /** Stops reading, so that the peer's window fills. */
  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** Bytes that came and were not taken by read yet. */
  get pending(): Buffer {
    return this.#received;
  }

  /** Has the peer closed (FIN or RST)? */
  get closed(): boolean {
    return this.#closed;
  }

  /** Waits until the peer closes; the bytes that were not taken. */
  async untilClosed(limit_ms = 10_000): Promise<Buffer> {
    await deadline(
      limit_ms,
      "the peer to close",
      this.#until(() => this.#closed),
    );
    return this.#received;
  }

  /** The next answer. `method` HEAD has no body; interim ones come too. */
  async read(method = "GET", limit_ms = 10_000): Promise<RawAnswer> {
    return deadline(limit_ms, "an answer", this.#read(method));
  }

  async #until(holds: () => boolean): Promise<void> {
    while (!holds()) await new Promise<void>((wake) => (this.#wake = wake));
  }

  #take(bytes: number): Buffer {
    const taken = this.#received.subarray(0, bytes);
    this.#received = this.#received.subarray(bytes);
    return taken;
  }

  async #bytes(count: number): Promise<Buffer> {
    await this.#until(() => this.#received.length >= count || this.#closed);
    if (this.#received.length < count)
      throw new Error(`closed within a body: ${this.#error ?? "FIN"}`);
    return this.#take(count);
  }

  async #line(): Promise<string> {
    let end = -1;
    await this.#until(() => {
      end = this.#received.indexOf("\r\n");
      return end >= 0 || this.#closed;
    });
    if (end < 0)
      throw new Error(
        `closed within a head: ${this.#error ?? "FIN"}, ` +
          JSON.stringify(this.#received.toString("latin1")),
      );
    return this.#take(end + 2).toString("latin1").slice(0, -2);
  }

  async #fields(): Promise<[string, string][]> {
    const fields: [string, string][] = [];
    for (let line; (line = await this.#line()) !== ""; ) {
      const colon = line.indexOf(":");
      if (colon < 1) throw new Error(`not a field: ${JSON.stringify(line)}`);
      fields.push([line.slice(0, colon), line.slice(colon + 1).trim()]);
    }
    return fields;
  }

  async #read(method: string): Promise<RawAnswer> {
    const first = await this.#line();
    const [, status, reason] =
      /^HTTP\/1\.[01] (\d{3}) ?(.*)$/.exec(first) ?? [];
    if (!status) throw new Error(`not an answer: ${JSON.stringify(first)}`);
    const fields = await this.#fields();
    const field = (name: string) => {
      const values = fields
        .filter(([n]) => n.toLowerCase() === name.toLowerCase())
        .map(([, value]) => value);
      return values.length > 0 ? values.join(", ") : undefined;
    };
    const code = Number(status);
    let body: Buffer = Buffer.alloc(0);
    if (method === "HEAD" || code < 200 || code === 204 || code === 304) {
      // no body
    } else if (field("transfer-encoding")?.toLowerCase() === "chunked") {
      body = await this.#chunks(fields);
    } else if (field("content-length") !== undefined) {
      body = await this.#bytes(Number(field("content-length")));
    } else {
      await this.#until(() => this.#closed);
      body = this.#take(this.#received.length);
    }
    return { status: code, reason: reason ?? "", fields, body, field };
  }

  /** Trailers join the fields. */
  async #chunks(fields: [string, string][]): Promise<Buffer> {
    const parts: Buffer[] = [];
    for (;;) {
      const line = await this.#line();
      if (!/^[0-9a-fA-F]+(;.*)?$/.test(line))
        throw new Error(`not a chunk size: ${JSON.stringify(line)}`);
      const size = parseInt(line, 16);
      if (size === 0) break;
      parts.push(await this.#bytes(size));
      if ((await this.#line()) !== "") throw new Error("chunk overruns");
    }
    fields.push(...(await this.#fields()));
    return Buffer.concat(parts);
  }
}
