import { missing, stringValue } from '@headrace/definitions';
import { aColumn, aPredictRequest, flightColumns } from '../../test/builders';
import { checkPredictRequest, joinKeyOf, planInputs } from './input-plan';

const plan = planInputs(flightColumns);

describe('what a prediction needs', () => {
  it('is every entity and every request field that the features are made of', () => {
    expect(plan.entities).toEqual(['origin', 'destination']);
    expect(plan.requestFields).toEqual(['distance', 'local_hour']);
    expect(plan.features).toHaveLength(flightColumns.length);
    expect(plan.names).toEqual(flightColumns.map(({ name }) => name));
  });

  it('leaves out a field that the expression can do without', () => {
    const column = aColumn('gate', {
      entity: '',
      view: '',
      requestExpression: 'has(request.gate) ? request.gate : 0.0',
    });
    expect(planInputs([column]).requestFields).toEqual([]);
  });

  it('accepts a complete request, and fields that are null', () => {
    const request = aPredictRequest();
    expect(() => checkPredictRequest(request, plan, 'flight')).not.toThrow();
    const withNull = { ...request, request: { ...request.request, distance: missing } };
    expect(() => checkPredictRequest(withNull, plan, 'flight')).not.toThrow();
  });

  it.each([
    ['an entity that is absent', { entities: { origin: 'ATL' } }, 'entities["destination"] is missing'],
    ['an entity with an empty key', { entities: { origin: '', destination: 'ORD' } }, 'entities["origin"] is missing'],
    ['a request field that is absent', { request: { flight: stringValue('f') } }, 'request["distance"] is missing'],
    ['a prediction id with control characters', { predictionId: 'a\nb' }, 'prediction_id'],
    ['a prediction id that is too long', { predictionId: 'x'.repeat(129) }, 'prediction_id'],
    ['a moment before 1970', { asOfMicros: -1 }, 'as_of_micros'],
    [
      'an entity key beyond every size',
      { entities: { origin: 'x'.repeat(70_000), destination: 'ORD' } },
      'at most 65536',
    ],
  ])('refuses %s', (_, overrides, message) => {
    expect(() => checkPredictRequest(aPredictRequest(overrides), plan, 'flight')).toThrow(message);
  });

  it('refuses a request without the field that joins labels', () => {
    const { flight: _, ...others } = aPredictRequest().request;
    expect(() => checkPredictRequest(aPredictRequest({ request: others }), plan, 'flight')).toThrow(
      'request["flight"]',
    );
    expect(() => checkPredictRequest(aPredictRequest({ request: others }), plan, '')).not.toThrow();
  });

  it('keys the log by the text of the joining field', () => {
    expect(joinKeyOf(aPredictRequest(), 'flight')).toBe('f-1');
    const numbered = aPredictRequest({ request: { flight: { kind: { $case: 'intValue', value: 17 } } } });
    expect(joinKeyOf(numbered, 'flight')).toBe('17');
  });
});
