import type { WindowSummary } from '@headrace/contracts/proto/monitoring/v1/monitoring_events';
import { describeRetraining, describeWindow } from './monitor';

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
  evidence: [],
  slices: [],
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

  it('says what the retraining policy waits for', () => {
    expect(describeRetraining(undefined)).toBeUndefined();
    const reason = 'quiet hours until 2026-01-11T05:30:00.000000Z (06:30 Europe/Berlin)';
    expect(
      describeRetraining({ waits: 'quiet_hours', reason, requestsWithoutPerson: 2, maximumWithoutPerson: 5 }),
    ).toBe(`retraining: not requested: ${reason}; 2 of at most 5 automatic requests since a person acted`);
  });
});
