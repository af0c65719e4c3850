/** @jest-environment ./apps/inference-gateway/test/native-arrays-environment.cjs */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { digestOfFile } from '@headrace/artifacts';
import type { DomainError } from '@headrace/contracts';
import { compilePrograms, fixtures, type CompiledPrograms } from '../../test/compiled-programs';
import { MicroBatcher } from './micro-batcher';
import { Placement } from './placement';
import type { HeldModel } from './tensors';

jest.setTimeout(120_000);

const WIDTH = 11;
const inputs = [{ name: 'features', datatype: 'FP32', shape: [-1, WIDTH] }] as const;
let programs: CompiledPrograms;
let placement: Placement;

beforeAll(async () => {
  programs = await compilePrograms();
  placement = new Placement({
    hostScript: join(programs.folder, 'model-host.js'),
    sharedHosts: 1,
    hereMicros: 2_000,
    sharedMicros: 50_000,
    maxRunRows: 64,
    runTimeoutMs: 30_000,
    loadTimeoutMs: 30_000,
    ownMemoryMiB: 600,
    onDeath: () => undefined,
  });
});
afterAll(async () => {
  placement.closeAll();
  await programs.remove();
});

/** Its score is the first value of the row. */
async function aModel(role: 'champion' | 'canary', aloneMicros: number): Promise<HeldModel> {
  const path = join(fixtures, 'hostile', 'hangs-on-negative.onnx');
  const [bytes, digest] = [await readFile(path), await digestOfFile(path)];
  const key = `${role} ${aloneMicros}`;
  return placement.hold({ key, role, path, bytes, digest, inputs, aloneMicros, rowMicros: 5 });
}

describe('many requests at once', () => {
  it.each([
    ['here', 'champion', 10],
    ['shared', 'champion', 1_000],
    ['own', 'canary', 10],
  ] as const)(
    'get the answers to their own rows, whatever leaves the queue meanwhile (%s)',
    async (place, role, cost) => {
      const model = await aModel(role, cost);
      expect(model.place).toBe(place);
      // The queue may be as slow as the machine: nothing is refused here.
      const options = { maxBatchRows: model.runRows, maxQueuedRows: 1_000_000, targetDelayMs: 60_000 };
      const batcher = new MicroBatcher(model, options);
      let next = 0;
      let wrong = 0;
      let cancelled = 0;
      const asking: Promise<void>[] = [];
      for (let request = 0; request < 20_000; request += 1) {
        const rows = 1 + (request % 3);
        const first = Array.from({ length: rows }, () => (next += 1));
        const features = Float32Array.from(first.flatMap((value) => [value, ...new Array<number>(WIDTH - 1).fill(0)]));
        const caller = { cancelled: request % 7 === 0 };
        const answer = batcher.infer(features, rows, Infinity, caller).then(
          ({ probabilities }) => {
            const scores = Array.from(probabilities?.data ?? [], Number).filter((_, index) => index % 2 === 1);
            if (caller.cancelled || scores.join() !== first.join()) wrong += 1;
          },
          (error: DomainError) => {
            if (error.code === 'cancelled') cancelled += 1;
            else wrong += 1;
          },
        );
        asking.push(answer);
        if (request % 500 === 0) await new Promise((resolve) => setImmediate(resolve));
      }
      await Promise.all(asking);
      expect({ wrong, cancelled, waits: batcher.queuedRows }).toEqual({ wrong: 0, cancelled: 2_858, waits: 0 });
      await model.release();
    },
  );
});
