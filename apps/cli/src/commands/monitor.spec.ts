import type { WindowSummary } from '@headrace/contracts/proto/monitoring/v1/monitoring_events';
import {
  describeFairness,
  describeMetrics,
  describeRetraining,
  describeSlices,
  describeWindow,
  sliceRows,
} from './monitor';

const DAY = 86_400_000_000;
const reference = { kind: 'moving', fromMicros: 0, toMicros: 3 * DAY, windows: 3, required: 7, predictions: 1_500 };
const window: WindowSummary = {
  startMicros: 3 * DAY,
  endMicros: 4 * DAY,
  predictions: 500,
  labels: 0,
  kind: 'drift',
  version: 3,
  judged: false,
  revisions: 0,
  closedBy: '',
  evidence: [],
  slices: [],
  metrics: [],
  fairness: [],
  reference: undefined,
};

describe('headrace monitor', () => {
  it('says what a window was compared with', () => {
    expect(describeWindow({ ...window, judged: true }).against).toBe('training');
    expect(describeWindow({ ...window, judged: true, reference: { ...reference, required: 3 } }).against).toBe(
      'moving: 3 windows, 1500 predictions, 1970-01-01T00:00 to 1970-01-04T00:00',
    );
  });

  it('says why a window was not judged', () => {
    expect(describeWindow(window).tests).toBe('too few to be judged');
    expect(describeWindow({ ...window, reference }).tests).toBe('not judged: the reference has 3 of 7 windows');
  });

  it('says why a test of a window was not judged, and of the window when none was', () => {
    const psi = { subject: 'prediction', statistic: 'psi', value: 0.3, threshold: 0.25, reference: 0, crossed: true };
    const why = 'the training has 2 windows';
    const together = { ...psi, subject: 'features', value: Number.NaN, crossed: false, notJudged: why };
    expect(describeWindow({ ...window, judged: true, evidence: [psi, together] }).tests).toBe(
      `! prediction psi 0.3000 (threshold 0.2500); features psi – (not judged: ${why})`,
    );
    expect(describeWindow({ ...window, evidence: [psi, together] }).tests).toBe('too few to be judged');
    expect(describeWindow({ ...window, evidence: [together] }).tests).toBe(`not judged: ${why}`);
  });

  it('shows where a window by count ends, and whether its age ended it', () => {
    expect(describeWindow(window).window).toBe('1970-01-04T00:00');
    expect(describeWindow({ ...window, endMicros: 3 * DAY + 90_000_001, closedBy: 'predictions' }).window).toBe(
      '1970-01-04T00:00:00 to 1970-01-04T00:01:30',
    );
    expect(describeWindow({ ...window, closedBy: 'age' }).window).toBe(
      '1970-01-04T00:00:00 to 1970-01-05T00:00:00 (by age)',
    );
  });

  it('says what the retraining policy waits for', () => {
    expect(describeRetraining(undefined)).toBeUndefined();
    const reason = 'quiet hours until 2026-01-11T05:30:00.000000Z (06:30 Europe/Berlin)';
    expect(
      describeRetraining({ waits: 'quiet_hours', reason, requestsWithoutPerson: 2, maximumWithoutPerson: 5 }),
    ).toBe(`retraining: not requested: ${reason}; 2 of at most 5 automatic requests since a person acted`);
  });

  it('shows the groups of the newest window of each kind, and which are too small', () => {
    const measures = { brier: { value: 0.1, low: 0.05, high: 0.15 } };
    const groups = [
      { slice: 'distance', group: '< 500', rows: 400, measures },
      { slice: 'distance', group: '>= 500', rows: 7, measures: {} },
    ];
    const older = { ...window, kind: 'performance', startMicros: 2 * DAY, slices: groups.slice(0, 1) };
    const newest = { ...window, kind: 'performance', slices: groups };
    expect(describeSlices([older, newest]).map(({ window: at, group, measures: of }) => [at, group, of])).toEqual([
      ['1970-01-04T00:00', '< 500', 'brier 0.1000 [0.0500, 0.1500]'],
      ['1970-01-04T00:00', '>= 500', 'too few to be measured'],
    ]);
    expect(sliceRows([older])).toEqual([expect.objectContaining({ brier: 0.1, brier_low: 0.05, brier_high: 0.15 })]);
  });

  it('shows how far groups lie apart, and which', () => {
    const gap = { value: 0.2, low: 0.05, high: 0.33 };
    const measure = 'demographic_parity_difference';
    const [row] = describeFairness({
      ...window,
      fairness: [{ slice: 'region', measure, gap, lowest: '1', highest: '0' }],
    });
    expect(row).toMatchObject({
      slice: 'region',
      measure,
      difference: '0.2000 [0.0500, 0.3300]',
      lowest: '1',
      highest: '0',
    });
  });

  it('shows what predictions were worth, and for how many nobody knows and why', () => {
    const metric = { name: 'cost', aggregate: 'sum', unit: 'EUR', rows: 480, failed: 0, failure: '' };
    const value = { value: 12.5, low: 10, high: 15 };
    const none = { ...metric, rows: 0, failed: 3, failure: 'field not found: fee', value: undefined };
    const rows = describeMetrics({ ...window, metrics: [{ ...metric, value }, none] });
    expect(rows.map(({ value: shown, failed }) => [shown, failed])).toEqual([
      ['12.5000 [10.0000, 15.0000] EUR', '–'],
      ['–', '3: field not found: fee'],
    ]);
  });
});
