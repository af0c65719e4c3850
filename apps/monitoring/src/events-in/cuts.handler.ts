import { events } from '@headrace/contracts';
import type { WindowCut } from '@headrace/contracts/proto/monitoring/v1/monitoring_events';
import { OnEvent, type Outcome, type ReceivedEvent, type Transaction } from '@headrace/messaging';
import { Controller } from '@nestjs/common';
import { saveCut } from '../database/window-cuts.repository';

/** Where windows by count end. The service that decided it knows already; a replay learns it here. */
@Controller()
export class CutsHandler {
  @OnEvent(events.WindowCut, { deadLetter: 'reorder-safe' })
  async onCut({ data }: ReceivedEvent<WindowCut>, transaction: Transaction): Promise<Outcome> {
    const { clock, closedBy } = data;
    if ((clock !== 'prediction' && clock !== 'label') || (closedBy !== 'predictions' && closedBy !== 'age')) {
      const message = `clock "${clock}" or closed_by "${closedBy}" is not known`;
      return { kind: 'rejected', code: 'bad_cut', message };
    }
    await saveCut(transaction, { ...data, clock, closedBy });
    return { kind: 'done' };
  }
}
