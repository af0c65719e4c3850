// Model files and profiles by way of this machine's disk: a gateway that starts while the artifact store is away has them.
import { readFile } from 'node:fs/promises';
import type { ArtifactStore } from '@headrace/artifacts';
import { DomainError } from '@headrace/contracts';

export class CachedArtifacts {
  constructor(
    private readonly store: Pick<ArtifactStore, 'pathOf'>,
    private readonly cache: Pick<ArtifactStore, 'pathOf' | 'putFile' | 'remove'>,
    /** The cache cannot be read or written: the store's own file is used. */
    private readonly onFault: (error: unknown) => void,
  ) {}

  /** Path of a file whose bytes have the digest. DomainErrors of the store. */
  async pathOf(digest: string): Promise<string> {
    const cached = await this.cached(digest);
    if (cached !== undefined) return cached;
    const path = await this.store.pathOf(digest);
    try {
      await this.cache.putFile(path, digest);
      return await this.cache.pathOf(digest);
    } catch (error) {
      this.onFault(error);
      return path;
    }
  }

  async read(digest: string): Promise<Buffer> {
    return readFile(await this.pathOf(digest));
  }

  private async cached(digest: string): Promise<string | undefined> {
    try {
      return await this.cache.pathOf(digest);
    } catch (error) {
      if (!(error instanceof DomainError)) this.onFault(error);
      else if (error.code === 'bad_digest') throw error;
      // Damaged bytes are fetched again.
      else if (error.code === 'artifact_corrupt') await this.cache.remove(digest);
      return undefined;
    }
  }
}
