import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ArtifactStore } from '@headrace/artifacts';
import { CachedArtifacts } from './cached-artifacts';

let folder: string;
let store: ArtifactStore;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gateway-artifacts-'));
  store = new ArtifactStore(join(folder, 'store'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

function cached(faults: unknown[] = [], cacheFolder = join(folder, 'cache')): CachedArtifacts {
  return new CachedArtifacts(store, new ArtifactStore(cacheFolder), (error) => faults.push(error));
}

describe('model files by way of the disk', () => {
  it('are there when the store is away, once they were fetched', async () => {
    const { digest } = await store.putBytes(Buffer.from('model'), 'model.onnx');
    await cached().pathOf(digest);
    await rm(join(folder, 'store'), { recursive: true });
    expect((await cached().read(digest)).toString()).toBe('model');
    const other = `sha256:${'0'.repeat(64)}`;
    await expect(cached().pathOf(other)).rejects.toMatchObject({ code: 'artifact_missing', retriable: true });
  });

  it('are fetched again when the copy was changed', async () => {
    const { digest } = await store.putBytes(Buffer.from('model'), 'model.onnx');
    const path = await cached().pathOf(digest);
    await chmod(path, 0o644);
    await writeFile(path, 'forged');
    expect((await readFile(await cached().pathOf(digest))).toString()).toBe('model');
  });

  it('come from the store when the disk does not take them', async () => {
    const { digest } = await store.putBytes(Buffer.from('model'), 'model.onnx');
    await writeFile(join(folder, 'file'), '');
    const faults: unknown[] = [];
    expect(await cached(faults, join(folder, 'file')).pathOf(digest)).toBe(await store.pathOf(digest));
    expect(faults.length).toBeGreaterThan(0);
  });
});
