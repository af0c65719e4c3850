import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { EmbeddedDependencyError } from './embedded-error';
import type { SystemUser } from './folders';

const run = promisify(execFile);
const NAME = 'postgres';

async function lookUp(): Promise<SystemUser | undefined> {
  try {
    const [uid, gid] = await Promise.all([run('id', ['-u', NAME]), run('id', ['-g', NAME])]);
    return { uid: Number(uid.stdout), gid: Number(gid.stdout) };
  } catch {
    return undefined; // `id` fails for a user that does not exist
  }
}

/** Postgres refuses to run as root: then it runs as user `postgres`, made when missing. Otherwise undefined. */
export async function postgresUser(): Promise<SystemUser | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const existing = await lookUp();
  if (existing !== undefined) return existing;
  const created = await run('groupadd', ['--force', NAME])
    .then(() => run('useradd', ['--gid', NAME, '--no-create-home', NAME]))
    .then(lookUp, () => undefined);
  if (created !== undefined) return created;
  throw new EmbeddedDependencyError(
    'start-failed',
    'Postgres does not run as root and the system user postgres could not be made: make it with `useradd postgres`, or start as another user than root.',
  );
}
