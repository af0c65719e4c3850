// Every strategy is a list of stages: how much the candidate answers, and what ends the stage.
import { UNTIL_RESUMED, type Endpoint } from '@headrace/definitions';
import { parseDuration } from '@headrace/event-time';

export type Strategy = 'canary' | 'blue-green' | 'shadow' | 'ab' | 'champion-challenger';

export interface Stage {
  /** Percent of requests that the candidate answers. */
  readonly weight: number;
  /** What it waits for: a promoting verdict of the analysis, nothing but time, or a person. A worse candidate ends it at once. */
  readonly ends: 'verdict' | 'time' | 'person';
  /** Wall clock that it lasts at least. */
  readonly atLeastMicros: number;
  /** After all that it pauses until a person resumes it. */
  readonly confirm: boolean;
}

export type RolloutSpec = Pick<Endpoint['spec']['rollout'], 'strategy' | 'steps' | 'keepPrevious'>;

const KEEP_PREVIOUS = '10m';
const JUDGED: Stage = { weight: 0, ends: 'verdict', atLeastMicros: 0, confirm: false };

/** Undefined: the strategy knows no rollout, a version takes all requests at once. */
export function stagesOf({ strategy, steps, keepPrevious }: RolloutSpec): readonly Stage[] | undefined {
  switch (strategy) {
    case 'direct':
      return undefined;
    case 'canary':
    case 'ab':
      return steps.map(({ weight, pause }) => ({
        ...JUDGED,
        weight,
        atLeastMicros: pause === undefined || pause === UNTIL_RESUMED ? 0 : parseDuration(pause),
        confirm: pause === UNTIL_RESUMED,
      }));
    case 'blue-green':
      // Green is judged by the answers it would have given; then it takes everything, with blue ready to take over again.
      return [
        JUDGED,
        { ...JUDGED, weight: 100, ends: 'time', atLeastMicros: parseDuration(keepPrevious ?? KEEP_PREVIOUS) },
      ];
    case 'champion-challenger':
      return [JUDGED];
    case 'shadow':
      return [{ ...JUDGED, ends: 'person' }];
  }
}
