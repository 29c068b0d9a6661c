import { join } from "node:path";
import { Miniflare } from "miniflare";
import type { TestProject } from "./project.ts";

/** A project's KV on this machine, in the very files that wrangler's `--local` reads and writes. */
export interface LocalKv {
  get(key: string): Promise<string | null>;
  put(key: string, value: string, options?: { metadata?: unknown; expirationTtl?: number }): Promise<void>;
  delete(key: string): Promise<void>;
  list(): Promise<{ keys: { name: string; metadata?: unknown; expiration?: number }[] }>;
}

/** Where wrangler keeps the state of a project. */
export const persistFolder = ({ folder }: TestProject): string => join(folder, ".wrangler/state/v3");

/** Opens namespaces by the ids of `wrangler.toml`; without the second that each run of wrangler takes. */
export async function openLocalKv(
  project: TestProject,
  ids: readonly string[],
): Promise<{ readonly namespaces: readonly LocalKv[]; close(): Promise<void> }> {
  const env = Object.fromEntries(ids.map((id, index) => [`KV${index}`, { type: "kv", id }]));
  const contents = "export default { fetch: () => new Response(null, { status: 404 }) }";
  const miniflare = new Miniflare({
    cf: false,
    resourcePersistencePath: persistFolder(project),
    workers: [
      {
        config: {
          name: "kv",
          compatibilityDate: "2026-08-01",
          manifest: { mainModule: "index.js", modules: { "index.js": { type: "esm", contents } } },
          env,
        },
      },
    ],
  } as unknown as ConstructorParameters<typeof Miniflare>[0]);
  await miniflare.ready;
  const namespaces = await Promise.all(
    ids.map(async (_id, index) => (await miniflare.getKVNamespace(`KV${index}`)) as unknown as LocalKv),
  );
  return { namespaces, close: () => miniflare.dispose() };
}
