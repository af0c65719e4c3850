import { PredictionServed } from '@headrace/contracts/proto/inference/v1/inference_events';
import { doubleValue } from '@headrace/definitions';
import { readServedPrediction } from './read-served-prediction';

const whole = PredictionServed.fromPartial({
  predictionId: 'b6f0-é',
  endpoint: 'late',
  model: 'late-model',
  version: 3,
  assignment: 'canary',
  joinKey: 'JFK-1',
  asOfMicros: 1_767_225_600_000_001,
  servedAtMicros: 1_767_225_600_000_002,
  featureNames: ['distance', 'delay', ''],
  featureValues: [1.5, Number.NaN, -0],
  featureStatuses: [1, 2, 1],
  watermarkMicros: 5,
  entities: { carrier: 'c' },
  request: { amount: doubleValue(2.5) },
  output: 0.25,
  shadowScores: [
    { version: 1, output: 0.5 },
    { version: 9_007_199_254_740_991, output: -1 },
  ],
  fallback: true,
  fallbackReason: 'feature_timeout',
  latencyMicros: 900,
  deploymentGeneration: 4,
  rolloutId: 'r-1',
  guardrails: [{ guardrail: 'low_confidence', action: 'flag', reason: 'because' }],
});

const bytesOf = (message: PredictionServed): Buffer => Buffer.from(PredictionServed.encode(message).finish());

/** What both readers must agree on. */
function expectSame(bytes: Buffer): void {
  const expected = PredictionServed.decode(bytes);
  const { layout, features, ...read } = readServedPrediction(bytes);
  expect(expected).toMatchObject(read);
  expect(layout.names).toEqual(expected.featureNames);
  const values = Array.from({ length: features.length / 8 }, (_, index) => features.readDoubleLE(index * 8));
  expect(values).toEqual(expected.featureValues);
}

describe('reading a part of a prediction', () => {
  it('reads what the whole codec reads, whatever else the message holds', () => {
    for (const message of [
      whole,
      PredictionServed.fromPartial({}),
      { ...whole, asOfMicros: -1, version: -9_007_199_254_740_991, fallback: false, shadowScores: [] },
      { ...whole, asOfMicros: 268_435_455, version: 268_435_456, featureNames: ['distance'], featureValues: [7] },
      { ...whole, featureNames: ['distance', 'delay', '', 'more'], endpoint: 'other', joinKey: '' },
      { ...whole, featureNames: ['distance', 'delay'], rolloutId: '' },
    ]) {
      expectSame(bytesOf(message));
    }
  });

  it('reads fields that come in parts, unpacked or twice, and passes unknown ones over', () => {
    const [first, second] = [bytesOf(whole), bytesOf({ ...whole, predictionId: 'again', featureNames: ['third'] })];
    expectSame(Buffer.concat([first, second]));
    const unpacked = Buffer.alloc(9);
    unpacked[0] = 0x51; // field 10, one double
    unpacked.writeDoubleLE(4.5, 1);
    const unknown = Buffer.from([0xf8, 0x07, 0x80, 0x01, 0xfd, 0x07, 1, 2, 3, 4, 0xfa, 0x07, 1, 9]);
    expectSame(Buffer.concat([first, unpacked, unknown, unpacked]));
  });

  it('gives requests with the same names one layout', () => {
    expect(readServedPrediction(bytesOf(whole)).layout).toBe(readServedPrediction(bytesOf(whole)).layout);
    expect(readServedPrediction(bytesOf(whole)).layout.id).not.toBe(
      readServedPrediction(bytesOf({ ...whole, featureNames: ['distance', 'delay', 'x'] })).layout.id,
    );
  });

  it('refuses what ends too early, and what is no message', () => {
    const bytes = bytesOf(whole);
    // Between two fields it may end: that is a message, of fewer fields.
    for (const end of [1, 5, bytes.length - 1, bytes.length - 12]) {
      expect(() => readServedPrediction(bytes.subarray(0, end))).toThrow(RangeError);
    }
    expect(() => readServedPrediction(Buffer.from([0x0b]))).toThrow('wire type 3');
    expect(() => readServedPrediction(Buffer.from([0x20, ...Array<number>(10).fill(255)]))).toThrow(RangeError);
  });
});
