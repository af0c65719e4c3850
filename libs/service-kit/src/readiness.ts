import { Injectable } from '@nestjs/common';

/** Undefined = ready; otherwise one sentence that says what is missing. */
export type ReadinessCheck = () => string | undefined;

/** What /readyz asks. Checks are cheap and synchronous: they look at what is known, they call nobody. */
@Injectable()
export class Readiness {
  private readonly checks = new Map<string, ReadinessCheck>();

  register(name: string, check: ReadinessCheck): void {
    this.checks.set(name, check);
  }

  report(): { readonly ready: boolean; readonly notReady: Readonly<Record<string, string>> } {
    const notReady: Record<string, string> = {};
    for (const [name, check] of this.checks) {
      const reason = check();
      if (reason !== undefined) notReady[name] = reason;
    }
    return { ready: Object.keys(notReady).length === 0, notReady };
  }
}
