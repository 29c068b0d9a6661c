import { beforeAll, describe, expect, it } from "vitest";
import { adopt, type IssuerKeys } from "../../../src/core/token/issuer-keys.ts";
import {
  importKeySet,
  type KeySet,
  type KeySetDocument,
  type PublicJwk,
} from "../../../src/core/token/key-set.ts";
import { createSigningKey, type SigningKey } from "../../support/tokens.ts";
import { createJwksWorld } from "./jwks-world.ts";

let key: SigningKey;

beforeAll(async () => {
  key = await createSigningKey("k");
});

const documentOf = (fetched_at_ms: number, n = key.jwk.n): KeySetDocument => ({
  issuer: "https://a.example",
  fetched_at_ms,
  keys: [{ kid: "k", n, e: "AQAB" } as PublicJwk],
});

/** What `createJwks` begins an issuer with, so that this file need not know every member. */
const keysWith = (keySet: KeySet | undefined): IssuerKeys => ({ keySet }) as IssuerKeys;

describe("adopt", () => {
  it("takes a document over where there is none, or an older one", async () => {
    const keys = keysWith(undefined);
    expect(await adopt(keys, documentOf(1))).toBe(true);
    expect(await adopt(keys, documentOf(2))).toBe(true);
    expect(keys.keySet?.document.fetched_at_ms).toBe(2);
  });

  it("leaves a set in place that is as new, or newer", async () => {
    const keys = keysWith(await importKeySet(documentOf(2), undefined));
    const before = keys.keySet;
    expect(await adopt(keys, documentOf(2))).toBe(false);
    expect(await adopt(keys, documentOf(1))).toBe(false);
    expect(keys.keySet).toBe(before);
  });

  it("leaves a set in place where no key of the newer document can be imported", async () => {
    const keys = keysWith(await importKeySet(documentOf(1), undefined));
    const before = keys.keySet;
    const unusable = { ...documentOf(2), keys: [{ kid: "k", e: "AQAB" } as PublicJwk] };
    expect(await adopt(keys, unusable)).toBe(false);
    expect(keys.keySet).toBe(before);
  });
});

describe("a set that came from elsewhere while the stores were read", () => {
  it("is memory's, and costs no further question", async () => {
    const world = createJwksWorld([key.jwk]);
    const isolate = world.isolate();
    const issuer = {
      issuer: "https://a.example",
      jwksUrl: "https://a.example/keys",
      form: "explicit",
    } as const;
    const { promise, resolve } = Promise.withResolvers<undefined>();
    world.kv.onGet = () => promise;
    const found = isolate.find("k", issuer);
    await world.scope.idle();
    world.kv.onGet = undefined;
    await isolate.jwks.warm(issuer, world.sources, world.scope); // the cron, in the same isolate
    resolve(undefined);
    expect(await found).toBe("memory");
    expect(world.asked).toHaveLength(1);
  });
});
