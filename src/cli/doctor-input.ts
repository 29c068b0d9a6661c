import * as v from "valibot";
import { UsageError } from "./context.ts";
import { faultsOf } from "./faults.ts";
import { readJsonInput } from "./token-input.ts";

const strings = v.array(v.string());

const userPool = v.object({
  Id: v.string(),
  Name: v.optional(v.string()),
  SchemaAttributes: v.optional(v.array(v.object({ Name: v.string(), Mutable: v.optional(v.boolean()) }))),
  AdminCreateUserConfig: v.optional(v.object({ AllowAdminCreateUserOnly: v.optional(v.boolean()) })),
  IssuerConfiguration: v.optional(v.object({ Type: v.optional(v.string()) })),
});

// ClientSecret is reduced to whether there is one: nothing that is printed can hold it
const userPoolClient = v.object({
  UserPoolId: v.string(),
  ClientId: v.string(),
  ClientName: v.optional(v.string()),
  ClientSecret: v.pipe(
    v.optional(v.string()),
    v.transform((secret) => secret !== undefined && secret !== ""),
  ),
  ReadAttributes: v.optional(strings),
  WriteAttributes: v.optional(strings),
  AllowedOAuthFlows: v.optional(strings, []),
  EnableTokenRevocation: v.optional(v.boolean()),
  AccessTokenValidity: v.optional(v.number()),
  IdTokenValidity: v.optional(v.number()),
  TokenValidityUnits: v.optional(
    v.object({ AccessToken: v.optional(v.string()), IdToken: v.optional(v.string()) }),
    {},
  ),
});

const description = v.union([v.object({ UserPool: userPool }), v.object({ UserPoolClient: userPoolClient })]);

/** What `aws cognito-idp describe-user-pool` says, as far as it matters here. */
export type UserPoolDescription = v.InferOutput<typeof userPool>;
/** What `aws cognito-idp describe-user-pool-client` says, without its secret. */
export type ClientDescription = v.InferOutput<typeof userPoolClient> & {
  /** The file that it is from, for commands that start from it. */
  readonly file: string;
};

/** Descriptions of pools and app clients, from all files. */
export interface Descriptions {
  readonly pools: readonly UserPoolDescription[];
  readonly clients: readonly ClientDescription[];
}

/**
 * Reads files with the output of the two AWS commands, in any order.
 *
 * @throws {UsageError} where one is neither.
 */
export async function readDescriptions(files: readonly string[]): Promise<Descriptions> {
  const pools: UserPoolDescription[] = [];
  const clients: ClientDescription[] = [];
  for (const file of files) {
    const value = await readJsonInput(file);
    const parsed = v.safeParse(description, value);
    if (!parsed.success) {
      const isNear =
        typeof value === "object" && value !== null && ("UserPool" in value || "UserPoolClient" in value);
      const faults = isNear ? `: ${faultsOf(parsed.issues).join("; ")}` : "";
      throw new UsageError(
        `${file} is not the output of aws cognito-idp describe-user-pool or describe-user-pool-client${faults}.`,
      );
    }
    if ("UserPool" in parsed.output) pools.push(parsed.output.UserPool);
    else clients.push({ ...parsed.output.UserPoolClient, file });
  }
  return { pools, clients };
}
