import { driftHorizon, labelHorizon, predictionProgress, type PredictionPartition } from './progress';

const quiet = { partitionMs: 300, endpointMs: 60_000 };
const partition = (overrides: Partial<PredictionPartition> = {}): PredictionPartition => ({
  partition: 0,
  maxAsOfMicros: 1_000,
  atEnd: false,
  quietForMs: 0,
  ...overrides,
});

describe('the progress of predictions', () => {
  it('is held back by the slowest partition', () => {
    expect(predictionProgress([partition(), partition({ maxAsOfMicros: 500 })], quiet)).toBe(499);
  });

  it('is held back by a partition that has something waiting, though nothing of the endpoint came from it', () => {
    const unseen = partition({ maxAsOfMicros: -Infinity, quietForMs: Infinity });
    expect(predictionProgress([partition(), unseen], quiet)).toBe(-Infinity);
  });

  it('is not held back by a partition that is read to its end and quiet', () => {
    const idle = partition({ maxAsOfMicros: 500, atEnd: true, quietForMs: 300 });
    expect(predictionProgress([partition(), idle], quiet)).toBe(999);
  });

  it('no longer matters when requests have ceased', () => {
    const silent = partition({ atEnd: true, quietForMs: 60_000 });
    expect(predictionProgress([silent, silent], quiet)).toBe(Infinity);
  });
});

describe('the horizons', () => {
  it('wait for the predictions and for the watermark of the labels', () => {
    expect(driftHorizon({ predictionMicros: 5, labelWatermarkMicros: 3, maxLabelTimeMicros: 1 })).toBe(3);
    expect(driftHorizon({ predictionMicros: 2, labelWatermarkMicros: 3, maxLabelTimeMicros: 1 })).toBe(2);
  });

  it('of labels also wait for a label that lies beyond, because a watermark by the clock is far ahead', () => {
    expect(labelHorizon({ predictionMicros: 5, labelWatermarkMicros: 9, maxLabelTimeMicros: 4 })).toBe(4);
  });
});
