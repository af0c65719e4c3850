import { manifestBytes, manifestOf, newRanges, RepeatFilter, splitRanges, type DatasetFile } from './dataset';

const file = (digest: string, rows: number): DatasetFile => ({
  digest,
  rows,
  min_event_time: 1,
  max_event_time: 2,
  max_known_time: 3,
  offsets: { '0': { from: 0, to: rows } },
});

describe('a dataset version', () => {
  it('lists the files of its parent and its own', () => {
    const schema = [{ name: 'delay', type: 'double' as const }];
    const first = manifestOf('arrivals', schema, undefined, [file('a', 10)]);
    const second = manifestOf('arrivals', schema, { digest: 'sha256:1', manifest: first }, [file('b', 5)]);

    expect(first).toMatchObject({ version: 1, parent: null, rows: 10 });
    expect(second).toMatchObject({ version: 2, parent: 'sha256:1', rows: 15 });
    expect(second.files.map(({ digest }) => digest)).toEqual(['a', 'b']);
    expect(manifestBytes(second).equals(manifestBytes({ ...second }))).toBe(true);
  });

  it('begins where the last one ended, with partitions that came later from their beginning', () => {
    const ranges = newRanges(new Map([[0, 10]]), new Map([[1, 4], [0, 10], [2, 0]])); // prettier-ignore
    expect([...ranges]).toEqual([[1, { from: 0, to: 4 }]]);
  });

  it('is refused over a log that is shorter than what was committed', () => {
    expect(() => newRanges(new Map([[0, 10]]), new Map([[0, 9]]))).toThrow('partition 0 ends at 9');
  });
});

describe('splitting a backlog', () => {
  it('gives parts within the bound that join without gap or overlap', () => {
    const ranges = new Map([
      [0, { from: 5, to: 1_005 }],
      [1, { from: 0, to: 1 }],
      [3, { from: 7, to: 400 }],
    ]);
    const parts = splitRanges(ranges, 100);

    for (const part of parts) {
      expect([...part.values()].reduce((sum, { from, to }) => sum + to - from, 0)).toBeLessThanOrEqual(100);
    }
    for (const [partition, { from, to }] of ranges) {
      const cuts = parts.flatMap((part) => part.get(partition) ?? []);
      expect(cuts[0]?.from).toBe(from);
      expect(cuts.at(-1)?.to).toBe(to);
      for (const [index, cut] of cuts.slice(1).entries()) expect(cut.from).toBe(cuts[index]?.to);
    }
  });

  it('leaves a small one whole', () => {
    expect(splitRanges(new Map([[0, { from: 0, to: 9 }]]), 100)).toEqual([new Map([[0, { from: 0, to: 9 }]])]);
  });
});

describe('repeats in the log', () => {
  it('are recognised within a version and in the next one', () => {
    const first = new RepeatFilter({});
    expect([5, 7, 5, 7, 8].map((sequence) => first.isNew(0, 'shop.orders/1', sequence))).toEqual([true, true, false, false, true]); // prettier-ignore
    expect(first.isNew(1, 'shop.orders/1', 6)).toBe(true);

    const next = new RepeatFilter(first.state);
    expect(next.isNew(0, 'shop.orders/1', 8)).toBe(false);
    expect(next.isNew(0, 'shop.orders/2', 8)).toBe(true);
    expect(next.isNew(1, 'shop.orders/1', 7)).toBe(true);
  });
});
