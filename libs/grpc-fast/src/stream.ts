// One stream of HTTP/2: one call. What is written here is sent as far as both windows allow; the rest waits.
import { type Metadata, status } from '@grpc/grpc-js';
import type { Connection } from './connection';
import type { Expiring } from './deadlines';
import { MessageReader, type CallFault } from './message-reader';
import { ErrorCode, Flag, FrameType, MAX_WINDOW, MESSAGE_HEAD_BYTES } from './protocol';
import type { RequestHead } from './request-head';

/** What a stream tells the call that it carries. */
export interface StreamListener {
  /** False: take no more until `resumeReading`. */
  onMessage(bytes: Buffer): boolean;
  /** The caller has sent everything. */
  onEnd(): void;
  /** The caller has gone, or its deadline has passed. Nothing can be answered any more. */
  onCancelled(): void;
}

/** Payload that waits for a window. */
interface Waiting {
  readonly bytes: Buffer;
  at: number;
  readonly sent: (() => void) | undefined;
}

interface Ending {
  readonly code: number;
  readonly details: string;
  readonly metadata: Metadata | undefined;
}

export class Stream implements Expiring {
  slot = 0;
  /** Milliseconds since 1970. */
  deadline = Infinity;
  listener: StreamListener | undefined;
  /** Somebody who does not speak gRPC: is told so when the request has ended. */
  refusal: { readonly httpStatus: number; readonly why: string } | undefined;
  /** What this side may still send. */
  sendWindow: number;
  /** What the caller may still send. */
  receiveWindow: number;
  /** By how much SETTINGS leave the caller more than the usual window; below 0: less. */
  private surplus: number;
  private uncredited = 0;
  private withheld = 0;
  private received = 0;
  remoteEnded = false;
  private headSent = false;
  private answered = false;
  closed = false;
  private waiting: Waiting[] | undefined;
  private ending: Ending | undefined;
  private reader: MessageReader | undefined;
  /** Since when an answer waits for a window. */
  blockedSince: number | undefined;
  readonly startedAt: number;

  constructor(
    readonly connection: Connection,
    readonly id: number,
    readonly head: RequestHead,
    /** True: one message is expected, so it must be whole in a bounded time. */
    readonly unary: boolean,
  ) {
    this.sendWindow = connection.sending.initialWindow;
    this.receiveWindow = connection.receiving.streamWindow;
    this.surplus = this.receiveWindow - connection.limits.streamWindowBytes;
    this.startedAt = connection.server.coarseNow;
  }

  // Reading

  /** `flowBytes`: of the frame's payload, padding included. */
  data(bytes: Buffer, start: number, end: number, flowBytes: number, last: boolean): void {
    this.receiveWindow -= flowBytes;
    if (this.receiveWindow < 0) {
      this.connection.resetStream(this, ErrorCode.flowControl);
      return;
    }
    this.received += end - start;
    if (last) this.remoteEnded = true;
    // An answer that still waits for a window: nobody reads any more.
    if (this.answered) return;
    if (end > start && !this.refusal) {
      this.reader ??= new MessageReader(
        this.connection.limits.maxMessageBytes,
        this.connection.budget,
        this.unary,
        (message) => this.listener?.onMessage(message) ?? false,
      );
      const fault = this.reader.push(bytes, start, end);
      if (fault) {
        this.fail(fault);
        return;
      }
    }
    if (last) this.readEnd();
    else if (this.reader?.paused) this.withheld += flowBytes;
    else this.credit(flowBytes);
  }

  /** END_STREAM came, with or without a payload. */
  readEnd(): void {
    this.remoteEnded = true;
    if (this.answered || this.closed) return;
    if (this.head.contentLength !== undefined && this.head.contentLength !== this.received) {
      this.connection.spoiled(this, ErrorCode.protocol);
      return;
    }
    if (this.refusal) {
      this.answered = true;
      this.connection.sending.headerBlock(
        this.id,
        this.connection.headers.plain(this.refusal.httpStatus, this.refusal.why),
        true,
      );
      this.connection.answered(this);
      return;
    }
    if (!this.reader?.pending) this.listener?.onEnd();
    else if (!this.reader.paused) this.fail({ code: status.INTERNAL, details: 'the request ends inside a message' });
  }

  /** The call takes messages again. */
  resumeReading(): void {
    if (!this.reader?.paused || this.closed) return;
    const fault = this.reader.resume();
    if (fault) {
      this.fail(fault);
      return;
    }
    if (this.reader.paused) return;
    if (this.remoteEnded) this.readEnd();
    else {
      this.credit(this.withheld);
      this.withheld = 0;
    }
  }

  /** The call is let in: it has the usual window from now on, whatever SETTINGS say. */
  letIn(): void {
    if (this.surplus >= 0 || this.remoteEnded || this.answered || this.closed) return;
    this.connection.output.number(FrameType.windowUpdate, this.id, -this.surplus);
    this.receiveWindow -= this.surplus;
    this.surplus = 0;
  }

  moveReceiveWindow(by: number): void {
    this.receiveWindow += by;
    this.surplus += by;
    this.letIn();
  }

  private credit(bytes: number): void {
    this.uncredited += bytes;
    if (this.uncredited < this.connection.limits.streamWindowBytes / 2) return;
    this.connection.output.number(FrameType.windowUpdate, this.id, this.uncredited);
    this.receiveWindow += this.uncredited;
    this.uncredited = 0;
  }

  // Writing

