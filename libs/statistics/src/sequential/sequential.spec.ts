import { golden, normals, type Sample } from '../../test/golden';
import { Random } from '../numerics/random';
import { Adwin } from './adwin';
import { Ddm } from './ddm';
import type { Detector } from './detector';
import { Eddm } from './eddm';
import { Kswin } from './kswin';
import { PageHinkley } from './page-hinkley';

interface Detections {
  drifts: number[];
  warnings: number;
  firstWarning: number | null;
}
type Named = Record<string, Detections> & {
  errors?: [seed: number, parts: [count: number, rate: number][]];
  values?: Sample[];
};

function errorsOf([seed, parts]: [number, [number, number][]]): number[] {
  const random = new Random(seed);
  return parts.flatMap(([count, rate]) => Array.from({ length: count }, () => (random.next() < rate ? 1 : 0)));
}

function detections(detector: Detector<unknown>, stream: readonly number[]): Detections {
  const verdicts = stream.map((value) => detector.update(value));
  const warnings = verdicts.flatMap((verdict, index) => (verdict === 'warning' ? [index] : []));
  return {
    drifts: verdicts.flatMap((verdict, index) => (verdict === 'drift' ? [index] : [])),
    warnings: warnings.length,
    firstWarning: warnings[0] ?? null,
  };
}

const onErrors: Record<string, () => Detector<unknown>> = {
  ddm: () => new Ddm(),
  eddm: () => new Eddm(),
  eddmLoose: () => new Eddm({ alpha: 0.8, beta: 0.75 }),
  adwin: () => new Adwin(),
  adwinOften: () => new Adwin({ delta: 0.05, clock: 1 }),
  pageHinkley: () => new PageHinkley(),
  pageHinkleyLow: () => new PageHinkley({ threshold: 10, delta: 0.01 }),
  kswin: () => new Kswin({ alpha: 0.005, seed: 1 }),
};
const onValues: typeof onErrors = {
  adwin: () => new Adwin(),
  adwinOften: () => new Adwin({ delta: 0.05, clock: 1 }),
  pageHinkley: () => new PageHinkley(),
  pageHinkleyLow: () => new PageHinkley({ threshold: 3, direction: 'down' }),
  kswin: () => new Kswin({ alpha: 0.0005, seed: 4 }),
};

const streams = golden<Named[]>('sequential').map((named) => ({
  expected: named as Record<string, Detections>,
  stream: named.errors ? errorsOf(named.errors) : (named.values ?? []).flatMap(normals),
  detectors: named.errors ? onErrors : onValues,
}));

describe("detectors say the same as river's, at the same value", () => {
  const cases = streams.flatMap(({ expected, stream, detectors }, index) =>
    Object.entries(detectors).map(([name, make]) => [name, index, make, stream, expected[name]] as const),
  );
  it.each(cases)('%s on stream %d', (_name, _index, make, stream, expected) => {
    expect(detections(make(), stream)).toEqual(expected);
  });

  it('find the change where there is one', () => {
    const all = streams.flatMap(({ expected }) => Object.values(expected)).filter((found) => found?.drifts?.length > 0);
    expect(all.length).toBeGreaterThan(10);
  });
});

describe('a detector made with a kept state', () => {
  const stream = streams[2]?.stream ?? [];
  it.each([
    ['Ddm', Ddm],
    ['Eddm', Eddm],
    ['Adwin', Adwin],
    ['PageHinkley', PageHinkley],
    ['Kswin', Kswin],
  ] as const)('goes on where it stood: %s', (_, Kind) => {
    const whole = new Kind();
    const verdicts = stream.map((value) => whole.update(value));
    const before = new Kind();
    const half = stream.slice(0, 1_100).map((value) => before.update(value));
    const after = new Kind({}, JSON.parse(JSON.stringify(before.state)) as never);
    expect([...half, ...stream.slice(1_100).map((value) => after.update(value))]).toEqual(verdicts);
  });
});

describe('settings that make no sense are refused', () => {
  it('EDDM with a warning below its alarm', () => {
    expect(() => new Eddm({ alpha: 0.8, beta: 0.9 })).toThrow('alpha ≥ beta');
  });

  it('KSWIN with overlapping parts', () => {
    expect(() => new Kswin({ windowSize: 50, recentSize: 30 })).toThrow('half of windowSize');
  });
});
