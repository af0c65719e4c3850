// Which versions failed in one request, and which were only asked for something that nobody could have answered.
import type { ServedVersion } from './active-deployment';
import type { Scored } from './shadows';

export interface Asked {
  readonly version: ServedVersion;
  /** Undefined: it gave a score. */
  readonly error: unknown;
}

/**
 * `asked`: what came of each version; undefined: nothing until now. Without features, or when the request was refused, a
 * version is to blame only if the champion had a score for the same request.
 */
export function tallied(asked: ReadonlyMap<ServedVersion, Scored | undefined>, champion: ServedVersion): Asked[] {
  const championScored = asked.get(champion)?.kind === 'score';
  return [...asked].flatMap(([version, scored]): Asked[] => {
    switch (scored?.kind) {
      case 'score':
        return [{ version, error: undefined }];
      case 'model-failed':
        return [{ version, error: scored.error }];
      case 'refused':
      case 'no-features':
        return championScored ? [{ version, error: new Error(scored.message) }] : [];
      case undefined:
        return [{ version, error: new Error('no score in time') }];
    }
  });
}
