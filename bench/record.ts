/** The record of a request that was forwarded, but for what each one has of its own; its values are made up. */
export const RECORD = {
  event: "decision",
  request_id: "5f1c2d3e-0000-4000-8000-000000000001",
  method: "GET",
  route: "/v1/orders/:orderId/*",
  decision: "forward",
  caller: "user",
  sub: "b1c2d3e4-0000-4000-8000-000000000001",
  tenant: "acme",
  client_id: "1example23456789",
  kid: "example-key-id",
  token_use: "id",
  jwks: "memory",
};
