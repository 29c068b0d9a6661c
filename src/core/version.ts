/** The version of this gateway, as `package.json` has it. */
export const VERSION = "0.1.0";
