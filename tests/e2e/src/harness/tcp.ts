// An origin that speaks byte by byte: each connection is given to a function
// of the test. For what no HTTP library would send.
import { createServer, type AddressInfo, type Socket } from "node:net";
import type { Cleanup } from "./lifetime.js";
import type { Address } from "./server.js";

export class TcpOrigin {
  /** Connections accepted so far, oldest first; closed ones too. */
  readonly sockets: Socket[] = [];
  /** Everything that arrived, over all connections. */
  received = "";

  private constructor(readonly address: Address) {}

  /** `speak` is called once a connection, with its number from 0. */
  static async start(
    cleanup: Cleanup,
    speak: (socket: Socket, index: number, origin: TcpOrigin) => void,
    host = "127.0.0.1",
  ): Promise<TcpOrigin> {
    const server = createServer({ allowHalfOpen: true });
    server.listen(0, host);
    await new Promise((resolve) => server.once("listening", resolve));
    const { port } = server.address() as AddressInfo;
    const origin = new TcpOrigin({ host, port });
    server.on("connection", (socket) => {
      origin.sockets.push(socket);
      socket.on("error", () => {});
      socket.on("data", (part) => (origin.received += part.toString("latin1")));
      speak(socket, origin.sockets.length - 1, origin);
    });
    cleanup.add(() => {
      for (const socket of origin.sockets) socket.destroy();
      return new Promise((resolve) => server.close(resolve));
    });
    return origin;
  }

  /** Answers each request head that ends in an empty line with `bytes`. */
  static answering(cleanup: Cleanup, bytes: string, close = false) {
    return TcpOrigin.start(cleanup, (socket) =>
      onHeads(socket, () => {
        socket.write(Buffer.from(bytes, "latin1"));
        if (close) socket.end();
      }),
    );
  }
}

/** Calls back at each end of a request head (bodies are not understood). */
export function onHeads(socket: Socket, then: (head: string) => void): void {
  let text = "";
  socket.on("data", (part) => {
    text += part.toString("latin1");
    for (let end; (end = text.indexOf("\r\n\r\n")) >= 0; ) {
      const head = text.slice(0, end + 4);
      text = text.slice(end + 4);
      then(head);
    }
  });
}
