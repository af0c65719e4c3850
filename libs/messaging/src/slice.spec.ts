import { cut, halves, isolate, type Slice } from './slice';

/** Offsets with a gap between 3 and 6, read up to 9. */
function slice(): Slice {
  const records = [1, 2, 3, 6, 7].map((offset) => ({
    topic: 't',
    partition: 0,
    offset,
    timestampMs: 0,
    key: null,
    value: null,
    headers: {},
  }));
  return { records, start: 1, end: 9 };
}

const shape = (slices: readonly Slice[]) =>
  slices.map(({ records, start, end }) => [start, records.map((r) => r.offset), end]);

describe('slices of a batch', () => {
  it('lie end to end whatever the gaps in the log', () => {
    const shapes = (count: number) => cut(slice(), count).map((part) => part && shape([part])[0]);
    expect(shapes(2)).toEqual([
      [1, [1, 2], 3],
      [3, [3, 6, 7], 9],
    ]);
    expect(shapes(4)).toEqual([
      [1, [1, 2, 3, 6], 7],
      [7, [7], 9],
    ]);
    expect(shapes(500)).toEqual([[1, [1, 2, 3, 6, 7], 9], undefined]);
  });

  it('fall apart around the record at fault', () => {
    expect(shape(isolate(slice(), 3))).toEqual([
      [1, [1, 2], 3],
      [3, [3], 6],
      [6, [6, 7], 9],
    ]);
    expect(shape(isolate(slice(), 1))).toEqual([
      [1, [1], 2],
      [2, [2, 3, 6, 7], 9],
    ]);
    expect(shape(isolate(slice(), 7))).toEqual([
      [1, [1, 2, 3, 6], 7],
      [7, [7], 9],
    ]);
  });

  it('are halved when nobody knows which record it is', () => {
    expect(shape(halves(slice()))).toEqual([
      [1, [1, 2, 3], 6],
      [6, [6, 7], 9],
    ]);
  });

  it('without records still move the position', () => {
    expect(cut({ records: [], start: 4, end: 9 }, 2)).toEqual([{ records: [], start: 4, end: 9 }, undefined]);
  });
});
