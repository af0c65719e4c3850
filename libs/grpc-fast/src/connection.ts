// One connection: frames in, frames out, and the state that RFC 9113 wants for them.
import type { Socket } from 'node:net';
import { AbuseGuard } from './abuse';
import { ByteBudget } from './budget';
import { FrameReader, type FrameListener } from './frame-reader';
import { checkForm, paddingOf } from './frame-rules';
import { HeaderBlocks } from './header-blocks';
import { Output } from './output';
import {
  ConnectionFault,
  DEFAULT_FRAME_BYTES,
  ErrorCode,
  Flag,
  FrameType,
  MAX_WINDOW,
  protocolFault,
  Setting,
  type ServerLimits,
} from './protocol';
import type { RequestHead } from './request-head';
import { Receiving } from './receiving';
import { RecentStreams } from './recent-streams';
import { ResponseHeaders } from './response-headers';
import { Sending } from './sending';
import type { FastGrpcServer } from './server';
import type { Stream } from './stream';
import { StreamTable } from './stream-table';
import { Watch } from './watch';

const PING_OF_GOODBYE = Buffer.from('goodbye.', 'latin1');

export class Connection {
  readonly limits: ServerLimits;
  readonly output: Output;
  readonly sending: Sending;
  readonly receiving: Receiving;
  readonly headers = new ResponseHeaders();
  readonly budget: ByteBudget;
  readonly guard = new AbuseGuard();
  readonly streams = new StreamTable();
  readonly reader: FrameReader;
  readonly blocks: HeaderBlocks;
  private readonly watch: Watch;
  private readonly endedEarly = new RecentStreams(1_024);
  private lastStream = 0;
  settingsSeen = false;
  framesRead = 0;
  /** Handlers that still work for calls that are over. */
  abandoned = 0;
  private leaving: 'no' | 'announced' | 'last' | 'closed' = 'no';

