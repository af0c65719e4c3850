import { ConnectionFault, ErrorCode } from './protocol';

/**
 * What a client may make the server do for nothing. Two purses a connection, refilled by time and (frames) by real
 * requests; an empty one ends the connection with ENHANCE_YOUR_CALM.
 */
const FRAMES = { full: 10_000, perSecond: 1_000, perRequest: 8 };
/** Calls that the client takes back, or spoils so that the server has to: "rapid reset" (CVE-2023-44487, CVE-2025-8671). */
const RESETS = { full: 1_000, perSecond: 200 };

export class AbuseGuard {
  private frames = FRAMES.full;
  private resets = RESETS.full;

  /** A frame that brings no work forward: PING, SETTINGS, PRIORITY, WINDOW_UPDATE, empty DATA, unknown types. */
  frame(cost = 1): void {
    this.frames -= cost;
    if (this.frames < 0) throw new ConnectionFault(ErrorCode.enhanceYourCalm, 'too many frames that carry no request');
  }

  /** A frame of a request or an answer that is read. */
  useful(): void {
    this.frames = Math.min(FRAMES.full, this.frames + FRAMES.perRequest);
  }

  /** A call was answered: one more may be taken back. */
  answered(): void {
    if (this.resets < RESETS.full) this.resets += 1;
  }

  /** False: too many. */
  reset(): boolean {
    this.resets -= 1;
    return this.resets >= 0;
  }

  refill(seconds: number): void {
    this.frames = Math.min(FRAMES.full, this.frames + FRAMES.perSecond * seconds);
    this.resets = Math.min(RESETS.full, this.resets + RESETS.perSecond * seconds);
  }
}
