/** Is `role` in the ladder at or above `lowest`? `ladder` ascends; a role outside it opens nothing. */
export function hasRole(ladder: readonly string[], role: string | undefined, lowest: string): boolean {
  if (role === undefined) return false;
  const rank = ladder.indexOf(role);
  return rank !== -1 && rank >= ladder.indexOf(lowest);
}
