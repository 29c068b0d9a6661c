/** What every object has without having it itself: by the names that tokens use, nothing, unless somebody has put it there. */
export const INHERITED: Readonly<Record<string, unknown>> = {};

/**
 * A member of an object, unless every object has this very one: `own(claims["exp"], INHERITED["exp"])`. V8 reads members
 * whose names stand in place in a few instructions; to ask for each whether it is the object's own takes ten times that.
 */
export const own = (member: unknown, inherited: unknown): unknown =>
  member === inherited ? undefined : member;

/** The same for a name that is not known before. */
export const ownNamed = (object: Readonly<Record<string, unknown>>, name: string): unknown =>
  Object.hasOwn(object, name) ? object[name] : undefined;
