// Scores of the versions that do not answer: for the prediction log alone, nobody waits for them.
import type { FeatureVector } from '@headrace/contracts/proto/features/v1/features_service';
import type { ShadowScore } from '@headrace/contracts/proto/inference/v1/inference_events';
import type { ServedVersion } from './active-deployment';

export type FallbackReason =
  'guardrail' | 'feature_timeout' | 'feature_store_unavailable' | 'feature_expired' | 'model_error';

/** What came of asking one version. */
export type Scored =
  | { readonly kind: 'score'; readonly version: ServedVersion; readonly output: number; readonly vector: FeatureVector }
  | {
      readonly kind: 'no-features';
      readonly reason: FallbackReason;
      readonly message: string;
      readonly vector?: FeatureVector;
    }
  | { readonly kind: 'refused'; readonly message: string }
  | { readonly kind: 'model-failed'; readonly error: unknown };

/** What becomes of a score that nobody waits for any more: its version hangs, or is too slow to be compared. */
export class ShadowLate extends Error {
  constructor(patienceMs: number) {
    super(`no score within ${patienceMs} ms`);
    this.name = 'ShadowLate';
  }
}

/** Promises given to it never reject. */
export class Shadows {
  constructor(private readonly patienceMs = 2_000) {}

  private readonly scoring = new Map<ServedVersion, Promise<Scored>>();
  private done: Promise<ShadowScore[]> | undefined;
  private failed: (version: ServedVersion, scored: Scored) => void = () => undefined;

  add(version: ServedVersion, scored: Promise<Scored>): void {
    this.scoring.set(version, scored);
  }

  /** It answers after all, so it is no shadow any more. */
  take(version: ServedVersion): Promise<Scored> | undefined {
    const scored = this.scoring.get(version);
    this.scoring.delete(version);
    return scored;
  }

  onFailure(listener: (version: ServedVersion, scored: Scored) => void): void {
    this.failed = listener;
  }

  /** At once when there are none. Failures are told once, however many listen. */
  whenDone(listener: (scores: ShadowScore[]) => void): void {
    if (this.scoring.size === 0) listener([]);
    else void (this.done ??= this.settle()).then(listener);
  }

  /** The prediction log waits for nobody longer than this: a version that hangs must not hold up what answers. */
  private async settle(): Promise<ShadowScore[]> {
    const scores: ShadowScore[] = [];
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<Scored>((resolve) => {
      const outcome = { kind: 'model-failed', error: new ShadowLate(this.patienceMs) } as const;
      timer = setTimeout(() => resolve(outcome), this.patienceMs);
    });
    for (const [version, scoring] of this.scoring) {
      const scored = await Promise.race([scoring, late]);
      if (scored.kind === 'score') scores.push({ version: version.number, output: scored.output });
      else this.failed(version, scored);
    }
    clearTimeout(timer);
    return scores;
  }
}