  /** The usual answer: headers, one message, status OK. Nothing was sent before. */
  answerOnce(message: Buffer): void {
    if (this.answered) return;
    const { output, headers } = this.connection;
    const size = MESSAGE_HEAD_BYTES + message.length;
    if (this.headSent || size > this.sendable() || size > this.connection.sending.frameBytes) {
      this.sendMessage(message);
      this.sendStatus(status.OK, '');
      return;
    }
    const head = headers.head();
    output.frame(FrameType.headers, Flag.endHeaders, this.id, head);
    this.headSent = true;
    output.frameHead(size, FrameType.data, 0, this.id);
    output.uint8(0);
    output.uint32(message.length);
    output.bytes(message, 0, message.length);
    this.spend(size);
    this.answered = true;
    output.frame(FrameType.headers, Flag.endHeaders | Flag.endStream, this.id, headers.trailers(status.OK));
    this.connection.answered(this);
  }

  sendHead(metadata?: Metadata): void {
    if (this.headSent || this.answered) return;
    this.headSent = true;
    this.connection.sending.headerBlock(this.id, this.connection.headers.head(metadata), false);
  }

  /** `sent` is called when the last byte has gone to the socket; never after the call has ended. */
  sendMessage(message: Buffer, sent?: () => void): void {
    if (this.answered || this.closed) return;
    this.sendHead();
    const prefix = Buffer.allocUnsafe(MESSAGE_HEAD_BYTES);
    prefix[0] = 0;
    prefix.writeUInt32BE(message.length, 1);
    if (
      !this.waiting &&
      MESSAGE_HEAD_BYTES + message.length <= Math.min(this.sendable(), this.connection.sending.frameBytes)
    ) {
      const { output } = this.connection;
      output.frameHead(MESSAGE_HEAD_BYTES + message.length, FrameType.data, 0, this.id);
      output.bytes(prefix, 0, MESSAGE_HEAD_BYTES);
      output.bytes(message, 0, message.length);
      this.spend(MESSAGE_HEAD_BYTES + message.length);
      if (sent) this.connection.sending.whenTaken(sent);
      return;
    }
    const bytes = Buffer.concat([prefix, message]);
    if (!this.connection.budget.take(bytes.length)) {
      this.connection.resetStream(this, ErrorCode.enhanceYourCalm);
      return;
    }
    (this.waiting ??= []).push({ bytes, at: 0, sent });
    this.pump();
  }

  sendStatus(code: number, details: string, metadata?: Metadata): void {
    if (this.answered || this.closed) return;
    this.answered = true;
    if (this.waiting) this.ending = { code, details, metadata };
    else this.sendEnding({ code, details, metadata });
  }

  /** Sends what the windows allow. Returns false when the connection's window is what stops it. */
  pump(): boolean {
    const { output, sending } = this.connection;
    while (this.waiting) {
      const [first] = this.waiting;
      if (!first) break;
      const count = Math.min(first.bytes.length - first.at, this.sendable(), sending.frameBytes);
      if (count <= 0) {
        this.blockedSince ??= this.connection.server.coarseNow;
        this.connection.sending.wait(this, this.sendWindow > 0);
        return this.sendWindow <= 0;
      }
      this.blockedSince = undefined;
      output.frameHead(count, FrameType.data, 0, this.id);
      output.bytes(first.bytes, first.at, first.at + count);
      this.spend(count);
      first.at += count;
      if (first.at < first.bytes.length) continue;
      this.connection.budget.giveBack(first.bytes.length);
      this.waiting.shift();
      if (this.waiting.length === 0) this.waiting = undefined;
      if (first.sent) this.connection.sending.whenTaken(first.sent);
    }
    this.blockedSince = undefined;
    if (this.ending && !this.closed) this.sendEnding(this.ending);
    return true;
  }

  /** RFC 9113, 6.9.1: beyond 2^31 - 1 is an error. */
  enlargeWindow(bytes: number): boolean {
    if (this.sendWindow + bytes > MAX_WINDOW) return false;
    this.sendWindow += bytes;
    return true;
  }

  expire(): void {
    if (this.closed) return;
    if (this.waiting) {
      this.connection.resetStream(this, ErrorCode.cancel);
      return;
    }
    if (this.answered) return;
    const { listener } = this;
    this.sendStatus(status.DEADLINE_EXCEEDED, 'Deadline exceeded');
    listener?.onCancelled();
  }

  fail({ code, details }: CallFault): void {
    if (this.answered) return;
    const { listener } = this;
    this.sendStatus(code, details);
    listener?.onCancelled();
  }

  /** Called once by the connection, when nothing is sent or read any more. */
  release(): void {
    this.closed = true;
    this.reader?.close();
    for (const { bytes } of this.waiting ?? []) this.connection.budget.giveBack(bytes.length);
    this.waiting = undefined;
    if (this.answered) return;
    this.answered = true;
    this.listener?.onCancelled();
  }

  private sendEnding({ code, details, metadata }: Ending): void {
    const { headers } = this.connection;
    const block = this.headSent
      ? headers.trailers(code, details, metadata)
      : headers.trailersOnly(code, details, metadata);
    this.headSent = true;
    this.connection.sending.headerBlock(this.id, block, true);
    this.connection.answered(this);
  }

  private sendable(): number {
    return Math.min(this.sendWindow, this.connection.sending.window);
  }

  private spend(bytes: number): void {
    this.sendWindow -= bytes;
    this.connection.sending.window -= bytes;
  }
}
