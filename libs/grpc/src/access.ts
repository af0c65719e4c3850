import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { DomainError } from '@headrace/contracts';
import { Counter } from 'prom-client';
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

const refused = new Counter({
  name: 'headrace_grpc_refused_total',
  help: 'Calls refused, by what was missing: a valid token (unauthenticated) or a role (role_missing)',
  labelNames: ['method', 'code'],
});

/** Throws when the caller may not. `method`: one of those that are served, never text of the caller. */
export function authorise(access: Access, caller: Caller | undefined, method: string): void {
  if (access === 'public') return;
  if (!caller) {
    throw refusal(method, 'unauthenticated', 'needs a valid bearer token in the metadata "authorization"');
  }
  if (access === 'authenticated' || access.some((role) => caller.roles.includes(role))) return;
  const held = `${caller.subject} has ${caller.roles.join(', ')}`;
  throw refusal(method, 'role_missing', `needs role ${access.join(' or ')}; ${held}`);
}

function refusal(method: string, code: string, what: string): DomainError {
  refused.inc({ method, code });
  return new DomainError('forbidden', code, `${method} ${what}`);
}
