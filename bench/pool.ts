/** The user pool that every token of the benchmark is from. */
export const POOL_ID = "us-east-2_Bench0001";
export const ISSUER = `https://cognito-idp.us-east-2.amazonaws.com/${POOL_ID}`;
export const CLIENT_ID = "7ab1c2d3e4f5g6h7i8j9k0l1m2";
/** The API of the Workers and decisions that forward nothing. */
export const ORIGIN_URL = "https://abc123.execute-api.us-east-2.amazonaws.com/prod";
