import { encodeMessage } from './encode-message';
import { PredictionServed } from './generated/headrace/inference/v1/inference_events';

const prediction = (model: string, featureValues: number[] = []): PredictionServed =>
  PredictionServed.fromPartial({ model, featureValues });
const alone = (message: PredictionServed): string =>
  Buffer.from(PredictionServed.encode(message).finish()).toString('hex');

describe('encoding messages', () => {
  it('gives each message the bytes that it has alone, and does not touch those that were given before', () => {
    const messages = [prediction('a'), prediction('b', [1, 2, 3]), prediction(''), prediction('c'.repeat(5_000))];
    const encoded = messages.map((message) => encodeMessage(PredictionServed, message));
    expect(encoded.map((bytes) => bytes.toString('hex'))).toEqual(messages.map(alone));
  });

  it('leaves nothing behind of a message that cannot be encoded', () => {
    const wrong = { ...prediction('half'), version: 0.5 };
    expect(() => encodeMessage(PredictionServed, wrong)).toThrow();
    expect(encodeMessage(PredictionServed, prediction('a')).toString('hex')).toBe(alone(prediction('a')));
  });
});
