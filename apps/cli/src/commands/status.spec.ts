import { describeHealth, describeLoop } from './status';

const status = {
  monitor: 'orders',
  model: 'fraud',
  endpoint: 'fraud',
  championVersion: 3,
  standing: ['drift', 'estimate'],
  windows: [
    {
      startMicros: 0,
      endMicros: 86_400_000_000,
      predictions: 500,
      labels: 0,
      kind: 'estimate',
      version: 3,
      judged: true,
      revisions: 0,
      closedBy: '',
      slices: [],
      metrics: [],
      fairness: [],
      reference: undefined,
      evidence: [
        {
          subject: 'prediction',
          statistic: 'auc',
          value: 0.71,
          low: 0.68,
          high: 0.74,
          threshold: 0,
          reference: 0.8,
          crossed: false,
        },
        { subject: 'prediction', statistic: 'recall', value: 0.2, threshold: 0, reference: 0.8, crossed: false },
      ],
    },
  ],
  expectedRun: { windows: 31, seconds: 31 * 86_400, predictions: 0 },
  predictions: 1_000,
  labelsJoined: 250,
  loop: { deploymentsPerDay: 0.5, detectedToPromotedSeconds: 5_400, changeFailureRatio: 0.25 },
};

describe('headrace status', () => {
  it('says what stands, what is estimated before labels, and how seldom a false alarm comes', () => {
    expect(describeHealth(status)).toEqual({
      monitor: 'orders',
      version: 3,
      signals: 'drift, estimate',
      measured: '–',
      estimated: 'auc 0.7100 [0.6800, 0.7400] to 1970-01-02T00:00',
      labelled: '25.0 %',
      falseAlarmEvery: 'at least 31.0 d',
    });
  });

  it('counts the run between false alarms of windows by count in predictions', () => {
    const byCount = { ...status, expectedRun: { windows: 31, seconds: 0, predictions: 31 * 5_000 } };
    expect(describeHealth(byCount).falseAlarmEvery).toBe('at least 155000 predictions');
  });

  it('says how fast the loop turns, and leaves out what has not happened', () => {
    expect(describeLoop(status)).toEqual({
      model: 'fraud',
      driftToDetected: '–',
      detectedToTrained: '–',
      timeToRecover: '1.5 h',
      dataToProduction: '–',
      deploymentsPerDay: '0.50',
      changesFailed: '25 %',
    });
    expect(describeLoop({ ...status, loop: undefined })).toMatchObject({
      deploymentsPerDay: '0.00',
      changesFailed: '–',
    });
  });

  it('says what is not known yet', () => {
    const fresh = { ...status, championVersion: 0, standing: [], windows: [], expectedRun: undefined, predictions: 0 };
    expect(describeHealth(fresh)).toMatchObject({
      version: '–',
      signals: 'quiet',
      labelled: '–',
      falseAlarmEvery: 'not known',
    });
  });
});
