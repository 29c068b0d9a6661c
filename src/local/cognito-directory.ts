/** A person of a user pool. */
export interface Person {
  readonly username: string;
  readonly sub: string;
  readonly email: string;
  /** Groups, in the order that `cognito:groups` shows them; none: the claim is absent. */
  readonly groups: readonly string[];
  /** Custom attributes by claim name, such as `custom:tenant_id`. Cognito writes them into ID tokens alone. */
  readonly attributes: Readonly<Record<string, string>>;
}

/** An app client of a user pool: a public one for people, or a confidential one for a machine. */
export interface AppClient {
  readonly clientId: string;
  /** Only a machine has one. */
  readonly secret?: string;
  /** Scopes that it may ask for; a request without `scope` is given all of them. */
  readonly scopes: readonly string[];
}

/** Everything that a user pool knows. */
export interface Directory {
  readonly people: readonly Person[];
  readonly clients: readonly AppClient[];
}

/** True for an app client that gets tokens of its own (`client_credentials`), and none of people. */
export const isMachine = (client: AppClient): boolean => client.secret !== undefined;

/** Finds a person by user name. */
export const findPerson = ({ people }: Directory, username: string): Person | undefined =>
  people.find((person) => person.username === username);

/** Finds an app client by `client_id`. */
export const findClient = ({ clients }: Directory, clientId: string): AppClient | undefined =>
  clients.find((client) => client.clientId === clientId);

/**
 * The scopes of a request, space-separated, as a list; undefined where the app client may not have one of them.
 * Absent or empty: all that it may have.
 */
export function grantScopes(client: AppClient, requested: string | undefined): readonly string[] | undefined {
  const scopes = (requested ?? "").split(" ").filter((scope) => scope !== "");
  if (scopes.length === 0) return client.scopes;
  return scopes.every((scope) => client.scopes.includes(scope)) ? scopes : undefined;
}
