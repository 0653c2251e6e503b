// Keys and accounts that tests of the management API need beside the owner's.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Api } from "./api.js";
import type { Cleanup } from "./lifetime.js";
import { Server, typeauth, type ServerOptions } from "./server.js";

export const roles = ["verifier", "viewer", "editor", "admin", "owner"] as const;

/** A server with a root key, made as an operator makes it. */
export async function serverWithRoot(
  cleanup: Cleanup,
  options: ServerOptions = {},
): Promise<{ server: Server; rootKey: string }> {
  const data = options.data ?? (await mkdtemp(join(tmpdir(), "typeauth-root-")));
  if (!options.data)
    cleanup.add(() => rm(data, { recursive: true, force: true }));
  await typeauth(["init", "--data", data]);
  const made = await typeauth(["key", "create", "--root", "--data", data, "--json"]);
  const rootKey = JSON.parse(made.stdout).key as string;
  return { server: await Server.start(cleanup, { ...options, data }), rootKey };
}

/** Another account of the same server, with an owner key of its own. */
export async function anotherAccount(
  server: Server,
  rootKey: string,
  slug: string,
): Promise<Api> {
  const root = new Api(server.door("api"), server.accountId, rootKey);
  const [account] = await root.create("/accounts/create", { name: slug, slug });
  const [made] = await root.create(`/${account.id}/management-key/create`, {
    name: "owner", role: "owner",
  });
  return new Api(server.door("api"), account.id, made.key);
}
