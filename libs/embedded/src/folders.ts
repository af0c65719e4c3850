import { mkdir, stat, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { EmbeddedDependencyError } from './embedded-error';

const MIB = 1024 * 1024;

/** Creates the folder and refuses it when less than `neededMiB` are free on its disk. */
export async function requireSpace(folder: string, neededMiB: number, what: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  const { bavail, bsize } = await statfs(folder);
  const freeMiB = Math.floor((bavail * bsize) / MIB);
  if (freeMiB >= neededMiB) return;
  throw new EmbeddedDependencyError(
    'disk-full',
    `${what} needs ${neededMiB} MiB but only ${freeMiB} MiB are free under ${folder}: free some space or choose a folder on another disk.`,
  );
}

export interface SystemUser {
  readonly uid: number;
  readonly gid: number;
}

export interface FolderRights {
  readonly path: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

/** The first folder that this user may not enter, from the root downwards; undefined when all may be entered. */
export function firstClosedFolder(folders: readonly FolderRights[], user: SystemUser): string | undefined {
  return folders.find(({ mode, uid, gid }) => {
    const executeBit = uid === user.uid ? 0o100 : gid === user.gid ? 0o010 : 0o001;
    return (mode & executeBit) === 0;
  })?.path;
}

/** Refuses a path that another user cannot reach because a folder above it (or the folder itself) is closed to them. */
export async function requireTraversable(folder: string, user: SystemUser, what: string): Promise<void> {
  const paths = [folder];
  for (let path = folder; dirname(path) !== path; path = dirname(path)) paths.unshift(dirname(path));
  const rights: FolderRights[] = [];
  for (const path of paths) {
    const { mode, uid, gid } = await stat(path);
    rights.push({ path, mode, uid, gid });
  }
  const closed = firstClosedFolder(rights, user);
  if (closed === undefined) return;
  throw new EmbeddedDependencyError(
    'folder-not-traversable',
    `Postgres does not run as root, and its user postgres cannot enter ${closed} on the way to ${what}: run \`chmod o+x ${closed}\`, use another folder, or start as another user than root.`,
  );
}
