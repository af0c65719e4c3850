// The trainer's profile.json (contract headrace.dev/profile/v1, trainers/tabular/README.md): what a version was validated on.
import type { ArtifactStore } from '@headrace/artifacts';
import { z } from 'zod';
import type { WantedVersion } from '../domain/deployment';
import type { FeatureRanges } from '../domain/guardrails';

const Profile = z.object({
  contract: z.literal('headrace.dev/profile/v1'),
  features: z.array(z.object({ name: z.string(), edges: z.array(z.number()).min(2) })),
});

export type RangesOutcome =
  | { readonly kind: 'ranges'; readonly ranges: FeatureRanges }
  | { readonly kind: 'refused'; readonly code: string; readonly message: string; readonly retriable: boolean };

/** Profiles by their artifacts, which never change. */
export class Profiles {
  constructor(private readonly store: Pick<ArtifactStore, 'read'>) {}

  /** Smallest and largest value of each feature of a version, in the order of its inputs. */
  async rangesOf({ number, profile, signature }: WantedVersion): Promise<RangesOutcome> {
    const unreadable = (message: string): RangesOutcome => ({
      kind: 'refused',
      code: 'profile_unreadable',
      message: `the guardrail outsideProfile needs the profile of version ${number}: ${message}`,
      // The artifact may still be on its way; what is no profile stays none, and is refused as patiently.
      retriable: true,
    });
    if (!profile) return unreadable('it has none');
    try {
      const { features } = Profile.parse(JSON.parse((await this.store.read(profile.digest)).toString('utf8')));
      const ranges = new Map(
        features.map(({ name, edges }) => [name, { low: edges[0] ?? -Infinity, high: edges.at(-1) ?? Infinity }]),
      );
      return { kind: 'ranges', ranges: signature.features.map(({ name }) => ranges.get(name)) };
    } catch (error) {
      return unreadable(error instanceof Error ? error.message : String(error));
    }
  }
}
