import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ArtifactStore } from './artifact-store';

describe('the artifact store', () => {
  let root: string;
  let store: ArtifactStore;

  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'artifacts-'));
    store = new ArtifactStore(root);
  });
  afterEach(() => rm(root, { recursive: true, force: true }));

  it('gives the same bytes the same digest and reads them back', async () => {
    const first = await store.putBytes(Buffer.from('model'), 'model.onnx');
    const second = await store.putBytes(Buffer.from('model'), 'other name');
    expect(second.digest).toBe(first.digest);
    expect((await store.read(first.digest)).toString()).toBe('model');
  });

  it('refuses a blob whose bytes were changed', async () => {
    const artifact = await store.putBytes(Buffer.from('model'), 'model.onnx');
    const path = await new ArtifactStore(root).pathOf(artifact.digest);
    await chmod(path, 0o644);
    await writeFile(path, 'forged');
    await expect(new ArtifactStore(root).read(artifact.digest)).rejects.toMatchObject({ code: 'artifact_corrupt' });
  });

  it('says that a blob is missing, and that waiting may help', async () => {
    const digest = `sha256:${'0'.repeat(64)}`;
    await expect(store.read(digest)).rejects.toMatchObject({ code: 'artifact_missing', retriable: true });
  });

  it('lists and removes blobs, for a store that is a cache', async () => {
    expect(await store.list()).toEqual([]);
    const artifact = await store.putBytes(Buffer.from('model'), 'model.onnx');
    const path = await store.pathOf(artifact.digest);
    expect(await store.list()).toEqual([{ digest: artifact.digest, path }]);
    await store.remove(artifact.digest);
    await store.remove(artifact.digest);
    expect(await store.list()).toEqual([]);
    await expect(store.read(artifact.digest)).rejects.toMatchObject({ code: 'artifact_missing' });
  });

  it('refuses a digest that could leave its folder', async () => {
    await expect(store.read('sha256:../../etc/passwd')).rejects.toMatchObject({ code: 'bad_digest' });
  });
});
