import type { DatasetVersionRef } from '@headrace/contracts/proto/common/v1/common';
import { aPlan, aView, digestOf } from '../../test/builders';
import {
  chooseSnapshot,
  mayBeginFirst,
  reachesInitialRows,
  spineFrom,
  streamsOf,
  type KnownDatasetVersion,
} from './snapshot';

const version = (stream: string, fields: Partial<KnownDatasetVersion> = {}): KnownDatasetVersion => ({
  stream,
  version: 1,
  manifestDigest: digestOf('a'),
  rows: 1_000,
  maxEventTimeMicros: 100,
  maxKnownTimeMicros: 100,
  ...fields,
});
const known = (...versions: KnownDatasetVersion[]): Map<string, KnownDatasetVersion> =>
  new Map(versions.map((found) => [found.stream, found]));

const waiting = { streams: ['departures', 'arrivals'], decidedAtEventMicros: 90, deadlineMicros: 5_000, nowMicros: 0 };

describe('the streams of a plan', () => {
  it('are those of spine, label and views, each once', () => {
    expect(streamsOf(aPlan(), () => aView())).toEqual(['departures', 'arrivals']);
    expect(streamsOf(aPlan(), () => aView('weather', 'observations'))).toEqual([
      'departures',
      'arrivals',
      'observations',
    ]);
  });

  it('are unknown while a view is', () => {
    expect(streamsOf(aPlan(), () => undefined)).toBeUndefined();
  });
});

describe('the snapshot of a run', () => {
  it('names the newest version of every stream when all are new enough', () => {
    const newest = known(version('departures', { version: 4 }), version('arrivals', { version: 3 }));
    expect(chooseSnapshot({ ...waiting, newest })).toEqual({
      kind: 'ready',
      stale: [],
      datasets: [
        { stream: 'departures', version: 4, manifestDigest: digestOf('a') },
        { stream: 'arrivals', version: 3, manifestDigest: digestOf('a') },
      ],
    });
  });

  it('waits for a stream whose newest version does not reach the moment of the decision', () => {
    const newest = known(version('departures'), version('arrivals', { maxKnownTimeMicros: 89 }));
    expect(chooseSnapshot({ ...waiting, newest })).toEqual({ kind: 'waiting', missing: [], stale: ['arrivals'] });
  });

  it('takes what there is once the deadline has passed', () => {
    const newest = known(version('departures'), version('arrivals', { maxKnownTimeMicros: 89 }));
    expect(chooseSnapshot({ ...waiting, newest, nowMicros: 5_000 })).toMatchObject({
      kind: 'ready',
      stale: ['arrivals'],
    });
  });

  it('waits beyond the deadline for a stream that has no version at all', () => {
    const newest = known(version('departures'));
    expect(chooseSnapshot({ ...waiting, newest, nowMicros: 9_000 })).toEqual({
      kind: 'waiting',
      missing: ['arrivals'],
      stale: [],
    });
  });
});

describe('the first training of a plan', () => {
  const streams = ['departures', 'arrivals'];

  it('begins when spine and labels have enough rows and every other stream a version', () => {
    const newest = known(version('departures'), version('arrivals'), version('weather', { rows: 1 }));
    expect(reachesInitialRows(aPlan(), [...streams, 'weather'], newest)).toBe(true);
  });

  it.each(['departures', 'arrivals'])('does not begin with one row too few of %s', (stream) => {
    const newest = known(version('departures'), version('arrivals'), version(stream, { rows: 999 }));
    expect(reachesInitialRows(aPlan(), streams, newest)).toBe(false);
  });

  it('does not begin while a stream has no version', () => {
    expect(reachesInitialRows(aPlan(), streams, known(version('departures')))).toBe(false);
  });

  it('does not begin by itself when the plan does not say so', () => {
    const plan = aPlan({ triggers: { onRetrainingRequested: true } });
    expect(reachesInitialRows(plan, streams, known(version('departures'), version('arrivals')))).toBe(false);
  });
});

describe('the first training, once more', () => {
  const newest = known(version('departures', { version: 3 }), version('arrivals', { version: 2 }));
  const datasets = (departures: number, arrivals: number): DatasetVersionRef[] => [
    { stream: 'departures', version: departures, manifestDigest: digestOf('a') },
    { stream: 'arrivals', version: arrivals, manifestDigest: digestOf('a') },
  ];
  const failed = { state: 'failed', trigger: 'data-volume', datasets: datasets(3, 1) } as const;

  it('is made when the last one failed on older data', () => {
    expect(mayBeginFirst(null, newest)).toBe(true);
    expect(mayBeginFirst(failed, newest)).toBe(true);
  });

  it('is not made on the data that it failed on', () => {
    expect(mayBeginFirst({ ...failed, datasets: datasets(3, 2) }, newest)).toBe(false);
  });

  it.each(['done', 'fitting', 'cancelled'] as const)('is not made after one that is %s', (state) => {
    expect(mayBeginFirst({ ...failed, state }, newest)).toBe(false);
  });

  it('is not made after a failure of a run that somebody asked for', () => {
    expect(mayBeginFirst({ ...failed, trigger: 'manual' }, newest)).toBe(false);
  });
});

describe('the part of the spine that is used', () => {
  it('is all of it without a lookback', () => {
    expect(spineFrom(aPlan(), 10_000_000_000_000)).toBe(0);
  });

  it('reaches back from its newest row', () => {
    expect(spineFrom(aPlan({ lookback: '1d' }), 100_000_000_000)).toBe(13_600_000_000);
    expect(spineFrom(aPlan({ lookback: '2d' }), 100_000_000_000)).toBe(0);
  });
});
