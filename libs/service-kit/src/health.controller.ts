import { speakOpenMetrics } from '@headrace/tracing';
import { Controller, Get, Header, HttpCode, ServiceUnavailableException } from '@nestjs/common';
import { register } from 'prom-client';
import { Readiness } from './readiness';

speakOpenMetrics();

@Controller()
export class HealthController {
  constructor(private readonly readiness: Readiness) {}

  /** The process runs and its event loop turns. */
  @Get('healthz')
  @HttpCode(200)
  health(): { status: string } {
    return { status: 'ok' };
  }

  /** It can do its work now; 503 names everything that is missing. */
  @Get('readyz')
  ready(): { status: string } {
    const { ready, notReady } = this.readiness.report();
    if (!ready) throw new ServiceUnavailableException({ status: 'not ready', notReady });
    return { status: 'ready' };
  }

  /** OpenMetrics 1.0, which Prometheus reads since its version 2.5. */
  @Get('metrics')
  @Header('Content-Type', register.contentType)
  metrics(): Promise<string> {
    return register.metrics();
  }
}
