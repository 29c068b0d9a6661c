import { VERSION } from "../core/version.ts";
import type { Api } from "./api.ts";
import type { Cognito } from "./cognito.ts";
import { findClient } from "./cognito-directory.ts";
import type { Seeding } from "./kv-seed.ts";
import { curlLine, type Outcome } from "./outcomes.ts";
import { DIRECTORY, WEB_APP } from "./seed.ts";

/** What is told of a running stack. */
export interface Running {
  readonly gatewayUrl: string;
  readonly cognito: Pick<Cognito, "url" | "issuer">;
  readonly api: Pick<Api, "originUrl">;
  readonly outcomes: readonly Outcome[];
  readonly seeding: Seeding;
  /** Number of entries of KV `REVOCATIONS`. */
  readonly revocations: number;
  /** File of the gateway's log; undefined: the terminal. */
  readonly log: string | undefined;
}

const MACHINE = "acme_agent";

function kvLines({ seeding: { written, changed }, revocations }: Running): string[] {
  const seeded = written.length > 0 ? `seeded now: ${written.join(", ")}` : "seeded before";
  return [
    `  KV                .wrangler/state, where wrangler's --local commands look; M2M_TENANTS ${seeded}`,
    ...(changed.length > 0
      ? [`                    changed since, and kept: ${changed.join(", ")} (--reset seeds anew)`]
      : []),
    ...(revocations > 0
      ? [
          `                    REVOCATIONS holds ${revocations}: a curl may be refused for one (--reset empties it)`,
        ]
      : []),
  ];
}

/** The whole text that `npm start` prints once everything answers. */
export function welcome(running: Running): string {
  const { gatewayUrl, cognito, api, outcomes, log } = running;
  const control = `${cognito.url}/_control`;
  const secret = findClient(DIRECTORY, MACHINE)?.secret;
  return [
    `edge-authorizer ${VERSION} runs, on this machine alone:`,
    "",
    `  gateway           ${gatewayUrl}  (src/worker.ts in workerd, with the environment dev of wrangler.toml)`,
    `  Cognito stand-in  ${cognito.url}  (issuer ${cognito.issuer})`,
    `  API stand-in      ${api.originUrl}  (answers with what it has received)`,
    ...kvLines(running),
    "",
    "Paste these into another terminal. The tokens live for an hour.",
    ...outcomes.flatMap((outcome) => [
      "",
      `# ${outcome.status} ${outcome.name}: ${outcome.story}`,
      curlLine(gatewayUrl, outcome),
    ]),
    "",
    "More tokens:",
    `  npx edge token login --domain ${cognito.url} --client-id ${WEB_APP.clientId} --print id`,
    `  EDGE_CLIENT_SECRET=${secret} npx edge token m2m --domain ${cognito.url} --client-id ${MACHINE} --print access`,
    `  curl -s '${control}/token?user=ada&use=id'    (or client=${MACHINE}; also &scope= and &expires_in=)`,
    "Who may do what:",
    `  npx edge m2m grant ${MACHINE} initech --env dev --local    (holds within 30 seconds)`,
    "Rotate the signing keys, take Cognito down, and up again, while all runs:",
    `  curl -X POST '${control}/rotate?keep=1'    (without keep=1 the tokens above are refused from then on)`,
    `  curl -X POST ${control}/down    (known keys go on; after a restart of the gateway it is 503 jwks_unavailable)`,
    `  curl -X POST ${control}/up`,
    "",
    log === undefined
      ? "The gateway's log follows. Ctrl-C stops everything."
      : `The gateway's log goes to ${log}. Ctrl-C stops everything.`,
    "",
  ].join("\n");
}
