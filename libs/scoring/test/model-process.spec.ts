import { join } from 'node:path';
import { ModelProcess, type ModelChild } from '../src';

/** The process runs the sources, as the spec does. */
const childOfSources: ModelChild = {
  script: join(__dirname, '../src/model-child.ts'),
  execArgv: ['--require', join(__dirname, '../../testing/jest/run-sources.cjs')],
};
const fixture = (name: string): string => join(__dirname, '../../../apps/inference-gateway/test/fixtures', name);
const limits = { timeoutMs: 30_000, memoryMiB: 1_024 };
const start = (name: string, columns: number, task: string, more = limits): Promise<ModelProcess> =>
  ModelProcess.start({ path: fixture(name), columns, task, limits: more, child: childOfSources });

describe('a model in a process of its own', () => {
  jest.setTimeout(120_000);

  it('scores rows alike alone and in company', async () => {
    const model = await start('flight-like.onnx', 11, 'binary');
    try {
      const rows = 500;
      const features = Float32Array.from({ length: rows * 11 }, (_, index) => (index * 7_919) % 613);
      const together = await model.score(features, rows);
      expect(new Set(together).size).toBeGreaterThan(50);
      for (const row of [0, 1, 250, 499]) {
        const [alone] = await model.score(features.slice(row * 11, (row + 1) * 11), 1);
        expect(alone).toBe(together[row]);
      }
    } finally {
      model.stop();
    }
  });

  it('gives the number of a regression', async () => {
    const model = await start('delay-regression.onnx', 11, 'regression');
    const scores = await model.score(new Float32Array(22), 2);
    model.stop();
    expect(scores).toHaveLength(2);
    expect(scores[0]).toBe(scores[1]);
  });

  it('refuses a file before anything loads it', async () => {
    await expect(start('hostile/external-data.onnx', 11, 'binary')).rejects.toMatchObject({ code: 'external_data' });
  });

  it('says what does not fit the signature', async () => {
    await expect(start('flight-like.onnx', 3, 'binary')).rejects.toMatchObject({
      code: 'signature_mismatch',
      message: expect.stringContaining('3 features') as string,
    });
    const other = await start('delay-regression.onnx', 11, 'binary');
    await expect(other.score(new Float32Array(11), 1)).rejects.toMatchObject({ code: 'signature_mismatch' });
    other.stop();
  });

  it('ends a model that hangs, and one that swells', async () => {
    const hangs = start('hostile/endless.onnx', 11, 'binary', { ...limits, timeoutMs: 8_000 }).then((model) =>
      model.score(new Float32Array(11), 1),
    );
    await expect(hangs).rejects.toMatchObject({ code: 'model_timeout' });
    const swells = start('hostile/swelling.onnx', 11, 'binary', { ...limits, memoryMiB: 300 }).then((model) =>
      model.score(new Float32Array(11), 1),
    );
    await expect(swells).rejects.toMatchObject({ code: 'too_much_memory' });
  });
});
