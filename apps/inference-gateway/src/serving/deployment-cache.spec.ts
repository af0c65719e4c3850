import { mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ArtifactStore } from '@headrace/artifacts';
import { aDeployedVersion, aDeployment, aDeploymentChanged } from '../../test/builders';
import type { Deployment } from '../domain/deployment';
import { DeploymentCache } from './deployment-cache';

let folder: string;
let models: ArtifactStore;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gateway-cache-'));
  models = new ArtifactStore(join(folder, 'models'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

function aCache(): { cache: DeploymentCache; faults: string[] } {
  const faults: string[] = [];
  return { cache: new DeploymentCache({ folder, models, onFault: (_, what) => faults.push(what) }), faults };
}

async function keep(
  cache: DeploymentCache,
  endpoint: string,
  generation: number,
  digest?: string,
): Promise<Deployment> {
  const version = aDeployedVersion(1);
  const modelArtifact = digest === undefined ? version.modelArtifact : { digest, sizeBytes: 1, name: 'model.onnx' };
  const changed = aDeploymentChanged({ endpoint, generation, versions: [{ ...version, modelArtifact }] });
  const deployment = aDeployment(changed);
  cache.remember(deployment, changed);
  cache.keep(deployment);
  await cache.close();
  return deployment;
}

async function kept(): Promise<[string, number][]> {
  const { cache } = aCache();
  return (await cache.read()).map(({ changed }): [string, number] => [changed.endpoint, changed.generation]).sort();
}

describe('deployments kept on disk', () => {
  it('gives back the newest of each endpoint with its cause, whatever the endpoint is called', async () => {
    const { cache, faults } = aCache();
    await keep(cache, 'late', 1);
    const newest = await keep(cache, 'late', 2);
    await keep(cache, '../other/Ünïcode', 5);
    expect(await kept()).toEqual([
      ['../other/Ünïcode', 5],
      ['late', 2],
    ]);
    const found = (await aCache().cache.read()).find(({ changed }) => changed.endpoint === 'late');
    expect(found?.cause).toEqual(newest.cause);
    expect(faults).toEqual([]);
  });

  it('leaves out what was damaged or changed, and says so', async () => {
    const { cache } = aCache();
    await keep(cache, 'late', 1);
    await keep(cache, 'other', 1);
    const [first = '', second = ''] = await readdir(join(folder, 'deployments'));
    const path = join(folder, 'deployments', first);
    await writeFile(path, (await readFile(path, 'utf8')).replace(/"event":"../, '"event":"xx'));
    await writeFile(join(folder, 'deployments', second), '{"half');
    const reader = aCache();
    expect(await reader.cache.read()).toEqual([]);
    expect(reader.faults).toHaveLength(2);
  });

  it('forgets endpoints that the log does not hold', async () => {
    const { cache } = aCache();
    await keep(cache, 'late', 1);
    await keep(cache, 'gone', 1);
    cache.retain(new Set(['late']));
    await cache.close();
    expect(await kept()).toEqual([['late', 1]]);
  });

  it('removes model files that no deployment needs any more, not those that were fetched just now', async () => {
    const [old, fresh, used] = await Promise.all(
      ['old', 'fresh', 'used'].map((text) => models.putBytes(Buffer.from(text), text)),
    );
    if (!old || !fresh || !used) throw new Error('three were stored');
    const hourAgo = Date.now() / 1_000 - 3_600;
    for (const { digest } of [old, used]) await utimes(await models.pathOf(digest), hourAgo, hourAgo);
    const { cache } = aCache();
    await keep(cache, 'late', 1, used.digest);
    const left = (await models.list()).map(({ digest }) => digest);
    expect(left.sort()).toEqual([fresh.digest, used.digest].sort());
  });

  it('goes on when the disk does not take it', async () => {
    const { faults, cache } = aCache();
    await writeFile(join(folder, 'deployments'), 'a file where a folder should be');
    await keep(cache, 'late', 1);
    expect(faults).toEqual(['keeping endpoint late']);
  });
});
