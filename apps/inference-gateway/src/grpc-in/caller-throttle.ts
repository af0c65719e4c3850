// Under a flood reading what must be refused takes the time that answers need. While the event loop has no time left, a
// caller that is refused again and again is refused by the headers of its calls, before their messages are read: adaptive throttling
// (Beyer et al., Site Reliability Engineering, 2016, chapter 21), on the server's side and for each connection. Callers that
// are answered are let in as before, whatever others send.
import { performance } from 'node:perf_hooks';
import { status } from '@grpc/grpc-js';
import { DomainError } from '@headrace/contracts';
import type { Admission, Refusal } from '@headrace/grpc';
import type { Protocol } from '../gateway-metrics';

export interface CallerThrottleOptions {
  /** Share of its time that the event loop was busy since it was asked before, from 0 to 1. */
  readonly utilization: () => number;
  /** A call was not let in. */
  readonly onRefused: (protocol: Protocol) => void;
  /** A clock that only rises. */
  readonly nowMs?: () => number;
}

/** A connection is let in so many times as often as it is answered: the rest finds out when there is room again. */
const CALLS_TO_ANSWERS = 2;
/** What a connection did counts half after this time. */
const HALF_LIFE_MS = 250;
/** Without a refusal for want of room for so long, everything is let in. */
const CALM_MS = 100;
/** How long the loop is watched before it counts as without time. */
const WATCH_MS = 50;
const SATURATED = 0.9;
/** Connections that are followed; beyond them all begin anew. */
const MOST_CALLERS = 10_000;

const REFUSAL: Refusal = {
  code: status.RESOURCE_EXHAUSTED,
  details: 'most calls of this connection were refused a moment ago because too much waits: try again later',
};

/** Counts that fade. */
interface CallerCounts {
  calls: number;
  refused: number;
  /** Refusals that are due, in parts of one. */
  due: number;
  atMs: number;
}

export class CallerThrottle {
  private readonly callers = new Map<string, CallerCounts>();
  private readonly nowMs: () => number;
  private pressed = false;
  private saturated = false;
  private turnedAwayMs = -Infinity;
  private watchedMs = -Infinity;

  constructor(private readonly options: CallerThrottleOptions) {
    this.nowMs = options.nowMs ?? (() => performance.now());
  }

  /** Of the method by which requests of this protocol come. */
  admission(protocol: Protocol): Admission {
    const isRefusing = (): boolean => this.pressed && this.saturated;
    return {
      get refusing() {
        return isRefusing();
      },
      refusal: (peer) => {
        // As long as there is room for everybody it costs nothing.
        if (!this.pressed || this.isLetIn(peer())) return undefined;
        this.options.onRefused(protocol);
        return REFUSAL;
      },
    };
  }

  /** A call that was let in ended with an error. What counts is want of room: a full queue, or its turn came too late. */
  failed(error: unknown, peer: () => string): void {
    if (error instanceof DomainError && error.kind === 'exhausted') this.turnedAway(peer());
  }

  private turnedAway(peer: string): void {
    const now = this.nowMs();
    if (!this.pressed) {
      this.pressed = true;
      this.watchedMs = now;
      this.saturated = false;
      this.options.utilization();
    }
    this.turnedAwayMs = now;
    const caller = this.faded(peer, now);
    caller.refused += 1;
    // It was let in before anybody counted.
    caller.calls = Math.max(caller.calls, caller.refused);
  }

  private isLetIn(peer: string): boolean {
    const now = this.nowMs();
    if (now - this.turnedAwayMs > CALM_MS) {
      this.pressed = false;
      this.callers.clear();
      return true;
    }
    if (now - this.watchedMs > WATCH_MS) {
      this.saturated = this.options.utilization() > SATURATED;
      this.watchedMs = now;
    }
    const caller = this.faded(peer, now);
    caller.calls += 1;
    if (!this.saturated) return true;
    const answered = caller.calls - caller.refused;
    caller.due += Math.max(0, (caller.calls - CALLS_TO_ANSWERS * answered) / (caller.calls + 1));
    if (caller.due < 1) return true;
    caller.due -= 1;
    caller.refused += 1;
    return false;
  }

  private faded(peer: string, now: number): CallerCounts {
    let caller = this.callers.get(peer);
    if (!caller) {
      if (this.callers.size >= MOST_CALLERS) this.callers.clear();
      this.callers.set(peer, (caller = { calls: 0, refused: 0, due: 0, atMs: now }));
    }
    const left = 2 ** ((caller.atMs - now) / HALF_LIFE_MS);
    caller.calls *= left;
    caller.refused *= left;
    caller.atMs = now;
    return caller;
  }
}
