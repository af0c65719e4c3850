import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadDefinitions } from './apply';

const document = (kind: string, spec: string): string =>
  `apiVersion: headrace.dev/v1\nkind: ${kind}\nmetadata: { name: bikes }\nspec: ${spec}\n`;
const monitor = (statistic: string): string =>
  document(
    'Monitor',
    `{ endpoint: bikes, label: { stream: s, expression: record.n }, performance: { tests: [{ statistic: ${statistic}, worseBy: 1 }] } }`,
  );

describe('definitions of one folder', () => {
  let folder: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'apply-'));
    await writeFile(join(folder, 'model.yaml'), document('Model', '{ task: regression }'));
    await writeFile(join(folder, 'endpoint.yaml'), document('Endpoint', '{ model: bikes, joinKey: slot }'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  it('are refused before anything is applied when a Monitor tests what its model cannot have', async () => {
    const file = join(folder, 'monitor.yaml');
    await writeFile(file, monitor('auc'));
    await expect(loadDefinitions(folder)).rejects.toThrow(
      `${file}:1: Monitor/bikes: spec.performance.tests.0.statistic: auc is not for a regression model, as bikes is`,
    );
    await writeFile(file, monitor('mae'));
    expect((await loadDefinitions(folder)).map(({ kind }) => kind).sort()).toEqual(['Endpoint', 'Model', 'Monitor']);
  });

  it('may leave the model to its owner', async () => {
    const file = join(folder, 'monitor.yaml');
    await writeFile(file, monitor('auc'));
    expect(await loadDefinitions(file)).toHaveLength(1);
  });
});
