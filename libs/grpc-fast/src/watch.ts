import type { Connection } from './connection';
import { ErrorCode, FrameType } from './protocol';

const PING_OF_WATCH = Buffer.from('watching', 'latin1');
/** How long a connection that was told to go may stay. */
const GOODBYE_MS = 2_000;

/** The times of one connection, looked at every second: a timer for each would cost more. Milliseconds. */
export class Watch {
  private readonly openedAt: number;
  private heardAt: number;
  private pingedAt: number | undefined;
  private idleSince: number | undefined;
  private closedAt: number | undefined;
  private inside: { readonly since: number; readonly frames: number } | undefined;
  private blockSince: number | undefined;

  constructor(private readonly connection: Connection) {
    this.openedAt = this.heardAt = connection.server.coarseNow;
  }

  heard(): void {
    this.heardAt = this.connection.server.coarseNow;
    this.pingedAt = undefined;
  }

  sweep(now: number): void {
    const { connection } = this;
    const { limits } = connection;
    if (connection.closed) {
      this.closedAt ??= now;
      if (now - this.closedAt >= GOODBYE_MS) connection.terminate();
    } else if (!connection.settingsSeen && now - this.openedAt >= limits.handshakeTimeoutMs) {
      connection.fault(ErrorCode.settingsTimeout, 'no settings came');
    } else if (this.isSlow(now)) {
      connection.fault(ErrorCode.enhanceYourCalm, 'a frame or header block does not become whole');
    } else if (now - (connection.output.congestedSince ?? now) >= limits.stallTimeoutMs) {
      connection.terminate();
    } else {
      this.streams(now);
      this.silence(now);
      this.idle(now);
    }
  }

  /** Slow loris: bytes come, but nothing whole. */
  private isSlow(now: number): boolean {
    const { reader, framesRead, blocks, limits } = this.connection;
    if (!reader.inside) this.inside = undefined;
    else if (this.inside?.frames !== framesRead) this.inside = { since: now, frames: framesRead };
    this.blockSince = blocks.open ? (this.blockSince ?? now) : undefined;
    return now - Math.min(this.inside?.since ?? now, this.blockSince ?? now) >= limits.frameTimeoutMs;
  }

  private streams(now: number): void {
    const { connection } = this;
    const { stallTimeoutMs, requestTimeoutMs } = connection.limits;
    for (const stream of connection.sending.waiting)
      if (now - (stream.blockedSince ?? now) >= stallTimeoutMs) connection.resetStream(stream, ErrorCode.cancel);
    for (const stream of connection.streams.values())
      if (stream.unary && !stream.remoteEnded && now - stream.startedAt >= requestTimeoutMs)
        connection.resetStream(stream, ErrorCode.cancel);
  }

  /** Half-open connections: the other side is gone without having said so. */
  private silence(now: number): void {
    const { connection } = this;
    if (this.pingedAt !== undefined) {
      if (now - this.pingedAt >= connection.limits.keepAliveTimeoutMs) connection.terminate();
    } else if (now - this.heardAt >= connection.limits.keepAliveMs) {
      this.pingedAt = now;
      connection.output.frame(FrameType.ping, 0, 0, PING_OF_WATCH);
    }
  }

  private idle(now: number): void {
    const { connection } = this;
    if (connection.streams.size > 0) {
      this.idleSince = undefined;
      return;
    }
    this.idleSince ??= now;
    if (now - this.heardAt >= 1_000) connection.output.rest();
    if (now - this.idleSince >= connection.limits.idleTimeoutMs) connection.leave();
  }
}
