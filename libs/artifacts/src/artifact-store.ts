import { createHash, randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { chmod, copyFile, mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { DomainError } from '@headrace/contracts';
import type { Artifact } from '@headrace/contracts/proto/common/v1/common';

const DIGEST = /^sha256:([0-9a-f]{64})$/;

/** SHA-256 of a file as "sha256:" + hex. */
export async function digestOfFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return `sha256:${hash.digest('hex')}`;
}

/**
 * Immutable blobs by content, in a folder that the services share (or an S3 mount). A blob's name is its digest, so
 * writing twice is harmless and reading verifies.
 */
export class ArtifactStore {
  private readonly verified = new Set<string>();

  constructor(private readonly root: string) {}

  /** Takes in a copy of a file. `name` is for people. */
  async putFile(path: string, name: string): Promise<Artifact> {
    const digest = await digestOfFile(path);
    const sizeBytes = (await stat(path)).size;
    await this.place(digest, (temporary) => copyFile(path, temporary));
    return { digest, sizeBytes, name };
  }

  async putBytes(bytes: Uint8Array, name: string): Promise<Artifact> {
    const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
    await this.place(digest, (temporary) => writeFile(temporary, bytes));
    return { digest, sizeBytes: bytes.byteLength, name };
  }

  /**
   * Path of a blob for reading, its content verified once a process. DomainError `artifact_missing` (unavailable: it may
   * still be copied), `artifact_corrupt` or `bad_digest`.
   */
  async pathOf(digest: string): Promise<string> {
    const path = this.locate(digest);
    if (this.verified.has(digest)) return path;
    const found = await digestOfFile(path).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') {
        throw new DomainError('unavailable', 'artifact_missing', `artifact ${digest} is not in the store ${this.root}`);
      }
      throw error;
    });
    if (found !== digest) {
      throw new DomainError(
        'precondition',
        'artifact_corrupt',
        `artifact ${digest}: the stored bytes have digest ${found}`,
      );
    }
    this.verified.add(digest);
    return path;
  }

  async read(digest: string): Promise<Buffer> {
    return readFile(await this.pathOf(digest));
  }

  /** For a store that is a cache: what others share is never removed. Absent is fine. */
  async remove(digest: string): Promise<void> {
    this.verified.delete(digest);
    await rm(this.locate(digest), { force: true });
  }

  /** Every blob, its content not verified. */
  async list(): Promise<{ readonly digest: string; readonly path: string }[]> {
    const folder = join(this.root, 'sha256');
    const names = await readdir(folder, { recursive: true }).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return [];
      throw error;
    });
    return names.flatMap((name) => {
      const digest = `sha256:${basename(name)}`;
      return DIGEST.test(digest) ? [{ digest, path: join(folder, name) }] : [];
    });
  }

  private locate(digest: string): string {
    const hex = DIGEST.exec(digest)?.[1];
    if (hex === undefined) {
      throw new DomainError(
        'invalid',
        'bad_digest',
        `"${digest}" is not a digest: expected sha256: and 64 hexadecimal digits`,
      );
    }
    return join(this.root, 'sha256', hex.slice(0, 2), hex);
  }

  private async place(digest: string, write: (temporary: string) => Promise<void>): Promise<void> {
    const path = this.locate(digest);
    if (
      await stat(path).then(
        () => true,
        () => false,
      )
    )
      return;
    await mkdir(dirname(path), { recursive: true });
    const temporary = `${path}.${randomUUID()}.tmp`;
    try {
      await write(temporary);
      await chmod(temporary, 0o444);
      await rename(temporary, path);
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
  }
}
