import { checkEnvironment } from "./check-environment.ts";
import { lintPolicy } from "./check-policy.ts";
import { createFindings, type Finding } from "./finding.ts";
import { readPolicyFile } from "./policy-file.ts";
import { findWranglerConfig, readWranglerConfig } from "./wrangler-config.ts";

/** What is to be checked. */
export interface CheckScope {
  /** One environment; undefined: all of them. */
  readonly env: string | undefined;
  /** Is it to be deployed as it stands? */
  readonly forDeploy: boolean;
}

/** Findings, and which environments they are about. */
export interface CheckResult {
  readonly environments: readonly string[];
  readonly findings: readonly Finding[];
}

const failure = (where: string, faults: readonly string[]): CheckResult => {
  const { list, error } = createFindings(where);
  for (const fault of faults) error(fault);
  return { environments: [], findings: list };
};

/** KV namespaces and rate limits that two environments share, most often by a copied id. */
function findShared(
  environments: readonly { readonly title: string; readonly ids: readonly string[] }[],
): Finding[] {
  const { list, warning } = createFindings("environments");
  const owners = Map.groupBy(
    environments.flatMap(({ title, ids }) => ids.map((id) => ({ title, id }))),
    ({ id }) => id,
  );
  for (const [id, entries] of owners) {
    const titles = [...new Set(entries.map(({ title }) => title))];
    if (titles.length > 1) warning(`${id}: is shared by ${titles.join(" and ")}`);
  }
  return list;
}

/** Checks the project around this folder: its policy, then its environments, every fault at once. */
export async function checkProject({ env, forDeploy }: CheckScope): Promise<CheckResult> {
  const file = findWranglerConfig();
  if (file === undefined)
    return failure("wrangler.toml", ["is not here, nor above; run this in the folder of the project"]);
  const config = readWranglerConfig(file);
  if (!config.ok) return failure("wrangler.toml", config.faults);
  const titled = config.value.environments.map((environment) => ({
    environment,
    title: environment.name ?? "(top level)",
    ids: [
      ...environment.kvNamespaces.flatMap(({ id }) => (id === undefined ? [] : [`KV namespace ${id}`])),
      ...environment.rateLimits.map(({ namespaceId }) => `rate limit ${namespaceId}`),
    ],
  }));
  const chosen = env === undefined ? titled : titled.filter(({ environment }) => environment.name === env);
  if (chosen.length === 0) {
    const names = titled.map(({ title }) => title).join(", ");
    return failure("wrangler.toml", [`has no environment ${env}; it has: ${names}`]);
  }
  const policy = await readPolicyFile(config.value.folder);
  const findings: Finding[] = policy.ok
    ? [...lintPolicy(policy.value)]
    : [...failure("policy", policy.faults).findings];
  for (const { environment } of chosen)
    findings.push(...(await checkEnvironment(environment, policy.ok ? policy.value : undefined, forDeploy)));
  findings.push(...findShared(titled));
  const rank = { error: 0, warning: 1, note: 2 } as const;
  return {
    environments: chosen.map(({ title }) => title),
    findings: findings.toSorted((a, b) => rank[a.level] - rank[b.level]),
  };
}
