// Flight landings, their views and definitions, for the specs on the real log.
import type { FeatureRef } from '@headrace/contracts/proto/features/v1/features_service';
import { doubleValue, stringValue, validateDefinition, type Definition } from '@headrace/definitions';
import { MICROS } from '@headrace/event-time';
import type { CompiledView } from '../src/domain/feature-view';
import { randomNumbers } from './builders';
import type { OracleRecord } from './oracle';
import type { Arrival } from './running-feature-store';

export const START = 980_000_000_000_000;
export const AIRPORTS = ['ATL', 'ORD', 'DFW'];

/** Landings in the order in which they become known; many are known late, some before they happen. */
export function landings(count: number, seed: number, from = START): Arrival[] {
  const random = randomNumbers(seed);
  const airport = (): string => AIRPORTS[Math.floor(random() * AIRPORTS.length)] ?? 'ATL';
  return Array.from({ length: count }, (_, n): Arrival => {
    const knownTime = from + n * 5 * MICROS.m;
    const late = random() < 0.3 ? random() * 30 * MICROS.h : random() * MICROS.h;
    const eventTime = Math.floor(random() < 0.05 ? knownTime + random() * MICROS.h : knownTime - late);
    return {
      key: `${from}-${n}`,
      eventTime,
      knownTime,
      fields: {
        origin: stringValue(airport()),
        destination: stringValue(airport()),
        ...(random() < 0.1 ? {} : { delay: doubleValue((random() - 0.4) * 120) }),
      },
    };
  });
}

export function oracleOf(view: CompiledView, arrivals: readonly Arrival[]): OracleRecord[] {
  return arrivals.flatMap(({ eventTime, knownTime, fields }) => {
    const projection = view.project(fields);
    return projection ? [{ eventTime, knownTime, ...projection }] : [];
  });
}

export function refsOf(view: CompiledView): FeatureRef[] {
  return [...view.features.keys()].map((feature) => ({
    name: `${view.name.replaceAll('-', '_')}_${feature}`,
    view: view.name,
    feature,
    requestExpression: '',
  }));
}

export function valid(definition: object): Definition {
  const result = validateDefinition({ apiVersion: 'headrace.dev/v1', ...definition });
  if (result.kind === 'invalid') throw new Error(JSON.stringify(result.faults));
  return result.definition;
}

export function stream(name: string, key: string, fields: object): Definition {
  return valid({
    kind: 'DataStream',
    metadata: { name },
    spec: { source: { kafka: { topic: `upstream.${name}` } }, key, eventTime: 'at', fields },
  });
}
