// What of an answered request goes to the prediction log.
import { createHmac } from 'node:crypto';
import type { Value } from '@headrace/contracts/proto/common/v1/common';
import type { PredictionServed } from '@headrace/contracts/proto/inference/v1/inference_events';
import { readsAnyOf, stringValue } from '@headrace/definitions';
import type { Deployment, Treatment } from './deployment';

/** Of SHA-256's 32: that two of a billion values share one has a probability of 10^-21. */
const PSEUDONYM_BYTES = 16;

/** The same answer for the same prediction id, whichever gateway asks: FNV-1a spreads ids over [0, 1). */
export function isLogged(predictionId: string, sampleRate: number): boolean {
  if (sampleRate >= 1) return true;
  let hash = 0x811c9dc5;
  for (let index = 0; index < predictionId.length; index += 1) {
    hash = Math.imul(hash ^ predictionId.charCodeAt(index), 0x01000193);
  }
  return (hash >>> 0) / 0x1_0000_0000 < sampleRate;
}

type Logged = Pick<PredictionServed, 'entities' | 'request' | 'featureNames' | 'featureValues' | 'featureStatuses'>;

/** Keeps what an endpoint declares as personal out of its prediction log. */
export class PersonalData {
  private readonly withheld = new WeakMap<Deployment, ReadonlySet<string>>();

  /** `key`: of the pseudonyms, the same in every gateway; undefined: a value that wants a pseudonym is omitted. */
  constructor(private readonly key: string | undefined) {}

  /** True when values of this endpoint are omitted that want a pseudonym. */
  lacksKey({ personal }: Deployment): boolean {
    return this.key === undefined && [...personal.values()].includes('pseudonym');
  }

  /**
   * Personal entities and request fields as the endpoint wants them logged, and of the features those that are not made of
   * personal request fields: their values would give them away. The event is not changed.
   */
  treat<T extends Logged>(deployment: Deployment, event: T): T {
    const { personal } = deployment;
    if (personal.size === 0) return event;
    const withheld = this.withheldFeatures(deployment);
    const kept = event.featureNames.flatMap((name, index) => (withheld.has(name) ? [] : [index]));
    const of = <V>(values: readonly V[]): V[] =>
      kept.flatMap((index) => (index < values.length ? [values[index] as V] : []));
    return {
      ...event,
      entities: this.treated(event.entities, personal, (value, name) => this.pseudonym(name, value)),
      request: this.treated(event.request, personal, ({ kind }: Value, name) =>
        // Null says nothing of anybody.
        kind === undefined ? { kind } : stringValue(this.pseudonym(name, String(kind.value))),
      ),
      featureNames: of(event.featureNames),
      featureValues: of(event.featureValues),
      featureStatuses: of(event.featureStatuses),
    };
  }

  private treated<V>(
    values: Readonly<Record<string, V>>,
    personal: ReadonlyMap<string, Treatment>,
    pseudonymOf: (value: V, name: string) => V,
  ): Record<string, V> {
    return Object.fromEntries(
      Object.entries(values).flatMap(([name, value]): [string, V][] => {
        const treatment = personal.get(name);
        if (treatment === undefined) return [[name, value]];
        return treatment === 'omit' || this.key === undefined ? [] : [[name, pseudonymOf(value, name)]];
      }),
    );
  }

  /** HMAC-SHA256 (RFC 2104) of the name and the value, so that the same number in two fields cannot be linked. */
  private pseudonym(name: string, value: string): string {
    if (this.key === undefined) throw new Error('there is no key for pseudonyms');
    const mac = createHmac('sha256', this.key).update(`${name}\0${value}`).digest();
    return mac.subarray(0, PSEUDONYM_BYTES).toString('base64url');
  }

  private withheldFeatures(deployment: Deployment): ReadonlySet<string> {
    const known = this.withheld.get(deployment);
    if (known) return known;
    const fields = new Set(deployment.personal.keys());
    const columns = deployment.versions.flatMap(({ signature }) => signature.features);
    const withheld = new Set(
      columns.flatMap(({ name, requestExpression }) => (mayRead(requestExpression, fields) ? [name] : [])),
    );
    this.withheld.set(deployment, withheld);
    return withheld;
  }
}

function mayRead(requestExpression: string, fields: ReadonlySet<string>): boolean {
  if (requestExpression === '') return false;
  try {
    return readsAnyOf(requestExpression, 'request', fields);
  } catch {
    return true; // a version that does not serve for that reason; nothing is logged that it might be about
  }
}
