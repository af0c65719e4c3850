import { randomBytes } from 'node:crypto';

/**
 * `prefix` with a random ending, for topics, groups, databases and entities of one spec on the shared Kafka and
 * Postgres. Letters, digits and hyphens only when the prefix has no others.
 */
export function uniqueName(prefix: string): string {
  return `${prefix}-${randomBytes(5).toString('hex')}`;
}
