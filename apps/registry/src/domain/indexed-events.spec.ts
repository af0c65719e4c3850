import { indexedBy, type IndexedEvent } from './indexed-events';

const event: IndexedEvent = {
  id: 'drift-1',
  type: 'headrace.monitoring.v1.DriftDetected',
  topic: 'monitoring.v1',
  subject: 'lateness',
  timeMicros: 20,
  causationId: 'prediction-1',
  correlationId: 'loop-1',
};
const reference = {
  id: 'prediction-1',
  type: 'headrace.inference.v1.PredictionServed',
  topic: 'inference.predictions.v1',
  partition: 3,
  offset: 7,
  timeMicros: 10,
  causationId: 'deployment-1',
};

describe('the index of causation', () => {
  it('keeps of an event what chains are made of, and nothing else', () => {
    expect(indexedBy({ ...event, data: 'payload' } as IndexedEvent, [])).toEqual([event]);
  });

  it('keeps the bulk events that a payload names, in the loop of the event that names them', () => {
    expect(indexedBy(event, [reference])).toEqual([
      event,
      {
        id: 'prediction-1',
        type: 'headrace.inference.v1.PredictionServed',
        topic: 'inference.predictions.v1',
        subject: '',
        timeMicros: 10,
        causationId: 'deployment-1',
        correlationId: 'loop-1',
      },
    ]);
  });

  it('leaves out evidence that is absent', () => {
    expect(indexedBy(event, [undefined, { ...reference, id: '' }])).toEqual([event]);
  });
});
