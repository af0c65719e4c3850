// The audit log as a hash chain: an entry's hash covers the hash before it, so no entry can be changed, removed from the
// middle or slipped in without every later hash being wrong.
import { createHash } from 'node:crypto';
import { canonicalJson } from '@headrace/definitions';

export interface AuditFacts {
  readonly sequence: number;
  readonly atMicros: number;
  /** Subject of the caller's token, or the service that acted by policy. */
  readonly actor: string;
  /** Dotted, such as "gates.waived". */
  readonly action: string;
  /** "<Kind>/<name>" or "<model>/<version>". */
  readonly subject: string;
  readonly detail: Readonly<Record<string, unknown>>;
}

export interface ChainedEntry extends AuditFacts {
  readonly previousHash: string;
  readonly hash: string;
}

/** Stands before the first entry. */
export const GENESIS_HASH = '0'.repeat(64);

/** SHA-256, hexadecimal, over the previous hash and the canonical JSON of the entry. */
export function hashOf(previousHash: string, facts: AuditFacts): string {
  const { sequence, atMicros, actor, action, subject, detail } = facts;
  const text = canonicalJson({ sequence, atMicros, actor, action, subject, detail });
  return createHash('sha256').update(previousHash).update(text).digest('hex');
}

export function chain(previous: { sequence: number; hash: string }, facts: Omit<AuditFacts, 'sequence'>): ChainedEntry {
  // Through JSON once: what is hashed is what is stored (no undefined, no NaN).
  const detail = JSON.parse(JSON.stringify(facts.detail)) as Record<string, unknown>;
  const entry: AuditFacts = { ...facts, detail, sequence: previous.sequence + 1 };
  return { ...entry, previousHash: previous.hash, hash: hashOf(previous.hash, entry) };
}

export interface ChainHead {
  readonly sequence: number;
  readonly hash: string;
}

export const emptyHead: ChainHead = { sequence: 0, hash: GENESIS_HASH };

/** Follows entries in order from a head that is known to hold; undefined as soon as one does not fit. */
export function follow(head: ChainHead, entries: Iterable<ChainedEntry>): ChainHead | undefined {
  let { sequence, hash } = head;
  for (const entry of entries) {
    const fits = entry.sequence === sequence + 1 && entry.previousHash === hash && entry.hash === hashOf(hash, entry);
    if (!fits) return undefined;
    ({ sequence, hash } = entry);
  }
  return { sequence, hash };
}
