import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { DomainError } from '@headrace/contracts';
import { z } from 'zod';

export const roles = ['viewer', 'publisher', 'data-scientist', 'approver', 'operator', 'service'] as const;
export type Role = (typeof roles)[number];

/** Who calls, as proven by a bearer token. */
export interface Caller {
  readonly subject: string;
  readonly roles: readonly Role[];
}

/** Who may call a method: anybody, anybody with a token, or holders of one of the roles. */
export type Access = 'public' | 'authenticated' | readonly Role[];

const TokensFile = z.array(
  z.strictObject({
    /** SHA-256 of the token, hexadecimal: the file itself opens nothing. */
    sha256: z.string().regex(/^[0-9a-f]{64}$/),
    subject: z.string().min(1).max(200),
    roles: z.array(z.enum(roles)).min(1),
  }),
);

/** Bearer tokens that are accepted, by their SHA-256. Without a file no token is: only public methods answer. */
export class TokenTable {
  private readonly callers = new Map<string, Caller>();
  /** Tokens seen and found good: spares the hash on the inference path. Bounded by the table itself. */
  private readonly known = new Map<string, Caller>();

  constructor(file?: string) {
    if (file === undefined) return;
    for (const { sha256, subject, roles: held } of TokensFile.parse(JSON.parse(readFileSync(file, 'utf8')))) {
      this.callers.set(sha256, { subject, roles: held });
    }
  }

  /** The caller of an `authorization` value; undefined when there is none or it opens nothing. */
  callerOf(authorization: string | undefined): Caller | undefined {
    if (authorization === undefined) return undefined;
    const known = this.known.get(authorization);
    if (known) return known;
    const token = /^Bearer ([\x21-\x7e]{1,4096})$/i.exec(authorization)?.[1];
    if (token === undefined) return undefined;
    const caller = this.callers.get(createHash('sha256').update(token).digest('hex'));
    if (caller) this.known.set(authorization, caller);
    return caller;
  }
}

/** Throws when the caller may not. */
export function authorise(access: Access, caller: Caller | undefined, method: string): void {
  if (access === 'public') return;
  if (!caller)
    throw new DomainError(
      'forbidden',
      'unauthenticated',
      `${method} needs a valid bearer token in the metadata "authorization"`,
    );
  if (access === 'authenticated' || access.some((role) => caller.roles.includes(role))) return;
  throw new DomainError(
    'forbidden',
    'role_missing',
    `${method} needs role ${access.join(' or ')}; ${caller.subject} has ${caller.roles.join(', ')}`,
  );
}
