import { validateDefinition, versionOf, type FeatureView } from '@headrace/definitions';
import { compileView, type CompiledView } from '../src/domain/feature-view';

/** A feature view over flight arrivals unless told otherwise. */
export function featureView(spec: Partial<FeatureView['spec']> = {}, name = 'origin-delays'): FeatureView {
  const result = validateDefinition({
    apiVersion: 'headrace.dev/v1',
    kind: 'FeatureView',
    metadata: { name },
    spec: {
      source: 'flight-arrivals',
      entity: { name: 'origin', key: 'record.origin' },
      features: everyAggregate('record.delay', ['3h', '24h']),
      ...spec,
    },
  });
  if (result.kind === 'invalid') throw new Error(JSON.stringify(result.faults));
  return result.definition as FeatureView;
}

export function compiled(definition: FeatureView = featureView()): CompiledView {
  return compileView(definition, versionOf(definition));
}

/** All functions over one input and each window, and a count of records. */
export function everyAggregate(of: string, windows: readonly string[]): FeatureView['spec']['features'] {
  return windows.flatMap((window) => [
    { name: `records_${window}`, function: 'count' as const, window },
    ...(['count', 'sum', 'mean', 'min', 'max', 'stddev'] as const).map((kind) => ({
      name: `${kind}_${window}`,
      function: kind,
      of,
      window,
    })),
  ]);
}

/** A reproducible stream of numbers in [0, 1) (mulberry32). */
export function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}
