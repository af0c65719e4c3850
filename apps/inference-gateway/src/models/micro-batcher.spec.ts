import { performance } from 'node:perf_hooks';
import { DomainError } from '@headrace/contracts';
import { FirstFeatureModel } from '../../test/builders';
import { LoopShare } from './loop-share';
import { MicroBatcher, type BatcherOptions } from './micro-batcher';
import type { Outputs } from './tensors';

const WIDTH = 3;

function aBatcher(model: FirstFeatureModel, options: Partial<BatcherOptions> = {}): MicroBatcher {
  return new MicroBatcher(model, { maxBatchRows: 64, maxQueuedRows: 10_000, ...options });
}

function rowsOf(...first: number[]): Float32Array {
  return Float32Array.from(first.flatMap((value) => [value, -1, -1]));
}

function probabilities(outputs: Outputs): number[] {
  return Array.from(outputs['probabilities']?.data ?? [], Number).filter((_, index) => index % 2 === 1);
}

describe('micro-batching', () => {
  it('gives each of many concurrent callers the answers to its own rows', async () => {
    const model = new FirstFeatureModel(WIDTH);
    const batcher = aBatcher(model);
    const answers: Promise<void>[] = [];
    let next = 0;
    for (let caller = 0; caller < 500; caller += 1) {
      const own = Array.from({ length: 1 + (caller % 5) }, () => (next += 1));
      answers.push(
        batcher.infer(rowsOf(...own), own.length).then((outputs) => {
          expect(probabilities(outputs)).toEqual(own);
          expect(Array.from(outputs['label']?.data ?? [], Number)).toEqual(own);
          expect(outputs['probabilities']?.dims).toEqual([own.length, 2]);
        }),
      );
      if (caller % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    await Promise.all(answers);
    expect(batcher.queuedRows).toBe(0);
    expect(model.batches.length).toBeLessThan(100);
    expect(model.batches.reduce((sum, rows) => sum + rows, 0)).toBe(next);
  });

  it('runs what waits together, at most a batch at once', async () => {
    const model = new FirstFeatureModel(WIDTH);
    const batcher = aBatcher(model);
    await Promise.all(Array.from({ length: 100 }, (_, index) => batcher.infer(rowsOf(index), 1)));
    expect(model.batches).toEqual([64, 36]);
  });

  it('spreads a request that is larger than a batch over several runs and puts it together again', async () => {
    const model = new FirstFeatureModel(WIDTH);
    const batcher = aBatcher(model, { maxBatchRows: 4 });
    const large = Array.from({ length: 11 }, (_, index) => index + 10);
    const [small, outputs, after] = await Promise.all([
      batcher.infer(rowsOf(1, 2), 2),
      batcher.infer(rowsOf(...large), large.length),
      batcher.infer(rowsOf(3), 1),
    ]);
    expect(probabilities(small)).toEqual([1, 2]);
    expect(probabilities(outputs)).toEqual(large);
    expect(outputs['probabilities']?.dims).toEqual([11, 2]);
    expect(probabilities(after)).toEqual([3]);
    expect(model.batches).toEqual([4, 4, 4, 2]);
  });

  it('refuses rows beyond its bound at once, and takes them again when there is room', async () => {
    const batcher = aBatcher(new FirstFeatureModel(WIDTH), { maxQueuedRows: 2 });
    const accepted = batcher.infer(rowsOf(1, 2), 2);
    await expect(batcher.infer(rowsOf(3), 1)).rejects.toMatchObject({ kind: 'exhausted', code: 'queue_full' });
    await accepted;
    expect(probabilities(await batcher.infer(rowsOf(4), 1))).toEqual([4]);
  });

  it('fails only the caller whose row the model cannot take', async () => {
    const model = new FirstFeatureModel(WIDTH, (features) => {
      if (features.includes(666)) throw new Error('poison');
    });
    const batcher = aBatcher(model);
    const results = await Promise.allSettled([1, 666, 3].map((value) => batcher.infer(rowsOf(value), 1)));
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    const third = results[2];
    expect(third?.status === 'fulfilled' && probabilities(third.value)).toEqual([3]);
    expect(batcher.queuedRows).toBe(0);
  });

  it('answers nobody with rows of a model that gives another number of rows', async () => {
    const model = new FirstFeatureModel(WIDTH);
    jest.spyOn(model, 'run').mockResolvedValue({ probabilities: { data: new Float32Array(2), dims: [1, 2] } });
    const batcher = aBatcher(model);
    const results = await Promise.allSettled([batcher.infer(rowsOf(1, 2), 2), batcher.infer(rowsOf(3, 4), 2)]);
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  });

  it('refuses at once what would be late, and takes what will be in time', async () => {
    const turnedAway: string[] = [];
    const batcher = aBatcher(new FirstFeatureModel(WIDTH), {
      rowMicros: 10_000,
      onTurnedAway: (reason) => turnedAway.push(reason),
    });
    const nowMs = performance.now();
    const accepted = batcher.infer(rowsOf(1, 2), 2, nowMs + 60_000);
    await expect(batcher.infer(rowsOf(3), 1, nowMs + 20)).rejects.toMatchObject({
      kind: 'exhausted',
      code: 'deadline_unreachable',
      message: expect.stringContaining('30.0 ms of work stand before the answer'),
    });
    expect(probabilities(await accepted)).toEqual([1, 2]);
    expect(turnedAway).toEqual(['deadline_unreachable']);
  });

  it('runs nothing that nobody waits for any more', async () => {
    const model = new FirstFeatureModel(WIDTH);
    const batcher = aBatcher(model);
    const caller = { cancelled: false };
    const left = batcher.infer(rowsOf(1), 1, Infinity, caller);
    const stays = batcher.infer(rowsOf(2), 1);
    caller.cancelled = true;
    await expect(left).rejects.toMatchObject({ code: 'cancelled' });
    expect(probabilities(await stays)).toEqual([2]);
    expect(model.batches).toEqual([1]);
    expect(batcher.queuedRows).toBe(0);
  });

  it('gives the room of a caller that left to the next', async () => {
    const batcher = aBatcher(new FirstFeatureModel(WIDTH), { maxQueuedRows: 1 });
    const caller = { cancelled: true };
    const left = batcher.infer(rowsOf(1), 1, Infinity, caller);
    const next = batcher.infer(rowsOf(2), 1);
    await expect(left).rejects.toMatchObject({ code: 'cancelled' });
    expect(probabilities(await next)).toEqual([2]);
  });

  it('does not run each row of a batch once more when the process that ran it died', async () => {
    const model = new FirstFeatureModel(WIDTH);
    const run = jest.spyOn(model, 'run').mockRejectedValue(new DomainError('unavailable', 'down', 'it died'));
    const batcher = aBatcher(model);
    const results = await Promise.allSettled([1, 2, 3].map((value) => batcher.infer(rowsOf(value), 1)));
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
    expect(run).toHaveBeenCalledTimes(1);
    expect(batcher.queuedRows).toBe(0);
  });

  describe('with a share of a busy loop', () => {
    const busyShare = () => {
      let nowMs = 0;
      // Ten milliseconds pass between two looks at the clock: there is always more to do than runs.
      return new LoopShare(1_000, () => (nowMs += 10));
    };

    it('makes several runs in one turn of the loop, and gives each caller its own rows', async () => {
      let turn = 0;
      let counting = true;
      const count = (): void => {
        turn += 1;
        if (counting) setImmediate(count);
      };
      setImmediate(count);
      const runsOfTurn = new Map<number, number>();
      const model = new FirstFeatureModel(WIDTH, () => runsOfTurn.set(turn, (runsOfTurn.get(turn) ?? 0) + 1));
      const batcher = aBatcher(model, { maxBatchRows: 4, share: busyShare() });
      const asked = Array.from({ length: 12 }, async (_, caller) => {
        const own = Array.from({ length: 3 + (caller % 7) }, (_, row) => caller * 10 + row);
        expect(probabilities(await batcher.infer(rowsOf(...own), own.length))).toEqual(own);
      });
      await Promise.all(asked);
      counting = false;
      expect(Math.max(...runsOfTurn.values())).toBeGreaterThan(1);
      expect(Math.max(...model.batches)).toBe(4);
      expect(batcher.queuedRows).toBe(0);
    });

    it('takes no row for dear because the loop was late', async () => {
      const turnedAway: string[] = [];
      const options = { share: new LoopShare(0), onTurnedAway: (reason: string) => turnedAway.push(reason) };
      const batcher = aBatcher(new FirstFeatureModel(WIDTH), options);
      const rows = Array.from({ length: 64 }, (_, row) => row);
      const first = batcher.infer(rowsOf(...rows), rows.length);
      // Between the drain, which stands before it, and the run.
      setImmediate(() => {
        const until = performance.now() + 300;
        while (performance.now() < until);
      });
      await first;
      await batcher.infer(rowsOf(...rows), rows.length, performance.now() + 150).catch(() => undefined);
      expect(turnedAway).not.toContain('deadline_unreachable');
    });

    it('fails a request once whose parts fail in several runs, and no other', async () => {
      const model = new FirstFeatureModel(WIDTH, (features) => {
        if (features.includes(666)) throw new Error('poison');
      });
      const batcher = aBatcher(model, { maxBatchRows: 2, share: busyShare() });
      const rows = [[5], [1, 666, 2, 3, 666, 4], [7], [8], [9]];
      const results = await Promise.allSettled(rows.map((own) => batcher.infer(rowsOf(...own), own.length)));
      expect(results.map((result) => (result.status === 'fulfilled' ? probabilities(result.value) : 'failed'))).toEqual(
        [[5], 'failed', [7], [8], [9]],
      );
      expect(batcher.queuedRows).toBe(0);
    });
  });
});
