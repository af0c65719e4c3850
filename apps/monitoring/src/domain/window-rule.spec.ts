import { MICROS } from '@headrace/event-time';
import { cutOf, type FirstPredictions } from './window-rule';

const RULE = { predictions: 100, maximumAgeMicros: Infinity };
const first = (rows: number, lastMicros: number): FirstPredictions => ({ rows, firstMicros: 1_000, lastMicros });

describe('where a window by count ends', () => {
  it('is just behind the last prediction that it may hold, with those of the same microsecond', () => {
    expect(cutOf(first(100, 5_000), RULE)).toEqual({ endMicros: 5_001, closedBy: 'predictions' });
  });

  it('is not known while there are fewer', () => {
    expect(cutOf(first(99, 5_000), RULE)).toBeUndefined();
    expect(cutOf({ rows: 0, firstMicros: Infinity, lastMicros: -Infinity }, RULE)).toBeUndefined();
  });

  const aged = { ...RULE, maximumAgeMicros: MICROS.s };
  const end = 1_000 + MICROS.s;

  it('is where its maximum age is over, from its first prediction on, when there are fewer by then', () => {
    expect(cutOf(first(3, 5_000), aged)).toEqual({ endMicros: end, closedBy: 'age' });
    expect(cutOf(first(100, end), aged)).toEqual({ endMicros: end, closedBy: 'age' });
    expect(cutOf(first(100, end - 1), aged)).toEqual({ endMicros: end, closedBy: 'predictions' });
  });

  it('is nowhere while the window is empty, whatever its age', () => {
    expect(cutOf({ rows: 0, firstMicros: Infinity, lastMicros: -Infinity }, aged)).toBeUndefined();
  });
});
