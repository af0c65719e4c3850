import { ArtifactStore } from '@headrace/artifacts';
import { Injectable } from '@nestjs/common';
import { readProfile, type ReferenceProfile } from '../domain/reference-profile';

const MOST_KEPT = 50;

/** Reference profiles by digest, read once; immutable, so they may stay in memory. */
@Injectable()
export class ReferenceProfiles {
  private readonly profiles = new Map<string, ReferenceProfile>();

  constructor(private readonly artifacts: ArtifactStore) {}

  /** Throws when the artifact is not there (yet) or is no profile. */
  async load(digest: string): Promise<ReferenceProfile> {
    const known = this.profiles.get(digest);
    if (known) return known;
    const profile = readProfile((await this.artifacts.read(digest)).toString('utf8'));
    const oldest = this.profiles.keys().next();
    if (this.profiles.size >= MOST_KEPT && oldest.done !== true) this.profiles.delete(oldest.value);
    this.profiles.set(digest, profile);
    return profile;
  }
}
