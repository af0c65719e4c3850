import { boolValue, doubleValue, intValue, missing, stringValue } from '@headrace/definitions';
import { compiled, featureView } from '../../test/builders';
import { faultsOfView } from './feature-view';

describe('a feature view', () => {
  const view = compiled(
    featureView({
      where: 'record.cancelled == false',
      features: [
        { name: 'flights', function: 'count', window: '1d' },
        { name: 'delay', function: 'mean', of: 'record.delay', window: '3h' },
        { name: 'late', function: 'mean', of: 'record.delay > 15.0', window: '1d' },
        { name: 'worst', function: 'max', of: 'record.delay', window: '1d' },
      ],
    }),
  );
  const arrival = { origin: stringValue('ATL'), cancelled: boolValue(false), delay: doubleValue(20.5) };

  it('takes from a record its entity and each distinct input, bools as 0 and 1', () => {
    expect(view.inputs).toEqual(['record.delay', 'record.delay > 15.0']);
    expect(view.project(arrival)).toEqual({ entity: 'ATL', inputs: [20_500_000_000n, 1_000_000_000n] });
  });

  it('counts a record whose input is missing, without a value for it', () => {
    expect(view.project({ ...arrival, delay: missing })).toEqual({ entity: 'ATL', inputs: [null, null] });
  });

  it('takes nothing from a record that its condition does not hold for, or cannot be told of', () => {
    expect(view.project({ ...arrival, cancelled: boolValue(true) })).toBeUndefined();
    expect(view.project({ origin: stringValue('ATL') })).toBeUndefined();
  });

  it('does not tell null from absent', () => {
    const known = compiled(featureView({ where: 'has(record.delay)' }));
    expect(known.project({ ...arrival, delay: missing })).toBeUndefined();
    expect(known.project(arrival)).toBeDefined();
  });

  it('takes nothing from a record without a usable entity key', () => {
    for (const origin of [missing, stringValue('x'.repeat(501)), stringValue('A\0')]) {
      expect(view.project({ ...arrival, origin })).toBeUndefined();
    }
    expect(view.project({ ...arrival, origin: intValue(7) })?.entity).toBe('7');
  });

  it('knows its longest window and its retention', () => {
    expect([view.longestWindowMicros, view.retentionMicros]).toEqual([86_400_000_000, 864_000_000_000]);
  });

  it('is faulty when two features have one name or a window is longer than ten years', () => {
    const feature = { name: 'flights', function: 'count' as const, window: '9999d' };
    expect(faultsOfView(featureView({ features: [feature, { ...feature, window: '1d' }] }))).toEqual([
      'spec.features.0.window: expected at most 3650d',
      'spec.features.1.name: "flights" is there twice',
    ]);
    expect(faultsOfView(featureView())).toEqual([]);
  });
});
