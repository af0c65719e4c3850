import { createHash, randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Role } from '@headrace/grpc';

/** Tokens of a local system: made at its first start, readable by its owner only. */
export interface LocalCredentials {
  /** Held by each service towards the others. */
  readonly service: string;
  /** Applies definitions, controls rollouts, starts training. */
  readonly operator: string;
  /** Waives gates: somebody else than the operator. */
  readonly approver: string;
}

const rolesOf: Readonly<Record<keyof LocalCredentials, readonly Role[]>> = {
  service: ['service'],
  operator: ['operator', 'data-scientist', 'viewer'],
  approver: ['approver', 'viewer'],
};

/** Reads the credentials of a data directory, or makes them, with the table of digests that services accept. */
export async function localCredentials(
  directory: string,
): Promise<{ credentials: LocalCredentials; tokensFile: string }> {
  const file = join(directory, 'credentials.json');
  const tokensFile = join(directory, 'tokens.json');
  const existing = await readFile(file, 'utf8').catch(() => undefined);
  const credentials: LocalCredentials =
    existing === undefined
      ? { service: newToken(), operator: newToken(), approver: newToken() }
      : (JSON.parse(existing) as LocalCredentials);
  if (existing === undefined) {
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, JSON.stringify(credentials, null, 2), { mode: 0o600 });
  }
  const table = Object.entries(rolesOf).map(([name, roles]) => ({
    sha256: createHash('sha256')
      .update(credentials[name as keyof LocalCredentials])
      .digest('hex'),
    subject: `local-${name}`,
    roles,
  }));
  await writeFile(tokensFile, JSON.stringify(table, null, 2), { mode: 0o600 });
  return { credentials, tokensFile };
}

/** Key of the pseudonyms in the prediction log of a data directory, made at its first start. */
export async function localPseudonymKey(directory: string): Promise<string> {
  const file = join(directory, 'pseudonym.key');
  const existing = await readFile(file, 'utf8').catch(() => undefined);
  if (existing !== undefined) return existing;
  const key = newToken();
  await writeFile(file, key, { mode: 0o600 });
  return key;
}

function newToken(): string {
  return randomBytes(32).toString('base64url');
}
