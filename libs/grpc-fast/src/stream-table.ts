import type { Stream } from './stream';

/**
 * The open streams of a connection, by their ids. Not a Map: when V8 rehashes one, the table that it leaves points to the new
 * one, and holds what it held. After a full collection the left table lies in old space, so that each scavenge keeps all
 * tables since and the calls in them: ten times the pause, and everything is promoted.
 */
export class StreamTable {
  private readonly byId = Object.create(null) as Record<number, Stream>;
  private count = 0;

  get size(): number {
    return this.count;
  }

  get(id: number): Stream | undefined {
    return this.byId[id];
  }

  /** The id is new. */
  add(stream: Stream): void {
    this.byId[stream.id] = stream;
    this.count += 1;
  }

  /** False: it is not there. */
  delete(id: number): boolean {
    if (!(id in this.byId)) return false;
    // Dictionary elements: ids rise and streams end, so a hole is never filled again.
    Reflect.deleteProperty(this.byId, id);
    this.count -= 1;
    return true;
  }

  /** Those that are there now: more or fewer afterwards change nothing. */
  values(): Stream[] {
    return Object.values(this.byId);
  }
}