  constructor(
    readonly server: FastGrpcServer,
    readonly socket: Socket,
    readonly peer: string,
  ) {
    this.limits = server.limits;
    this.budget = new ByteBudget(this.limits.maxConnectionBufferedBytes, server.budget);
    this.reader = new FrameReader(DEFAULT_FRAME_BYTES, this.frame);
    this.blocks = new HeaderBlocks(this);
    this.output = new Output(
      socket,
      () => server.coarseNow,
      (congested) => this.onCongested(congested),
    );
    this.sending = new Sending(this.output);
    this.receiving = new Receiving(this.output, this.limits);
    this.watch = new Watch(this);
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => this.read(chunk));
    socket.on('end', () => this.terminate());
    socket.on('error', () => this.terminate());
    socket.on('close', () => this.terminate());
    this.receiving.greet();
  }

  get closed(): boolean {
    return this.leaving === 'closed';
  }

  get atLimit(): boolean {
    return this.streams.size + this.abandoned >= this.limits.maxConcurrentStreams;
  }

  /** No new calls; `done` calls are finished. Two GOAWAYs: calls that are on their way meanwhile are still served. */
  leave(): void {
    if (this.leaving !== 'no') return;
    this.leaving = 'announced';
    this.output.goAway(MAX_WINDOW, ErrorCode.none, 'the server is shutting down');
    this.output.frame(FrameType.ping, 0, 0, PING_OF_GOODBYE);
  }

  sweep(now: number, elapsedMs: number): void {
    this.guard.refill(elapsedMs / 1_000);
    this.watch.sweep(now);
  }

  /** Why not to go on, then the end. */
  fault(code: number, message: string): void {
    if (this.closed) return;
    this.server.countFault(code, message, this.peer);
    this.output.goAway(this.lastStream, code, message);
    this.finish();
  }

  /** At once: nobody is there to be told. */
  terminate(): void {
    this.releaseAll();
    this.socket.destroy();
    this.server.forget(this);
  }

  private read(chunk: Buffer): void {
    if (this.closed) return;
    this.watch.heard();
    try {
      this.reader.push(chunk);
    } catch (error) {
      if (error instanceof ConnectionFault) this.fault(error.code, error.message);
      else {
        this.server.onError(error);
        this.fault(ErrorCode.internal, 'internal error');
      }
    }
  }

  private readonly frame: FrameListener = (type, flags, id, bytes, start, end) => {
    if (this.closed) return;
    this.framesRead += 1;
    if (this.blocks.open && type !== FrameType.continuation)
      throw protocolFault('a header block is interrupted by another frame');
    if (!this.settingsSeen && type !== FrameType.settings) throw protocolFault('the first frame is not SETTINGS');
    checkForm(type, id, end - start);
    switch (type) {
      case FrameType.data:
        this.data(flags, id, bytes, start, end);
        break;
      case FrameType.headers:
        this.guard.useful();
        this.blocks.headers(flags, id, bytes, start, end);
        break;
      case FrameType.continuation:
        this.blocks.continuation(flags, id, bytes, start, end);
        break;
      case FrameType.resetStream:
        this.resetByPeer(id);
        break;
      case FrameType.settings:
        this.guard.frame(10);
        this.settings(flags, bytes, start, end);
        break;
      case FrameType.windowUpdate:
        this.guard.frame();
        this.windowUpdate(id, bytes.readUInt32BE(start) & MAX_WINDOW);
        break;
      case FrameType.ping:
        this.guard.frame();
        this.ping(flags, bytes, start, end);
        break;
      case FrameType.priority:
        this.guard.frame();
        this.priority(id, bytes, start);
        break;
      case FrameType.goAway:
        this.guard.frame();
        break;
      case FrameType.pushPromise:
        throw protocolFault('a client does not push');
      default:
        this.guard.frame();
    }
  };

  private data(flags: number, id: number, bytes: Buffer, from: number, to: number): void {
    const flowBytes = to - from;
    let start = from;
    let end = to;
    if (flags & Flag.padded) {
      end -= paddingOf(bytes, start, end);
      start += 1;
    }
    this.receiving.take(flowBytes);
    const last = (flags & Flag.endStream) !== 0;
    if (end > start || last) this.guard.useful();
    else this.guard.frame();
    const stream = this.streams.get(id);
    if (stream && !stream.remoteEnded) stream.data(bytes, start, end, flowBytes, last);
    else if (stream) this.spoiled(stream, ErrorCode.streamClosed);
    else if (this.isIdle(id)) throw protocolFault('DATA came before HEADERS');
    else if (!this.endedEarly.has(id)) this.refuse(id, ErrorCode.streamClosed);
  }

  /** A whole block: the beginning of a call, or the trailers of one. */
  request(id: number, last: boolean, head: () => RequestHead, trailersValid: () => boolean): void {
    const stream = this.streams.get(id);
    if (stream) {
      const valid = trailersValid();
      if (stream.remoteEnded)
        throw new ConnectionFault(ErrorCode.streamClosed, 'HEADERS came after the end of a stream');
      if (valid && last) stream.readEnd();
      else this.spoiled(stream, ErrorCode.protocol);
      return;
    }
    if (!this.isIdle(id)) {
      trailersValid();
      if (this.endedEarly.has(id)) return;
      throw new ConnectionFault(ErrorCode.streamClosed, 'HEADERS came on a closed stream');
    }
    this.lastStream = id;
    const found = head();
    if (this.leaving === 'last') this.refuse(id, ErrorCode.refusedStream);
    else if (found.malformed !== undefined) this.refuse(id, ErrorCode.protocol);
    else if (this.atLimit) this.refuse(id, ErrorCode.refusedStream);
    else {
      const opened = this.server.open(this, id, found, last);
      if (last && !opened.closed) opened.readEnd();
    }
  }

  private isIdle(id: number): boolean {
    return (id & 1) === 0 || id > this.lastStream;
  }

  private resetByPeer(id: number): void {
    if (this.isIdle(id)) throw protocolFault('RST_STREAM came before HEADERS');
    this.countReset();
    const stream = this.streams.get(id);
    if (stream) this.close(stream);
  }

  private settings(flags: number, bytes: Buffer, start: number, end: number): void {
    if (flags & Flag.ack) {
      if (start !== end) throw new ConnectionFault(ErrorCode.frameSize, 'an acknowledgement of SETTINGS is empty');
      this.receiving.acknowledged(this.streams.values());
      return;
    }
    if ((end - start) % 6 !== 0) throw new ConnectionFault(ErrorCode.frameSize, 'SETTINGS has a wrong length');
    this.settingsSeen = true;
    for (let at = start; at < end; at += 6) this.setting(bytes.readUInt16BE(at), bytes.readUInt32BE(at + 2));
    this.output.frame(FrameType.settings, Flag.ack, 0);
  }

  private setting(id: number, value: number): void {
    switch (id) {
      case Setting.headerTableSize:
        this.headers.resizeTable(value);
        break;
      case Setting.enablePush:
        if (value > 1) throw protocolFault('ENABLE_PUSH is 0 or 1');
        break;
      case Setting.initialWindowSize:
        this.sending.setInitialWindow(value, this.streams.values());
        break;
      case Setting.maxFrameSize:
        this.sending.setFrameBytes(value);
    }
  }

  private windowUpdate(id: number, bytes: number): void {
    const stream = this.streams.get(id);
    if (id === 0) {
      this.sending.enlarge(bytes);
    } else if (stream) {
      if (bytes === 0) this.spoiled(stream, ErrorCode.protocol);
      else if (!stream.enlargeWindow(bytes)) this.spoiled(stream, ErrorCode.flowControl);
      else if (this.sending.waiting.has(stream)) this.sending.pump(stream);
    } else if (this.isIdle(id)) {
      throw protocolFault('WINDOW_UPDATE came before HEADERS');
    }
  }

  private ping(flags: number, bytes: Buffer, start: number, end: number): void {
    if ((flags & Flag.ack) === 0) this.output.frame(FrameType.ping, Flag.ack, 0, bytes.subarray(start, end));
    else if (this.leaving === 'announced' && PING_OF_GOODBYE.equals(bytes.subarray(start, end))) this.sayLast();
  }

  /** What the client sent before it read the first GOAWAY is here now. */
  private sayLast(): void {
    this.leaving = 'last';
    this.output.goAway(this.lastStream, ErrorCode.none, '');
    if (this.streams.size === 0) this.finish();
  }

  /** Ignored (RFC 9113, 5.3.2) but for its form. */
  private priority(id: number, bytes: Buffer, start: number): void {
    if ((bytes.readUInt32BE(start) & MAX_WINDOW) === id) throw protocolFault('a stream depends on itself');
  }

  // For streams

  /** The last frame of an answer was written. */
  answered(stream: Stream): void {
    this.guard.answered();
    if (!stream.remoteEnded) this.resetStream(stream, ErrorCode.none);
    else this.close(stream);
  }

  resetStream(stream: Stream, code: number): void {
    this.output.number(FrameType.resetStream, stream.id, code);
    this.endedEarly.add(stream.id);
    this.close(stream);
  }

  /** The caller broke a rule: costs it as much as a call that it takes back. */
  spoiled(stream: Stream, code: number): void {
    this.resetStream(stream, code);
    this.countReset();
  }

  private refuse(id: number, code: number): void {
    this.output.number(FrameType.resetStream, id, code);
    this.endedEarly.add(id);
    this.countReset();
  }

  /** Not thrown: streams are also spoiled by what was read before. */
  private countReset(): void {
    if (!this.guard.reset()) this.fault(ErrorCode.enhanceYourCalm, 'too many calls were taken back');
  }

  private close(stream: Stream): void {
    if (!this.streams.delete(stream.id)) return;
    this.sending.forget(stream);
    if (stream.slot !== 0) this.server.deadlines.remove(stream);
    stream.release();
    if (this.leaving === 'last' && this.streams.size === 0) this.finish();
  }

  /** Sends what is written, then ends. What still comes is not looked at; who does not close is cut off by the watch. */
  private finish(): void {
    this.releaseAll();
    this.output.flush();
    this.socket.resume();
    this.socket.end();
  }

  private releaseAll(): void {
    this.leaving = 'closed';
    for (const stream of this.streams.values()) this.close(stream);
    this.sending.close();
  }

  private onCongested(congested: boolean): void {
    if (this.closed) return;
    if (congested) {
      this.socket.pause();
      return;
    }
    this.socket.resume();
    this.sending.taken();
  }
}
