import { aPlan } from '../../test/builders';
import { columnsFault, comparableChampion, featureColumns } from './signature';

describe('the columns of a model', () => {
  it('come from the request or from a view with its entity, in the order of the plan', () => {
    expect(featureColumns(aPlan(), () => 'origin')).toEqual({
      kind: 'columns',
      columns: [
        { name: 'distance', view: '', feature: '', requestExpression: 'request.distance', entity: '' },
        { name: 'delay_3h', view: 'origin-delays', feature: 'mean_3h', requestExpression: '', entity: 'origin' },
      ],
    });
  });

  it('cannot be told while a view is unknown', () => {
    expect(featureColumns(aPlan(), () => undefined)).toEqual({ kind: 'unknown-view', view: 'origin-delays' });
  });

  it('must be those of the training set, in the same order', () => {
    const columns = ['distance', 'delay_3h'].map((name) => ({
      name,
      view: '',
      feature: '',
      requestExpression: '',
      entity: '',
    }));
    expect(columnsFault(columns, [{ name: 'distance' }, { name: 'delay_3h' }])).toBeUndefined();
    expect(columnsFault(columns, [{ name: 'delay_3h' }, { name: 'distance' }])).toBe(
      'the training set has the columns delay_3h, distance; the plan has distance, delay_3h',
    );
  });
});

describe('the champion', () => {
  const champion = { version: 2, digest: 'sha256:0', features: ['delay_3h', 'distance'] };

  it('is compared when it asks for the same columns, in whatever order', () => {
    expect(comparableChampion(champion, [{ name: 'distance' }, { name: 'delay_3h' }])).toBe(champion);
  });

  it('is not compared when it asks for others', () => {
    expect(comparableChampion(champion, [{ name: 'distance' }])).toBeUndefined();
    expect(comparableChampion(champion, [{ name: 'distance' }, { name: 'delay_24h' }])).toBeUndefined();
    expect(comparableChampion(undefined, [{ name: 'distance' }])).toBeUndefined();
  });
});
