import { afterAll, beforeAll } from "vitest";
import { type LocalKv, openLocalKv } from "./local-kv.ts";
import { createProject, edge, type Run, type RunOptions, type TestProject, wranglerToml } from "./project.ts";

/** Ids of the namespaces in the `wrangler.toml` of a test project. */
export const NAMESPACE_IDS = {
  M2M_TENANTS: "22222222222222222222222222222222",
  REVOCATIONS: "33333333333333333333333333333333",
} as const;

/** A project with one of its namespaces open, to seed and to look into without a run of wrangler. */
export interface KvProject {
  /** Valid while the tests of the file run. */
  readonly project: TestProject;
  readonly kv: LocalKv;
  /** Runs `edge` in the project's folder. */
  run(args: readonly string[], options?: RunOptions): Promise<Run>;
  /** Everything that the namespace holds, by key. */
  stored(): Promise<Record<string, string | null>>;
  /** Empties the namespace. */
  clear(): Promise<void>;
}

/** Makes the project before the tests of a file, and removes it after them. */
export function useKvProject(binding: keyof typeof NAMESPACE_IDS, policy: unknown): KvProject {
  let opened: { readonly project: TestProject; readonly kv: LocalKv; close(): Promise<void> } | undefined;
  const current = () => {
    if (opened === undefined) throw new Error("The project is made before the tests, and gone after them.");
    return opened;
  };
  const keys = async () => (await current().kv.list()).keys.map(({ name }) => name);

  beforeAll(async () => {
    const project = await createProject(wranglerToml(), policy);
    const { namespaces, close } = await openLocalKv(project, [NAMESPACE_IDS[binding]]);
    const [kv] = namespaces as [LocalKv];
    opened = { project, kv, close };
  });
  afterAll(async () => {
    const { project, close } = current();
    await close();
    await project.remove();
  });
  return {
    get project() {
      return current().project;
    },
    get kv() {
      return current().kv;
    },
    run: (args, options) => edge(args, { cwd: current().project.folder, ...options }),
    async stored() {
      const { kv } = current();
      return Object.fromEntries(
        await Promise.all((await keys()).map(async (key) => [key, await kv.get(key)] as const)),
      );
    },
    async clear() {
      const { kv } = current();
      await Promise.all((await keys()).map((key) => kv.delete(key)));
    },
  };
}
